"""Values between nodes: what a node gets as its input.

Outputs stay raw JSON until somebody needs them. A default input is put together from raw parts, without decoding any.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mainspring.graph.joining import DEFAULT_PORT
from mainspring.graph.plan import PlanNode
from mainspring.machine.error_values import error_value
from mainspring.machine.events import ErrorRecord, Token
from mainspring.machine.scope import NodeState, Scope

PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
"""The largest value that a node may hand on, in bytes of JSON (SEMANTICS 8)."""

_NULL = b"null"
_decode_error = msgspec.json.Decoder(ErrorRecord).decode


def input_of(scope: Scope, node: PlanNode) -> bytes:
    """A started node's input as JSON (SEMANTICS 18): computed by its mapping, or by default what came in."""
    state = scope.nodes[node.index]
    if node.constant_input is not None:
        return node.constant_input if state is None or state.input is None else state.input
    if state is not None and state.input is not None:
        return state.input
    return default_input(scope, node, state)


def default_input(scope: Scope, node: PlanNode, state: NodeState | None) -> bytes:
    """The bare payload, or an object keyed by source or by port. An entry node gets the scope's input."""
    if node.in_degree == 0 or state is None:
        return scope.input
    if node.in_degree == 1 and state.messages and node.inbox is None and not node.keyed_by_port:  # the usual node
        source = scope.nodes[node.incoming[0].source]
        if source is not None and source.output is not None:
            return source.output
    messages = _messages(scope, node, state)
    if node.keyed_by_port:
        return _by_port(scope, node, messages)
    if node.keyed_input:
        return _by_source(scope, node, messages)
    return payload(scope, messages[0]) if messages else _NULL


def _messages(scope: Scope, node: PlanNode, state: NodeState) -> Sequence[Token]:
    """What the node's present run works on, in the order of arrival. What came later is no part of it."""
    if node.inbox is not None:
        return [lease.payload for lease in scope.inbox(node).taken]
    messages = state.messages or ()
    return [Token(index) for index in (messages[: node.need] if node.need else messages)]


def _by_source(scope: Scope, node: PlanNode, messages: Sequence[Token]) -> bytes:
    fired = {token.connection: token for token in messages}
    return b"{" + b",".join([key + payload(scope, fired[index]) for index, key in node.keys if index in fired]) + b"}"


def _by_port(scope: Scope, node: PlanNode, messages: Sequence[Token]) -> bytes:
    """Keyed by target port. Where all of several connections on a port count, the value is the list of what came."""
    fired = {token.connection: token for token in messages}
    ports: dict[str, list[int]] = {}
    for connection in node.incoming:
        ports.setdefault(connection.target_port or DEFAULT_PORT, []).append(connection.index)
    parts = []
    for port, indexes in ports.items():
        came = [payload(scope, fired[index]) for index in indexes if index in fired]
        if came:
            whole = len(indexes) > 1 and node.inbox is None
            value = b"[" + b",".join(came) + b"]" if whole else came[0]
            parts.append(msgspec.json.encode(port) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def payload(scope: Scope, token: Token) -> bytes:
    """What a message brings: the output of the run that sent it, or the record of its error where that failed."""
    source = scope.graph.nodes[scope.graph.connections[token.connection].source]
    if not source.repeating:  # as `_sent` has it, without a call for the usual message
        state = scope.nodes[source.index]
        if state is not None and state.output is not None:
            return state.output
    output, error = _sent(scope, token)
    if output is not None:
        return output
    return _NULL if error is None else msgspec.json.encode(error_value(error))


def error_of(scope: Scope, node: PlanNode) -> ErrorRecord | None:
    """The error that a started node is there to see to: of the first of its messages that a failure sent."""
    state = scope.nodes[node.index]
    assert state is not None, f"{node.id} has not begun"
    sent = (_sent(scope, token) for token in _messages(scope, node, state))
    return next((error for output, error in sent if output is None and error is not None), None)


def _sent(scope: Scope, token: Token) -> tuple[bytes | None, ErrorRecord | None]:
    source = scope.graph.nodes[scope.graph.connections[token.connection].source]
    if source.repeating:
        result = scope.inbox(source).results[token.run - 1]
        return result.output, None if result.error is None else _decode_error(result.error)
    state = scope.nodes[source.index]
    return (None, None) if state is None else (state.output, state.error)


def leaf_outputs(scope: Scope) -> bytes:
    """Without an output mapping: the output of the only leaf, or an object of the completed leaves' outputs by id."""
    leaves = scope.graph.leaves
    states = scope.nodes
    if len(leaves) == 1:
        only = states[leaves[0].index]
        return _NULL if only is None or only.output is None else only.output
    parts = []
    for leaf in leaves:
        state = states[leaf.index]
        if state is not None and state.status == "completed" and state.output is not None:
            parts.append(msgspec.json.encode(leaf.id) + b":" + state.output)
    return b"{" + b",".join(parts) + b"}"
