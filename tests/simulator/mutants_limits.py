"""Defects of limits, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from mainspring.engine.holdings import Holdings
from mainspring.engine.limits import Limits
from mainspring.engine.needs import Needs
from mainspring.limits.breaker import Breaker
from mainspring.limits.bucket import Bucket
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Lane
from mainspring.limits.limit import FREE, Ended, Lease, Refusal, Verdict
from mainspring.limits.pool import Pool, Units
from mainspring.limits.ways import Checked, OneLimit, OnePlace, PlacesAndOne
from mainspring.machine.effects import ReleaseAdmission
from mainspring.machine.inputs import TaskFault
from mainspring.machine.nodes import running
from tests.simulator.mutants import mutant, put

Admit = Callable[[Lane, dict[Lease, Lane], Lease, int], Verdict]


def admitting_otherwise(stack: ExitStack, change: Callable[[Admit], Admit]) -> None:
    """Each way of admitting at once, changed."""
    for way in (OnePlace, OneLimit, PlacesAndOne, Checked):
        put(stack, way, "admit", change(way.admit))


@mutant
def one_place_too_many(stack: ExitStack) -> None:
    original = Pool.__init__

    def init(self: Pool, key: str, size: int) -> None:
        original(self, key, size + 1)

    put(stack, Pool, "__init__", init)


@mutant
def place_not_taken_in_the_turn(stack: ExitStack) -> None:
    """What starts in the very turn in which its limits are free holds nothing."""

    def change(admit: Admit) -> Admit:
        def changed(lane: Lane, leases: dict[Lease, Lane], lease: Lease, now: int) -> Verdict:
            verdict = admit(lane, leases, lease, now)
            if verdict is FREE:
                for desk, _ in lane.all:
                    desk.limit.give_back(lease, Ended("unused"), now)
            return verdict

        return changed

    admitting_otherwise(stack, change)


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


@mutant
def a_token_too_many(stack: ExitStack) -> None:
    original = Bucket._free_at
    put(stack, Bucket, "_free_at", lambda self, amount: original(self, amount - 1))


@mutant
def a_restart_gives_a_burst(stack: ExitStack) -> None:
    put(stack, Limits, "_empty_at", lambda self: None)


@mutant
def who_waits_for_a_token_is_not_woken(stack: ExitStack) -> None:
    put(stack, Limits, "arrange", lambda self: None)


@mutant
def limits_of_an_instance_ignored(stack: ExitStack) -> None:
    put(stack, Holdings, "_limits_of", lambda self, workflow: {})


@mutant
def units_counted_as_places(stack: ExitStack) -> None:
    original = Units.take
    put(stack, Units, "take", lambda self, lease, amount, now: original(self, lease, min(amount, 500), now))


@mutant
def units_of_the_engine_ignored(stack: ExitStack) -> None:
    original = Needs._shared_needs

    def shared(self: Needs, node: Any, workflow: str) -> Any:
        return [one for one in original(self, node, workflow) if not isinstance(one[0].limit, Units)]

    put(stack, Needs, "_shared_needs", shared)


@mutant
def units_are_never_given_back(stack: ExitStack) -> None:
    put(stack, Units, "give_back", lambda self, lease, ended, now: None)


@mutant
def a_pool_for_each_workflow(stack: ExitStack) -> None:
    original = Needs._shared_needs
    pools: dict[tuple[int, str, str], Desk] = {}

    def shared(self: Needs, node: Any, workflow: str) -> Any:
        for desk, amount in original(self, node, workflow):
            if desk.limit.key.startswith("pool ") and type(desk.limit) is Pool:
                key = (id(self), workflow, desk.limit.key)
                desk = pools.setdefault(key, Desk(Pool(desk.limit.key, desk.limit.size)))
            yield desk, amount

    put(stack, Needs, "_shared_needs", shared)


@mutant
def one_that_must_wait_for_its_pool_keeps_what_it_has(stack: ExitStack) -> None:
    """Admitted by some of its limits, not by all."""

    def change(admit: Admit) -> Admit:
        def changed(lane: Lane, leases: dict[Lease, Lane], lease: Lease, now: int) -> Verdict:
            verdict = admit(lane, leases, lease, now)
            if verdict is not FREE and len(lane.all) > 1 and lane.all[0][0].limit.check(lane.all[0][1], now) is FREE:
                lane.all[0][0].limit.take(lease, lane.all[0][1], now)
            return verdict

        return changed

    admitting_otherwise(stack, change)


# --- breakers -------------------------------------------------------------------------------------------------------


@mutant
def an_open_breaker_lets_some_through(stack: ExitStack) -> None:
    original, end = Breaker.check, Breaker.give_back
    refused: list[int] = []

    def check(self: Breaker, amount: int, now: int) -> Verdict:
        verdict = original(self, amount, now)
        if isinstance(verdict, Refusal):
            refused.append(now)
            return FREE if len(refused) % 2 else verdict
        return verdict

    def give_back(self: Breaker, lease: Lease, ended: Any, now: int) -> None:
        over = (
            Ended("unused") if self.kept.state in ("open", "forced_open") else ended
        )  # nobody reckons with such a call
        end(self, lease, over, now)

    put(stack, Breaker, "check", check)
    put(stack, Breaker, "give_back", give_back)


@mutant
def a_breaker_opens_without_failures(stack: ExitStack) -> None:
    original = Breaker.give_back

    def give_back(self: Breaker, lease: Lease, ended: Any, now: int) -> None:
        original(self, lease, Ended("failed", ended.took) if ended.outcome == "ok" else ended, now)

    put(stack, Breaker, "give_back", give_back)


@mutant
def refused_is_tried_again_before_the_breaker_lets_it(stack: ExitStack) -> None:
    def fault(*args: Any, **more: Any) -> TaskFault:
        return TaskFault(*args, **{**more, "retry_after": None})

    put(stack, running, "TaskFault", fault)
