"""Defects of what breakers count, and of what outlives a restart of that, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from msgspec.structs import replace

from mainspring.engine import breakers
from mainspring.engine.breakers import Breakers
from mainspring.engine.holdings import Holdings
from mainspring.limits.breaker import Breaker, Kept, Rules
from mainspring.limits.limit import FREE, Ended, Lease, Verdict
from tests.simulator.mutants import mutant, put

# --- the budget of a target -----------------------------------------------------------------------------------------


@mutant
def the_budget_of_a_target_is_not_asked(stack: ExitStack) -> None:
    put(stack, Breaker, "check_retry", lambda self, now: FREE)


@mutant
def the_budget_of_a_target_has_one_too_few(stack: ExitStack) -> None:
    original = Breaker.check_retry

    def check_retry(self: Breaker, now: int) -> Verdict:
        self._starts._marked[0] += 1
        try:
            return original(self, now)
        finally:
            self._starts._marked[0] -= 1

    put(stack, Breaker, "check_retry", check_retry)


@mutant
def retries_are_not_known_as_such(stack: ExitStack) -> None:
    put(stack, Holdings, "_has_failed", lambda self, node, path: False)


@mutant
def the_budget_of_a_target_says_something_after_one_call(stack: ExitStack) -> None:
    original = Breaker.check_retry

    def check_retry(self: Breaker, now: int) -> Verdict:
        rules, self.rules = self.rules, replace(self.rules, minimum_throughput=1)
        try:
            return original(self, now)
        finally:
            self.rules = rules

    put(stack, Breaker, "check_retry", check_retry)


# --- slow calls -----------------------------------------------------------------------------------------------------


@mutant
def slow_calls_are_not_seen(stack: ExitStack) -> None:
    _ended(stack, lambda ended: Ended(ended.outcome, 0))


@mutant
def a_slow_call_failed_though_slowness_has_a_threshold(stack: ExitStack) -> None:
    original = Breaker.give_back

    def give_back(self: Breaker, lease: Lease, ended: Any, now: int) -> None:
        rules = self.rules
        slow = rules.slow_call is not None and ended.took > rules.slow_call and ended.outcome == "ok"
        apart = slow and rules.slow_call_threshold is not None
        original(self, lease, Ended("failed", ended.took) if apart else ended, now)

    put(stack, Breaker, "give_back", give_back)


@mutant
def the_threshold_of_slow_calls_is_not_looked_at(stack: ExitStack) -> None:
    original = breakers.rules_of

    def rules_of(told: Any) -> Rules:
        rules = original(told)
        return rules if rules.slow_call_threshold is None else replace(rules, slow_call_threshold=2.0)

    put(stack, breakers, "rules_of", rules_of)


@mutant
def a_slow_trial_is_taken_for_a_good_one(stack: ExitStack) -> None:
    original = Breaker.give_back

    def give_back(self: Breaker, lease: Lease, ended: Any, now: int) -> None:
        original(self, lease, Ended(ended.outcome, 0) if self.kept.state == "half_open" else ended, now)

    put(stack, Breaker, "give_back", give_back)


# --- across a restart -----------------------------------------------------------------------------------------------


@mutant
def a_restart_forgets_the_window(stack: ExitStack) -> None:
    original = breakers._of

    def of(kind: Any, kept: Kept, **more: Any) -> Any:
        return original(kind, kept if "rules" in more else replace(kept, calls=()), **more)

    put(stack, breakers, "_of", of)


@mutant
def an_orderly_stop_does_not_write_the_window(stack: ExitStack) -> None:
    put(stack, Breaker, "remembered", lambda self: self.kept)


@mutant
def a_restart_closes_what_was_open(stack: ExitStack) -> None:
    original = Breaker.__init__

    def init(self: Breaker, key: str, rules: Rules, kept: Kept | None = None) -> None:
        original(self, key, rules, None if kept is not None and kept.state == "open" else kept)

    put(stack, Breaker, "__init__", init)


@mutant
def a_restart_has_the_trials_made_again(stack: ExitStack) -> None:
    original = Breaker.__init__

    def init(self: Breaker, key: str, rules: Rules, kept: Kept | None = None) -> None:
        original(self, key, rules, kept if kept is None else replace(kept, passed=0))

    put(stack, Breaker, "__init__", init)


@mutant
def a_restart_takes_good_calls_for_failed_ones(stack: ExitStack) -> None:
    original = Breaker.remembered

    def remembered(self: Breaker) -> Kept:
        kept = original(self)
        return replace(kept, calls=tuple((at, (True, slow)) for at, (_, slow) in kept.calls))

    put(stack, Breaker, "remembered", remembered)


@mutant
def what_a_breaker_became_is_not_written(stack: ExitStack) -> None:
    """Until it is stopped in good order."""
    original = Breakers._save_soon

    async def save_soon(self: Breakers) -> None:
        if self._stopped:
            await original(self)
        else:
            self._saving = None

    put(stack, Breakers, "_save_soon", save_soon)


def _ended(stack: ExitStack, other: Callable[[Any], Ended]) -> None:
    original = Breaker.give_back
    put(stack, Breaker, "give_back", lambda self, lease, ended, now: original(self, lease, other(ended), now))
