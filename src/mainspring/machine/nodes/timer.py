"""Timers: each has an identity (path, run, attempt, purpose), and one that no longer means anything is ignored."""

from __future__ import annotations

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import waves
from mainspring.machine.commands import lifecycle
from mainspring.machine.inputs import ResumeInstance, TimerFired
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import blocks, running, task
from mainspring.machine.pause import STANDING, clocks_stopped, stood_still, timeout_due
from mainspring.machine.policies import failure
from mainspring.machine.turn import Turn

BY_ITSELF = "its time"
"""By whom an instance is said to go on whose pause had an end."""


def fired(turn: Turn, timer: TimerFired) -> None:
    """A timer's time has come; an overdue one fires once (SEMANTICS 29)."""
    if timer.purpose == fx.INSTANCE_TIMEOUT:
        _instance_timed_out(turn)
    elif timer.purpose == fx.NODE_TIMEOUT:
        _node_timed_out(turn, timer)
    elif timer.purpose == fx.BODIES:
        found = turn.current(timer.path, timer.run, timer.attempt, "waiting", "falling_back")
        if found is not None:
            blocks.go_on(turn, found[0])
            waves.carry_on(turn)
            failure.settle(turn)
    elif timer.purpose == fx.RETRY:
        found = turn.current(timer.path, timer.run, timer.attempt, "retrying")
        if found is not None and turn.instance.status not in STARTING:
            turn.dropped = f"the instance is {turn.instance.status}"  # resuming it arms the timer again
        elif found is not None and not _early(turn, timer, found[1].due):
            waves.follow(turn, found[0], running.start(turn, found[0]))
    elif timer.purpose == fx.DELAY:
        found = turn.current(timer.path, timer.run, timer.attempt, "waiting")
        if found is not None and clocks_stopped(turn.instance):
            turn.dropped = f"the instance is {turn.instance.status}"  # resuming it arms the timer again
        elif found is not None and not _early(turn, timer, found[1].due):
            waves.follow(turn, found[0], running.pass_through(turn, *found))
    elif timer.purpose == fx.RESUME:
        _pause_over(turn)
    else:
        turn.dropped = "stale"


def _pause_over(turn: Turn) -> None:
    pause = turn.instance.pause
    if pause is None or pause.until is None or turn.instance.status not in STANDING:
        turn.dropped = "stale"
    elif turn.at < pause.until:
        turn.ask(fx.ArmTimer("", 0, 0, fx.RESUME, pause.until))
    elif pause.then_cancel:
        failure.cancel_now(turn, pause.by, pause.reason)
    else:
        lifecycle.resume(turn, ResumeInstance(by=BY_ITSELF))


def _node_timed_out(turn: Turn, timer: TimerFired) -> None:
    found = turn.current(timer.path, timer.run, timer.attempt, "running", "waiting")
    if found is None:
        return
    node, state = found
    due, standing = state.started_at + (node.timeout or 0), turn.instance.status not in STARTING
    if state.status == "waiting" and not node.machine_kind:
        turn.dropped = "stale"  # it waits for its code
    elif state.status == "running":
        # It may have been set for an earlier beginning of the same attempt, which waited for its code meanwhile.
        if not _early(turn, timer, due):
            task.timed_out(turn, node, state)
    elif standing and (turn.instance.status not in STANDING or clocks_stopped(turn.instance)):
        turn.dropped = f"the instance is {turn.instance.status}"  # resuming it arms the timer again
    elif not _early(turn, timer, due + stood_still(turn.instance, state.started_at)):
        waves.follow(turn, node, running.out_of_time(turn, node, state))


def _early(turn: Turn, timer: TimerFired, due: int | None) -> bool:
    """Whether its time has not come by the clock of this turn, which may have been put back: it is armed again."""
    if due is None or turn.at >= due:
        return False
    turn.ask(fx.ArmTimer(timer.path, timer.run, timer.attempt, timer.purpose, due))
    return True


def _instance_timed_out(turn: Turn) -> None:
    due = timeout_due(turn.instance)
    if due is None or turn.instance.status not in ("running", *STANDING) or clocks_stopped(turn.instance):
        turn.dropped = "stale"
        return
    if turn.at < due:
        turn.ask(fx.ArmTimer("", 0, 0, fx.INSTANCE_TIMEOUT, due))
        return
    failure.pause_ends(turn)
    turn.emit(ev.InstanceFailing(f"no end within {turn.plan.timeout} ms", ""))
    failure.stop_all(turn, "the workflow timed out", "")
    failure.settle(turn)
