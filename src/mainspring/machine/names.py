"""What an expression can see of an instance, from the scope in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState, Scope
from mainspring.machine.values import error_value


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
        node = self._scope.graph.by_id[id]
        state = self._scope.nodes[node.index] or NodeState()
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
        if self._ending is not None and self._ending[0] == id:
            found |= self._ending[1]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope.graph.by_id)

    def __len__(self) -> int:
        return len(self._scope.graph.by_id)


class Names:
    """What an expression can see: decoded when first asked for, and only then."""

    __slots__ = ("_ending", "_instance", "_known", "_scope")

    def __init__(
        self, instance: Instance, scope: Scope, ending: tuple[str, dict[str, Any]] | None = None, **known: Any
    ) -> None:
        self._instance = instance
        self._scope = scope
        self._ending = ending
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
            return msgspec.json.decode(instance.variables)
        if name == "nodes":
            return Nodes(self._scope, self._ending)
        if name == "workflow":
            workflow = instance.plan.workflow
            return {"id": workflow.id, "name": workflow.name, "version": workflow.version, "instance": instance.id}
        return None
