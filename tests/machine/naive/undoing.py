"""Which runs a saga undoes, and in what order: docs/semantics-failures.md, 66 and 67."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Arrow = tuple[str, str]
"""The source and the target of a connection."""


class Done(NamedTuple):
    """A run that can be undone, what it gave (None: it failed, or was cancelled), and the graph that undoes it.

    `perhaps`: it was cancelled, and counts only if its work had been ordered.
    """

    path: str
    run: int
    output: Any = None
    undo: Any = None
    perhaps: bool = False


class Saga:
    """What is still to be undone, the first first, what is being undone (None: nothing), and what came of the others."""

    def __init__(self, order: list[Done]) -> None:
        self.order = order
        self.doing: Done | None = None
        self.told: list[tuple[str, int, bool]] = []

    @property
    def over(self) -> bool:
        """Whether it is through."""
        return not self.order and self.doing is None


def to_undo(
    done: Sequence[Done], scope: str, arrows: Sequence[Arrow], statuses: Mapping[str, str], failed: Iterable[str]
) -> list[Done]:
    """What a saga undoes, the first first. `done` is in the order of the ends in the journal."""
    failed = list(failed)
    nodes = set(statuses)
    if scope == "branch" and failed:
        nodes = {id for one in failed for id in branch(one, arrows, statuses)}
    return [one for one in reversed(done) if one.path.split("[")[0] in nodes]


def branch(failed: str, arrows: Sequence[Arrow], statuses: Mapping[str, str]) -> set[str]:
    """The failed node, and what led to it, back to where another branch had started."""
    leads = {failed}
    for _ in statuses:
        leads |= {source for source, target in arrows if target in leads}
    found = {failed}
    for _ in statuses:
        before = {source for source, target in arrows if target in found}
        found |= {id for id in before if not _elsewhere(id, leads, arrows, statuses)}
    return found


def _elsewhere(id: str, leads: set[str], arrows: Sequence[Arrow], statuses: Mapping[str, str]) -> bool:
    """Whether a branch that does not lead to the failed node has started at this one."""
    others = [target for source, target in arrows if source == id and target not in leads]
    return any(statuses[target] not in ("pending", "skipped") for target in others)
