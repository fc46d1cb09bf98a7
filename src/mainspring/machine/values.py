"""Values between nodes: what a node gets as its input, and what an expression can see.

Outputs stay raw JSON until somebody needs them. A default input is put together from raw parts, without decoding any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.graph.joining import DEFAULT_PORT
from mainspring.graph.plan import PlanConnection, PlanNode
from mainspring.machine.events import ErrorRecord, Token
from mainspring.machine.instance import Instance, NodeState

PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
"""The largest value that a node may hand on, in bytes of JSON (SEMANTICS 8)."""

_NULL = b"null"
_decode_error = msgspec.json.Decoder(ErrorRecord).decode


def input_of(instance: Instance, node: PlanNode) -> bytes:
    """A started node's input as JSON (SEMANTICS 18): computed by its mapping, or by default what came in."""
    state = instance.nodes[node.index]
    if node.constant_input is not None:
        return node.constant_input
    if state is not None and state.input is not None:
        return state.input
    return default_input(instance, node, state)


def default_input(instance: Instance, node: PlanNode, state: NodeState | None) -> bytes:
    """The bare payload, or an object keyed by source or by port. An entry node gets the instance's input."""
    if node.in_degree == 0 or state is None:
        return instance.input
    messages = _messages(instance, node, state)
    if node.keyed_by_port:
        return _by_port(instance, node, messages)
    if node.keyed_input:
        return _by_source(instance, node, messages)
    return payload(instance, messages[0]) if messages else _NULL


def _messages(instance: Instance, node: PlanNode, state: NodeState) -> Sequence[Token]:
    """What the node's present run works on, in the order of arrival. What came later is no part of it."""
    if node.inbox is not None:
        return [lease.payload for lease in instance.inbox(node).taken]
    messages = state.messages or ()
    return [Token(index) for index in (messages[: node.need] if node.need else messages)]


def _by_source(instance: Instance, node: PlanNode, messages: Sequence[Token]) -> bytes:
    connections = instance.plan.connections
    fired = {token.connection: token for token in messages}
    sources: dict[str, list[int]] = {}
    for connection in node.incoming:
        sources.setdefault(instance.plan.nodes[connection.source].path, []).append(connection.index)
    parts = []
    for source, indexes in sources.items():
        for index in indexes:
            if index in fired:
                key = source if len(indexes) == 1 else _key(connections[index], source, sources)
                parts.append(msgspec.json.encode(key) + b":" + payload(instance, fired[index]))
    return b"{" + b",".join(parts) + b"}"


def _key(connection: PlanConnection, source: str, sources: Mapping[str, object]) -> str:
    """What a payload is known by where its source sends several: the connection's id, unless a source is called so too."""
    id = connection.id
    return f"{source}:{connection.index}" if id is None or id in sources else id


def _by_port(instance: Instance, node: PlanNode, messages: Sequence[Token]) -> bytes:
    """Keyed by target port. Where all of several connections on a port count, the value is the list of what came."""
    fired = {token.connection: token for token in messages}
    ports: dict[str, list[int]] = {}
    for connection in node.incoming:
        ports.setdefault(connection.target_port or DEFAULT_PORT, []).append(connection.index)
    parts = []
    for port, indexes in ports.items():
        came = [payload(instance, fired[index]) for index in indexes if index in fired]
        if came:
            whole = len(indexes) > 1 and node.inbox is None
            value = b"[" + b",".join(came) + b"]" if whole else came[0]
            parts.append(msgspec.json.encode(port) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def payload(instance: Instance, token: Token) -> bytes:
    """What a message brings: the output of the run that sent it, or the record of its error where that failed."""
    source = instance.plan.nodes[instance.plan.connections[token.connection].source]
    if source.repeating:
        result = instance.inbox(source).results[token.run - 1]
        output, error = result.output, None if result.error is None else _decode_error(result.error)
    else:
        state = instance.nodes[source.index]
        output, error = (None, None) if state is None else (state.output, state.error)
    if output is not None:
        return output
    return _NULL if error is None else msgspec.json.encode(error_value(error))


def error_value(error: ErrorRecord) -> dict[str, Any]:
    """An error as expressions and handlers of failures see it."""
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "context": msgspec.json.decode(error.context),
        "fatal": error.fatal,
    }


def mapping_fault(what: str, error: Exception) -> str:
    """What went wrong in a mapping, at which of its fields, and in which expression."""
    if not isinstance(error, ExpressionError):
        return f"{what} failed: {error}"
    at = f" at `{error.path}`" if error.path else ""
    return (
        f"{what} failed{at}: {error.message} in `{error.text}`" if error.text else f"{what} failed{at}: {error.message}"
    )


class Nodes(Mapping[str, Any]):
    """`nodes.<id>` in an expression: status, output, error, attempts of each node, decoded when first asked for.

    `ending` is the node whose connections are being decided: it has not been folded yet, but has ended for its conditions.
    """

    __slots__ = ("_ending", "_instance", "_known")

    def __init__(self, instance: Instance, ending: tuple[str, dict[str, Any]] | None) -> None:
        self._instance = instance
        self._ending = ending
        self._known: dict[str, dict[str, Any]] = {}

    def __getitem__(self, path: str) -> dict[str, Any]:
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._read(path)
        return found

    def _read(self, path: str) -> dict[str, Any]:
        node = self._instance.plan.by_path[path]
        state = self._instance.nodes[node.index] or NodeState()
        found = {
            "status": state.status,
            "completed": state.status == "completed",
            "failed": state.status == "failed",
            "skipped": state.status == "skipped",
            "output": None if state.output is None else msgspec.json.decode(state.output),
            "error": None if state.error is None else error_value(state.error),
            "attempts": state.attempt,
            "port": state.port,
        }
        if self._ending is not None and self._ending[0] == path:
            found |= self._ending[1]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._instance.plan.by_path)

    def __len__(self) -> int:
        return len(self._instance.plan.by_path)


class Scope:
    """What an expression can see: decoded when first asked for, and only then."""

    __slots__ = ("_ending", "_instance", "_known")

    def __init__(self, instance: Instance, ending: tuple[str, dict[str, Any]] | None = None, **known: Any) -> None:
        self._instance = instance
        self._ending = ending
        self._known = known

    def get(self, name: str) -> Any:
        """The value of a root name, or None."""
        known = self._known
        if name in known:
            return known[name]
        value = known[name] = self._find(name)
        return value

    def _find(self, name: str) -> Any:
        instance = self._instance
        if name == "input":
            return msgspec.json.decode(instance.input)
        if name == "variables":
            return msgspec.json.decode(instance.variables)
        if name == "nodes":
            return Nodes(instance, self._ending)
        if name == "workflow":
            workflow = instance.plan.workflow
            return {"id": workflow.id, "name": workflow.name, "version": workflow.version, "instance": instance.id}
        return None
