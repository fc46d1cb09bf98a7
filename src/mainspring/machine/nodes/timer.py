"""Timers: each has an identity (path, run, attempt, purpose), and one that no longer means anything is ignored."""

from __future__ import annotations

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.inputs import TimerFired
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import running, task
from mainspring.machine.policies import failure
from mainspring.machine.turn import Turn


def fired(turn: Turn, timer: TimerFired) -> None:
    """A timer's time has come; an overdue one fires once (SEMANTICS 29)."""
    if timer.purpose == fx.INSTANCE_TIMEOUT:
        _instance_timed_out(turn)
    elif timer.purpose == fx.NODE_TIMEOUT:
        found = turn.current(timer.path, timer.run, timer.attempt, "running")
        if found is not None:
            node, state = found
            due = state.started_at + (node.timeout or 0)
            if turn.at >= due:
                task.timed_out(turn, node, state)
            else:  # it was set for an earlier beginning of the same attempt, which waited for its code meanwhile
                turn.ask(fx.ArmTimer(node.path, state.run, state.attempt, fx.NODE_TIMEOUT, due))
    elif timer.purpose == fx.RETRY:
        found = turn.current(timer.path, timer.run, timer.attempt, "retrying")
        if found is not None and turn.instance.status not in STARTING:
            turn.dropped = f"the instance is {turn.instance.status}"  # resuming it arms the timer again
        elif found is not None:
            running.start(turn, found[0])
    elif timer.purpose == fx.DELAY:
        found = turn.current(timer.path, timer.run, timer.attempt, "waiting")
        if found is not None:
            running.pass_through(turn, *found)
            running.advance(turn, found[0])
    else:
        turn.dropped = "stale"


def _instance_timed_out(turn: Turn) -> None:
    if turn.instance.status not in ("running", "pausing", "paused"):
        turn.dropped = "stale"
        return
    turn.emit(ev.InstanceFailing(f"no end within {turn.plan.timeout} ms", ""))
    failure.stop_all(turn, "the workflow timed out", "")
    failure.settle(turn)
