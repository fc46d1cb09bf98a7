"""Boxes that stand where their author put them; only the wires are worked out."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.graph.layout.drawing import Drawing, Point, Route
from mainspring.graph.layout.layers import Wire

Box = tuple[float, float, float, float]


def draw_at(corners: Sequence[Point], sizes: Sequence[Point], wires: Sequence[Wire]) -> Drawing:
    """Boxes with these left upper corners, moved as a whole to where the drawing begins."""
    left = min((x for x, _ in corners), default=0.0)
    top = min((y for _, y in corners), default=0.0)
    places = [(x - left, y - top) for x, y in corners]
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(places, sizes, strict=True)]
    routes = [_route(boxes[wire.source], boxes[wire.target], wire) for wire in wires]
    width = max((box[2] for box in boxes), default=0.0)
    height = max((box[3] for box in boxes), default=0.0)
    return Drawing(places, routes, width, height)


def _route(source: Box, target: Box, wire: Wire) -> Route:
    x, y = (source[0] + source[2]) / 2, (source[1] + source[3]) / 2
    if wire.source == wire.target:
        side, over, quarter = source[1], source[1] - 13, (source[2] - source[0]) / 4
        return Route([(x + quarter, side), (x + quarter, over), (x - quarter, over), (x - quarter, side)], "right")
    u, v = (target[0] + target[2]) / 2, (target[1] + target[3]) / 2
    label = None if wire.label is None else ((x + u) / 2, (y + v) / 2)
    if target[0] >= source[2]:
        return Route([(source[2], y), (target[0], v)], "right", label=label)
    if target[2] <= source[0]:
        return Route([(source[0], y), (target[2], v)], "right", label=label)
    if v >= y:
        return Route([(x, source[3]), (u, target[1])], "down", label=label)
    return Route([(x, source[1]), (u, target[3])], "down", label=label)
