"""Text: the graph as a terminal can show it. One line a node, with lanes beside them, as version histories are drawn.

A lane leads to a node: all connections to that node run together in it. Where more lanes would be needed than a reader can
follow (`lanes_max`), and where there are many nodes, the levels are listed instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from unicodedata import combining, east_asian_width

from mainspring.definition.model import Node
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.analysis.structure import Edge
from mainspring.graph.export import words
from mainspring.graph.export.lanes import PLAIN, Row, rows
from mainspring.graph.export.within import inner_bodies

lanes_max = 14
rows_max = 400
"""Nodes up to which each has a line of its own."""

bodies_max = 50
"""Bodies that are listed beneath the picture."""

level_chars_max = 84
name_chars_max = 40
said_chars_max = 110

Paint = Callable[[str, str], str]
"""A text in a style of words such as `red bold`; a terminal makes colours of it."""

_COLOURS = {
    "work": "blue",
    "world": "cyan",
    "choice": "yellow",
    "body": "blue",
    "wait": "cyan",
    "begin": "green",
    "end": "dim",
}
_DOTS = {"choice": "◆", "wait": "◷", "begin": "▶", "body": "◎", "end": "■"}


def unpainted(text: str, style: str) -> str:
    """The text as it is, where there are no colours."""
    return text


def text(graph: WorkflowGraph, paint: Paint = unpainted, plain: bool = False) -> str:
    """The drawing, as lines. With `plain` it keeps to ASCII, but for the names themselves."""
    drawn = "\n".join(line.rstrip() for line in _Text(graph, paint).lines()) + "\n"
    return drawn.translate(PLAIN) if plain else drawn


class _Text:
    def __init__(self, graph: WorkflowGraph, paint: Paint) -> None:
        self.graph = graph
        self.paint = paint
        self.names = graph.structure.names
        self.on_cycle = frozenset(graph.structure.index[name] for name in graph.cycle)
        self.into: list[list[Edge]] = [[] for _ in self.names]
        for edge in graph.structure.edges:
            self.into[edge.target].append(edge)

    def lines(self) -> Iterator[str]:
        yield from self.head()
        drawn = rows(self.graph.structure, lanes_max) if len(self.graph) <= rows_max else None
        yield ""
        yield from self.levels() if drawn is None else self.drawing(drawn)
        yield from self.apart()
        yield from self.within()

    def head(self) -> Iterator[str]:
        graph, workflow = self.graph, self.graph.workflow
        title = words.one_line(workflow.name or workflow.id)
        also = f"  {words.one_line(workflow.id)}" if workflow.name and workflow.name != workflow.id else ""
        connections = sum(1 for edge in graph.structure.edges if not edge.helps)
        counts = [_count(len(graph), "node"), _count(connections, "connection"), _count(len(graph.levels), "level")]
        yield self.paint(title, "bold") + self.paint(f"{also}  {' · '.join(counts)}", "dim")
        if graph.cycle:
            shown = graph.cycle if len(graph.cycle) <= 12 else (*graph.cycle[:8], "…", *graph.cycle[-3:])
            yield self.paint(f"↻ a cycle: {' → '.join(words.name(one, 30) for one in (*shown, shown[0]))}", "red")

    # -- lanes

    def drawing(self, drawn: list[Row]) -> Iterator[str]:
        place = {row.node: number for number, row in enumerate(drawn)}
        gutter = max((len(row.lanes) for row in drawn), default=0) + 2
        shown = {number: words.name(name, name_chars_max) for number, name in enumerate(self.names)}
        width = max((_cells(shown[row.node]) for row in drawn if row.node >= 0), default=0)
        kinds = max((_cells(self.kind(row.node)) for row in drawn if row.node >= 0), default=0)
        for row in drawn:
            # All lanes but the node's own are dim: they are the ground, not the figure.
            lanes = self.lanes(row) + " " * (gutter - len(row.lanes))
            if row.node < 0:
                yield "  " + lanes
                continue
            style = "red bold" if row.node in self.on_cycle else "bold"
            name = self.paint(shown[row.node], style) + " " * (width - _cells(shown[row.node]))
            kind = self.kind(row.node)
            back = [one for one in self.graph.structure.after[row.node] if place[one] <= place[row.node]]
            said = self.said(row.node, back)
            yield f"  {lanes}{name}  {self.paint(kind, 'dim')}{' ' * (kinds - _cells(kind))}  {said}"

    def lanes(self, row: Row) -> str:
        """The lanes of a row, its node's sign in place of the dot."""
        if row.node < 0:
            return self.paint(row.lanes, "dim")
        before, dot, behind = row.lanes.partition("●")
        kind = words.family(self.node(row.node))
        sign = self.paint(_DOTS.get(kind, dot), _COLOURS[kind])
        return self.paint(before, "dim") + sign + self.paint(behind, "dim")

    def node(self, number: int) -> Node:
        return self.graph.workflow.nodes[number]

    def kind(self, number: int) -> str:
        return words.one_line(self.node(number).type, 20)

    def said(self, number: int, back: list[int]) -> str:
        """When the node runs, as far as that is not plain; then what is special about it."""
        parts = [self.paint(f"↻ back to {words.name(self.names[target], name_chars_max)}", "red") for target in back]
        into = [edge for edge in self.into[number] if not edge.helps]
        several = len({edge.source for edge in into}) > 1
        for edge in into:
            told = words.label(edge)
            if told:
                of = f"{words.name(self.names[edge.source], 30)}: " if several else ""
                style = "red" if words.style(edge) == "fail" else "yellow"
                parts.append(self.paint(of + words.one_line(told, said_chars_max), style))
        parts += [self.paint(one, "dim") for one in words.remarks(self.node(number), len(into))]
        name = self.node(number).name
        if name and name != self.names[number]:
            parts.append(self.paint(words.one_line(name), "dim"))
        return self.paint(" · ", "dim").join(parts)

    # -- levels

    def levels(self) -> Iterator[str]:
        graph = self.graph
        levels = list(enumerate(graph.levels, start=1))
        half = rows_max // 2
        shown = levels if len(levels) <= rows_max else [*levels[:half], *levels[-half:]]
        wide = len(f"{len(levels):,}")
        many = max((len(f"{len(level):,}") for _, level in shown), default=0)
        for number, level in shown:
            at = self.paint(f"{number:>{wide},}", "dim")
            yield f"  {at}  {self.paint(f'×{len(level):,}'.rjust(many + 1), 'cyan')}  {self.listed(level)}"
            if number == half and len(levels) > rows_max:
                yield self.paint(f"  … {len(levels) - rows_max:,} more levels", "dim")
        if graph.blocked:
            yield f"  {self.paint('never', 'red')}  {self.listed(graph.blocked)}"

    def listed(self, names: Sequence[str]) -> str:
        """As many names as one line holds."""
        told: list[str] = []
        left = level_chars_max
        for name in names:
            cut = words.name(name, 30)
            left -= len(cut) + 2
            if told and left < 0:
                break
            told.append(cut)
        more = self.paint(f" … {len(names) - len(told):,} more", "dim") if len(told) < len(names) else ""
        return self.paint(", ", "dim").join(told) + more

    # -- what is off the graph

    def apart(self) -> Iterator[str]:
        off = sorted(self.graph.structure.off_graph)
        if not off:
            return
        yield ""
        yield self.paint("  off the graph", "dim")
        shown = [words.name(self.names[number], name_chars_max) for number in off[:rows_max]]
        width = max(map(_cells, shown))
        for number, name in zip(off, shown, strict=False):
            owners: dict[str, list[str]] = {}
            for edge in self.into[number]:
                if edge.helps:
                    word = "undoes" if edge.kind == "compensation" else "stands in for"
                    owners.setdefault(word, []).append(words.name(self.names[edge.source], name_chars_max))
            said = "; ".join(f"{word} {', '.join(of[:5])}{' …' if len(of) > 5 else ''}" for word, of in owners.items())
            yield f"  {self.paint('○', 'dim')} {name}{' ' * (width - _cells(name))}  {self.paint(said, 'dim')}"
        if len(off) > rows_max:
            yield self.paint(f"  … {len(off) - rows_max:,} more", "dim")

    # -- what is in bodies

    def within(self) -> Iterator[str]:
        """Each body in a line of its own, beneath the picture, in which its block is one node."""
        inner = list(islice(inner_bodies(self.graph.workflow.nodes), bodies_max + 1))
        if not inner:
            return
        yield ""
        yield self.paint("  within", "dim")
        for one in inner[:bodies_max]:
            block = words.name(one.path, name_chars_max) + (f" [{words.name(one.branch, 20)}]" if one.branch else "")
            listed = self.listed([node.id for node in one.body.nodes])
            yield f"  {'  ' * one.depth}{self.paint('◎', 'blue')} {block}: {listed}"
        if len(inner) > bodies_max:
            yield self.paint("  … more bodies", "dim")


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
