"""The gate: a request is admitted by all the limits that it needs, or by none (SEMANTICS 72 to 75).

Whoever cannot be admitted waits at the desk of a limit that it lacks. When there may be room at a desk, those who wait there
are looked at in a fair order: who lacks nothing is admitted, who lacks something elsewhere goes there and waits, no later
than it would have. So one look costs as much as there are sorts of request at that desk, never as many as wait.

Whatever is moved or passed over `passed_over_max` times has what it needs kept for it: others then get only what is there
beyond that. A group keeps all its desks or none, so two can never wait for what the other keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from mainspring.limits.fair import FairQueue, Priority
from mainspring.limits.lanes import Desk, Family, Group, Holder, Lane, Need, Waiting
from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Refusal, Verdict
from mainspring.limits.ways import lane_of

PASSED_OVER_MAX = 100

Answer = Callable[[Lease, Verdict], None]


class Gate:
    """`answer` is told of each request that waited, once it is admitted (`FREE`) or refused. It must not call back.

    `waiting` has who waits, in the order in which they came.
    """

    def __init__(self, answer: Answer, passed_over_max: int = PASSED_OVER_MAX) -> None:
        self._answer = answer
        self._passed_over_max = passed_over_max
        self.waiting: dict[Lease, Waiting] = {}
        self._families: dict[tuple[Priority, str, tuple[Need, ...]], Family] = {}
        self._timed: dict[Desk, None] = {}
        self._roomier: dict[Desk, None] = {}
        self._number = 0

    def lane(self, priority: Priority, workflow: str, shared: Iterable[Need], own: Iterable[Need] = ()) -> Lane:
        """Where requests go that need this. Ask once and keep it; an amount is of its limit's own sort."""
        return self.lane_in(self.family(priority, workflow, tuple(shared)), tuple(own))

    def family(self, priority: Priority, workflow: str, shared: tuple[Need, ...]) -> Family:
        """The lanes that need this of what is shared."""
        family = self._families.get((priority, workflow, shared))
        if family is None:
            family = self._families[priority, workflow, shared] = Family(priority, workflow, shared)
        return family

    def lane_in(self, family: Family, own: tuple[Need, ...]) -> Lane:
        """One of the family that needs this of its own."""
        return lane_of(family, own, self.waiting)

    # --- asking and giving back ---------------------------------------------------------------------------------------

    def ask(self, lane: Lane, holder: Holder, lease: Lease, now: int) -> None:
        """Admit as `Lane.admit` does, but whoever can't be admitted at once waits. All is answered."""
        if lease in self.waiting:
            return
        verdict = lane.admit(holder.leases, lease, now)
        if verdict is not WAIT:
            self._answer(lease, verdict)
            return
        self._number += 1
        one = Waiting(lease, lane, holder, self._number, now)
        self.waiting[lease] = one
        one.begin()
        if len(lane.waiting) == 1:
            self._wait_with(one.lane, now)
            self._serve_roomier(now)

    def give_back(self, holder: Holder, lease: Lease, ended: Ended, now: int) -> None:
        """The attempt is over, or its request is: it holds nothing longer and waits no more."""
        lane = holder.leases.pop(lease, None)
        if lane is not None:
            lane.give_back(lease, ended, now)
        if self.waiting:
            self.over(lane, lease, now)

    def over(self, lane: Lane | None, lease: Lease, now: int) -> None:
        """What was held by a lane is given back (None: nothing was held): somebody may have waited for it; or this waited."""
        if lane is None:
            self.withdraw(lease, now)
        else:
            self._roomier.update((desk, None) for desk, _ in lane.all if desk.queue is not None)
            self._serve_roomier(now)

    def withdraw(self, lease: Lease, now: int) -> None:
        """It waits no more."""
        one = self.waiting.get(lease)
        if one is not None:
            self._waits_no_more(one)
            self._settle(one.lane)
            self._serve_roomier(now)

    def give_back_all(self, holder: Holder, leases: Collection[tuple[Lease, Ended]], now: int) -> None:
        """All of these are over. Who waits goes first, or what is given back would be theirs."""
        for lease, _ in leases:
            self.withdraw(lease, now)
        for lease, ended in leases:
            self.give_back(holder, lease, ended, now)

    def _waits_no_more(self, one: Waiting) -> None:
        del self.waiting[one.lease]
        one.end()

    # --- time and size ------------------------------------------------------------------------------------------------

    def look(self, now: int) -> None:
        """Time has passed: there may be room where it comes by that."""
        self._roomier.update(self._timed)
        self._serve_roomier(now)

    def look_at(self, desk: Desk, now: int) -> None:
        """The limit may have more room than before, for a reason of its own."""
        self._roomier[desk] = None
        self._serve_roomier(now)

    @property
    def waits_for_time(self) -> bool:
        """Whether somebody waits where time alone may help."""
        return bool(self._timed)

    def wake_at(self, now: int) -> int | None:
        """When to look again (None: when something is given back)."""
        return min((due for desk in self._timed if (due := desk.due(now)) is not None), default=None)

    def lacks(self, lease: Lease, now: int) -> list[Desk]:
        """What a request that waits could not have now. None of it, where it waits only because others do."""
        lane = self.waiting[lease].lane
        return [desk for desk, amount in lane.all if desk.verdict(amount, _group(lane, desk), now) is not FREE]

    # --- who is next --------------------------------------------------------------------------------------------------

    def _serve_roomier(self, now: int) -> None:
        while self._roomier:
            desk, _ = self._roomier.popitem()
            self._serve(desk, now)

    def _serve(self, desk: Desk, now: int) -> None:
        """Admit from those who wait here, as long as somebody can be."""
        while desk.queue is not None and desk.limit.check(1, now) is not WAIT:
            queue = desk.queue
            able: dict[Priority, tuple[Group, Lane]] = {}
            passed: list[Group] = []
            for priority in (0, 1, 2):
                for group in queue.in_turn(priority):
                    lane = self._try_lane(group, now) if isinstance(group, Lane) else self._try_family(group, now)
                    if lane is not None:
                        able[priority] = group, lane
                        break
                    if group.desk is desk:
                        passed.append(group)
            if not able:
                return
            group, lane = able[queue.choose(able)]
            queue.served(group)
            for one in passed:
                self._passed_over(one)
            self._admit(lane, now)

    def _try_lane(self, lane: Lane, now: int) -> Lane | None:
        """A lane that waits by itself: gives it if its first can be admitted, else it has been put where it has to wait."""
        lacking = self._lacking(lane, now)
        if lacking is not None:
            self._move(lane, lacking)
            return None
        lacking = self._lacking(lane.family, now, lane)
        if lacking is not None and lane.waiting:
            self._unpark(lane)
            self._join(lane, lacking)
            return None
        return lane if lane.waiting else None

    def _try_family(self, family: Group, now: int) -> Lane | None:
        """The same for a family: gives the lane whose first can be admitted."""
        assert isinstance(family, Family)
        lacking = self._lacking(family, now)
        if lacking is not None:
            self._move(family, lacking)
            return None
        while family.lanes:
            lane = family.first
            lacking = self._lacking(lane, now)
            if lacking is not None:
                self._leave(lane)
                self._park(lane, lacking)
                self._passed_over(lane)
            elif lane.waiting:
                return lane
        return None

    def _lacking(self, group: Group, now: int, lane: Lane | None = None) -> Desk | None:
        """The first desk where the group's requests can't have what they need; or those of a `lane` that waits by itself, and
        is refused by itself."""
        for desk, amount in group.needs:
            verdict = desk.verdict(amount, group, now)
            while isinstance(verdict, Refusal) and self._refuse_first(lane or group, verdict):
                verdict = desk.verdict(amount, group, now)  # a breaker that recovers lets one in so many through
            if verdict is WAIT:
                return desk
        return None

    # --- moving ------------------------------------------------------------------------------------------------------

    def _wait_with(self, lane: Lane, now: int) -> None:
        """A lane has its first request: it waits where that can't have something, or where others wait for the same."""
        own = self._first_hindrance(lane, now)
        if own is not None:
            self._park(lane, own)
            self._roomier[own] = None
            return
        desk = self._first_hindrance(lane.family, now)
        assert desk is not None, "a request waits that nothing hinders"
        self._join(lane, desk)
        self._roomier[desk] = None

    def _first_hindrance(self, group: Group, now: int) -> Desk | None:
        for desk, amount in group.needs:
            if desk.hindered or desk.verdict(amount, group, now) is not FREE:
                return desk
        return None

    def _join(self, lane: Lane, desk: Desk) -> None:
        lane.family.join(lane)
        if lane.family.desk is None:
            self._park(lane.family, desk)

    def _leave(self, lane: Lane) -> None:
        lane.family.leave(lane)
        if not lane.family.lanes:
            self._unpark(lane.family)
            self._keep_no_longer(lane.family)

    def _move(self, group: Group, desk: Desk) -> None:
        if group.desk is not None and group.desk is not desk:
            self._unpark(group)
            self._park(group, desk)
            self._passed_over(group)

    def _park(self, group: Group, desk: Desk) -> None:
        group.desk = desk
        if desk.queue is None:
            desk.queue = FairQueue()
            if desk.limit.timed:
                self._timed[desk] = None
        desk.queue.put(group)

    def _unpark(self, group: Group) -> None:
        desk, group.desk = group.desk, None
        if desk is not None and desk.queue is not None:
            desk.queue.remove(group)
            if not desk.queue:
                desk.queue = None
                self._timed.pop(desk, None)

    def _settle(self, lane: Lane) -> None:
        """A request has left the lane. If it was the last, the lane waits nowhere."""
        if not lane.waiting:
            self._unpark(lane)
            self._keep_no_longer(lane)
            if lane.joined:
                self._leave(lane)

    # --- admitting ----------------------------------------------------------------------------------------------------

    def _admit(self, lane: Lane, now: int) -> None:
        one = lane.first
        self._waits_no_more(one)
        for desk, amount in lane.all:
            desk.limit.take(one.lease, amount, now)
        one.holder.leases[one.lease] = lane
        self._keep_no_longer(lane)
        self._keep_no_longer(lane.family)
        self._settle(lane)
        self._answer(one.lease, FREE)

    def _refuse_first(self, group: Group, refusal: Refusal) -> bool:
        """The first of the group's requests need not wait. False where none of them does any more."""
        lane = group.first if isinstance(group, Family) and group.lanes else group
        if not isinstance(lane, Lane) or not lane.waiting:
            return False
        one = lane.first
        self._waits_no_more(one)
        lane.declined(refusal)
        self._answer(one.lease, refusal)
        self._settle(lane)
        return True

    # --- those that are passed over ----------------------------------------------------------------------------------

    def _passed_over(self, group: Group) -> None:
        group.passed_over += 1
        if group.passed_over > self._passed_over_max and all(desk.kept_for is None for desk, _ in group.needs):
            group.keeps = True
            for desk, _ in group.needs:
                desk.kept_for = group

    def _keep_no_longer(self, group: Group) -> None:
        """It has what it waited for, or wants it no more: the next one may be passed over as often."""
        group.passed_over = 0
        if group.keeps:
            group.keeps = False
            for desk, _ in group.needs:
                desk.kept_for = None
                self._roomier[desk] = None


def _group(lane: Lane, desk: Desk) -> Group:
    return lane if any(one is desk for one, _ in lane.needs) else lane.family
