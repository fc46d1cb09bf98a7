"""Those that wait too long for a limit are told of in the log, with who holds what they wait for (SEMANTICS 77)."""

from __future__ import annotations

import asyncio
import logging

from mainspring.engine.clock import Clock
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Waiting
from mainspring.limits.limit import Lease

logger = logging.getLogger("mainspring.engine")

HOLDERS_NAMED_MAX = 3


class Starving:
    """While anybody waits, looks every `after_ms` at who has as long. One line for each limit, not for each node."""

    def __init__(self, gate: Gate, clock: Clock, after_ms: int) -> None:
        self._gate = gate
        self._clock = clock
        self._after = after_ms
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Somebody may have begun to wait."""
        if self._handle is None and self._gate.waiting:
            first = next(iter(self._gate.waiting.values()))
            wait = max(first.since + self._after - self._clock.now(), self._after // 10, 1)
            self._handle = self._loop.call_later(wait / 1000, self._look)

    def close(self) -> None:
        """Nobody is told of any more."""
        if self._handle is not None:
            self._handle.cancel()

    def _look(self) -> None:
        self._handle = None
        limit = self._clock.now() - self._after
        starving: dict[Desk, list[Waiting]] = {}
        for one in self._gate.waiting.values():
            if one.since > limit:
                break
            desk = one.lane.desk or one.lane.family.desk
            if desk is not None:
                starving.setdefault(desk, []).append(one)
        for desk, waiting in starving.items():
            logger.warning("%s", self._words(desk, waiting))
        if self._gate.waiting:
            first = next(iter(self._gate.waiting.values()))
            wait = self._after if starving else max(first.since + self._after - self._clock.now(), 1)
            self._handle = self._loop.call_later(wait / 1000, self._look)

    def _words(self, desk: Desk, waiting: list[Waiting]) -> str:
        first = waiting[0]
        seconds = (self._clock.now() - first.since) // 1000
        others = f", and {len(waiting) - 1} others as long" if len(waiting) > 1 else ""
        who = f"{first.lease.instance}: {first.lease.path}"
        return f"{who} has waited {seconds} s for {desk.limit.key}{others}; {held_by(desk)}"


def held_by(desk: Desk) -> str:
    """Who holds a limit, in words."""
    holders = [Lease(*one) for one in desk.limit.holders()]
    if not holders:
        return (
            "nobody holds it" if desk.kept_for is None else "what there is of it is kept for one that has waited longer"
        )
    named = ", ".join(f"{one.path} of {one.instance}" for one in holders[:HOLDERS_NAMED_MAX])
    more = len(holders) - HOLDERS_NAMED_MAX
    return f"it is held by {named}" + (f" and {more} more" if more > 0 else "")
