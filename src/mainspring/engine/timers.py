"""Timers: one heap, one wake-up in the event loop. They have no rows: what is due derives from each instance's state."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Collection
from typing import Any

from mainspring.engine.clock import Clock
from mainspring.engine.live import NO_TIMERS, Live
from mainspring.machine.effects import ArmTimer, DisarmTimer

CLOCK_CHECK_MS = 10_000
"""The wall clock may jump while we wait by a clock that doesn't: it is looked at this often."""

STALE_MIN = 1_000
"""The heap is swept when more entries than this, and more than half, are disarmed."""

Key = tuple[str, int, int, str]


class Timers:
    """`fire` is told of each timer whose time has come."""

    def __init__(self, clock: Clock, fire: Callable[[Live, ArmTimer], None]) -> None:
        self._clock = clock
        self._fire = fire
        self._heap: list[tuple[int, int, Live, ArmTimer]] = []
        self._count = 0
        self._armed = 0
        self._handle: asyncio.TimerHandle | None = None
        self._next = 0
        self._closed = False

    def arm(self, live: Live, timer: ArmTimer) -> None:
        """Report it when it is due. A timer of the same identity takes the place of the one before."""
        key = (timer.path, timer.run, timer.attempt, timer.purpose)
        if key not in live.timers:
            if live.timers is NO_TIMERS:
                live.timers = {}
            self._armed += 1
        live.timers[key] = timer.due
        self._count += 1
        heapq.heappush(self._heap, (timer.due, self._count, live, timer))
        if self._handle is None or timer.due < self._next:
            self._schedule()

    def disarm(self, live: Live, timer: DisarmTimer) -> None:
        """It need not be reported any more."""
        self._forget(live, (timer.path, timer.run, timer.attempt, timer.purpose))

    def forget(self, live: Live) -> None:
        """The instance leaves memory, with all its timers."""
        for key in tuple(live.timers):
            self._forget(live, key)

    def close(self) -> None:
        """No timer is reported any more."""
        self._closed = True
        if self._handle is not None:
            self._handle.cancel()

    def first(self) -> tuple[Live, ArmTimer] | None:
        """The timer that is due next (None: none is armed)."""
        while self._heap and not _armed(self._heap[0][2], self._heap[0][3]):
            heapq.heappop(self._heap)
        return (self._heap[0][2], self._heap[0][3]) if self._heap else None

    def earliest_of(self, lives: Collection[Live]) -> dict[int, int]:
        """When each of these instances has its first timer due, by number. It looks through the whole heap."""
        wanted = {live.number for live in lives}
        found: dict[int, int] = {}
        for due, _, live, timer in self._heap:
            if live.number in wanted and _armed(live, timer) and due < found.get(live.number, due + 1):
                found[live.number] = due
        return found

    def _forget(self, live: Live, key: Key) -> None:
        if key in live.timers:
            del live.timers[key]
            self._armed -= 1
            if len(self._heap) > 2 * self._armed + STALE_MIN:
                self._heap = [item for item in self._heap if _armed(item[2], item[3])]
                heapq.heapify(self._heap)

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap and not self._closed:
            self._next = self._heap[0][0]
            wait = max(self._next - self._clock.now(), 0)
            if wait > CLOCK_CHECK_MS and not self._clock.steady:
                wait = CLOCK_CHECK_MS
            self._handle = asyncio.get_running_loop().call_later(wait / 1000, self._ring)

    def _ring(self) -> None:
        self._handle = None
        now = self._clock.now()
        heap: list[Any] = self._heap
        while heap and heap[0][0] <= now:
            _, _, live, timer = heapq.heappop(heap)
            if _armed(live, timer):
                del live.timers[_key(timer)]
                self._armed -= 1
                self._fire(live, timer)
            heap = self._heap
        self._schedule()


def _key(timer: ArmTimer) -> Key:
    return (timer.path, timer.run, timer.attempt, timer.purpose)


def _armed(live: Live, timer: ArmTimer) -> bool:
    """Whether this very timer still counts, and not a later one of the same identity."""
    return live.timers.get(_key(timer)) == timer.due
