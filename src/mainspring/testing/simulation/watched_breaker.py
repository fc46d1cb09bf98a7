"""A breaker as the auditor follows it: what it should have counted, and what may not have been counted yet (79 to 82)."""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct

from mainspring.definition.model import CircuitBreaker

DOUBT_MS = 50
"""A call that waited may have been let through so long before the turn that starts it."""


class Call(Struct):
    """A call that has ended. `seen`: when (in virtual seconds) that was durable."""

    failed: bool
    slow: bool
    ok: bool
    seen: float


class Target:
    """What a breaker should know in this epoch.

    `window` is what it has counted while closed, `ended` what it may not have counted yet, `tried` the ends of the
    calls since it left that state, `passed` the trial calls that went well in epochs before. `phase` counts its
    changes, the last of which was at `changed_at` by the engine's clock, `began` has in which of them each call that
    is under way began. `starts` are the last calls, true for a retry; the last `vague` of them may be other ones.
    `sure`: it is known what its window holds.
    """

    def __init__(self, told: CircuitBreaker, kept: list[Any] | None) -> None:
        self.told = told
        self.state = "closed"
        self.since = 0
        self.window: deque[tuple[bool, bool]] = deque(maxlen=told.window or max(100, told.minimum_throughput))
        self.starts: deque[bool] = deque(maxlen=self.window.maxlen)
        if kept is not None:
            self.state, self.since = kept[0], kept[1]
            self.window.extend((failed, slow) for _, (failed, slow) in kept[6])
        self.passed = kept[4] if kept is not None and self.state == "half_open" else 0
        self.ended: deque[Call] = deque()
        self.tried: list[Call] = []
        self.phase = 0
        self.changed_at = -DOUBT_MS - 1
        self.changed_seen = 0.0
        self.began: dict[tuple[str, str], int] = {}
        self.vague = 0
        self.sure = True

    def doubt(self) -> None:
        """Something may have been counted that the journal does not have, or the other way round."""
        self.sure = False
        self.vague = self.starts.maxlen or 0

    def count(self) -> str:
        """Count the call that has ended the longest ago; what the breaker says where it opens for it ("": it does not)."""
        call = self.ended.popleft()
        self.window.append((call.failed, call.slow))
        calls, told = len(self.window), self.told
        failed, slow = (sum(marks[which] for marks in self.window) for which in (0, 1))
        if calls < told.minimum_throughput:
            return ""
        if failed and failed >= told.failure_threshold * calls:
            return f"{failed} of the last {calls} calls failed"
        if told.slow_call_threshold is not None and slow and slow >= told.slow_call_threshold * calls:
            return f"{slow} of the last {calls} calls took longer than {told.slow_call} ms"
        return ""


def may_retry(target: Target) -> bool:
    """Whether one more retry is within the budget of the target (82)."""
    calls, retries, ratio = len(target.starts), sum(target.starts), target.told.retry_ratio
    return ratio is None or calls < target.told.minimum_throughput or retries + 1 <= ratio * (calls + 1)
