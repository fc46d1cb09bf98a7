"""Layout, part two: the order within each layer, so that edges cross seldom.

Sweeps down and up put each vertex at the mean place of its neighbours in the layer before; the best order seen is kept.
In small drawings, neighbours then change places wherever that saves a crossing.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

from mainspring.graph.layout.layers import Layered

sweeps_max = 16
sweep_looks_max = 60_000
"""Segments and vertices looked at in all sweeps together; two sweeps are made whatever they cost."""

PATIENCE = 4
"""Sweeps without a better order, after which no more are made."""

swap_vertices_max = 400
"""Vertices up to which neighbours are tried in each other's place."""

Layers = list[list[int]]


def ordered(graph: Layered) -> Layers:
    """The vertices of each layer in their order."""
    layers = _first_order(graph)
    segments = sum(map(len, graph.down))
    sweeps = max(2, min(sweeps_max, sweep_looks_max // (segments + len(graph.vertices) + 1)))
    best, fewest = [layer.copy() for layer in layers], _crossings(layers, graph.down)
    better_at = 0
    for sweep in range(sweeps):
        if not fewest:
            break
        _sweep(layers, graph.up if sweep % 2 == 0 else graph.down, downward=sweep % 2 == 0)
        if len(graph.vertices) <= swap_vertices_max:
            _swap(layers, graph)
        crossings = _crossings(layers, graph.down)
        if crossings < fewest:
            best, fewest, better_at = [layer.copy() for layer in layers], crossings, sweep
        elif sweep - better_at >= PATIENCE:
            break
    return best


def _first_order(graph: Layered) -> Layers:
    """As a walk in depth meets them: what belongs together stands together."""
    layers: Layers = [[] for _ in range(max(graph.layer, default=-1) + 1)]
    seen = bytearray(len(graph.vertices))
    starts = [vertex for vertex, above in enumerate(graph.up) if not above]
    for start in starts:
        stack = [start]
        while stack:
            vertex = stack.pop()
            if seen[vertex]:
                continue
            seen[vertex] = 1
            layers[graph.layer[vertex]].append(vertex)
            stack.extend(reversed(graph.down[vertex]))
    return layers


def _sweep(layers: Layers, neighbours: list[list[int]], downward: bool) -> None:
    place: dict[int, float] = {}
    for layer in layers if downward else reversed(layers):
        wish = {}
        for number, vertex in enumerate(layer):
            near = neighbours[vertex]
            wish[vertex] = sum([place[one] for one in near]) / len(near) if near else float(number)
        layer.sort(key=wish.__getitem__)
        for number, vertex in enumerate(layer):
            place[vertex] = number


def _crossings(layers: Layers, down: list[list[int]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {vertex: number for number, vertex in enumerate(lower)}
        ends: list[int] = []
        for vertex in upper:
            targets = [place[target] for target in down[vertex]]
            for target in targets:
                total += len(ends) - bisect_right(ends, target)
            for target in targets:
                insort(ends, target)
    return total


def _swap(layers: Layers, graph: Layered) -> None:
    place = {vertex: number for layer in layers for number, vertex in enumerate(layer)}
    for layer in layers:
        for number in range(len(layer) - 1):
            a, b = layer[number], layer[number + 1]
            saved = 0
            for neighbours in (graph.up, graph.down):
                firsts, seconds = [place[one] for one in neighbours[a]], [place[one] for one in neighbours[b]]
                saved += sum((x > y) - (x < y) for x in firsts for y in seconds)
            if saved > 0:
                layer[number], layer[number + 1] = b, a
                place[a], place[b] = number + 1, number
