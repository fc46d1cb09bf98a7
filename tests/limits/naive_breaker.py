"""A breaker as a reader of SEMANTICS 79-82 would first write it: it remembers every call and counts anew each time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from mainspring.limits.breaker import Rules


class NaiveBreaker:
    """Everything is a list; nothing is ever forgotten, only looked at or not."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.state = "closed"
        self.since = 0
        self.wave = 0
        self.asked = 0
        self.ends: list[tuple[int, bool, bool]] = []  # when, failed, slow: since it was closed last
        self.written: list[tuple[int, bool, bool]] = []  # of these, what a stop in good order has kept
        self.tried: list[bool] = []  # failed: in this state
        self.starts: list[tuple[int, bool]] = []
        self.under_way: dict[Hashable, bool] = {}  # lease -> began in this state

    def become(self, state: str, now: int, wave: int = 0) -> None:
        self.state, self.since, self.wave, self.asked, self.tried = state, now, wave, 0, []
        self.under_way = dict.fromkeys(self.under_way, False)
        self.written = []
        if state == "closed":
            self.ends = []

    def time(self, now: int) -> None:
        if self.state == "open" and now - self.since >= self.rules.open_for:
            self.become("half_open", now)

    def ask(self, lease: Hashable, now: int, retry: bool) -> str:
        self.time(now)
        if self.state in ("open", "forced_open"):
            return "CircuitOpen"
        if self.state == "half_open":
            trials = sum(self.under_way.values())
            if trials + len(self.tried) >= self.rules.half_open_successes:
                return "wait"
        if self.state == "recovering":
            self.asked += 1
            if self.asked % (4, 2)[self.wave] != 1:
                return "CircuitOpen"
        starts = self.in_window(self.starts, now)
        if retry and self.rules.retry_ratio is not None and len(starts) >= self.rules.minimum_throughput:
            retries = len([one for one in starts if one[1]])
            if (retries + 1) / (len(starts) + 1) > self.rules.retry_ratio:
                self.asked -= self.state == "recovering"  # another one is asked in its place
                return "RetryBudgetSpent"
        self.under_way[lease] = True
        self.starts.append((now, retry))
        return "yes"

    def in_window(self, calls: list[Any], now: int) -> list[Any]:
        size = self.rules.window or (
            max(100, self.rules.minimum_throughput) if self.rules.window_time is None else 10_000
        )
        kept = calls[-size:]
        return [one for one in kept if self.rules.window_time is None or one[0] > now - self.rules.window_time]

    def ended(self, lease: Hashable, outcome: str, took: int, now: int) -> None:
        if lease not in self.under_way:
            return
        self.time(now)
        counts = self.under_way.pop(lease) and outcome in ("ok", "failed")
        slow = self.rules.slow_call is not None and took > self.rules.slow_call
        bad = outcome == "failed" or slow
        if not counts:
            return
        if self.state == "closed":
            failed = outcome == "failed" if self.rules.slow_call_threshold is not None else bad
            self.ends.append((now, failed, slow))
            self.perhaps_open(now)
        elif self.state == "half_open":
            self.tried.append(bad)
            if bad:
                self.become("open", now)
            elif len(self.tried) == self.rules.half_open_successes:
                self.become("recovering" if self.rules.canary else "closed", now)
        elif self.state == "recovering":
            self.tried.append(bad)
            if bad and sum(self.tried) / self.rules.minimum_throughput >= self.rules.failure_threshold:
                self.become("open", now)
            elif len(self.tried) == self.rules.minimum_throughput:
                self.become("closed" if self.wave else "recovering", now, wave=1 - self.wave)

    def perhaps_open(self, now: int) -> None:
        calls = self.in_window(self.ends, now)
        if len(calls) < self.rules.minimum_throughput:
            return
        failed, slow = sum(one[1] for one in calls), sum(one[2] for one in calls)
        too_slow = self.rules.slow_call_threshold is not None and slow / len(calls) >= self.rules.slow_call_threshold
        if (failed and failed / len(calls) >= self.rules.failure_threshold) or (slow and too_slow):
            self.become("open", now)

    def restart(self, *, in_good_order: bool = False) -> None:
        """The process went, and what was under way. What was counted while closed is as it was last written."""
        self.under_way, self.starts, self.asked = {}, [], 0
        if self.state != "recovering" and self.state != "half_open":
            self.tried = []
        if in_good_order and self.state == "closed" and self.ends:
            self.written = self.ends
        self.ends = list(self.written)
