"""What follows from the order of the nodes: levels, the critical path, bottlenecks. All in linear time, without recursion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from mainspring.graph.analysis.structure import Structure


def levels(structure: Structure) -> list[list[int]]:
    """Nodes in groups that may run side by side: a node stands one level below the last of those it waits for.

    Nodes on a cycle, and all that wait for one, are in no level: they can never run.
    """
    waiting = [len(sources) for sources in structure.before]
    after = structure.after
    current = [node for node in structure.on_graph if not waiting[node]]
    found: list[list[int]] = []
    while current:
        found.append(current)
        following: list[int] = []
        for node in current:
            for target in after[node]:
                waiting[target] -= 1
                if not waiting[target]:
                    following.append(target)
        following.sort()
        current = following
    return found


def critical_path(
    structure: Structure, order: Sequence[int], durations: Mapping[int, float], default: float
) -> tuple[list[int], float]:
    """The path that takes longest, and how long; of several, the one that the definition names first."""
    finish = [-inf] * len(structure.names)
    last = -1
    for node in order:
        begin = max([finish[source] for source in structure.before[node]], default=0)
        ends = finish[node] = begin + durations.get(node, default)
        if last < 0 or ends > finish[last] or (ends == finish[last] and node < last):
            last = node
    path: list[int] = []
    node = last
    while node >= 0:
        path.append(node)
        node = max(structure.before[node], key=lambda source: (finish[source], -source), default=-1)
    path.reverse()
    return path, finish[last] if path else 0


def bottlenecks(structure: Structure, order: Sequence[int]) -> list[int]:
    """Nodes that every path from a root to a leaf passes.

    In topological order, a node is one if no edge leads from before it to behind it, with an edge from the outside to
    each root and from each leaf to the outside.
    """
    size = len(order)
    place = [-1] * len(structure.names)
    for number, node in enumerate(order):
        place[node] = number
    reach = max((place[node] for node in order if not structure.before[node]), default=0)
    found = []
    for number, node in enumerate(order):
        if reach <= number:
            found.append(node)
        furthest = max([place[target] for target in structure.after[node]], default=size)
        if furthest > reach:
            reach = furthest
    return found
