"""How a limit stands, for people and for programs that look."""

from __future__ import annotations

from msgspec import Struct

from mainspring.limits.lanes import Desk
from mainspring.limits.limit import Lease

HOLDERS_LISTED_MAX = 100


class Standing(Struct, frozen=True, kw_only=True):
    """`active` attempts hold something of the limit, `queued` requests wait for it; `figures` has its size and the like.

    `holders` lists at most 100 of those that are active, those that began first before all others.
    """

    key: str
    active: int
    queued: int
    figures: dict[str, float]
    holders: tuple[Lease, ...] = ()


def standing_of(desk: Desk, now: int) -> Standing:
    """A limit as it stands at `now`."""
    figures = desk.limit.figures(now)
    holders = tuple(desk.limit.holders())
    return Standing(
        key=desk.limit.key,
        active=len(holders),
        queued=desk.queued(),
        figures={name: figure for name, figure in figures.items() if name != "active"},
        holders=tuple(Lease(*one) for one in holders[:HOLDERS_LISTED_MAX]),
    )
