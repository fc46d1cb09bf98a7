"""Pause and resume: nothing new starts, what runs finishes, and the clocks stop or go on (SEMANTICS 86 to 92)."""

from __future__ import annotations

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.children import open_children
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import INSTANCE
from mainspring.machine.open_nodes import OpenNode, open_nodes
from mainspring.machine.pause import STANDING, clocks_stopped, stood_still, timeout_due
from mainspring.machine.policies import failure
from mainspring.machine.turn import Refused, Turn


def pause(turn: Turn, request: inputs.PauseInstance) -> None:
    """From here on nothing starts. Drained is told in the turn in which the last attempt has ended: perhaps this one."""
    instance = turn.instance
    if instance.status not in INSTANCE["InstancePauseRequested"]:
        raise Refused(f"the instance is {instance.status}: only one that is running can be paused")
    stand_still(turn, request.by, request.reason, request.stop_clocks, request.until)


def stand_still(
    turn: Turn, by: str, reason: str, stop_clocks: bool, until: int | None, *, then_cancel: bool = False
) -> None:
    """Take back what was asked for and has not begun; have the children stand still too."""
    instance = turn.instance
    turn.emit(ev.InstancePauseRequested(by, reason, stop_clocks, until, then_cancel))
    for one in open_nodes(turn):
        turn.scope, node, state = one
        if state.status == "ready":  # nobody is kept waiting by one that can't start; it asks again when it goes on
            turn.ask(given_back(turn, node, state, "unused"))
        elif stop_clocks and state.status != "running":
            for timer in clocks_of(turn, one):
                turn.ask(fx.DisarmTimer(timer.path, timer.run, timer.attempt, timer.purpose))
    if stop_clocks and turn.plan.timeout is not None:
        turn.ask(fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT))
    _arm_resume(turn)
    for child in open_children(turn):
        what = fx.PauseChild(instance.id, reason, stop_clocks)
        turn.send(fx.Send(f"{child}/pause/{instance.pauses}", child, what))
    failure.settle(turn)


def stand(turn: Turn, nodes: list[OpenNode]) -> None:
    """It was loaded while it stands still: it goes on by itself at its time, and clocks run that did not stop."""
    if turn.instance.status not in STANDING:
        return
    _arm_resume(turn)
    if clocks_stopped(turn.instance):
        return
    arm_timeout(turn)
    for one in nodes:
        if one[2].status != "running":
            for timer in clocks_of(turn, one):
                turn.ask(timer)


def resumes(turn: Turn, request: inputs.ResumeInstance) -> None:
    """Say that it goes on. What that leads to is `lifecycle.resume`'s."""
    instance = turn.instance
    if instance.status not in INSTANCE["InstanceResumed"]:
        raise Refused(f"the instance is {instance.status}: only one that is paused or parked can be resumed")
    pause = instance.pause
    if pause is not None and pause.then_cancel:
        raise Refused("the instance is being cancelled: what runs has its grace, and then it ends")
    if request.paused_by and (pause is None or pause.by != request.paused_by):
        raise Refused(f"the instance was not paused by {request.paused_by}")
    stopped_for = max(turn.at - pause.since, 0) if pause is not None and pause.stop_clocks else 0
    turn.emit(ev.InstanceResumed(request.by, stopped_for))
    if pause is not None:
        if pause.until is not None:
            turn.ask(fx.DisarmTimer("", 0, 0, fx.RESUME))
        for child in open_children(turn):
            what = fx.ResumeChild(instance.id, request.by)
            turn.send(fx.Send(f"{child}/resume/{instance.pauses}", child, what))


def clocks_of(turn: Turn, one: OpenNode) -> list[fx.ArmTimer]:
    """The timers that an open node needs that is not running, as they stand."""
    scope, node, state = one
    path, timers = scope.path(node), []
    if state.status == "retrying":
        timers.append(fx.ArmTimer(path, state.run, state.attempt, fx.RETRY, state.due or turn.at))
    elif state.status == "waiting" and node.machine_kind == "delay":
        timers.append(fx.ArmTimer(path, state.run, state.attempt, fx.DELAY, state.due or turn.at))
    elif state.status == "waiting" and node.machine_kind and node.timeout is not None:
        due = state.started_at + node.timeout + stood_still(turn.instance, state.started_at)
        timers.append(fx.ArmTimer(path, state.run, state.attempt, fx.NODE_TIMEOUT, due))
    return timers


def arm_timeout(turn: Turn) -> None:
    """Have the workflow's timeout told, where it has one."""
    due = timeout_due(turn.instance)
    if due is not None:
        turn.ask(fx.ArmTimer("", 0, 0, fx.INSTANCE_TIMEOUT, due))


def _arm_resume(turn: Turn) -> None:
    pause = turn.instance.pause
    if pause is not None and pause.until is not None:
        turn.ask(fx.ArmTimer("", 0, 0, fx.RESUME, pause.until))
