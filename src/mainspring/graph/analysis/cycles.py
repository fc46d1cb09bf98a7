"""Where the graph goes in circles: its strongly connected components, and one short cycle to show to a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

cycle_looks_max = 2_000_000
"""Edges looked at in search of the shortest cycle. Beyond them, any one is shown, which costs linear time."""

Neighbours = Sequence[Sequence[int]]


def components(nodes: Iterable[int], after: Neighbours) -> list[list[int]]:
    """Sets of nodes that all reach each other, two or more (or one that is connected to itself). Tarjan, iteratively."""
    number = [0] * len(after)
    low = [0] * len(after)
    on_stack = bytearray(len(after))
    stack: list[int] = []
    found: list[list[int]] = []
    count = 0
    for start in nodes:
        if number[start]:
            continue
        work = [(start, 0)]
        while work:
            node, at = work.pop()
            if not at:
                count += 1
                number[node] = low[node] = count
                stack.append(node)
                on_stack[node] = 1
            else:
                low[node] = min(low[node], low[after[node][at - 1]])
            targets = after[node]
            while at < len(targets):
                target = targets[at]
                at += 1
                if not number[target]:
                    work.append((node, at))
                    work.append((target, 0))
                    break
                if on_stack[target]:
                    low[node] = min(low[node], number[target])
            else:
                if low[node] == number[node]:
                    _take(node, stack, on_stack, after, found)
    return found


def _take(root: int, stack: list[int], on_stack: bytearray, after: Neighbours, found: list[list[int]]) -> None:
    members: list[int] = []
    while True:
        node = stack.pop()
        on_stack[node] = 0
        members.append(node)
        if node == root:
            break
    if len(members) > 1 or root in after[root]:
        members.sort()
        found.append(members)


def short_cycle(parts: Sequence[Sequence[int]], after: Neighbours) -> list[int]:
    """A cycle, from its first node on; empty where there are no parts. The shortest, if `cycle_looks_max` lets us see it.

    Short ones are looked for first, from every node; only where that takes too long, any one will do.
    """
    if not parts:
        return []
    best: list[int] = []
    looks, length, longest = 0, 3, max(map(len, parts))
    searches = [(start, within) for part in sorted(parts, key=len) for within in [set(part)] for start in part]
    while not best and looks < cycle_looks_max and length <= 3 * longest:
        for start, within in searches:
            cycle, looked = _shortest_through(start, within, after, len(best) or length + 1)
            looks += looked
            best = cycle or best
            if looks >= cycle_looks_max or len(best) == 1:
                break
        length *= 3
    if not best:
        start, within = searches[0]
        best, _ = _shortest_through(start, within, after, len(within) + 1)
    first = best.index(min(best))
    return best[first:] + best[:first]


def _shortest_through(start: int, within: set[int], after: Neighbours, below: int) -> tuple[list[int], int]:
    """The shortest cycle through a node if it is shorter than `below`; and how many edges were looked at."""
    came_from = {start: -1}
    current, length, looked = [start], 1, 0
    while current and length < below:
        following = []
        for node in current:
            looked += len(after[node])
            for target in after[node]:
                if target == start:
                    return _back(node, came_from), looked
                if target in within and target not in came_from:
                    came_from[target] = node
                    following.append(target)
        current, length = following, length + 1
    return [], looked


def _back(node: int, came_from: dict[int, int]) -> list[int]:
    path = []
    while node >= 0:
        path.append(node)
        node = came_from[node]
    path.reverse()
    return path
