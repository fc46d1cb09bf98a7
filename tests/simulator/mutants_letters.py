"""Defects of dead letters and of what is put back to work, put in on purpose: see `mutants.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from mainspring.engine import letters
from mainspring.engine.interventions import Interventions
from mainspring.engine.letters import Letters
from mainspring.journal import messages
from mainspring.journal.records import Change, Write
from mainspring.machine import events as ev
from mainspring.machine import fold
from mainspring.machine.commands import reopening
from mainspring.machine.effects import Bury, Raise
from mainspring.machine.fold import FOLD
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState
from mainspring.stores.contents import Contents
from tests.simulator.mutants import mutant, put

# --- what is kept ---------------------------------------------------------------------------------------------------


@mutant
def what_is_given_up_in_a_body_is_not_buried(stack: ExitStack) -> None:
    original = letters.of_turn

    def of_turn(live: Any, orders: Sequence[Bury | Raise], at: int) -> Any:
        return original(live, [one for one in orders if isinstance(one, Raise) or "[" not in one.path], at)

    put(stack, letters, "of_turn", of_turn)


@mutant
def what_runs_again_stays_a_letter(stack: ExitStack) -> None:
    original = letters.of_turn
    put(stack, letters, "of_turn", lambda live, orders, at: (original(live, orders, at)[0], ()))


@mutant
def a_raised_letter_stays_in_the_store(stack: ExitStack) -> None:
    original = Contents.apply
    put(stack, Contents, "apply", lambda self, write: original(self, replace(write, raised=())))


@mutant
def a_purge_of_one_loses_all(stack: ExitStack) -> None:
    async def purge(self: Letters, ids: list[str]) -> int:
        store = self._host.store
        return await store.purge(self._host.ownership.lease(), [one.id for one in await store.dead_letters(limit=100)])

    put(stack, Letters, "purge", purge)


# --- what runs again ------------------------------------------------------------------------------------------------


@mutant
def the_new_run_counts_the_crashes_of_the_old(stack: ExitStack) -> None:
    original = fold._node_reset

    def reset(given: Instance, event: ev.NodeReset, at: int) -> None:
        crashes = _state(given, event.path).crashes
        original(given, event, at)
        _state(given, event.path).crashes = crashes

    stack.enter_context(_patched(ev.NodeReset, reset))


@mutant
def the_new_run_has_the_number_of_the_old(stack: ExitStack) -> None:
    """And so its idempotency key."""
    original = ev.NodeReset
    put(stack, reopening.ev, "NodeReset", lambda path, run, by: original(path, run - 1, by))
    stack.enter_context(_patched(original, fold._node_reset))


@mutant
def what_was_skipped_because_of_it_stays_skipped(stack: ExitStack) -> None:
    put(stack, reopening, "with_what_followed", lambda scope, failed: [failed])


@mutant
def tokens_of_the_old_run_are_not_taken_back(stack: ExitStack) -> None:
    original = fold._node_reset

    def reset(given: Instance, event: ev.NodeReset, at: int) -> None:
        original(given, event, at)
        scope, node = given.locate(event.path)
        for connection in node.outgoing:
            scope.state(scope.graph.nodes[connection.target]).tokens += 1

    stack.enter_context(_patched(ev.NodeReset, reset))


@mutant
def the_failure_of_the_old_run_still_counts(stack: ExitStack) -> None:
    original = fold._node_reset

    def reset(given: Instance, event: ev.NodeReset, at: int) -> None:
        scope = given.locate(event.path)[0]
        unhandled = scope.unhandled
        original(given, event, at)
        scope.unhandled = unhandled

    stack.enter_context(_patched(ev.NodeReset, reset))


# --- orders ---------------------------------------------------------------------------------------------------------


@mutant
def an_order_is_posted_and_the_instance_stays_closed(stack: ExitStack) -> None:
    async def nothing(self: Interventions, id: str, ident: str, news: asyncio.Event) -> None:
        return None

    put(stack, Interventions, "_see_to", nothing)


@mutant
def the_second_order_writes_over_what_the_first_has_begun(stack: ExitStack) -> None:
    """It once was so: the record was opened as it had been read before."""

    async def run_again(self: Letters, letter: Any, by: str, reason: str) -> None:
        host = self._host
        loaded = await host.store.load(letter.instance)
        assert loaded is not None
        program = await host.program_of(loaded.record.version)
        refusal = letters.why_not(letters.rebuild(program.plan, loaded)[0], letter.path, letter.run, host.clock.now())
        if refusal:
            raise letters.CommandRefused(refusal)
        await self._post(letter.instance, messages.RetryNode(letter.path, letter.run, by, reason))
        if not loaded.record.open:
            opened = Change(status=loaded.record.status, open=True, reason=loaded.record.reason)
            await host.store.commit(host.ownership.lease(), [Write(loaded.record.number, change=opened)])
            host.recovery.want()

    put(stack, Letters, "_run_again", run_again)


def _state(given: Instance, path: str) -> NodeState:
    scope, node = given.locate(path)
    return scope.state(node)


def _patched(kind: type[ev.Event], replacement: Any) -> Any:
    return patch.dict(FOLD, {kind: replacement})
