"""SVG: a picture by our own layout. Self-contained, well-formed, no script; it follows the reader's light or dark theme."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from zlib import crc32

from mainspring.definition.model import Node
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.analysis.structure import Edge
from mainspring.graph.export import words
from mainspring.graph.export.svg_style import sheet
from mainspring.graph.layout import Direction, Drawing, Route, Wire, draw, draw_at

MARGIN = 20.0
NODE_HEIGHT = 46.0
NODE_WIDTH_MIN = 92.0
TAG_HEIGHT = 20.0
SCOPE = "mainspring-graph"

node_chars_max = 32
tag_chars_max = 40
tooltip_chars_max = 1_000

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("iIjltfr.,:;'|!()[] -"), frozenset("mwMW@%&=+<>~#—…")


def svg(graph: WorkflowGraph, direction: Direction = "right", positions: bool = False) -> str:
    """The picture. With `positions` the nodes stand where the definition puts them, if it does so for all."""
    return picture(graph, direction, positions)[0]


def picture(
    graph: WorkflowGraph, direction: Direction = "right", positions: bool = False
) -> tuple[str, tuple[str, ...]]:
    """The same, and notes on what could not be done as asked or was made plainer."""
    nodes, before = graph.workflow.nodes, graph.structure.before
    below = [words.one_line(words.subtitle(node, len(before[at])), node_chars_max) for at, node in enumerate(nodes)]
    sizes = [(_node_width(node, text), NODE_HEIGHT) for node, text in zip(nodes, below, strict=True)]
    edges = list(dict.fromkeys((edge, words.one_line(words.label(edge), tag_chars_max)) for edge in _told(graph)))
    wires = [
        Wire(edge.source, edge.target, (text_width(said, 11) + 20, TAG_HEIGHT) if said else None)
        for edge, said in edges
    ]
    given = [(node.position.x, node.position.y) for node in nodes if node.position is not None]
    placed = positions and len(given) == len(nodes)
    drawing = draw_at(given, sizes, wires) if placed else draw(sizes, wires, direction)
    notes = drawing.notes
    if positions and not placed:
        notes = (*notes, f"{len(nodes) - len(given):,} of the nodes have no position: laid out anew")
    mark = f"{SCOPE}-{crc32(graph.workflow.id.encode('utf-8', 'replace')):08x}"
    parts = [*_head(graph, drawing, mark), *_edges(drawing, edges, mark), *_nodes(graph, drawing, sizes, below)]
    parts += ("</g>", "</svg>")
    return "\n".join(parts) + "\n", notes


def _told(graph: WorkflowGraph) -> Iterator[Edge]:
    """The edges without what no picture shows, so that two that look alike are drawn once."""
    for edge in graph.structure.edges:
        kind = edge.kind if edge.helps else "connection"
        yield Edge(
            edge.source, edge.target, kind, edge.trigger, edge.condition, edge.source_port, edge.target_port
        )  # fmt: skip


def _head(graph: WorkflowGraph, drawing: Drawing, mark: str) -> Iterator[str]:
    workflow = graph.workflow
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{SCOPE}" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-labelledby="{mark}-title {mark}-desc">'
    )
    connections = sum(1 for edge in graph.structure.edges if not edge.helps)
    told = f"Workflow {workflow.id}: {_count(len(graph), 'node')}, {_count(connections, 'connection')}"
    if graph.levels:
        told += f", {_count(len(graph.levels), 'level')}; begins with {', '.join(graph.roots[:10])}"
        told += f", ends with {', '.join(graph.leaves[:10])}"
    if graph.cycle:
        told += f"; it has a cycle: {' -> '.join((*graph.cycle[:30], graph.cycle[0]))}"
    yield f'<title id="{mark}-title">{escape(words.one_line(workflow.name or workflow.id, 200))}</title>'
    yield f'<desc id="{mark}-desc">{escape(words.one_line(told, tooltip_chars_max))}.</desc>'
    yield f"<style>\n{sheet(SCOPE)}\n</style>"
    yield "<defs>"
    for name in ("tip", "fail-tip", "back-tip"):
        yield (
            f'<marker id="{mark}-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" '
            f'markerWidth="10" markerHeight="10" orient="auto-start-reverse">'
            f'<path class="{name}" d="M0 0.8 10 5 0 9.2 2.4 5Z"/></marker>'
        )
    yield "</defs>"
    yield f'<rect class="paper" width="{_n(width)}" height="{_n(height)}" rx="8"/>'
    yield f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">'


def _edges(drawing: Drawing, edges: list[tuple[Edge, str]], mark: str) -> Iterator[str]:
    tags = []
    for (edge, said), route in zip(edges, drawing.routes, strict=True):
        look = words.style(edge)
        back = route.backward or edge.source == edge.target
        tip = "back-tip" if back else "fail-tip" if look == "fail" else "tip"
        end = "start" if route.backward else "end"
        kinds = "edge" + (f" {look}" if look != "plain" else "") + (" back" if back else "")
        yield f'<path class="{kinds}" d="{_path(route)}" marker-{end}="url(#{mark}-{tip})"/>'
        if said and route.label is not None:
            tags.append(_tag(said, words.label(edge), route, look))
    yield from tags


def _path(route: Route) -> str:
    """Straight where it can be, else a curve that leaves and arrives in the route's direction."""
    points = route.points
    told = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (u, v) in pairwise(points):
        if abs(x - u) < 0.05 or abs(y - v) < 0.05:
            told.append(f"L{_n(u)} {_n(v)}")
        elif route.direction == "right":
            half = (x + u) / 2
            told.append(f"C{_n(half)} {_n(y)} {_n(half)} {_n(v)} {_n(u)} {_n(v)}")
        else:
            half = (y + v) / 2
            told.append(f"C{_n(x)} {_n(half)} {_n(u)} {_n(half)} {_n(u)} {_n(v)}")
    return "".join(told)


def _tag(said: str, whole: str, route: Route, look: str) -> str:
    assert route.label is not None
    x, y = route.label
    width = text_width(said, 11) + 18
    colour = " said-fail" if look == "fail" else ""
    tip = f"<title>{escape(words.one_line(whole, tooltip_chars_max))}</title>" if said != whole else ""
    return (
        f'<g>{tip}<rect class="tag" x="{_n(x - width / 2)}" y="{_n(y - 9)}" width="{_n(width)}" height="18" rx="9"/>'
        f'<text class="said{colour}" x="{_n(x)}" y="{_n(y + 3.8)}" text-anchor="middle">{escape(said)}</text></g>'
    )


def _nodes(graph: WorkflowGraph, drawing: Drawing, sizes: list[tuple[float, float]], below: list[str]) -> Iterator[str]:
    on_cycle = set(graph.cycle)
    for number, node in enumerate(graph.workflow.nodes):
        x, y = drawing.boxes[number]
        width, height = sizes[number]
        kinds = words.family(node)
        kinds += " off" if number in graph.structure.off_graph else ""
        kinds += " cycle" if node.id in on_cycle else ""
        told = words.one_line(f"{node.id} ({node.type}) {node.name or ''} {node.description or ''}", tooltip_chars_max)
        yield (
            f'<g class="{kinds}" transform="translate({_n(x)} {_n(y)})"><title>{escape(told)}</title>'
            f'<rect class="box" width="{_n(width)}" height="{_n(height)}" rx="8"/>'
            f'<rect class="bar" x="7" y="10" width="3.5" height="{_n(height - 20)}" rx="1.75"/>'
            f'<text class="id" x="19" y="20">{escape(words.name(node.id, node_chars_max))}</text>'
            f'<text class="kind" x="19" y="35.5">{escape(below[number])}</text></g>'
        )


def _node_width(node: Node, below: str) -> float:
    title = words.name(node.id, node_chars_max)
    return max(NODE_WIDTH_MIN, 34 + max(text_width(title, 13) * 1.06, text_width(below, 11)))


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a usual sans-serif font; rather too much than too little."""
    if text.isascii():
        units = sum(0.35 if c in _NARROW else 0.88 if c in _WIDE else 0.69 if c.isupper() else 0.6 for c in text)
    else:
        units = sum(0.35 if c in _NARROW else 1.05 if ord(c) > 0x2E7F or c in _WIDE else 0.68 for c in text)
    return units * size


def escape(text: str) -> str:
    """Text or the value of an attribute in XML; characters that XML cannot hold become a replacement character."""
    text = _NOT_XML.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _n(value: float) -> str:
    """A number with at most one digit after the point."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text
