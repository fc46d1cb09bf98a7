"""Which of the open instances may be due, and which have mail: kept up to date, so that nobody looks through all of them.

For stores whose contents are in memory. SQL stores have the same as indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from mainspring.journal.records import InstanceRecord

ASLEEP = 0
"""The owner of those that no session has."""

STALE_MAX = 64
"""So many wake-ups may be out of date before they are sorted out, beside as many as there are sleepers."""

Numbers = dict[int, None]
"""In the order in which they came."""


class Agenda:
    """Told by `put` of each instance whose record is another one, or which has mail now or has none any more."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int | None]] = {}
        self._owned: dict[int, Numbers] = {}
        self._mailed: dict[int, Numbers] = {}
        self._wakes: list[tuple[int, int]] = []
        self._sleepers = 0

    def put(self, record: InstanceRecord, mail: bool) -> None:
        """An instance is like this now."""
        number, owner, wake = record.number, record.owner, record.wake_at
        self.drop(number)
        if not record.open:
            return
        self._known[number] = owner, wake
        if mail:
            self._mailed.setdefault(owner, {})[number] = None
        if owner != ASLEEP:
            self._owned.setdefault(owner, {})[number] = None
        elif wake is not None:
            self._sleepers += 1
            heappush(self._wakes, (wake, number))
            if len(self._wakes) > 2 * self._sleepers + STALE_MAX:
                # Each once: who sleeps until the same time again has been put in anew. What is sorted is a heap.
                self._wakes = sorted({entry for entry in self._wakes if self._holds(*entry)})

    def drop(self, number: int) -> None:
        """An instance is gone."""
        owner, wake = self._known.pop(number, (ASLEEP, None))
        self._sleepers -= owner == ASLEEP and wake is not None
        for places in (self._owned, self._mailed):
            numbers = places.get(owner)
            if numbers is not None:
                numbers.pop(number, None)
                if not numbers:
                    del places[owner]

    def _holds(self, wake: int, number: int) -> bool:
        return self._known.get(number) == (ASLEEP, wake)

    def due(self, epoch: int, now: int, limit: int, wanted: Callable[[int], bool]) -> list[int]:
        """Up to `limit` of those that no living session has and that are due: the dead's, those with mail, those to wake."""
        found: Numbers = {}
        for number in self._without_waking(epoch):
            if len(found) == limit:
                return sorted(found)
            if wanted(number):
                found[number] = None
        looked_at = []
        while self._wakes and self._wakes[0][0] <= now and len(found) < limit:
            wake, number = entry = heappop(self._wakes)
            if self._holds(wake, number):
                looked_at.append(entry)
                if wanted(number):
                    found[number] = None
        for entry in looked_at:
            heappush(self._wakes, entry)  # they are not taken by this
        return sorted(found)

    def _without_waking(self, epoch: int) -> Iterator[int]:
        for owner, numbers in self._owned.items():
            if owner != epoch:  # its session is over: there is only one, and it is ours
                yield from numbers
        yield from self._mailed.get(ASLEEP, ())

    def mailed(self, epoch: int) -> Numbers:
        """Those that the session has, and that have mail."""
        return self._mailed.get(epoch, {})

    def next_wake(self, wanted: Callable[[int], bool] | None) -> int | None:
        """When the first one sleeps no longer (of those that are wanted: then all are looked at)."""
        if wanted is not None:
            wakes = (wake for wake, number in self._wakes if self._holds(wake, number) and wanted(number))
            return min(wakes, default=None)
        while self._wakes and not self._holds(*self._wakes[0]):
            heappop(self._wakes)
        return self._wakes[0][0] if self._wakes else None
