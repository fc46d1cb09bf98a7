"""Layout, the whole: boxes and wires become places and routes. Lengths have no unit; a drawing reads them as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from mainspring.graph.layout.coordinates import centres
from mainspring.graph.layout.crossings import ordered
from mainspring.graph.layout.layers import Layered, Wire, backward, bends_max, layered

Direction = Literal["right", "down"]
Point = tuple[float, float]

NODE_GAP = 26.0
BEND_GAP = 14.0
LAYER_GAP = 46.0
LABEL_GAP = 30.0


class Route(NamedTuple):
    """How an edge goes: from point to point, leaving and arriving at each in its direction.

    `backward`: it closes a cycle, and its points lead from its target to its source. `label`: the middle of its label.
    """

    points: list[Point]
    direction: Direction
    backward: bool = False
    label: Point | None = None


class Drawing(NamedTuple):
    """Boxes (left upper corners) and routes within `width` and `height`. `notes` say where a bound made it plainer."""

    boxes: list[Point]
    routes: list[Route]
    width: float
    height: float
    notes: tuple[str, ...] = ()


def draw(sizes: Sequence[Point], wires: Sequence[Wire], direction: Direction = "right") -> Drawing:
    """Lay out boxes of these sizes (width, height) and the wires between them."""
    across = direction == "right"
    turned = sizes if across else [(height, width) for width, height in sizes]
    if not across:
        wires = [wire if wire.label is None else wire._replace(label=wire.label[::-1]) for wire in wires]
    back = backward(len(sizes), wires)
    graph = layered(turned, wires, back)
    layers = ordered(graph)
    at = centres(graph, layers, NODE_GAP, BEND_GAP)
    begins, thick = _along(graph, layers)
    place: list[Point] = []
    for number in range(len(sizes)):
        layer = graph.layer[number]
        middle = begins[layer] + thick[layer] / 2
        place.append((middle, at[number]) if across else (at[number], middle))
    routes = []
    for number, wire in enumerate(wires):
        points, label = _route(number, wire, graph, at, begins, thick)
        if not across:
            points = [(y, x) for x, y in points]
            label = None if label is None else label[::-1]
        routes.append(Route(points, direction, number in back and wire.source != wire.target, label))
    boxes = [(x - w / 2, y - h / 2) for (x, y), (w, h) in zip(place, sizes, strict=True)]
    far = max((at[v] + graph.vertices[v].across / 2 for layer in layers for v in layer[-1:]), default=0.0)
    deep = begins[-1] + thick[-1] if begins else 0.0
    notes: tuple[str, ...] = ()
    if graph.straight:
        notes = (f"{graph.straight:,} of the longest connections are drawn straight (bends_max is {bends_max:,})",)
    return Drawing(boxes, routes, *((deep, far) if across else (far, deep)), notes)


def _along(graph: Layered, layers: list[list[int]]) -> tuple[list[float], list[float]]:
    """Where each layer begins, and how thick it is."""
    begins: list[float] = []
    thick: list[float] = []
    here = 0.0
    labels_before = False
    for number, layer in enumerate(layers):
        labels = all(graph.vertices[vertex].node < 0 for vertex in layer)
        if number:
            # Where many edges meet in one gap they need more room to be told apart.
            here += LABEL_GAP if labels or labels_before else LAYER_GAP + min(2.0 * len(layer), 60.0)
        begins.append(here)
        thick.append(max((graph.vertices[vertex].along for vertex in layer), default=0.0))
        here += thick[-1]
        labels_before = labels
    return begins, thick


def _route(
    number: int, wire: Wire, graph: Layered, at: list[float], begins: list[float], thick: list[float]
) -> tuple[list[Point], Point | None]:
    if wire.source == wire.target:
        return _loop(wire.source, graph, at, begins, thick)
    points: list[Point] = []
    label: Point | None = None
    chain = graph.chains[number]
    for place, vertex in enumerate(chain):
        layer = graph.layer[vertex]
        begin, end, middle = begins[layer], begins[layer] + thick[layer], at[vertex]
        if graph.vertices[vertex].node >= 0:
            half = graph.vertices[vertex].along / 2
            centre = (begin + end) / 2
            points.append((centre + half, middle) if place == 0 else (centre - half, middle))
            if place == 0 and half * 2 < thick[layer]:
                points.append((end, middle))
            elif place and half * 2 < thick[layer]:
                points.insert(-1, (begin, middle))
            continue
        points += ((begin, middle), (end, middle)) if end > begin else ((begin, middle),)
        if graph.vertices[vertex].across:
            label = ((begin + end) / 2, middle)
    return points, label


def _loop(
    node: int, graph: Layered, at: list[float], begins: list[float], thick: list[float]
) -> tuple[list[Point], Point | None]:
    """A node connected to itself: out of its upper side and in there again."""
    layer, room = graph.layer[node], graph.vertices[node]
    centre, quarter = begins[layer] + thick[layer] / 2, room.along / 4
    side = at[node] - room.across / 2
    over = side - NODE_GAP / 2
    return [
        (centre + quarter, side),
        (centre + quarter, over),
        (centre - quarter, over),
        (centre - quarter, side),
    ], None
