"""Defects of what is done by hand, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import msgspec

from mainspring.engine import families
from mainspring.engine.deeds import Deeds
from mainspring.engine.interventions import Interventions
from mainspring.engine.live import Live
from mainspring.engine.loop import TurnLoop
from mainspring.journal.records import Write
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.commands import intervening, reopening
from mainspring.machine.fold import FOLD
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.turn import Turn
from mainspring.stores.contents import Contents
from tests.simulator.mutants import mutant, put, rule

# --- what is done ---------------------------------------------------------------------------------------------------


@mutant
def done_by_hand_with_nothing(stack: ExitStack) -> None:
    def complete(turn: Turn, request: inputs.CompleteNode) -> None:
        intervening.complete_node(turn, msgspec.structs.replace(request, output=b"null"))

    rule(stack, inputs.CompleteNode, complete)


@mutant
def done_by_hand_by_no_port(stack: ExitStack) -> None:
    def complete(turn: Turn, request: inputs.CompleteNode) -> None:
        known = request.port in turn.instance.locate(request.path)[1].ports
        intervening.complete_node(turn, msgspec.structs.replace(request, port=None) if known else request)

    rule(stack, inputs.CompleteNode, complete)


@mutant
def variables_by_hand_are_not_set(stack: ExitStack) -> None:
    def set_variables(turn: Turn, request: inputs.SetVariables) -> None:
        intervening.set_variables(turn, msgspec.structs.replace(request, values=b"{}"))

    rule(stack, inputs.SetVariables, set_variables)


@mutant
def variables_by_hand_take_the_place_of_all(stack: ExitStack) -> None:
    original = FOLD[ev.VariablesSet]

    def given(instance: Instance, event: ev.VariablesSet, at: int) -> None:
        if event.path:
            original(instance, event, at)
        else:
            instance.variables = bytes(event.values)

    stack.enter_context(patch.dict(FOLD, {ev.VariablesSet: given}))


@mutant
def what_is_opened_again_has_its_old_timeout(stack: ExitStack) -> None:
    original = FOLD[ev.InstanceReopened]

    def reopened(instance: Instance, event: ev.InstanceReopened, at: int) -> None:
        before = instance.opened_at
        original(instance, event, at)
        instance.opened_at = before

    stack.enter_context(patch.dict(FOLD, {ev.InstanceReopened: reopened}))


@mutant
def an_input_by_hand_is_forgotten(stack: ExitStack) -> None:
    def retry(turn: Turn, request: inputs.RetryNode) -> None:
        reopening.retry_node(turn, msgspec.structs.replace(request, input=None))

    def rerun(turn: Turn, request: inputs.RerunFrom) -> None:
        intervening.rerun_from(turn, msgspec.structs.replace(request, input=None))

    rule(stack, inputs.RetryNode, retry)
    rule(stack, inputs.RerunFrom, rerun)


@mutant
def a_retry_by_hand_waits_for_its_time(stack: ExitStack) -> None:
    def now(turn: Turn, request: inputs.RetryNode) -> bool:
        found = turn.turn_to(request.path)
        if found is None or found[1].status != "retrying":
            return False
        turn.emit(ev.Intervened("retry", request.path, request.run, request.by, request.reason))
        return True

    put(stack, reopening, "_retries_now", now)


# --- what can be done -----------------------------------------------------------------------------------------------


@mutant
def an_order_for_a_run_that_is_over_is_taken(stack: ExitStack) -> None:
    original = intervening.why_no_rerun

    def why_not(instance: Instance, path: str, run: int) -> str:
        node = instance.plan.by_id.get(path)
        state = None if node is None else instance.nodes[node.index]
        return original(instance, path, run if state is None else state.run)

    put(stack, intervening, "why_no_rerun", why_not)


@mutant
def a_port_that_nobody_knows_will_do(stack: ExitStack) -> None:
    def complete(turn: Turn, request: inputs.CompleteNode) -> None:
        node = turn.instance.locate(request.path)[1]
        known = request.port is None or request.port in node.ports
        intervening.complete_node(turn, request if known else msgspec.structs.replace(request, port=None))

    rule(stack, inputs.CompleteNode, complete)


@mutant
def what_has_completed_is_completed_again(stack: ExitStack) -> None:
    original = intervening._reset_for

    def reset(turn: Turn, scope: Any, node: Any, state: Any) -> Any:
        if state is not None and state.status == "completed" and turn.instance.status not in INSTANCE_FINAL:
            return [node]
        return original(turn, scope, node, state)

    put(stack, intervening, "_reset_for", reset)


# --- what runs again ------------------------------------------------------------------------------------------------


@mutant
def what_follows_does_not_run_again(stack: ExitStack) -> None:
    put(stack, intervening, "_with_all_that_follows", lambda scope, first: [first])


@mutant
def the_letters_of_what_follows_stay(stack: ExitStack) -> None:
    original = intervening._begin

    def begin(turn: Turn, what: str, request: Any, again: Any) -> None:
        original(turn, what, request, again)
        turn.letters = tuple(one for one in turn.letters if one.path == request.path)

    put(stack, intervening, "_begin", begin)


# --- orders ---------------------------------------------------------------------------------------------------------


@mutant
def an_order_is_told_and_not_kept(stack: ExitStack) -> None:
    async def nothing(self: Interventions, id: str, ident: str, message: Any) -> None:
        return None

    put(stack, Interventions, "_post", nothing)


@mutant
def an_order_is_posted_twice(stack: ExitStack) -> None:
    original = Interventions._post

    async def twice(self: Interventions, id: str, ident: str, message: Any) -> None:
        await original(self, id, ident, message)
        await original(self, id, f"{ident}/2", message)

    put(stack, Interventions, "_post", twice)


@mutant
def it_leaves_memory_while_an_order_is_under_way(stack: ExitStack) -> None:
    """It once was so: what the order led to and what another one was told of it came together."""

    def end(self: Deeds, live: Live) -> None:
        if live.instance.status in INSTANCE_FINAL:
            self._host.remove(live)
            self._host.ended(live)

    put(stack, Deeds, "end", end)


@mutant
def opened_and_at_the_same_end_it_stays_open(stack: ExitStack) -> None:
    original = TurnLoop._attach

    def attach(self: TurnLoop, live: Live, write: Write) -> None:
        same = live.created and live.instance.status == live.status_written
        original(self, live, write)
        if same:
            write.change = None

    put(stack, TurnLoop, "_attach", attach)


# --- what goes ------------------------------------------------------------------------------------------------------


@mutant
def what_is_open_may_go(stack: ExitStack) -> None:
    _not_kept(stack, "open")
    put(stack, Contents, "expendable_of", _all)


@mutant
def the_young_go_too(stack: ExitStack) -> None:
    _not_kept(stack, "young")


@mutant
def none_is_kept_for_being_the_newest(stack: ExitStack) -> None:
    _not_kept(stack, "newest")


def _not_kept(stack: ExitStack, why: str) -> None:
    original = families._why_kept

    def kept(*about: Any) -> str:
        found = original(*about)
        return "" if found == why else found

    put(stack, families, "_why_kept", kept)


def _all(self: Contents, groups: Sequence[Sequence[int]]) -> list[int]:
    return [number for group in groups for number in group if number in self.kept]
