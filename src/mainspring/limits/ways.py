"""How a request is admitted at once: one class of lanes for each kind of needs, so that the usual ones are quick.

All do the same. Nothing is taken before it is known that all can be, so nothing has to be put back. Most steps that have a
limit have one, mostly a plain pool; what several of them cost is mostly what each asks of itself.
"""

from __future__ import annotations

from typing import cast

from mainspring.limits.lanes import Desk, Family, Lane, Need, Waiting
from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Refusal, Verdict
from mainspring.limits.pool import Pool

Leases = dict[Lease, Lane]
Others = dict[Lease, Waiting]


def lane_of(family: Family, own: tuple[Need, ...], others: Others) -> Lane:
    """The lane of requests that need what the family does, and something of their own."""
    needs = own + family.needs
    way: type[Lane] = Checked
    if len(needs) == 1:
        way = OnePlace if _is_place(*needs[0]) else OneLimit
    elif needs and all(_is_place(desk, amount) for desk, amount in needs[:-1]):
        way = PlacesAndOne
    return way(family, own, others)


def _is_place(desk: Desk, amount: int) -> bool:
    return amount == 1 and type(desk.limit) is Pool


class OnePlace(Lane):
    """A place of one plain pool."""

    __slots__ = ("_pool",)

    def __init__(self, family: Family, own: tuple[Need, ...], others: Others) -> None:
        Lane.__init__(self, family, own, others)
        self._pool = cast(Pool, self.all[0][0].limit)

    def admit(self, leases: Leases, lease: Lease, now: int) -> Verdict:
        pool = self._pool
        held = pool.held
        if len(held) >= pool.size or (self.others and self.hindered()):
            return FREE if lease in held else WAIT
        held[lease] = None
        leases[lease] = self
        return FREE

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        self._pool.held.pop(lease, None)


class OneLimit(Lane):
    """So much of one limit of another kind."""

    __slots__ = ("_amount", "_limit")

    def __init__(self, family: Family, own: tuple[Need, ...], others: Others) -> None:
        Lane.__init__(self, family, own, others)
        desk, self._amount = self.all[0]
        self._limit = desk.limit

    def admit(self, leases: Leases, lease: Lease, now: int) -> Verdict:
        if lease in leases:
            return FREE
        if self.others and self.hindered():
            return WAIT
        verdict = self._limit.admit(lease, self._amount, now)
        if verdict is FREE:
            leases[lease] = self
        elif isinstance(verdict, Refusal):
            self.declined(verdict)
        return verdict

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        self._limit.give_back(lease, ended, now)


class PlacesAndOne(Lane):
    """A place of each of some plain pools, and so much of one limit more, of any kind."""

    __slots__ = ("_amount", "_limit", "_pools")

    def __init__(self, family: Family, own: tuple[Need, ...], others: Others) -> None:
        Lane.__init__(self, family, own, others)
        *places, (desk, self._amount) = self.all
        self._pools = tuple(cast(Pool, place.limit) for place, _ in places)
        self._limit = desk.limit

    def admit(self, leases: Leases, lease: Lease, now: int) -> Verdict:
        if lease in leases:
            return FREE
        if self.others and self.hindered():
            return WAIT
        for pool in self._pools:
            if len(pool.held) >= pool.size:
                return WAIT
        verdict = self._limit.admit(lease, self._amount, now)
        if verdict is FREE:
            for pool in self._pools:
                pool.held[lease] = None
            leases[lease] = self
        elif isinstance(verdict, Refusal):
            self.declined(verdict)
        return verdict

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        for pool in self._pools:
            pool.held.pop(lease, None)
        self._limit.give_back(lease, ended, now)


class Checked(Lane):
    """Any limits, in their order: the mark of a retry comes right after its call."""

    __slots__ = ()

    def admit(self, leases: Leases, lease: Lease, now: int) -> Verdict:
        if lease in leases:
            return FREE
        for desk, amount in self.all:
            if desk.hindered:
                return WAIT
            verdict = desk.limit.check(amount, now)
            if verdict is not FREE:
                if isinstance(verdict, Refusal):
                    self.declined(verdict)
                return verdict
        for desk, amount in self.all:
            desk.limit.take(lease, amount, now)
        leases[lease] = self
        return FREE
