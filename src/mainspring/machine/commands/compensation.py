"""What a saga is told: the runs that were read back for it, and that somebody wants it to go on."""

from __future__ import annotations

from mainspring.machine import events as ev
from mainspring.machine import waves
from mainspring.machine.inputs import Compensate, RunsRead
from mainspring.machine.policies import failure, saga
from mainspring.machine.turn import Refused, Turn


def read(turn: Turn, page: RunsRead) -> None:
    """Runs come back from the journal: the next of them is undone."""
    if not saga.read(turn, page):
        turn.dropped = "stale"
        return
    waves.carry_on(turn)
    failure.settle(turn)


def again(turn: Turn, request: Compensate) -> None:
    """Take up what a saga had to leave; or undo, for the parent that has no use for it, what a child did."""
    instance = turn.instance
    parent = ev.Ref(request.path, request.run) if request.path else None
    reason = saga.why_not_again(instance, parent is not None)
    if reason:
        raise Refused(f"the instance is {instance.status}, and {reason}")
    before = instance.saga
    if before is None:
        why = "its parent has it undone"
        turn.emit(ev.CompensationStarted("workflow", why, ends=instance.status, by=request.by, parent=parent))
    else:
        again = (before.scope, before.reason, (), before.ends, before.failed, None, before.nodes, True)
        turn.emit(ev.CompensationStarted(*again, by=request.by, parent=parent))
    saga.begin(turn)
    failure.settle(turn)
