"""What the gate must do, by looking at everything each time: slow, short, and without a thought of speed."""

from __future__ import annotations

from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Holder, Lane
from mainspring.limits.limit import FREE, Ended, Lease, Verdict
from mainspring.limits.pool import Pool, Units


class NaiveBucket:
    """Tokens as a number that grows with time."""

    def __init__(self, rate: float, per: int, burst: int) -> None:
        self.speed = rate / per
        self.burst = burst
        self.tokens = 0.0
        self.at = 0

    def pass_to(self, now: int) -> None:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.speed)
        self.at = now


class Watched:
    """A gate beside a naive account of who holds what. Each operation ends by holding the two against each other."""

    def __init__(self, buckets: dict[str, NaiveBucket], passed_over_max: int) -> None:
        self.gate = Gate(self._answered, passed_over_max)
        self.holder = Holder()
        self.buckets = buckets
        self.held: dict[Lease, Lane] = {}
        self.waiting: dict[Lease, Lane] = {}
        self.order: list[Lease] = []
        self.refused: list[Lease] = []
        self.now = 0

    def _answered(self, lease: Lease, verdict: Verdict) -> None:
        lane = self.waiting.pop(lease)
        if verdict is not FREE:
            self.refused.append(lease)
            return
        ahead = [other for other, its in self.waiting.items() if its is lane and self.asked[other] < self.asked[lease]]
        assert not ahead, f"{lease} overtook {ahead} which need the same"
        self._hold(lane, lease)

    asked: dict[Lease, int] = {}

    def _hold(self, lane: Lane, lease: Lease) -> None:
        self.held[lease] = lane
        self.order.append(lease)
        for desk, amount in lane.all:
            if desk.limit.key in self.buckets:
                bucket = self.buckets[desk.limit.key]
                bucket.tokens -= amount
                assert bucket.tokens > -1e-6, f"{desk.limit.key} gave more than it had"

    def at_once(self, lane: Lane, lease: Lease) -> bool:
        admitted = lane.admit(self.holder.leases, lease, self.now) is FREE
        if admitted and lease not in self.held:
            self._hold(lane, lease)
        self.check()
        return admitted

    def ask(self, lane: Lane, lease: Lease) -> None:
        if lease in self.waiting or lease in self.held:
            return
        self.asked = {**self.asked, lease: len(self.asked)}
        self.waiting[lease] = lane
        self.gate.ask(lane, self.holder, lease, self.now)
        self.check()

    def end(self, lease: Lease) -> None:
        self.waiting.pop(lease, None)
        self.held.pop(lease, None)
        self.gate.give_back(self.holder, lease, Ended("ok", 5), self.now)
        self.check()

    def pass_time(self, by: int) -> None:
        self.now += by
        for bucket in self.buckets.values():
            bucket.pass_to(self.now)
        self.gate.look(self.now)
        self.check()

    # --- what must hold after each operation --------------------------------------------------------------------------

    def check(self) -> None:
        assert self.holder.leases.keys() == self.held.keys()
        assert self.gate.waiting.keys() == self.waiting.keys()
        desks = {desk for lane in (*self.held.values(), *self.waiting.values()) for desk, _ in lane.all}
        for desk in desks:
            if desk.limit.key not in self.buckets:
                assert self.taken(desk) <= self.size(desk), f"{desk.limit.key} is over"
                assert set(desk.limit.holders()) == {one for one, lane in self.held.items() if _amount(lane, desk)}
        for lease, lane in self.waiting.items():
            assert any(not self.has(desk, amount, lane) for desk, amount in lane.all), f"{lease} waits for nothing"
        wake = self.gate.wake_at(self.now)
        if wake is None:
            for lane in self.waiting.values():
                lacking = [desk for desk, amount in lane.all if not self.has(desk, amount, lane)]
                timed = [desk for desk in lacking if desk.limit.timed and desk.kept_for is None]
                assert lacking != timed, "whoever waits for time alone must be woken by it"

    def taken(self, desk: Desk) -> int:
        return sum(_amount(lane, desk) for lane in self.held.values())

    def size(self, desk: Desk) -> int:
        assert isinstance(desk.limit, Pool | Units)
        return desk.limit.size

    def has(self, desk: Desk, amount: int, lane: Lane) -> bool:
        """Whether there is so much for it, beside what is kept for others."""
        kept = desk.kept_for
        if kept is not None and kept is not lane and kept is not lane.family:
            amount += kept.amount_at(desk)
        if desk.limit.key in self.buckets:
            return self.buckets[desk.limit.key].tokens >= amount + 1e-6
        return self.taken(desk) + amount <= self.size(desk)


def _amount(lane: Lane, desk: Desk) -> int:
    return sum(amount for one, amount in lane.all if one is desk)
