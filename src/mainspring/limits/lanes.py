"""Where requests wait. Those that need the same wait together, so that one look says of all of them what they lack.

A **lane** has the requests that need the same: first come, first served. What they need is of two sorts: the limits of
their own instance (`own`), and those that are shared. The lanes that need the same of the shared ones are a **family**. A
lane that lacks something of its own waits at that limit's desk by itself; else it waits in its family, and the family
waits, as one, at a desk where it lacks something. So ten thousand instances of one workflow that wait for a pool and for a
bucket are moved from one desk to the other as one.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from mainspring.limits.fair import FairQueue, Priority
from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Limit, Refusal, Verdict


class Desk:
    """A limit, with those who wait at it (`queue`, None where nobody does).

    `kept_for` is the group that was passed over too often: what it needs here, nobody else is given.
    """

    __slots__ = ("kept_for", "limit", "queue")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.queue: FairQueue | None = None
        self.kept_for: Group | None = None

    @property
    def hindered(self) -> bool:
        """Whether somebody waits here, or it is kept for somebody: then nobody else is admitted at once."""
        return self.queue is not None or self.kept_for is not None

    def verdict(self, amount: int, group: Group | None, now: int) -> Verdict:
        """Whether the group could have so much now."""
        verdict = self.limit.check(amount, now)
        kept = self.kept_for
        if verdict is FREE and kept is not None and kept is not group:
            return FREE if self.limit.check(amount + kept.amount_at(self), now) is FREE else WAIT
        return verdict

    def due(self, now: int) -> int | None:
        """When somebody who waits here might be admitted, by time alone."""
        kept = self.kept_for
        return self.limit.due(1 if kept is None or kept.desk is self else 1 + kept.amount_at(self), now)

    def queued(self) -> int:
        """How many requests wait here."""
        return 0 if self.queue is None else sum(group.count for group in self.queue)


Need = tuple[Desk, int]

STALE_MAX = 16
"""So many entries of a family's heap may be out of date before it is built anew, beside as many as it has lanes."""


class Group:
    """What waits at a desk as one. `passed_over` counts how often others, or other desks, came first."""

    __slots__ = ("desk", "keeps", "needs", "passed_over", "priority", "workflow")

    def __init__(self, priority: Priority, workflow: str, needs: tuple[Need, ...]) -> None:
        self.priority = priority
        self.workflow = workflow
        self.needs = needs
        self.desk: Desk | None = None
        self.passed_over = 0
        self.keeps = False

    def amount_at(self, desk: Desk) -> int:
        """How much one of its requests needs there."""
        return sum(amount for one, amount in self.needs if one is desk)

    @property
    def first_number(self) -> int:
        """The number of the request that has waited longest."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many requests wait in it."""
        raise NotImplementedError


NOBODY: dict[Lease, Waiting] = {}
"""Never added to: most holders and most lanes never have anybody wait, and would not have to pay for a place of their own."""


class Holder:
    """Whoever asks: what it was admitted to, by which lane, and what it waits for."""

    __slots__ = ("leases", "waiting")

    def __init__(self) -> None:
        self.leases: dict[Lease, Lane] = {}
        self.waiting = NOBODY


class Waiting:
    """A request that waits, since `since`. Numbers say in what order requests came."""

    __slots__ = ("holder", "lane", "lease", "number", "since")

    def __init__(self, lease: Lease, lane: Lane, holder: Holder, number: int, since: int) -> None:
        self.lease = lease
        self.lane = lane
        self.holder = holder
        self.number = number
        self.since = since

    def begin(self) -> None:
        """It waits in its lane, and its holder knows of it."""
        for place in (self.lane, self.holder):
            if place.waiting is NOBODY:
                place.waiting = {}
            place.waiting[self.lease] = self

    def end(self) -> None:
        """It waits there no longer."""
        del self.lane.waiting[self.lease], self.holder.waiting[self.lease]


class Lane(Group):
    """Requests that need the same. `needs` are those of their own instance, `all` everything that they need.

    `others` are all that wait at the gate. How a request is admitted depends on what is needed, and is on the way of every
    step that has a limit: see limits/ways.py.
    """

    __slots__ = ("all", "family", "joined", "others", "waiting")

    def __init__(self, family: Family, own: tuple[Need, ...], others: dict[Lease, Waiting]) -> None:
        Group.__init__(
            self, family.priority, family.workflow, own
        )  # an instance with limits of its own makes some lanes
        self.family = family
        self.all = own + family.needs
        self.others = others
        self.waiting = NOBODY
        self.joined = False

    def admit(self, leases: dict[Lease, Lane], lease: Lease, now: int) -> Verdict:
        """Admit at once if all is free and nobody waits for any of it: it is among its holder's `leases` then. Else nothing
        has changed."""
        raise NotImplementedError

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """What the lease holds of each limit is over."""
        for desk, _ in self.all:
            desk.limit.give_back(lease, ended, now)

    def declined(self, refusal: Refusal) -> None:
        """Somebody was turned away. While a breaker recovers, that is part of what it counts."""
        for desk, _ in self.all:
            desk.limit.declined(refusal)

    def hindered(self) -> bool:
        """Whether others wait for any of it, or some of it is kept for others. Never where nobody waits at all."""
        return any(desk.hindered for desk, _ in self.all)

    @property
    def first(self) -> Waiting:
        """The request that is next."""
        return next(iter(self.waiting.values()))

    @property
    def first_number(self) -> int:
        return self.first.number

    @property
    def count(self) -> int:
        return len(self.waiting)


class Family(Group):
    """Lanes that need the same of what is shared. `needs` is that."""

    __slots__ = ("_heap", "lanes")

    def __init__(self, priority: Priority, workflow: str, shared: tuple[Need, ...]) -> None:
        super().__init__(priority, workflow, shared)
        self.lanes: set[Lane] = set()
        self._heap: list[tuple[int, Lane]] = []

    def join(self, lane: Lane) -> None:
        """The lane waits here; its first request came when its number says."""
        lane.joined = True
        self.lanes.add(lane)
        heappush(self._heap, (lane.first_number, lane))
        if len(self._heap) > 2 * len(self.lanes) + STALE_MAX:
            self._heap = [(one.first_number, one) for one in self.lanes]
            heapify(self._heap)

    def leave(self, lane: Lane) -> None:
        """The lane waits here no longer. What the heap has of it is passed over when it comes up."""
        lane.joined = False
        self.lanes.discard(lane)
        if not self.lanes:
            self._heap.clear()

    @property
    def first(self) -> Lane:
        """The lane whose first request has waited longest. Only where there is one."""
        heap = self._heap
        while True:
            number, lane = heap[0]
            if lane.joined and lane.first_number == number:
                return lane
            heappop(heap)
            if lane.joined and lane.first_number > number:  # its first was admitted, or has gone
                heappush(heap, (lane.first_number, lane))

    @property
    def first_number(self) -> int:
        return self.first.first_number

    @property
    def count(self) -> int:
        return sum(len(lane.waiting) for lane in self.lanes)
