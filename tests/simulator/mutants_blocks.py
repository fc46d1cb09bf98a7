"""Defects of blocks and their bodies, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from mainspring.engine.admission import Admission
from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import fold, fold_blocks, inputs, stopping, waves
from mainspring.machine.block import Block, merge_writes
from mainspring.machine.commands import lifecycle, pausing
from mainspring.machine.instance import Instance
from mainspring.machine.nodes import blocks, bodies, many, milestone, single
from mainspring.machine.open_nodes import OpenNode
from mainspring.machine.policies import failure
from mainspring.machine.scope import BodyScope, Scope
from mainspring.machine.turn import Turn
from tests.simulator.mutants import mutant, put, rule

# --- which bodies begin ---------------------------------------------------------------------------------------------


@mutant
def one_body_too_many_at_a_time(stack: ExitStack) -> None:
    original = bodies.begin_bodies

    def begin(turn: Turn, node: PlanNode, block: Block, more: bodies.More) -> Any:
        told = node.told
        if told.concurrency > 1:
            node.told = told._replace(concurrency=told.concurrency + 1)
        try:
            return original(turn, node, block, more)
        finally:
            node.told = told

    for owner in (bodies, blocks):
        put(stack, owner, "begin_bodies", begin)


@mutant
def address_used_again_in_the_next_run(stack: ExitStack) -> None:
    original = fold.FOLD[ev.BlockStarted]

    def started(instance: Instance, event: ev.BlockStarted, at: int) -> None:
        scope, node = instance.locate(event.path)
        scope.state(node).bodies = 0
        original(instance, event, at)

    stack.enter_context(patch.dict(fold.FOLD, {ev.BlockStarted: started}))


@mutant
def turn_for_further_bodies_not_asked_again(stack: ExitStack) -> None:
    put(stack, bodies, "ask_again", lambda turn, node, block: None)


@mutant
def pass_begins_without_its_condition(stack: ExitStack) -> None:
    """The one after a turn that had its fill of them."""
    original = blocks.go_on

    def go_on(turn: Turn, node: PlanNode) -> None:
        more, after = blocks.RULES[node.machine_kind]
        once = [True] if node.told.carries else []
        rules = {node.machine_kind: (lambda *args: once.pop() if once else more(*args), after)}
        with patch.dict(blocks.RULES, rules):
            original(turn, node)

    put(stack, blocks, "go_on", go_on)


@mutant
def added_items_forgotten(stack: ExitStack) -> None:
    stack.enter_context(patch.dict(fold.FOLD, {ev.ItemsAdded: lambda instance, event, at: None}))


@mutant
def body_works_on_the_last_item(stack: ExitStack) -> None:
    original = fold.FOLD[ev.ScopeStarted]

    def scope_started(instance: Instance, event: ev.ScopeStarted, at: int) -> None:
        original(instance, event, at)
        scope, node = instance.locate(event.path)
        block = scope.blocks[node.index]
        if block.items is not None and len(block.items) > 3:
            block.open[event.number - block.first].input = block.items[len(block.items) - 1]

    stack.enter_context(patch.dict(fold.FOLD, {ev.ScopeStarted: scope_started}))


# --- how bodies end, and what comes of it ---------------------------------------------------------------------------


@mutant
def result_at_the_place_of_its_end(stack: ExitStack) -> None:
    def settle(self: Block, index: int, output: bytes | None) -> None:
        self.results.append(b"null" if output is None else output)

    put(stack, Block, "settle", settle)


@mutant
def losers_of_a_race_go_on(stack: ExitStack) -> None:
    original = stopping.stop_bodies

    def stop_bodies(turn: Turn, node: PlanNode, reason: str) -> None:
        if node.machine_kind != "race":
            original(turn, node, reason)

    put(stack, blocks, "stop_bodies", stop_bodies)


@mutant
def work_of_a_stopped_body_goes_on(stack: ExitStack) -> None:
    original = stopping._abandon

    def abandon(turn: Turn, node: PlanNode, state: Any) -> ev.Ref:
        before = len(turn.effects)
        ref = original(turn, node, state)
        if isinstance(turn.scope, BodyScope):
            del turn.effects[before:]
        return ref

    put(stack, stopping, "_abandon", abandon)


@mutant
def inner_bodies_are_not_stopped(stack: ExitStack) -> None:
    original = stopping.stop_bodies

    def stop_bodies(turn: Turn, node: PlanNode, reason: str) -> None:
        if not isinstance(turn.scope, BodyScope):
            original(turn, node, reason)

    put(stack, stopping, "stop_bodies", stop_bodies)


@mutant
def body_ends_while_the_instance_is_parked(stack: ExitStack) -> None:
    original = waves._over

    def over(turn: Turn, scope: Scope) -> bool:
        with patch.object(waves, "STARTING", frozenset({"running", "parked"})):
            return original(turn, scope)

    put(stack, waves, "_over", over)


@mutant
def body_ends_with_nodes_under_way(stack: ExitStack) -> None:
    original = waves._over

    def over(turn: Turn, scope: Scope) -> bool:
        active, scope.active = scope.active, 0 if isinstance(scope, BodyScope) and scope.finished > 1 else scope.active
        try:
            return original(turn, scope)
        finally:
            scope.active = active

    put(stack, waves, "_over", over)


@mutant
def failed_body_counts_as_completed(stack: ExitStack) -> None:
    original = blocks._how

    def how(turn: Turn, body: BodyScope) -> ev.ScopeEnded:
        kept, body.unhandled = body.unhandled, 0
        try:
            return original(turn, body)
        finally:
            body.unhandled = kept

    put(stack, blocks, "_how", how)


@mutant
def failure_in_a_body_fails_the_instance(stack: ExitStack) -> None:
    original = Scope.failed

    def failed(self: Scope, error: ev.ErrorRecord) -> None:
        original(self, error)
        while isinstance(self, BodyScope):
            self = self.parent
            self.unhandled += 1

    put(stack, Scope, "failed", failed)


@mutant
def too_few_seen_one_too_late(stack: ExitStack) -> None:
    original = many._by_number

    def by_number(node: PlanNode, block: Block) -> Any:
        outcome = original(node, block)
        return None if isinstance(outcome, many.Fails) and block.begun < many._count(node, block) else outcome

    put(stack, many, "_by_number", by_number)


@mutant
def race_fails_with_the_last_error(stack: ExitStack) -> None:
    original = single.after

    def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Any:
        block.errors = dict(reversed(block.errors.items()))
        return original(turn, node, block, body, ended)

    stack.enter_context(patch.dict(blocks.RULES, {"race": (single.more_to_begin, after)}))


@mutant
def rest_of_a_failing_body_goes_on(stack: ExitStack) -> None:
    original = failure.carry_out

    def carry_out(turn: Turn, path: str, reason: str, decision: Any) -> None:
        if turn.scope is turn.instance:
            original(turn, path, reason, decision)

    put(stack, failure, "carry_out", carry_out)


@mutant
def timeout_of_a_block_not_armed_again(stack: ExitStack) -> None:
    """After a restart; at the end of a pause it is."""

    def clocks_of(turn: Turn, one: OpenNode) -> list[fx.ArmTimer]:
        scope, node, _ = one
        clocks = pausing.clocks_of(turn, one)
        return [clock for clock in clocks if clock.purpose != fx.NODE_TIMEOUT or node.index not in scope.blocks]

    put(stack, lifecycle, "pausing", SimpleNamespace(**{**vars(pausing), "clocks_of": clocks_of}))


# --- variables ------------------------------------------------------------------------------------------------------


@mutant
def writes_taken_over_in_the_order_of_ends(stack: ExitStack) -> None:
    def take_over(block: Block, into: bytes) -> bytes:
        block.conflicts = []
        for index in list(block.writes):
            into = merge_writes(into, block.writes.pop(index)[0])
        return into

    put(stack, fold_blocks, "take_over", take_over)


@mutant
def writes_of_failed_bodies_are_kept(stack: ExitStack) -> None:
    original = fold.FOLD[ev.ScopeEnded]

    def ended(instance: Instance, event: ev.ScopeEnded, at: int) -> None:
        scope, node = instance.locate(event.path)
        block = scope.blocks[node.index]
        writes = block.open[event.number - block.first].writes
        if event.status == "failed" and writes is not None:
            block.writes[event.number - block.first] = (writes, block.begun)
        original(instance, event, at)

    stack.enter_context(patch.dict(fold.FOLD, {ev.ScopeEnded: ended}))


@mutant
def variables_of_a_body_seen_outside(stack: ExitStack) -> None:
    original = fold.FOLD[ev.VariablesSet]

    def variables_set(instance: Instance, event: ev.VariablesSet, at: int) -> None:
        original(instance, replace(event, path=""), at)

    stack.enter_context(patch.dict(fold.FOLD, {ev.VariablesSet: variables_set}))


# --- locks, and nodes that look at others ---------------------------------------------------------------------------


@mutant
def lock_given_back_when_its_body_begins(stack: ExitStack) -> None:
    original = single.locked

    def locked(turn: Turn, node: PlanNode) -> None:
        original(turn, node)
        turn.ask(fx.ReleaseAdmission(turn.path(node), turn.scope.state(node).run))

    put(stack, single, "locked", locked)


@mutant
def lock_is_not_given_back(stack: ExitStack) -> None:
    original = Admission.release

    def release(self: Admission, live: Any, path: str, run: int) -> None:
        resource = self.places.get(live, {}).get((path, run), "")
        if not resource.startswith("lock:"):
            original(self, live, path, run)

    put(stack, Admission, "release", release)


@mutant
def lock_is_lost_at_a_crash(stack: ExitStack) -> None:
    put(stack, Admission, "_hold_again", lambda self, turnstile, live, run, resource: self._next(resource))


@mutant
def waiting_milestone_forgotten(stack: ExitStack) -> None:
    put(stack, milestone, "reached", lambda turn: [])


@mutant
def targets_of_stopped_nodes_do_not_decide(stack: ExitStack) -> None:
    put(stack, Turn, "take_stopped", lambda self: ())


@mutant
def recovered_body_starts_from_the_beginning(stack: ExitStack) -> None:
    """Its entry nodes that have completed run again."""

    def recover(turn: Turn, request: inputs.Recover) -> None:
        lifecycle.recover(turn, request)
        for body in turn.instance.open.values():
            for node in body.graph.roots:
                state = body.nodes[node.index]
                if state is not None and state.status == "completed" and not node.machine_kind:
                    turn.scope = body
                    state.status = "running"
                    variables = turn.instance.variables_in(body)
                    turn.ask(fx.DispatchTask(turn.path(node), state.run, state.attempt, variables))

    rule(stack, inputs.Recover, recover)
