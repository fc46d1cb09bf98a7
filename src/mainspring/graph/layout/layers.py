"""Layout, part one: each node gets a layer, and edges that pass layers get a bend point in each.

Cycles are opened first (an edge that closes one is turned round). A layer is then the longest way from a beginning, and
what could stand further down at no cost is pulled there, so that edges stay short. An edge with a label passes a layer of
its own kind, right behind its source, in which the label stands like a node: so labels never cover anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

bends_max = 60_000
"""Bend points in one drawing. The longest edges get none beyond it, and are drawn straight across."""


class Wire(NamedTuple):
    """An edge to be drawn, and the room that its label takes along and across the direction of the drawing."""

    source: int
    target: int
    label: tuple[float, float] | None = None


class Vertex(NamedTuple):
    """What stands in a layer: a node, or (node -1) a bend point of a wire; with its room along and across."""

    node: int
    wire: int
    along: float
    across: float


class Layered:
    """Vertices in layers, with segments between neighbouring layers. `chains`: for each wire the vertices it passes."""

    def __init__(self, vertices: list[Vertex], layer: list[int], chains: list[list[int]], straight: int) -> None:
        self.vertices = vertices
        self.layer = layer
        self.chains = chains
        self.straight = straight
        self.up: list[list[int]] = [[] for _ in vertices]
        self.down: list[list[int]] = [[] for _ in vertices]
        for chain in chains:
            for a, b in pairwise(chain):
                if layer[b] - layer[a] == 1:
                    self.down[a].append(b)
                    self.up[b].append(a)


def backward(size: int, wires: Sequence[Wire]) -> set[int]:
    """The wires that close a cycle when the graph is walked from its beginnings on, in the order in which it is given."""
    after: list[list[int]] = [[] for _ in range(size)]
    begins = [True] * size
    for number, wire in enumerate(wires):
        after[wire.source].append(number)
        begins[wire.target] = False
    back: set[int] = set()
    state = bytearray(size)  # 1: on the way here, 2: done with
    for start in (*(node for node in range(size) if begins[node]), *range(size)):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            node, wires_left = stack[-1]
            for number in wires_left:
                target = wires[number].target
                if state[target] == 1:
                    back.add(number)
                elif not state[target]:
                    state[target] = 1
                    stack.append((target, iter(after[target])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return back


def ranks(size: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each node; `pairs` have no cycle."""
    after: list[list[int]] = [[] for _ in range(size)]
    into = [0] * size
    for source, target in pairs:
        after[source].append(target)
        into[target] += 1
    degree = into.copy()
    order = [node for node in range(size) if not into[node]]
    rank = [0] * size
    for node in order:
        below = rank[node] + 1
        for target in after[node]:
            rank[target] = max(rank[target], below)
            into[target] -= 1
            if not into[target]:
                order.append(target)
    for node in reversed(order):
        if len(after[node]) > degree[node]:
            rank[node] = min(rank[target] for target in after[node]) - 1
    return rank


def layered(sizes: Sequence[tuple[float, float]], wires: Sequence[Wire], back: set[int]) -> Layered:
    """Nodes and bend points in their layers. Wires from a node to itself have no part in it."""
    ends = [(w.target, w.source) if number in back else (w.source, w.target) for number, w in enumerate(wires)]
    rank = _with_room_for_labels(ranks(len(sizes), [pair for pair in ends if pair[0] != pair[1]]), wires, ends)
    vertices = [Vertex(node, -1, *size) for node, size in enumerate(sizes)]
    layer = rank.copy()
    chains: list[list[int]] = [[] for _ in wires]
    left = bends_max
    straight = 0
    for number in sorted(range(len(wires)), key=lambda n: rank[ends[n][1]] - rank[ends[n][0]]):
        source, target = ends[number]
        if source == target:
            continue
        first, last = rank[source] + 1, rank[target]
        label = wires[number].label
        if last - first > left:
            straight += 1
            chains[number] = [source, target]
            continue
        left -= last - first
        chain = chains[number]
        chain.append(source)
        at = last - 1 if number in back else first
        for place in range(first, last):
            room = label if label is not None and place == at else (0.0, 0.0)
            chain.append(len(vertices))
            vertices.append(Vertex(-1, number, *room))
            layer.append(place)
        chain.append(target)
    return Layered(vertices, layer, chains, straight)


def _with_room_for_labels(rank: list[int], wires: Sequence[Wire], ends: Sequence[tuple[int, int]]) -> list[int]:
    """The ranks with a layer more wherever a label needs one."""
    needed = set()
    for number, wire in enumerate(wires):
        if wire.label is not None and wire.source != wire.target:
            near, far = ends[number]
            needed.add(rank[near] if near == wire.source else rank[far] - 1)
    if not needed:
        return rank
    shift, extra = [], 0
    for place in range(max(rank, default=0) + 1):
        shift.append(place + extra)
        extra += place in needed
    return [shift[one] for one in rank]
