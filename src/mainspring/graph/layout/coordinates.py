"""Layout, part three: where each vertex stands within its layer.

Each vertex wishes to stand where its neighbours are. Given the wishes of a layer, the places that keep its order and its
distances and come nearest to them (in weighted squares) are found exactly in linear time, by pooling adjacent violators.
Passes down and up let the layers settle; bend points weigh more than nodes, which keeps long edges straight.
"""

from __future__ import annotations

from mainspring.graph.layout.crossings import Layers
from mainspring.graph.layout.layers import Layered

passes_max = 12
pass_looks_max = 50_000
"""Segments and vertices looked at in all passes together; four passes are made whatever they cost."""

STRAIGHT = 8.0
"""What an edge between two bend points weighs beside one between two nodes."""


def centres(graph: Layered, layers: Layers, gap: float, bend_gap: float) -> list[float]:
    """For each vertex, its centre across the direction of the drawing; the least edge is at 0."""
    vertices = graph.vertices
    bend = [vertex.node < 0 and not vertex.across for vertex in vertices]
    offsets = [_offsets(layer, graph, gap, bend_gap, bend) for layer in layers]
    at = [0.0] * len(vertices)
    for layer, offset in zip(layers, offsets, strict=True):
        middle = offset[-1] / 2 if offset else 0
        for vertex, place in zip(layer, offset, strict=True):
            at[vertex] = place - middle
    looks = sum(map(len, graph.down)) + len(vertices) + 1
    passes = max(4, min(passes_max, pass_looks_max // looks))
    for number in range(passes):
        down = number % 2 == 0
        last = number >= passes - 2
        neighbours, others = (graph.up, graph.down) if down else (graph.down, graph.up)
        turn = range(len(layers)) if down else range(len(layers) - 1, -1, -1)
        for place in turn:
            _settle(layers[place], offsets[place], neighbours, others if last else None, bend, at)
    least = min((at[v] - vertices[v].across / 2 for layer in layers for v in layer[:1]), default=0.0)
    return [place - least for place in at]


def _offsets(layer: list[int], graph: Layered, gap: float, bend_gap: float, bend: list[bool]) -> list[float]:
    """How far each vertex must at least stand from the first of its layer."""
    found, total = [], 0.0
    for number, vertex in enumerate(layer):
        if number:
            before = layer[number - 1]
            between = bend_gap if bend[vertex] or bend[before] else gap
            total += (graph.vertices[before].across + graph.vertices[vertex].across) / 2 + between
        found.append(total)
    return found


def _settle(
    layer: list[int],
    offset: list[float],
    neighbours: list[list[int]],
    others: list[list[int]] | None,
    bend: list[bool],
    at: list[float],
) -> None:
    # Blocks of vertices that touch: [sum of weighted wishes, weight, how many].
    blocks: list[list[float]] = []
    for vertex, shift in zip(layer, offset, strict=True):
        near = neighbours[vertex]
        weight = STRAIGHT if bend[vertex] or (len(near) == 1 and bend[near[0]]) else 1.0
        if near:
            wish = sum([at[one] for one in near]) / len(near)
        elif others is not None and others[vertex]:
            wish = sum([at[one] for one in others[vertex]]) / len(others[vertex])
        else:
            wish, weight = at[vertex], 0.1
        block = [(wish - shift) * weight, weight, 1]
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = [last[0] + block[0], last[1] + block[1], last[2] + block[2]]
        blocks.append(block)
    number = 0
    for total, weight, count in blocks:
        mean = total / weight
        for _ in range(int(count)):
            at[layer[number]] = mean + offset[number]
            number += 1
