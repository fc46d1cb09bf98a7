"""Paths between nodes: counted exactly, listed lazily.

A listing never goes where no path is: it keeps to nodes from which a target can be reached. Without a cycle that is enough
to have each next path after at most one walk through the graph. Within a cycle the nodes of the path itself may stand in
the way, so there the rest of the cycle is looked through before each step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from mainspring.errors import MainspringError
from mainspring.graph.analysis.cycles import Neighbours, components

paths_listed_max = 10_000
"""How many paths a listing gives where its caller names no other bound."""

path_looks_max = 20_000_000
"""Edges looked at between one path and the next, within cycles. Without a cycle there is no need of a bound."""


class TooTangled(MainspringError):
    """The next simple path through a large cycle was not found within `path_looks_max`."""


def reach(starts: Iterable[int], neighbours: Neighbours) -> set[int]:
    """The starts and all that can be reached from them."""
    reached = set(starts)
    stack = list(reached)
    while stack:
        for target in neighbours[stack.pop()]:
            if target not in reached:
                reached.add(target)
                stack.append(target)
    return reached


def reaches(source: int, target: int, after: Neighbours) -> bool:
    """Whether a path leads from one to the other; stops as soon as that is known."""
    seen = {source}
    stack = [source]
    while stack:
        node = stack.pop()
        if node == target:
            return True
        for following in after[node]:
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return False


def count_all(order: Sequence[int], after: Neighbours, before: Neighbours) -> int:
    """How many paths lead from the roots to the leaves of a graph without a cycle, given in topological order."""
    # A number is let go as soon as it has been handed on: in deep graphs they have thousands of digits.
    numbers = [0 if sources else 1 for sources in before]
    total = 0
    for node in order:
        number = numbers[node]
        numbers[node] = 0
        targets = after[node]
        if not targets:
            total += number
        for target in targets:
            numbers[target] += number
    return total


def count(sources: Collection[int], targets: Collection[int], after: Neighbours, before: Neighbours) -> int | None:
    """How many paths there are; None where a cycle lies between. A path ends at the first target it meets."""
    ends = set(targets)
    region = reach(sources, after) & reach(ends, before)
    onward = {node: [] if node in ends else [t for t in after[node] if t in region] for node in region}
    waiting = dict.fromkeys(region, 0)
    for following in onward.values():
        for target in following:
            waiting[target] += 1
    numbers = dict.fromkeys((node for node in sources if node in region), 1)
    ready = [node for node, missing in waiting.items() if not missing]
    total = passed = 0
    while ready:
        node = ready.pop()
        passed += 1
        number = numbers.pop(node, 0)
        if node in ends:
            total += number
        for target in onward[node]:
            numbers[target] = numbers.get(target, 0) + number
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return total if passed == len(region) else None


def listed(
    sources: Sequence[int], targets: Collection[int], after: Neighbours, before: Neighbours, limit: int
) -> Iterator[list[int]]:
    """Simple paths from sources to targets, in the order of the definition, at most `limit`. Raises TooTangled."""
    ends = set(targets)
    leading = reach(ends, before)
    part_of = {node: set(part) for part in components(leading, after) for node in part}
    walk = _Walk(after, ends, leading, part_of)
    given = 0
    for source in sources:
        if source not in leading:
            continue
        for path in walk.from_(source):
            if given >= limit:
                return
            given += 1
            yield path


class _Walk:
    def __init__(self, after: Neighbours, ends: set[int], leading: set[int], part_of: dict[int, set[int]]) -> None:
        self.after = after
        self.ends = ends
        self.leading = leading
        self.part_of = part_of
        self.looks = 0

    def from_(self, source: int) -> Iterator[list[int]]:
        path = [source]
        on_path = {source}
        branches: list[Iterator[int]] = []
        while path:
            if len(branches) < len(path):
                if path[-1] in self.ends:
                    yield path.copy()
                    self.looks = 0
                    branches.append(iter(()))
                else:
                    branches.append(iter(self._onward(path[-1], on_path)))
            following = next(branches[-1], None)
            if following is None:
                branches.pop()
                on_path.discard(path.pop())
            else:
                path.append(following)
                on_path.add(following)

    def _onward(self, node: int, on_path: set[int]) -> list[int]:
        part = self.part_of.get(node)
        if part is None:
            return [target for target in self.after[node] if target in self.leading]
        open_nodes = self._way_out(part, on_path)
        return [
            target
            for target in self.after[node]
            if (target in open_nodes if target in part else target in self.leading)
        ]

    def _way_out(self, part: set[int], on_path: set[int]) -> set[int]:
        """The nodes of a cycle from which it can be left towards a target without meeting the path."""
        within: dict[int, list[int]] = {}
        ways: list[int] = []
        for node in part - on_path:
            self.looks += len(self.after[node])
            out = node in self.ends
            for target in self.after[node]:
                if target not in part:
                    out = out or target in self.leading
                elif target not in on_path:
                    within.setdefault(target, []).append(node)
            if out:
                ways.append(node)
        if self.looks > path_looks_max:
            raise TooTangled(
                f"a cycle of {len(part):,} nodes is too tangled: no further path was found within path_looks_max "
                f"({path_looks_max:,}) edges"
            )
        found = set(ways)
        while ways:
            for source in within.get(ways.pop(), ()):
                if source not in found:
                    found.add(source)
                    ways.append(source)
        return found
