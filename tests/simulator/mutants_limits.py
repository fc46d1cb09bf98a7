"""Defects of limits, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from mainspring.engine.limits import Limits
from mainspring.limits.gate import Gate
from mainspring.limits.limit import FREE, Ended, Lease, Verdict
from mainspring.limits.pool import Pool
from mainspring.machine.effects import ReleaseAdmission
from tests.simulator.mutants import mutant, put


@mutant
def one_place_too_many(stack: ExitStack) -> None:
    original = Pool.__init__

    def init(self: Pool, key: str, size: int) -> None:
        original(self, key, size + 1)

    put(stack, Pool, "__init__", init)


@mutant
def place_not_taken_in_the_turn(stack: ExitStack) -> None:
    """What starts in the very turn in which its limits are free holds nothing."""
    original = Gate.admit_now

    def admit_now(self: Gate, lane: Any, lease: Lease, now: int) -> Verdict:
        verdict = original(self, lane, lease, now)
        if verdict is FREE:
            for desk, _ in lane.all:
                desk.limit.give_back(lease, Ended("unused"), now)
        return verdict

    put(stack, Gate, "admit_now", admit_now)


@mutant
def place_of_a_stopped_attempt_not_given_back(stack: ExitStack) -> None:
    """Not with the end of its instance either."""
    original = Limits.release
    put(stack, Limits, "forget", lambda self, live: None)

    def release(self: Limits, live: Any, over: ReleaseAdmission) -> None:
        if over.outcome != "stopped":
            original(self, live, over)

    put(stack, Limits, "release", release)


@mutant
def place_of_a_failed_attempt_not_given_back(stack: ExitStack) -> None:
    original = Limits.release

    def release(self: Limits, live: Any, over: ReleaseAdmission) -> None:
        if over.outcome != "failed":
            original(self, live, over)

    put(stack, Limits, "release", release)


@mutant
def who_waits_is_not_told_of_a_free_place(stack: ExitStack) -> None:
    put(stack, Gate, "_serve_roomier", lambda self, now: self._roomier.clear())


@mutant
def places_of_a_turn_thrown_away_leak(stack: ExitStack) -> None:
    put(stack, Limits, "ask_anew", lambda self, live, standing: None)


@mutant
def places_given_back_though_the_attempt_runs(stack: ExitStack) -> None:
    original = Limits.ask_anew
    put(stack, Limits, "ask_anew", lambda self, live, standing: original(self, live, lambda lease: "begun"))
