"""What an expression can see of an instance, from the scope in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine.block import Block
from mainspring.machine.error_values import error_value
from mainspring.machine.events import ErrorRecord
from mainspring.machine.instance import Instance
from mainspring.machine.saga import UndoScope, context, undoing
from mainspring.machine.scope import BodyScope, NodeState, Scope
from mainspring.machine.values import error_of


def mapping_fault(what: str, error: Exception) -> str:
    """What went wrong in a mapping, at which of its fields, and in which expression."""
    if not isinstance(error, ExpressionError):
        return f"{what} failed: {error}"
    at = f" at `{error.path}`" if error.path else ""
    return (
        f"{what} failed{at}: {error.message} in `{error.text}`" if error.text else f"{what} failed{at}: {error.message}"
    )


LOOPS = frozenset({"forEach", "while", "until"})
"""The blocks whose bodies have an index."""


class Nodes(Mapping[str, Any]):
    """`nodes.<id>` in an expression: status, output, error, attempts of each node, decoded when first asked for.

    `ending` is the node whose connections are being decided: it has not been folded yet, but has ended for its conditions.
    """

    __slots__ = ("_ending", "_known", "_scope")

    def __init__(self, scope: Scope, ending: tuple[str, dict[str, Any]] | None) -> None:
        self._scope = scope
        self._ending = ending
        self._known: dict[str, dict[str, Any]] = {}

    def __getitem__(self, id: str) -> dict[str, Any]:
        found = self._known.get(id)
        if found is None:
            found = self._known[id] = self._read(id)
        return found

    def _read(self, id: str) -> dict[str, Any]:
        scope = self._scope
        while id not in scope.graph.by_id and isinstance(scope, BodyScope):
            scope = scope.parent  # the innermost node of that name
        state = scope.nodes[scope.graph.by_id[id].index] or NodeState()
        found = {
            "status": state.status,
            "completed": state.status == "completed",
            "failed": state.status == "failed",
            "skipped": state.status == "skipped",
            "output": None if state.output is None else msgspec.json.decode(state.output),
            "error": None if state.error is None else error_value(state.error),
            "attempts": state.attempt,
            "port": state.port,
            "degraded": state.degraded,
        }
        if self._ending is not None and self._ending[0] == id and scope is self._scope:
            found |= self._ending[1]
        return found

    def __iter__(self) -> Iterator[str]:
        known: dict[str, None] = {}
        scope: Scope | None = self._scope
        while scope is not None:
            known.update(dict.fromkeys(scope.graph.by_id))
            scope = scope.parent if isinstance(scope, BodyScope) else None
        return iter(known)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _innermost_loop(scope: Scope) -> BodyScope | None:
    """The body of a loop that this scope is, or is in. Those that an undone run was in are gone."""
    while isinstance(scope, BodyScope) and not isinstance(scope, UndoScope):
        if scope.owner.machine_kind in LOOPS and not scope.of.stands_in:  # (what stands in for a loop is no pass of it)
            return scope
        scope = scope.parent
    return None


def outer_loop(scope: Scope) -> dict[str, Any] | None:
    """What `loop` is in this scope."""
    body = _innermost_loop(scope)
    return None if body is None else loop_value(body, body.of)


def loop_value(body: BodyScope, block: Block) -> dict[str, Any]:
    """What `loop` is in the body of a loop."""
    state = body.owner.told.carries
    return {
        "index": body.index,
        "item": None if state else msgspec.json.decode(body.input),
        "count": None if block.items is None else len(block.items),
        "state": msgspec.json.decode(body.input) if state else None,
        "outer": outer_loop(body.parent),
    }


def stood_in_for(scope: Scope) -> ErrorRecord | None:
    """The error of the node on whose behalf a fallback runs that this scope is, or is in."""
    while isinstance(scope, BodyScope) and not isinstance(scope, UndoScope):
        if scope.of.stands_in:
            return scope.parent.state(scope.owner).error
        scope = scope.parent
    return None


class Names:
    """What an expression can see: decoded when first asked for, and only then. `node` is the one that it is a part of."""

    __slots__ = ("_ending", "_instance", "_known", "_node", "_scope")

    def __init__(
        self,
        instance: Instance,
        scope: Scope,
        ending: tuple[str, dict[str, Any]] | None = None,
        node: PlanNode | None = None,
        **known: Any,
    ) -> None:
        self._instance = instance
        self._scope = scope
        self._ending = ending
        self._node = node
        self._known = known

    def get(self, name: str) -> Any:
        """The value of a root name, or None."""
        known = self._known
        if name in known:
            return known[name]
        value = known[name] = self._find(name)
        return value

    def bind(self, name: str, value: Any) -> None:
        """From here on the root name stands for this value."""
        self._known[name] = value

    def _find(self, name: str) -> Any:
        instance = self._instance
        if name == "input":
            return msgspec.json.decode(instance.input)
        if name == "variables":
            return msgspec.json.decode(instance.variables_in(self._scope))
        if name == "nodes":
            return Nodes(self._scope, self._ending)
        if name == "workflow":
            workflow = instance.plan.workflow
            return {"id": workflow.id, "name": workflow.name, "version": workflow.version, "instance": instance.id}
        if name in ("item", "index", "loop"):
            return self._of_loop(name)
        if name == "compensation":
            scope = undoing(self._scope)
            saga = instance.saga
            return None if scope is None or saga is None else msgspec.json.decode(context(saga, scope))
        if name == "error" and self._node is not None:
            error = error_of(self._scope, self._node) or stood_in_for(self._scope)
            return None if error is None else error_value(error)
        return None

    def _of_loop(self, name: str) -> Any:
        if name == "loop":
            return outer_loop(self._scope)
        body = _innermost_loop(self._scope)
        if body is None:
            return None
        if name == "index":
            return body.index
        return None if body.owner.told.carries else msgspec.json.decode(body.input)
