"""What an instance undid, as those see it who look at it."""

from __future__ import annotations

from msgspec import Struct

from mainspring.machine.saga import Saga


class NotUndone(Struct, frozen=True):
    """A run that could not be undone, and why: the error's type and the beginning of its message."""

    path: str
    run: int
    why: str


class Compensation(Struct, frozen=True):
    """How far the compensation of an instance has come.

    `total` counts the runs that are, or were, to be undone, `undone` those that are. `left` could not be; `untried` more were
    not taken up, yet or because of these. `current` is the path of the one that is being undone now (None: none is).
    `over`: it is through, and the instance at its end.
    """

    total: int
    undone: int
    left: tuple[NotUndone, ...]
    untried: int
    current: str | None
    over: bool


def compensation_of(saga: Saga | None) -> Compensation | None:
    """None where nothing was to be undone."""
    if saga is None:
        return None
    left = [NotUndone(one.path, one.run, one.why) for one in saga.left]
    return Compensation(
        total=saga.undone + len(left) + saga.untried + saga.doing,
        undone=saga.undone,
        left=tuple(left),
        untried=saga.untried,
        current=saga.current.path if saga.doing else None,
        over=saga.over,
    )
