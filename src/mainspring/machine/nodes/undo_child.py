"""What stands in the place of an undo node where a child is to be undone: it has the child undo itself, and waits."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.children import child_id
from mainspring.machine.inputs import ChildEnded
from mainspring.machine.instance import NodeState
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.saga import undoing
from mainspring.machine.turn import Turn


def begin(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """The order leaves by the outbox. One round of the saga orders it once."""
    scope, instance = undoing(turn.scope), turn.instance
    assert scope is not None and instance.saga is not None, "it is only there in a saga"
    child = child_id(instance.id, scope.done.path, scope.done.run)
    path = turn.path(node)
    order = fx.CompensateChild(instance.id, path, state.run)
    turn.send(fx.Send(f"{child}/undo/{instance.saga.round}", child, order))
    turn.emit(ev.NodeWaiting(path, state.run, "child", child, None, (child,)))
    return None


def outcome_of(report: ChildEnded) -> Leaves | Fails:
    """The child undid what it did, or it is as it was, with what is left."""
    if report.status == "compensated":
        return Leaves(b"null")
    what = report.reason or f"the child is {report.status}"
    return Fails("ChildNotUndone", what)
