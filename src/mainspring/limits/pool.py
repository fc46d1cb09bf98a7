"""A pool of places, and one of units. What is taken is never counted: it is the leases that are there (SEMANTICS 73)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Limit, Refusal, Verdict

UNIT = 1_000
"""Units are counted in thousandths, so that what comes back is exactly what was taken."""


class Pool(Limit):
    """At most `size` leases at a time.

    `held` has them as its keys. Where all that somebody holds has a place in this pool, it is what that one holds.
    """

    __slots__ = ("held", "key", "size")
    timed = False

    def __init__(self, key: str, size: int) -> None:
        self.key = key
        self.size = size
        self.held: dict[Lease, Any] = {}

    def resize(self, size: int) -> None:
        """It has so many places from here on. Who has one keeps it."""
        self.size = size

    def check(self, amount: int, now: int) -> Verdict:
        """Whether so many places are free."""
        return FREE if len(self.held) + amount <= self.size else WAIT

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """The lease has a place."""
        self.held[lease] = None

    def admit(self, lease: Lease, amount: int, now: int) -> Verdict:
        """Both in one: it is on the way of every step with several limits."""
        held = self.held
        if len(held) + amount > self.size:
            return self.check(amount, now)
        held[lease] = None
        return FREE

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """Its place is free."""
        self.held.pop(lease, None)

    def due(self, amount: int, now: int) -> int | None:
        """Never by time alone."""
        return None

    def holders(self) -> Collection[Lease]:
        """Who has a place."""
        return self.held.keys()

    def figures(self, now: int) -> dict[str, float]:
        """`size` and `active`."""
        return {"size": self.size, "active": len(self.held)}


class Units(Limit):
    """Leases that hold so many units each, at most `size` together (in units; a request has them in thousandths)."""

    __slots__ = ("held", "key", "size")
    timed = False

    def __init__(self, key: str, size: float) -> None:
        self.key = key
        self.size = round(size * UNIT)
        self.held: dict[Lease, int] = {}

    def check(self, amount: int, now: int) -> Verdict:
        """Whether so much is free. More than there is in all is refused: nobody would ever get it."""
        if sum(self.held.values()) + amount <= self.size:
            return FREE
        if amount > self.size:
            figures = {"asked": amount / UNIT, "size": self.size / UNIT}
            return Refusal(f"{self.key} has not that many units in all", figures)
        return WAIT

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """The lease holds so much."""
        self.held[lease] = amount

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """What it held is free."""
        self.held.pop(lease, None)

    def due(self, amount: int, now: int) -> int | None:
        """Never by time alone."""
        return None

    def holders(self) -> Collection[Lease]:
        """Who holds something."""
        return self.held.keys()

    def figures(self, now: int) -> dict[str, float]:
        """`size`, `active` (leases), and `taken`, in units."""
        taken = sum(self.held.values()) / UNIT
        return {"size": self.size / UNIT, "active": len(self.held), "taken": taken}


class Absent(Pool):
    """A pool that is asked for and does not exist: nobody would ever get a place, so nobody waits for one."""

    __slots__ = ("reason",)

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, 0)
        self.reason = reason

    def check(self, amount: int, now: int) -> Verdict:
        """It is not there."""
        return Refusal(self.reason)
