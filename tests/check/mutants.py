"""Defects, put into mainspring's own code on purpose: the checker must find each, and tell it in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from mainspring.limits.bucket import Bucket
from mainspring.limits.pool import Pool
from mainspring.machine import events as ev
from mainspring.machine.inputs import RunsRead
from mainspring.machine.policies import saga
from mainspring.machine.saga import Saga
from tests.simulator.mutants import MUTANTS as OF_THE_SIMULATOR

Chosen = Iterable[tuple[ev.Done, bytes]]


@contextmanager
def undone_in_the_wrong_order() -> Iterator[None]:
    """What was done first is undone first."""
    right = saga._chosen

    def chosen(state: Saga, page: RunsRead) -> Chosen:
        return list(right(state, page))[::-1]

    with patch.object(saga, "_chosen", chosen):
        yield


@contextmanager
def the_first_is_not_undone() -> Iterator[None]:
    """Off by one at the beginning of the journal."""
    right = saga._chosen

    def chosen(state: Saga, page: RunsRead) -> Chosen:
        found = list(right(state, page))
        return found if page.next_row else found[:-1]

    with patch.object(saga, "_chosen", chosen):
        yield


@contextmanager
def one_place_too_many() -> Iterator[None]:
    """A pool has a place more than it should."""
    right = Pool.__init__

    def init(self: Pool, key: str, size: int) -> None:
        right(self, key, size + 1)

    with patch.object(Pool, "__init__", init):
        yield


@contextmanager
def a_token_too_early() -> Iterator[None]:
    """A bucket's token is there before its time."""
    right = Bucket._free_at

    with patch.object(Bucket, "_free_at", lambda self, amount: right(self, amount) - 600):
        yield


PLANTED: dict[str, Callable[[], Any]] = {
    "order of undo": undone_in_the_wrong_order,
    "missing undo": the_first_is_not_undone,
    "limit broken": one_place_too_many,
    "pool broken": one_place_too_many,
    "rate broken": a_token_too_early,
    "a retry too many": OF_THE_SIMULATOR["retry_beyond_the_maximum"],
    "double effect": OF_THE_SIMULATOR["completed_node_runs_again_on_recovery"],
    "stuck": OF_THE_SIMULATOR["retry_timer_dropped"],
    "lost token": OF_THE_SIMULATOR["skip_not_passed_on"],
    "stuck after a crash": OF_THE_SIMULATOR["timers_not_armed_again_on_recovery"],
}
