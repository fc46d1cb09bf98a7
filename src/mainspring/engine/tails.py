"""The newest committed turns, handed to those who follow. What a follower does not take in time is not kept for it.

A follower has a *tail*: a short queue of turns that have just become durable, so that whoever keeps up reads nothing from
the store and nothing is decoded for it. A tail has bounds. Where one is full, it is emptied and taken off the list, so a
follower that stalls costs nothing from then on; it goes on from the journal, where everything is. Whether a tail fits
what was read last is told by its numbers alone (rows of an instance, positions of groups), so nothing can be missed.

Followers are woken at most every `WAKES_APART_SECONDS`, and all of them together `WAKES_A_SECOND_MAX` times a second: a
busy instance wakes its follower once for several turns, and a hundred followers cost hardly more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.engine.live import Entry
from mainspring.machine.events import Event

TAIL_ROWS_MAX = 1_000
"""A follower that leaves more rows than this untaken is behind."""

TAIL_BYTES_MAX = 4 * 1024 * 1024
"""The same, by what the rows hold."""

WAKES_APART_SECONDS = 0.02

WAKES_A_SECOND_MAX = 2_000
"""To wake somebody takes 3 us: together they get less than a hundredth of a core. A hundred are woken every 50 ms."""

Row = tuple[int, str, int, int, Sequence[Event]]
"""Instance's number, its id, row, time, events."""


class Tail:
    """One follower's. `behind`: it was emptied because nobody took from it. `look`: the store may have what it has not."""

    __slots__ = ("behind", "bytes", "look", "queue", "rows", "waiter")

    def __init__(self) -> None:
        self.queue: list[Any] = []
        self.rows = 0
        self.bytes = 0
        self.behind = False
        self.look = True
        self.waiter: asyncio.Future[None] | None = None

    def put(self, item: Any, rows: int, size: int) -> bool:
        """Add what was committed, of all instances. False where that is more than it may hold."""
        self.rows += rows
        self.bytes += size
        if self.rows > TAIL_ROWS_MAX or self.bytes > TAIL_BYTES_MAX:
            self.fell_behind()
            return False
        self.queue.append(item)
        return True

    def fell_behind(self) -> None:
        """It would hold more than it may: it holds nothing any more."""
        self.take()
        self.behind = True

    def take(self) -> list[Any]:
        """All that is there, the oldest first. (So a follower holds as much again as its tail, at most.)"""
        queue, self.queue = self.queue, []
        self.rows = self.bytes = 0
        return queue

    def news(self) -> asyncio.Future[None]:
        """To be awaited until there is something, or there may be. Only where nothing is there now."""
        self.waiter = asyncio.get_running_loop().create_future()
        return self.waiter


class Tails:
    """All tails of an engine: of single instances by number, and of everything."""

    def __init__(self) -> None:
        self._of_one: dict[int, tuple[Tail, ...]] = {}
        self._of_all: set[Tail] = set()
        self._joined: set[Tail] = set()
        self._due: list[asyncio.Future[None]] = []  # who is woken next
        self._timer: asyncio.Handle | None = None
        self._woken_at = 0.0
        self._woken = 0  # so many were, that time
        self._newest: Sequence[Entry] = ()
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
            others = self._of_one.get(number, ())
            if tail not in others:
                self._of_one[number] = (*others, tail)

    def fill(self, tail: Tail, number: int, after: int) -> bool:
        """Put an instance's rows after `after` in, where all that there are became durable with the newest group.

        So it is for whoever follows what was just begun: nothing is read for that.
        """
        its = [entry for entry in self._newest if entry.live.number == number and entry.events]
        if not its or its[0].write is None or its[0].write.rows[0].seq != after + 1:
            return False
        self._of_instances(its, frozenset(), {number: (tail,)})
        return not (tail.look or tail.behind)

    def leave(self, tail: Tail, number: int | None) -> None:
        """Have nothing more to do with it."""
        self._joined.discard(tail)
        self._drop(tail, number)

    def _drop(self, tail: Tail, number: int | None) -> None:
        if number is None:
            self._of_all.discard(tail)
            return
        left = tuple(one for one in self._of_one.get(number, ()) if one is not tail)
        if left:
            self._of_one[number] = left
        else:
            self._of_one.pop(number, None)

    # --- what has been committed

    def committed(self, group: list[Entry], position: int, refused: frozenset[int]) -> None:
        """A group is durable. `position` is 0 where nothing of it was to be written."""
        if position:
            self.latest = position
            self._newest = () if refused else group
        if self._of_one:
            self._of_instances(group, refused, self._of_one)
        if self._of_all and position:
            self._everything(group, position, refused)

    def _of_instances(
        self, group: Sequence[Entry], refused: frozenset[int], of_one: dict[int, tuple[Tail, ...]]
    ) -> None:
        """(One loop without calls: what it does for each turn is most of what a follower costs.)"""
        rows_max, bytes_max = TAIL_ROWS_MAX, TAIL_BYTES_MAX
        for entry in group:
            number = entry.live.number
            tails = of_one.get(number)
            write = entry.write
            if tails is None or write is None:
                continue
            rows = write.rows
            told = write.change or write.created
            if len(rows) == 1 and not write.blobs and number not in refused:
                row = rows[0]
                item = (row.seq, entry.at, entry.events, told is not None and not told.open)
                size = len(row.body)
                for tail in tails:
                    queue = tail.queue
                    tail.bytes += size
                    if len(queue) < rows_max and tail.bytes <= bytes_max:
                        queue.append(item)
                    else:
                        tail.fell_behind()
                        self._drop(tail, number)
                    if tail.waiter is not None:
                        self._wake(tail)
            elif rows or told is not None:
                for tail in tails:
                    tail.look = True
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
            if tail.waiter is not None:
                self._due.append(tail.waiter)
                tail.waiter = None
        self._wake_due()

    def _wake(self, tail: Tail) -> None:
        if tail.waiter is None:
            return
        self._due.append(tail.waiter)
        tail.waiter = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            left = self._woken_at + max(WAKES_APART_SECONDS, self._woken / WAKES_A_SECOND_MAX) - loop.time()
            self._timer = loop.call_later(left, self._wake_due) if left > 0 else loop.call_soon(self._wake_due)

    def _wake_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._woken_at = asyncio.get_running_loop().time()
        due, self._due = self._due, []
        self._woken = len(due)
        for waiter in due:
            if not waiter.done():
                waiter.set_result(None)
