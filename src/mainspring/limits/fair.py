"""Who is next at one limit (SEMANTICS 75): by priority, by workflow within it, and first come, first served.

Priorities share by smooth weighted round robin: at each choice every one that could be served gains its weight, the one
with most goes, and pays what all gained together. So 4:2:1 is h n h l h n h, and none has to wait for a block of another.
One that could not be served gains nothing: nobody saves up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.limits.lanes import Group

WEIGHTS = (4, 2, 1)
"""Of high, normal and low, whose numbers are 0, 1 and 2."""

Priority = int
PRIORITIES: dict[str, Priority] = {"high": 0, "normal": 1, "low": 2}


class FairQueue:
    """Groups of requests. `served` is told of each choice that led to something."""

    __slots__ = ("_credit", "_turns")

    def __init__(self) -> None:
        self._turns: tuple[dict[str, dict[Group, None]], ...] = ({}, {}, {})
        self._credit = [0, 0, 0]

    def __bool__(self) -> bool:
        return any(self._turns)

    def __iter__(self) -> Iterator[Group]:
        return (group for turn in self._turns for groups in turn.values() for group in groups)

    def put(self, group: Group) -> None:
        """It waits here. A workflow that had nobody here comes after those that do."""
        self._turns[group.priority].setdefault(group.workflow, {})[group] = None

    def remove(self, group: Group) -> None:
        """It waits here no longer."""
        turn = self._turns[group.priority]
        groups = turn[group.workflow]
        del groups[group]
        if not groups:
            del turn[group.workflow]
            if not turn:
                self._credit[group.priority] = 0

    def in_turn(self, priority: Priority) -> list[Group]:
        """Those of a priority: the workflow whose turn it is first; within one the group whose first has waited longest."""
        turn = self._turns[priority]
        return [group for groups in turn.values() for group in sorted(groups, key=_since)]

    def choose(self, able: Iterable[Priority]) -> Priority:
        """Which of the priorities that could be served is next."""
        credit = self._credit
        total = 0
        best = -1
        for priority in able:
            credit[priority] += WEIGHTS[priority]
            total += WEIGHTS[priority]
            if best < 0 or credit[priority] > credit[best]:
                best = priority
        credit[best] -= total
        return best

    def served(self, group: Group) -> None:
        """One of this group was admitted: its workflow has had its turn."""
        turn = self._turns[group.priority]
        turn[group.workflow] = turn.pop(group.workflow)


def _since(group: Group) -> int:
    return group.first_number
