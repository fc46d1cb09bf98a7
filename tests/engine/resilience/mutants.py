"""Defects of breakers, budgets, policies, fallbacks and sagas, put in on purpose: see `run_mutants`.

Each is a context manager that patches one thing. Where a name that is patched goes, the patch fails loudly: then the defect
must be found a new place, not be dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from mainspring.engine.breakers import Breakers
from mainspring.engine.holdings import Holdings
from mainspring.graph import plan_undo
from mainspring.limits import breaker as breakers
from mainspring.limits.breaker import Breaker, Kept, Retries, Rules, Transition
from mainspring.limits.gate import Gate
from mainspring.limits.limit import FREE, Ended, Lease, Refusal, Verdict
from mainspring.limits.window import Window
from mainspring.machine import events as ev
from mainspring.machine.nodes import blocks, fallback, running
from mainspring.machine.policies import deciding, failure, saga
from mainspring.machine.policies.deciding import Decision
from mainspring.machine.saga import Saga

MUTANTS: dict[str, Callable[[], Any]] = {}


def mutant(make: Callable[[ExitStack], None]) -> None:
    """Enter it into the list under its function's name."""

    @contextmanager
    def active() -> Iterator[None]:
        with ExitStack() as stack:
            make(stack)
            yield

    MUTANTS[make.__name__] = active


def put(stack: ExitStack, owner: Any, name: str, replacement: Any) -> None:
    stack.enter_context(patch.object(owner, name, replacement))


def by_other_rules(stack: ExitStack, method: str, **other: Any) -> None:
    """One method of the breaker goes by other rules than the others."""
    right = getattr(Breaker, method)

    def wrong(self: Breaker, *given: Any, **more: Any) -> Any:
        rules = self.rules
        self.rules = msgspec.structs.replace(rules, **{name: change(rules) for name, change in other.items()})
        try:
            return right(self, *given, **more)
        finally:
            self.rules = rules

    put(stack, Breaker, method, wrong)


# --- the breaker's window ---------------------------------------------------------------------------------------------


@mutant
def window_by_count_is_one_too_long(stack: ExitStack) -> None:
    right = Window.__init__
    put(stack, Window, "__init__", lambda self, marks, size, time=None: right(self, marks, size + 1, time))


@mutant
def window_by_time_is_not_trimmed(stack: ExitStack) -> None:
    right = Window.__init__
    put(stack, Window, "__init__", lambda self, marks, size, time=None: right(self, marks, size, None))


@mutant
def window_by_time_keeps_its_edge(stack: ExitStack) -> None:
    right = Window._forget
    put(stack, Window, "_forget", lambda self, at: right(self, at - 1))


@mutant
def slow_calls_are_not_counted(stack: ExitStack) -> None:
    by_other_rules(stack, "give_back", slow_call=lambda rules: None)


@mutant
def slow_calls_are_never_counted_apart(stack: ExitStack) -> None:
    by_other_rules(stack, "give_back", slow_call_threshold=lambda rules: None)


@mutant
def call_that_is_just_in_time_is_slow(stack: ExitStack) -> None:
    by_other_rules(stack, "give_back", slow_call=lambda rules: rules.slow_call and rules.slow_call - 1)


@mutant
def share_must_be_more_than_the_threshold(stack: ExitStack) -> None:
    by_other_rules(stack, "_trip_if_too_much", failure_threshold=lambda rules: rules.failure_threshold + 1e-9)


@mutant
def one_call_less_is_enough_to_open(stack: ExitStack) -> None:
    by_other_rules(stack, "_trip_if_too_much", minimum_throughput=lambda rules: rules.minimum_throughput - 1)


@mutant
def calls_before_it_closed_are_not_forgotten(stack: ExitStack) -> None:
    right = Window.clear
    put(stack, Window, "clear", lambda self: None if self._calls else right(self))


@mutant
def cancelled_calls_count(stack: ExitStack) -> None:
    right = Breaker.give_back

    def give_back(self: Breaker, lease: Lease, ended: Ended, now: int) -> None:
        right(self, lease, Ended("failed", ended.took) if ended.outcome == "stopped" else ended, now)

    put(stack, Breaker, "give_back", give_back)


@mutant
def calls_of_another_state_count(stack: ExitStack) -> None:
    right = Breaker.give_back

    def give_back(self: Breaker, lease: Lease, ended: Ended, now: int) -> None:
        self.tick(now)
        if lease in self._leases and self.kept.state in ("closed", "half_open", "recovering"):
            self._leases[lease] = self._phase
        right(self, lease, ended, now)

    put(stack, Breaker, "give_back", give_back)


# --- its states -------------------------------------------------------------------------------------------------------


@mutant
def half_open_admits_one_too_many(stack: ExitStack) -> None:
    by_other_rules(stack, "check", half_open_successes=lambda rules: rules.half_open_successes + 1)


@mutant
def failed_trial_is_forgiven(stack: ExitStack) -> None:
    right = Breaker._tried
    put(stack, Breaker, "_tried", lambda self, failed, now: None if failed else right(self, failed, now))


@mutant
def time_of_being_open_is_ignored(stack: ExitStack) -> None:
    by_other_rules(stack, "tick", open_for=lambda rules: 0)


@mutant
def stays_open(stack: ExitStack) -> None:
    put(stack, Breaker, "until", None)


@mutant
def open_a_moment_too_long(stack: ExitStack) -> None:
    right = Breaker.tick
    put(stack, Breaker, "tick", lambda self, now: right(self, now - 1))


@mutant
def opened_by_hand_it_is_closed_by_time(stack: ExitStack) -> None:
    right = Breaker.tick

    def tick(self: Breaker, now: int) -> None:
        if self.kept.state == "forced_open" and now >= self.kept.since + self.rules.open_for:
            self.close(now, "")
        right(self, now)

    put(stack, Breaker, "tick", tick)


@mutant
def canary_lets_all_through(stack: ExitStack) -> None:
    put(stack, breakers, "WAVES", (1, 1))


@mutant
def canary_has_one_wave(stack: ExitStack) -> None:
    put(stack, breakers, "WAVES", (4,))


@mutant
def every_second_call_is_let_through_where_one_in_four_should_be(stack: ExitStack) -> None:
    def declined(self: Breaker, refusal: Refusal) -> None:
        self._asked += 3 * (refusal.type == breakers.OPEN_ERROR)

    put(stack, Breaker, "declined", declined)


@mutant
def all_who_wait_are_refused_with_the_first(stack: ExitStack) -> None:
    right = Gate._refuse_first

    def refuse_all(self: Gate, group: Any, refusal: Refusal) -> bool:
        while right(self, group, refusal):
            pass
        return False

    put(stack, Gate, "_refuse_first", refuse_all)


# --- what it remembers ------------------------------------------------------------------------------------------------


@mutant
def state_is_not_restored_on_restart(stack: ExitStack) -> None:
    async def load(self: Breakers) -> None:
        self._kept = {}

    put(stack, Breakers, "load", load)


@mutant
def opened_by_hand_is_not_kept(stack: ExitStack) -> None:
    right = Breakers._changed

    def changed(self: Breakers, breaker: Breaker, target: str, transition: Transition | None) -> None:
        if transition is None or transition.event != "forced":
            right(self, breaker, target, transition)

    put(stack, Breakers, "_changed", changed)


@mutant
def rules_are_not_kept(stack: ExitStack) -> None:
    right = Breaker.__init__

    def init(self: Breaker, key: str, rules: Rules, kept: Kept | None = None) -> None:
        right(self, key, Rules(), kept)

    put(stack, Breaker, "__init__", init)


@mutant
def count_of_trial_calls_is_not_kept(stack: ExitStack) -> None:
    right = Breakers._changed

    def changed(self: Breakers, breaker: Breaker, target: str, transition: Transition | None) -> None:
        if transition is not None:
            right(self, breaker, target, transition)

    put(stack, Breakers, "_changed", changed)


@mutant
def window_is_not_kept_by_a_stop_in_good_order(stack: ExitStack) -> None:
    put(stack, Breaker, "remembered", lambda self: self.kept)


# --- retries and their budgets ----------------------------------------------------------------------------------------


@mutant
def retries_of_a_target_are_not_counted(stack: ExitStack) -> None:
    put(stack, Retries, "take", lambda self, lease, amount, now: None)


@mutant
def budget_of_a_target_is_one_too_large(stack: ExitStack) -> None:
    right = Breaker.check_retry

    def check_retry(self: Breaker, now: int) -> Verdict:
        calls, (retries,) = self._starts.count(now), self._starts.marked(now)
        within = self.rules.retry_ratio is None or (calls and retries / calls <= self.rules.retry_ratio)
        return FREE if within else right(self, now)

    put(stack, Breaker, "check_retry", check_retry)


@mutant
def retry_is_taken_for_a_first_try(stack: ExitStack) -> None:
    put(stack, Holdings, "lane_for", lambda self, node, path: self.lane_of(node))


@mutant
def retry_budget_is_never_spent(stack: ExitStack) -> None:
    put(stack, running, "_out_of_budget", lambda turn: None)


@mutant
def retry_of_a_refused_call_does_not_wait(stack: ExitStack) -> None:
    right = running.TaskFault

    def fault(*given: Any, **more: Any) -> Any:
        return right(*given, **{**more, "retry_after": None})

    put(stack, running, "TaskFault", fault)


# --- decisions --------------------------------------------------------------------------------------------------------


@mutant
def fail_fast_of_a_node_is_ignored(stack: ExitStack) -> None:
    right = deciding.decide

    def decide(instance: Any, scope: Any, node: Any) -> Decision:
        found = right(instance, scope, node)
        mine = node.definition.resilience
        own = mine is not None and mine.failure_policy == "fail_fast"
        return Decision("continue", found.rule) if own else found

    put(stack, running, "decide", decide)


@mutant
def critical_failures_are_let_stand(stack: ExitStack) -> None:
    put(stack, deciding, "_ratio_broken", lambda instance, policies, critical: "")


@mutant
def ratio_is_of_all_nodes(stack: ExitStack) -> None:
    right = deciding._ratio_broken

    def broken(instance: Any, policies: Any, critical: Any) -> str:
        return right(instance, policies, critical) if policies.ratio is None or not policies.lenient else ""

    put(stack, deciding, "_ratio_broken", broken)


@mutant
def one_more_may_fail(stack: ExitStack) -> None:
    right = deciding._broken

    def broken(instance: Any, policies: Any, failed: list[Any], critical: list[Any]) -> str | None:
        found = right(instance, policies, failed, critical)
        most = policies.failures_max
        over = found and most is not None and found.startswith("more than") and len(failed) == most.value + 1
        return None if over else found

    put(stack, deciding, "_broken", broken)


@mutant
def threshold_must_be_passed(stack: ExitStack) -> None:
    right = deciding._threshold

    def threshold(instance: Any, policies: Any, failing: Any) -> str:
        found = right(instance, policies, failing)
        count = int(found.split(": ")[1].split()[0]) if found else 0
        return found if found and count > policies.threshold.value * instance.graph.on_graph else ""

    put(stack, deciding, "_threshold", threshold)


@mutant
def handled_failures_count(stack: ExitStack) -> None:
    put(stack, deciding, "has_failed", lambda scope, node, state: state.status == "failed" or bool(state.misrouted))


@mutant
def tolerant_node_alone_is_not_enough(stack: ExitStack) -> None:
    right = deciding._broken

    def broken(instance: Any, policies: Any, failed: list[Any], critical: list[Any]) -> str | None:
        return right(instance, policies, failed, critical) if policies.lenient else "the workflow's policy"

    put(stack, deciding, "_broken", broken)


# --- fallbacks --------------------------------------------------------------------------------------------------------


@mutant
def fallback_does_not_degrade(stack: ExitStack) -> None:
    right = running.complete

    def complete(*given: Any, degraded: bool = False, **more: Any) -> bool:
        return right(*given, **more)

    put(stack, blocks.running, "complete", complete)


@mutant
def owner_fails_with_the_error_of_its_fallback(stack: ExitStack) -> None:
    right = fallback.after

    def after(turn: Any, node: Any, block: Any, body: Any, ended: ev.ScopeEnded) -> Any:
        found = right(turn, node, block, body, ended)
        return ended.error if isinstance(found, ev.ErrorRecord) and ended.error is not None else found

    put(stack, fallback, "after", after)


@mutant
def second_fallback_is_never_tried(stack: ExitStack) -> None:
    right = fallback.after

    def after(turn: Any, node: Any, block: Any, body: Any, ended: ev.ScopeEnded) -> Any:
        return turn.scope.state(node).error if ended.error is not None else right(turn, node, block, body, ended)

    put(stack, fallback, "after", after)


# --- sagas ------------------------------------------------------------------------------------------------------------


def chosen(stack: ExitStack, wrong: Callable[[list[Any], Saga], list[Any]]) -> None:
    """Other runs than those that should be are undone next."""
    right = saga._chosen

    def other(state: Saga, page: Any) -> Iterable[Any]:
        return wrong(list(right(state, page)), state)

    put(stack, saga, "_chosen", other)


@mutant
def undone_in_the_order_of_doing(stack: ExitStack) -> None:
    chosen(stack, lambda found, state: found[::-1])


@mutant
def first_run_is_not_undone(stack: ExitStack) -> None:
    chosen(stack, lambda found, state: found[:-1])


@mutant
def taken_up_again_it_undoes_all_anew(stack: ExitStack) -> None:
    right = saga._chosen

    def other(state: Saga, page: Any) -> Iterable[Any]:
        return right(msgspec.structs.replace(state, resumed=False), page)

    put(stack, saga, "_chosen", other)


@mutant
def branch_is_the_whole(stack: ExitStack) -> None:
    put(stack, saga, "_branch", lambda instance, failed: ())


@mutant
def branch_is_all_that_led_there(stack: ExitStack) -> None:
    put(stack, saga, "_branches", lambda instance, node, before: False)


@mutant
def branch_that_was_skipped_counts_as_one(stack: ExitStack) -> None:
    put(stack, saga, "_came", lambda state: True)


def with_undo(stack: ExitStack, **fields: bool) -> None:
    right = plan_undo.Undo
    put(stack, plan_undo, "Undo", lambda *given: right(*given)._replace(**fields))


@mutant
def failed_runs_are_never_undone(stack: ExitStack) -> None:
    with_undo(stack, failed=False)


@mutant
def runs_in_doubt_are_never_undone(stack: ExitStack) -> None:
    with_undo(stack, in_doubt=False)


@mutant
def partial_success_is_undone(stack: ExitStack) -> None:
    put(stack, saga, "_ENDS", {**saga._ENDS, ev.InstancePartiallySucceeded: "failed"})


@mutant
def cancelled_instances_are_undone_unasked(stack: ExitStack) -> None:
    put(stack, saga, "_ENDS", {ev.InstanceFailed: "failed", ev.InstanceCancelled: "failed"})


@mutant
def saga_ends_with_the_first_that_cannot_be_undone(stack: ExitStack) -> None:
    put(stack, saga, "LEFT_MAX", 1)


@mutant
def saga_never_begins(stack: ExitStack) -> None:
    put(stack, failure.saga, "begins", lambda turn, end: False)
