"""A token bucket. It is kept as one number: the time at which it will be full.

Each token moves that time by one interval, so nothing has to be refilled, and no error gathers over many small steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Limit, Verdict


class Bucket(Limit):
    """`rate` tokens in each `per` milliseconds; at most `burst` of them wait to be taken.

    It begins empty at `now`, or full where `now` is None. A lease holds nothing: what was taken is gone.
    """

    __slots__ = ("_full_at", "_interval", "burst", "key", "per", "rate")
    timed = True

    def __init__(self, key: str, rate: float, per: int, burst: int | None, now: int | None) -> None:
        self.key = key
        self._full_at = -math.inf
        self.resize(rate, per, burst)
        if now is not None:
            self._full_at = now + self.burst * self._interval

    def resize(self, rate: float, per: int, burst: int | None) -> None:
        """It is to be so large from here on. What was taken stays taken."""
        self.rate = rate
        self.per = per
        self._interval = per / rate
        self.burst = max(1, math.floor(rate)) if burst is None else burst

    def check(self, amount: int, now: int) -> Verdict:
        """Whether so many tokens are there."""
        return FREE if amount <= self.burst and now >= self._free_at(amount) else WAIT

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """So many tokens are gone."""
        self._full_at = max(self._full_at, now) + amount * self._interval

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """A token that was never used is there again; all others are gone."""
        if ended.outcome == "unused":
            self._full_at -= self._interval

    def due(self, amount: int, now: int) -> int | None:
        """When so many tokens will be there."""
        return max(math.ceil(self._free_at(amount)), now) if amount <= self.burst else None

    def holders(self) -> Collection[Lease]:
        """Nobody: what was taken is gone."""
        return ()

    def figures(self, now: int) -> dict[str, float]:
        """`size` (the burst), `rate` and `per`, and the `tokens` that are there."""
        tokens = self.burst - max(0.0, self._full_at - now) / self._interval
        return {
            "size": self.burst,
            "active": 0,
            "rate": self.rate,
            "per": self.per,
            "tokens": max(0, math.floor(tokens)),
        }

    def _free_at(self, amount: int) -> float:
        return self._full_at - (self.burst - amount) * self._interval
