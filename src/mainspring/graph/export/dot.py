"""DOT, for Graphviz. Every id and label is a quoted string; in those only the quote and the backslash are special."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export import words

_SHAPES = {
    "work": "box",
    "world": "component",
    "choice": "diamond",
    "body": "box3d",
    "wait": "ellipse",
    "begin": "circle",
    "end": "doublecircle",
}
_EDGES = {
    "plain": {},
    "fail": {"style": "dashed", "color": "#c2410c", "fontcolor": "#c2410c"},
    "help": {"style": "dotted", "constraint": "false"},
}


def dot(graph: WorkflowGraph, direction: str = "right") -> str:
    """The digraph, as text that ends with a line end."""
    return "\n".join(_lines(graph, direction)) + "\n"


def _lines(graph: WorkflowGraph, direction: str) -> Iterator[str]:
    structure = graph.structure
    names = [quoted(_id(name, number)) for number, name in enumerate(structure.names)]
    on_cycle = {structure.index[name] for name in graph.cycle}
    yield f"digraph {quoted(words.one_line(graph.workflow.id))} {{"
    title = words.one_line(graph.workflow.name or graph.workflow.id)
    rankdir = "LR" if direction == "right" else "TB"
    yield f"    graph [{_attributes({'label': title, 'rankdir': rankdir, 'fontname': 'Helvetica'})}];"
    yield f"    node [{_attributes({'shape': 'box', 'style': 'rounded', 'fontname': 'Helvetica'})}];"
    yield f"    edge [{_attributes({'fontname': 'Helvetica', 'fontsize': '10'})}];"
    for number, node in enumerate(graph.workflow.nodes):
        below = words.one_line(words.subtitle(node, len(structure.before[number])))
        attributes = {
            "label": f"{words.name(node.id, words.label_chars_max)}\n{below}",
            "shape": _SHAPES[words.family(node)],
        }
        if number in structure.off_graph:
            attributes["style"] = "dashed"
        if number in on_cycle:
            attributes |= {"color": "#dc2626", "penwidth": "2"}
        yield f"    {names[number]} [{_attributes(attributes)}];"
    for edge in structure.edges:
        attributes = dict(_EDGES[words.style(edge)])
        text = words.label(edge)
        if text:
            attributes["label"] = words.one_line(text)
        written = f" [{_attributes(attributes)}]" if attributes else ""
        yield f"    {names[edge.source]} -> {names[edge.target]}{written};"
    yield "}"


def _id(name: str, number: int) -> str:
    """The node's own id, or, where it cannot be shown as it is, one that no node has."""
    shown = words.one_line(name, 200)
    return name if shown == name else f"{shown} #{number}"


def _attributes(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={quoted(value)}" for name, value in attributes.items())


def quoted(text: str) -> str:
    r"""A string of DOT. A line end is written `\n`; a backslash is doubled, so that none begins an escape of its own."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
