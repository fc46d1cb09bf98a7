"""The nodes that are under way, in all scopes of an instance."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine.scope import NodeState, Scope
from mainspring.machine.turn import Turn

OpenNode = tuple[Scope, PlanNode, NodeState]
_OPEN_STATES = frozenset({"ready", "running", "retrying", "waiting", "falling_back"})


def open_nodes(turn: Turn) -> list[OpenNode]:
    """The nodes under way in all scopes, in the order in which these began."""
    return [
        (scope, node, state)
        for scope in turn.instance.scopes
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
        if state is not None and state.status in _OPEN_STATES
    ]
