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

    A token that was never used comes back as far as it would be there, had it never been taken: what would have run over
    since is lost. `_taken` numbers the takes that may yet come back; `_slack` has, by the number of a later take, how far the
    bucket was from full then, where no take after that found it fuller.
    """

    __slots__ = ("_count", "_full_at", "_interval", "_slack", "_taken", "burst", "key", "per", "rate")
    timed = True

    def __init__(self, key: str, rate: float, per: int, burst: int | None, now: int | None) -> None:
        self.key = key
        self._full_at = -math.inf
        self._count = 0
        self._taken: dict[Lease, int] = {}
        self._slack: list[tuple[int, float]] = []
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
        full_at, interval = self._full_at, self._interval
        if full_at < now:
            full_at = now
        missing = full_at - now
        self._taken[lease] = self._count = count = self._count + 1
        if missing < interval:
            self._found(count, missing)
        self._full_at = full_at + amount * interval

    def admit(self, lease: Lease, amount: int, now: int) -> Verdict:
        """Both in one: it is on the way of every step with a rate."""
        if amount > self.burst or now < self._full_at - (self.burst - amount) * self._interval:
            return WAIT
        self.take(lease, amount, now)
        return FREE

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """A token that was never used is there again, if it would be by now; all others are gone."""
        count = self._taken.pop(lease, None)
        if count is not None and ended.outcome == "unused":
            later = [one for one in self._slack if one[0] > count]
            back = later[0][1] if later else self._interval
            self._full_at -= back
            del self._slack[len(self._slack) - len(later) :]
            for number, missing in later:
                self._found(number, max(missing - back, 0.0))
        if not self._taken:
            self._slack.clear()

    def _found(self, count: int, missing: float) -> None:
        """A take found the bucket so far from full."""
        slack = self._slack
        while slack and slack[-1][1] >= missing:
            slack.pop()
        slack.append((count, missing))

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
