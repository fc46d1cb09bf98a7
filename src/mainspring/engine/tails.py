"""The newest committed turns, handed to those who follow. What a follower does not take in time is not kept for it.

A follower has a *tail*: a short queue of turns that have just become durable, so that whoever keeps up reads nothing from
the store and nothing is decoded for it. A tail has bounds. Where one is full, it is emptied and taken off the list, so a
follower that stalls costs nothing from then on; it goes on from the journal, where everything is. Whether a tail fits
what was read last is told by its numbers alone (rows of an instance, positions of groups), so nothing can be missed.

Followers are woken at most every `WAKES_APART_SECONDS`: a busy instance wakes its follower once for several turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.engine.live import Entry
from mainspring.machine.events import Event

TAIL_ROWS_MAX = 1_000
"""A follower that leaves more rows than this untaken is behind."""

TAIL_BYTES_MAX = 4 * 1024 * 1024
"""The same, by what the rows hold."""

WAKES_APART_SECONDS = 0.02

Row = tuple[int, str, int, int, Sequence[Event]]
"""Instance's number, its id, row, time, events."""


class Tail:
    """One follower's. `behind`: it was emptied because nobody took from it. `look`: the store may have what it has not."""

    __slots__ = ("behind", "bytes", "due", "look", "queue", "rows", "waiter")

    def __init__(self) -> None:
        self.queue: deque[tuple[Any, int, int]] = deque()  # each with its rows and their bytes
        self.rows = 0
        self.bytes = 0
        self.behind = False
        self.look = True
        self.due = False  # it will be woken soon
        self.waiter: asyncio.Future[None] | None = None

    def put(self, item: Any, rows: int, size: int) -> bool:
        """Add what was committed. False where that is more than it may hold: then it holds nothing any more."""
        if self.rows + rows > TAIL_ROWS_MAX or self.bytes + size > TAIL_BYTES_MAX:
            self.clear()
            self.behind = True
            return False
        self.queue.append((item, rows, size))
        self.rows += rows
        self.bytes += size
        return True

    def take(self) -> Any:
        """The oldest."""
        item, rows, size = self.queue.popleft()
        self.rows -= rows
        self.bytes -= size
        return item

    def clear(self) -> None:
        """Forget what is there."""
        self.queue.clear()
        self.rows = self.bytes = 0

    async def wait(self) -> None:
        """Until there is something, or there may be."""
        if not self.queue and not self.look and not self.behind:
            self.waiter = asyncio.get_running_loop().create_future()
            try:
                await self.waiter
            finally:
                self.waiter = None


class Tails:
    """All tails of an engine: of single instances by number, and of everything."""

    def __init__(self) -> None:
        self._of_one: dict[int, set[Tail]] = {}
        self._of_all: set[Tail] = set()
        self._joined: set[Tail] = set()
        self._due: list[Tail] = []
        self._timer: asyncio.Handle | None = None
        self._woken_at = 0.0
        self.latest = 0

    def __len__(self) -> int:
        """How many follow, those that are behind among them."""
        return len(self._joined)

    # --- coming and going

    def join(self, tail: Tail, number: int | None) -> None:
        """Have a tail filled (again) from now on, by an instance or (None) by all."""
        self._joined.add(tail)
        tail.behind = False
        if number is None:
            self._of_all.add(tail)
        else:
            self._of_one.setdefault(number, set()).add(tail)

    def leave(self, tail: Tail, number: int | None) -> None:
        """Have nothing more to do with it."""
        self._joined.discard(tail)
        self._drop(tail, number)

    def _drop(self, tail: Tail, number: int | None) -> None:
        if number is None:
            self._of_all.discard(tail)
            return
        tails = self._of_one.get(number)
        if tails is not None:
            tails.discard(tail)
            if not tails:
                del self._of_one[number]

    # --- what has been committed

    def committed(self, group: list[Entry], position: int, refused: frozenset[int]) -> None:
        """A group is durable. `position` is 0 where nothing of it was to be written."""
        if position:
            self.latest = position
        if self._of_one:
            for entry in group:
                tails = self._of_one.get(entry.live.number)
                if tails and entry.write is not None:
                    self._of_instance(tuple(tails), entry, entry.live.number in refused)
        if self._of_all and position:
            self._everything(group, position, refused)

    def _of_instance(self, tails: tuple[Tail, ...], entry: Entry, refused: bool) -> None:
        write = entry.write
        assert write is not None
        if not write.rows and write.change is None:
            return
        ends = write.change is not None or write.created is not None  # it may be its end, which the record tells
        whole = len(write.rows) == 1 and not write.blobs and not refused
        for tail in tails:
            if whole:
                row = write.rows[0]
                if not tail.put((row.seq, entry.at, entry.events), 1, len(row.body)):
                    self._drop(tail, entry.live.number)
            if ends or not whole:
                tail.look = True
            if tail.waiter is not None and not tail.due:
                self._wake(tail)

    def _everything(self, group: list[Entry], position: int, refused: frozenset[int]) -> None:
        rows: list[Row] = []
        size = 0
        whole = True
        for entry in group:
            write, live = entry.write, entry.live
            if write is None or not write.rows or live.number in refused:
                continue
            if len(write.rows) > 1 or write.blobs:
                whole = False  # its parts are as the journal has them: the group is read there
                break
            row = write.rows[0]
            size += len(row.body)
            rows.append((live.number, live.id, row.seq, entry.at, entry.events))
        for tail in tuple(self._of_all):
            if not whole:
                tail.look = True
            elif not tail.put((position, rows), len(rows), size):
                self._of_all.discard(tail)
            if rows or not whole:
                self._wake(tail)

    def look(self, elsewhere: Callable[[int], bool]) -> None:
        """Other sessions may have committed something: those who follow everything, and instances that are elsewhere."""
        for number, tails in self._of_one.items():
            if elsewhere(number):
                for tail in tails:
                    tail.look = True
                    self._wake(tail)
        for tail in self._of_all:
            tail.look = True
            self._wake(tail)

    # --- waking

    def wake_all(self) -> None:
        """The engine can bring nothing more: whoever waits looks why."""
        for tail in self._joined:
            _woken(tail)

    def _wake(self, tail: Tail) -> None:
        if tail.waiter is None or tail.due:
            return
        tail.due = True
        self._due.append(tail)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            left = self._woken_at + WAKES_APART_SECONDS - loop.time()
            self._timer = loop.call_later(left, self._wake_due) if left > 0 else loop.call_soon(self._wake_due)

    def _wake_due(self) -> None:
        self._timer = None
        self._woken_at = asyncio.get_running_loop().time()
        due, self._due = self._due, []
        for tail in due:
            tail.due = False
            _woken(tail)


def _woken(tail: Tail) -> None:
    if tail.waiter is not None and not tail.waiter.done():
        tail.waiter.set_result(None)
