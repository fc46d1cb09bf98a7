"""Defects of pause and resume, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack

from mainspring.engine import recovery
from mainspring.engine.admission import Admission
from mainspring.machine import effects as fx
from mainspring.machine import fold, pause, waves
from mainspring.machine.commands import lifecycle, pausing
from mainspring.machine.instance import Instance
from mainspring.machine.nodes import running, timer
from mainspring.machine.policies import failure
from mainspring.machine.turn import Turn
from tests.simulator.mutants import mutant, put


@mutant
def nodes_start_while_it_pauses(stack: ExitStack) -> None:
    put(stack, waves, "STARTING", frozenset({*waves.STARTING, "pausing"}))


@mutant
def drained_is_never_said(stack: ExitStack) -> None:
    put(stack, failure, "is_drained", lambda instance: False)


@mutant
def drained_is_said_while_something_runs(stack: ExitStack) -> None:
    put(stack, failure, "is_drained", lambda instance: True)


@mutant
def a_crash_does_not_drain(stack: ExitStack) -> None:
    original = lifecycle.failure.settle

    def settle(turn: Turn) -> None:
        if turn.instance.status != "pausing":
            original(turn)

    put(stack, lifecycle.failure, "settle", settle)


@mutant
def clocks_run_on_though_they_stand(stack: ExitStack) -> None:
    def went_on(instance: Instance, at: int, stopped_for: int) -> None:
        instance.pause = None

    put(stack, fold, "went_on", went_on)


@mutant
def a_retry_is_due_by_the_clock_on_the_wall(stack: ExitStack) -> None:
    put(stack, running, "clock", lambda instance, at: at)


@mutant
def its_time_is_forgotten_when_it_is_loaded(stack: ExitStack) -> None:
    put(stack, lifecycle.pausing, "stand", lambda turn, nodes: None)


@mutant
def it_never_goes_on_by_itself(stack: ExitStack) -> None:
    put(stack, timer, "_pause_over", lambda turn: None)


@mutant
def it_goes_on_before_its_time(stack: ExitStack) -> None:
    original = pausing._arm_resume

    def arm(turn: Turn) -> None:
        original(turn)
        orders = [one for one in turn.effects if isinstance(one, fx.ArmTimer) and one.purpose == fx.RESUME]
        for one in orders:
            turn.effects.remove(one)
            turn.ask(fx.ArmTimer("", 0, 0, fx.RESUME, one.due - 400))

    def over(turn: Turn) -> None:
        lifecycle.resume(turn, timer.ResumeInstance(by=timer.BY_ITSELF))

    put(stack, pausing, "_arm_resume", arm)
    put(stack, timer, "_pause_over", over)


@mutant
def the_pause_comes_after_what_it_should_stop(stack: ExitStack) -> None:
    put(stack, recovery, "stops", lambda body: False)


@mutant
def the_workflow_s_clock_does_not_stand(stack: ExitStack) -> None:
    put(stack, pause, "stood_still", lambda instance, since: 0)


@mutant
def what_has_not_gone_on_is_laid_down(stack: ExitStack) -> None:
    def busy(self: Admission) -> set[int]:
        return {live.number for live in self.places}

    put(stack, Admission, "busy", busy)
