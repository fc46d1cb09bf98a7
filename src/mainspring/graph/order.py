"""Which nodes of a graph come before which. It is asked seldom, so nothing is worked out until it is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

steps_max = 500_000
"""So many connections of one graph are gone through for all questions together; what is left is not answered."""

near_max = 50
"""So many nodes before another one are looked at first."""


class Order:
    """`exempt` are nodes that run at any time: those off the graph. Where `settled` is false nothing is known: a graph with a
    cycle, or one whose nodes run several times."""

    def __init__(self, edges: Iterable[tuple[str, str]], exempt: Iterable[str] = (), settled: bool = True) -> None:
        self._edges = edges
        self.exempt = frozenset(exempt)
        self.settled = settled
        self._after: dict[str, frozenset[str]] = {}
        self._steps = 0

    @cached_property
    def _sources(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for source, target in self._edges:
            found.setdefault(target, []).append(source)
        return found

    @cached_property
    def _targets(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for source, target in self._edges:
            found.setdefault(source, []).append(target)
        return found

    def sources(self, name: str) -> list[str]:
        """The nodes right before this one."""
        return self._sources.get(name, [])

    @cached_property
    def _levels(self) -> dict[str, int]:
        """The length of the longest path to each node: nothing precedes what is not on a higher level."""
        left = {target: len(sources) for target, sources in self._sources.items()}
        line = [name for name in self._targets if name not in left]
        levels = dict.fromkeys(line, 0)
        for name in line:
            for target in self._targets.get(name, ()):
                levels[target] = max(levels.get(target, 0), levels[name] + 1)
                left[target] -= 1
                if not left[target]:
                    line.append(target)
        return levels

    def precedes(self, first: str, then: str) -> bool | None:
        """Whether a path leads from the one to the other; None where that was not looked for."""
        if not self.settled or first in self.exempt or then in self.exempt:
            return None
        if first in self.sources(then):
            return True
        if self._levels.get(first, 0) >= self._levels.get(then, 0):
            return False
        if self._is_near(first, then):
            return True
        after = self.after(first)
        return None if after is None else then in after

    def _is_near(self, first: str, then: str) -> bool:
        """Whether it is found within a few steps back, as it mostly is."""
        seen, line = {then}, [then]
        for name in line:
            for source in self.sources(name):
                if source == first:
                    return True
                if source not in seen and len(seen) < near_max:
                    seen.add(source)
                    line.append(source)
        return False

    def after(self, name: str) -> frozenset[str] | None:
        """All nodes behind this one; None where too much was looked at already."""
        known = self._after.get(name)
        if known is not None:
            return known
        if self._steps > steps_max:
            return None
        seen: set[str] = set()
        stack = [name]
        while stack:
            targets = self._targets.get(stack.pop(), ())
            self._steps += len(targets) + 1
            fresh = [target for target in targets if target not in seen]
            seen.update(fresh)
            stack += fresh
        found = self._after[name] = frozenset(seen)
        return found
