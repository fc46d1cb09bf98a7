"""The machine's one door: an input and a time go in, a turn comes out.

Pure means: no clock, no randomness, no I/O, no waiting, no logging. The instance is folded in place, so a turn that is
not committed means that the instance is thrown away and loaded again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.graph.plan import Plan
from mainspring.machine import inputs
from mainspring.machine.commands import (
    admission,
    children,
    compensation,
    intervening,
    lifecycle,
    migrating,
    pausing,
    reopening,
    signals,
)
from mainspring.machine.fold import consume
from mainspring.machine.instance import Instance
from mainspring.machine.nodes import task, timer
from mainspring.machine.turn import Admission, Turn

RULES: dict[type[inputs.Input], Callable[[Turn, Any], None]] = {
    inputs.StartInstance: lifecycle.start,
    inputs.Recover: lifecycle.recover,
    inputs.Reattach: lifecycle.reattach,
    inputs.Interrupt: lifecycle.interrupt,
    inputs.CancelInstance: lifecycle.cancel,
    inputs.ParkInstance: lifecycle.park,
    inputs.PauseInstance: pausing.pause,
    inputs.ResumeInstance: lifecycle.resume,
    inputs.RetryNode: reopening.retry_node,
    inputs.SkipNode: intervening.skip_node,
    inputs.CompleteNode: intervening.complete_node,
    inputs.RerunFrom: intervening.rerun_from,
    inputs.SetVariables: intervening.set_variables,
    inputs.Migrate: migrating.migrate,
    inputs.TaskFinished: task.finished,
    inputs.TaskFailed: task.failed,
    inputs.HandlerMissing: task.handler_missing,
    inputs.HandlersFound: task.handlers_found,
    inputs.TimerFired: timer.fired,
    inputs.AdmissionGranted: admission.granted,
    inputs.AdmissionRefused: admission.refused,
    inputs.SignalArrived: signals.arrived,
    inputs.ChildEnded: children.ended,
    inputs.RunsRead: compensation.read,
    inputs.Compensate: compensation.again,
}


def step(plan: Plan, instance: Instance, input: inputs.Input, now: int, admission: Admission | None = None) -> Turn:
    """Take one input at `now` (UTC milliseconds). `admission` answers nodes with limits at once.

    Raises `Refused` before anything has changed where the input cannot be taken in this state. Any other exception is a
    defect: the caller discards the instance and parks it (SEMANTICS 3).
    """
    turn = Turn(plan, instance, instance, now, input.seed, input.message, admission)
    if input.message:
        if input.message in instance.consumed:
            turn.dropped = "duplicate"
            return turn
        RULES[type(input)](turn, input)
        if turn.events:  # else there is no row that could remember it: the store's inbox does
            consume(instance, input.message)
        return turn
    RULES[type(input)](turn, input)
    return turn
