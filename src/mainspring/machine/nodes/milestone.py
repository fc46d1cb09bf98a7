"""The milestone: a way that is open only after one node has completed, and before another has begun."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.lifecycle import NODE_FINAL, STARTING
from mainspring.machine.nodes.outcome import Leaves, Outcome
from mainspring.machine.scope import Scope
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def begin(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Leave at once where it is known already, else wait."""
    port = _port(turn.scope, node)
    if port is None:
        told = node.told
        turn.emit(ev.NodeWaiting(turn.path(node), state.run, "milestone", told.after or told.before))
        return None
    return Leaves(input_of(turn.scope, node), (port,))


def reached(turn: Turn) -> list[tuple[PlanNode, NodeState, Leaves]]:
    """The milestones of the turn's scope that can leave now, and how."""
    if turn.instance.status not in STARTING:
        return []
    scope, left = turn.scope, []
    for node in scope.graph.milestones:
        state = scope.nodes[node.index]
        if state is None or state.status != "waiting":
            continue
        port = _port(scope, node)
        if port is not None:
            left.append((node, state, Leaves(input_of(scope, node), (port,))))
    return left


def _port(scope: Scope, node: PlanNode) -> str | None:
    """By which port it leaves; None: that is still open."""
    before = _status(scope, node.told.before)
    if before not in ("", "pending", "skipped"):
        return "closed"
    after = _status(scope, node.told.after)
    if node.told.after is None or after == "completed":
        return "open"
    return "closed" if after in NODE_FINAL else None


def _status(scope: Scope, id: str | None) -> str:
    state = None if id is None else scope.nodes[scope.graph.by_id[id].index]
    return "" if state is None else state.status
