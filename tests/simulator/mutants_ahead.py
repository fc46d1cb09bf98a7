"""Defects of checkpoint policies, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack

from mainspring.engine import checkpoints
from mainspring.engine.checkpoints import Checkpoints
from mainspring.engine.live import Entry
from tests.simulator.mutants import mutant, put


@mutant
def a_message_does_not_take_a_checkpoint(stack: ExitStack) -> None:
    original = checkpoints._must_wait

    def must_wait(entry: Entry, leaving: frozenset[type]) -> bool:
        if entry.write is not None and entry.write.consumed:
            return False
        return original(entry, leaving)

    put(stack, checkpoints, "_must_wait", must_wait)


@mutant
def what_undoes_runs_ahead(stack: ExitStack) -> None:
    def must_wait(entry: Entry, leaving: frozenset[type]) -> bool:
        write = entry.write
        told = write is not None and (write.consumed or write.created is not None)
        return bool(told) or any(type(effect) in leaving for effect in entry.effects)

    put(stack, checkpoints, "_must_wait", must_wait)


@mutant
def turns_kept_back_outlive_those_that_they_rest_on(stack: ExitStack) -> None:
    """After a commit that failed they are written all the same."""
    put(stack, Checkpoints, "drop", lambda self, live: [])


@mutant
def the_last_turns_before_a_standstill_are_kept_back(stack: ExitStack) -> None:
    put(stack, Checkpoints, "_due", lambda self, live, ahead: False)
