"""Defects of fallbacks and of failure policies, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from mainspring.definition import canonical
from mainspring.graph import plan
from mainspring.graph.plan import PlanNode
from mainspring.graph.plan_policies import NodePolicy, Policies
from mainspring.machine import capturing, fold, fold_blocks
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.commands import lifecycle
from mainspring.machine.nodes import blocks, fallback, running
from mainspring.machine.policies import deciding, failure
from mainspring.machine.policies.deciding import Decision, Ending
from mainspring.machine.scope import BodyScope
from mainspring.machine.turn import Turn
from tests.simulator.mutants import mutant, put

# --- fallbacks ------------------------------------------------------------------------------------------------------


@mutant
def a_second_fallback_is_not_tried(stack: ExitStack) -> None:
    original = fallback.after

    def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Any:
        kept, node.fallbacks = node.fallbacks, node.fallbacks[: body.index + 1]
        try:
            return original(turn, node, block, body, ended)
        finally:
            node.fallbacks = kept

    put(stack, fallback, "after", after)


@mutant
def fails_with_the_error_of_its_fallback(stack: ExitStack) -> None:
    original = fallback.after

    def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Any:
        outcome = original(turn, node, block, body, ended)
        return ended.error if isinstance(outcome, ev.ErrorRecord) else outcome

    put(stack, fallback, "after", after)


@mutant
def what_fell_back_is_not_degraded(stack: ExitStack) -> None:
    original = running.complete

    def complete(*args: Any, **more: Any) -> bool:
        return original(*args, **{**more, "degraded": False})

    put(stack, running, "complete", complete)


@mutant
def the_fallback_gets_no_input(stack: ExitStack) -> None:
    original = fold_blocks._scope_started

    def started(given: Any, event: ev.ScopeStarted, at: int) -> None:
        original(given, event, at)
        scope, node = given.locate(event.path)
        block = scope.blocks[node.index]
        if block.stands_in:
            block.open[event.number - block.first].input = b"null"

    stack.enter_context(patch.dict(fold.FOLD, {ev.ScopeStarted: started}))


@mutant
def a_fallback_that_was_decided_for_does_not_begin(stack: ExitStack) -> None:
    """After a restart, or a pause."""
    put(stack, lifecycle.fallback, "ask_for_time", lambda *args: None)
    original = blocks.go_on

    def go_on(turn: Turn, node: PlanNode) -> None:
        block = turn.scope.blocks.get(node.index)
        if block is None or not block.stands_in:
            original(turn, node)

    put(stack, blocks, "go_on", go_on)


@mutant
def a_fallback_begins_while_all_stands_still(stack: ExitStack) -> None:
    put(stack, fallback, "STARTING", frozenset({"running", "compensating", "parked"}))


@mutant
def a_fallback_forgotten_in_the_snapshot(stack: ExitStack) -> None:
    original = capturing.restore_block
    put(stack, capturing, "restore_block", lambda state, stands_in: original(state, False))


@mutant
def an_undo_node_has_no_fallback(stack: ExitStack) -> None:
    """It once was so."""
    original = plan._fallbacks

    def fallbacks(node: PlanNode, siblings: Any, policies: Policies) -> Any:
        return original(node, siblings if node.id in siblings and siblings[node.id] is node else {}, policies)

    put(stack, plan, "_fallbacks", fallbacks)


@mutant
def the_owner_keeps_its_clock_while_it_falls_back(stack: ExitStack) -> None:
    original = running.release

    def release(turn: Turn, node: PlanNode, state: Any, outcome: Any) -> None:
        before = len(turn.effects)
        original(turn, node, state, outcome)
        if node.fallbacks and outcome == "failed":
            kept = [one for one in turn.effects[before:] if type(one).__name__ != "DisarmTimer"]
            turn.effects[before:] = kept
            state.started_at = 0

    put(stack, running, "release", release)


# --- decisions ------------------------------------------------------------------------------------------------------


def _decides(stack: ExitStack, how: Any) -> None:
    original = deciding.decide

    def decide(given: Any, scope: Any, node: PlanNode) -> Decision:
        return how(given, scope, node, original(given, scope, node))  # type: ignore[no-any-return]

    put(stack, running, "decide", decide)


@mutant
def the_policy_of_a_node_is_not_asked(stack: ExitStack) -> None:
    original = Policies.of

    def of(self: Policies, node: PlanNode) -> NodePolicy:
        return original(self, node)._replace(policy=self.whole, rule=self.whole_rule)

    put(stack, Policies, "of", of)


@mutant
def a_named_policy_is_not_asked(stack: ExitStack) -> None:
    put(stack, Policies, "named", lambda self, node: None)


@mutant
def named_policies_by_name_after_a_restart(stack: ExitStack) -> None:
    """It once was so: what is stored had lost their order."""

    def encode(workflow: Any) -> bytes:
        tree = canonical.plain_tree(canonical._decoder.decode(canonical._encoder.encode(workflow)))
        return canonical._encoder.encode(tree)

    put(stack, canonical, "encode", encode)


@mutant
def a_critical_failure_degrades(stack: ExitStack) -> None:
    _decides(
        stack,
        lambda given, scope, node, found: (
            found._replace(what="degrade")
            if given.plan.policies.of(node).lenient and found.what == "continue"
            else found
        ),
    )


@mutant
def terminating_is_recorded_and_not_done(stack: ExitStack) -> None:
    put(stack, running.failure, "carry_out", lambda *args: None)


@mutant
def a_body_goes_on_after_a_failure_that_ends_it(stack: ExitStack) -> None:
    original = failure.carry_out

    def carry_out(turn: Turn, path: str, reason: str, decision: Decision) -> None:
        if turn.scope is turn.instance:
            original(turn, path, reason, decision)

    put(stack, failure, "carry_out", carry_out)


@mutant
def terminating_is_forgotten_while_all_stands_still(stack: ExitStack) -> None:
    put(stack, failure, "catch_up", lambda turn: None)


@mutant
def the_threshold_counts_what_is_not_critical(stack: ExitStack) -> None:
    original = deciding._threshold

    def threshold(given: Any, policies: Policies, failing: PlanNode) -> str:
        of = policies.of
        with patch.object(policies, "of", lambda node: of(node)._replace(critical=True)):
            return original(given, policies, failing)

    put(stack, deciding, "_threshold", threshold)


@mutant
def the_threshold_is_crossed_one_too_late(stack: ExitStack) -> None:
    original = deciding._threshold

    def threshold(given: Any, policies: Policies, failing: PlanNode) -> str:
        bound = policies.threshold
        if bound is None:
            return ""
        more = bound._replace(value=bound.value + 1e-9)
        with patch.object(policies, "threshold", more):
            return original(given, policies, failing)

    put(stack, deciding, "_threshold", threshold)


@mutant
def the_retry_budget_is_one_too_large(stack: ExitStack) -> None:
    original = Policies.__init__

    def init(self: Policies, workflow: Any) -> None:
        original(self, workflow)
        if self.retry_budget is not None:
            self.retry_budget += 1

    put(stack, Policies, "__init__", init)


@mutant
def retries_of_undoing_draw_on_the_budget(stack: ExitStack) -> None:
    put(stack, running, "undoing", lambda scope: None)


# --- the end --------------------------------------------------------------------------------------------------------


@mutant
def partial_success_with_a_critical_failure(stack: ExitStack) -> None:
    put(stack, deciding, "_ratio_broken", lambda *args: "")


@mutant
def partial_success_with_too_many_failures(stack: ExitStack) -> None:
    original = Policies.__init__

    def init(self: Policies, workflow: Any) -> None:
        original(self, workflow)
        self.failures_max = None

    put(stack, Policies, "__init__", init)


@mutant
def the_ratio_lets_nothing_stand(stack: ExitStack) -> None:
    original = Policies.__init__

    def init(self: Policies, workflow: Any) -> None:
        original(self, workflow)
        self.ratio = None

    put(stack, Policies, "__init__", init)


@mutant
def partial_success_where_nobody_tolerates_it(stack: ExitStack) -> None:
    original = deciding.ending

    def ending(given: Any) -> Ending:
        found = original(given)
        return found._replace(partial=True)

    put(stack, failure, "ending", ending)


@mutant
def handled_failures_count(stack: ExitStack) -> None:
    original = deciding.has_failed

    def has_failed(scope: Any, node: PlanNode, state: Any) -> bool:
        return original(scope, node, state) or state.status == "failed"

    put(stack, deciding, "has_failed", has_failed)
