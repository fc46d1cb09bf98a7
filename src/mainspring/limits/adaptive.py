"""A pool that adapts (SEMANTICS 78): half as large when it goes badly, one larger each time that it goes well.

That is AIMD, as TCP has it: additive increase, multiplicative decrease. It finds how much what is called can bear, without
anybody having to know.
"""

from __future__ import annotations

from statistics import median

from mainspring.limits.limit import Ended, Lease
from mainspring.limits.pool import Pool

LOOKED_AT = 20
"""It is decided after so many attempts, by these."""

FAILED_SHARE_MAX = 0.1
SLOWER_BY = 2
HALVED_EVERY_MS = 1_000
USUAL_WEIGHT = 0.2
"""How much the last attempts count in what is usual."""


class Adaptive(Pool):
    """Between 1 and `most` leases at a time. It begins with all of them."""

    __slots__ = ("_failed", "_halved_at", "_took", "most", "usual")

    def __init__(self, key: str, most: int) -> None:
        super().__init__(key, most)
        self.most = most
        self.usual: float | None = None
        self._took: list[int] = []
        self._failed = 0
        self._halved_at: int | None = None

    def resize(self, most: int) -> None:
        """At most so many from here on."""
        self.size = most if self.size == self.most else min(self.size, most)
        self.most = most

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """Its place is free; how it ended counts, unless it was stopped."""
        if lease not in self.held:
            return
        del self.held[lease]
        if ended.outcome not in ("ok", "failed"):
            return
        self._failed += ended.outcome == "failed"
        self._took.append(ended.took)
        if len(self._took) == LOOKED_AT:
            self._adapt(median(self._took), self._failed, now)
            self._took, self._failed = [], 0

    def figures(self, now: int) -> dict[str, float]:
        """`size` (as it is now), `active`, and `most`."""
        return {**super().figures(now), "most": self.most}

    def _adapt(self, took: float, failed: int, now: int) -> None:
        slow = self.usual is not None and took > SLOWER_BY * self.usual
        if failed > FAILED_SHARE_MAX * LOOKED_AT or slow:
            if self._halved_at is None or now - self._halved_at >= HALVED_EVERY_MS:
                self.size = max(1, self.size // 2)
                self._halved_at = now
        else:
            self.size = min(self.most, self.size + 1)
        # What is slow for good becomes usual, or the pool would never grow again.
        self.usual = took if self.usual is None else (1 - USUAL_WEIGHT) * self.usual + USUAL_WEIGHT * took
