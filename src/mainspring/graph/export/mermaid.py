"""Mermaid: a flowchart for Markdown. Nodes are numbered, so that no id can be mistaken for syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.definition.model import Node
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export import words

edges_drawn_max = 500
"""Mermaid draws no more edges than these unless its own maxEdges is raised; the drawing says so."""

_SHAPES = {
    "work": ("[", "]"),
    "world": ("[/", "/]"),
    "choice": ("{", "}"),
    "body": ("[[", "]]"),
    "wait": ("([", "])"),
    "begin": ("((", "))"),
    "end": ("(((", ")))"),
}
_SPECIAL = {
    "log": ("(", ")"),
    "sql": ("[(", ")]"),
    "forEach": ("{{", "}}"),
    "while": ("{{", "}}"),
    "until": ("{{", "}}"),
}
_NOT_PLAIN = re.compile(r"\A[-+*\d]|[^\w .,:=+*/!?()'-]|-{2,}|={2,}")


def mermaid(graph: WorkflowGraph, direction: str = "right") -> str:
    """The flowchart, as text that ends with a line end."""
    return "\n".join(_lines(graph, direction)) + "\n"


def _lines(graph: WorkflowGraph, direction: str) -> Iterator[str]:
    structure = graph.structure
    yield f"flowchart {'LR' if direction == 'right' else 'TB'}"
    if len(structure.edges) > edges_drawn_max:
        yield f"    %% {len(structure.edges)} edges: set maxEdges to at least that where this is drawn"
    for number, node in enumerate(graph.workflow.nodes):
        opening, closing = _SPECIAL.get(node.type, _SHAPES[words.family(node)])
        yield f'    n{number}{opening}"{_node_text(node, len(structure.before[number]))}"{closing}'
    for edge in structure.edges:
        text = words.label(edge)
        said = f'|"{escape(words.one_line(text))}"|' if text else ""
        arrow = "-.->" if edge.helps else "-->"
        yield f"    n{edge.source} {arrow}{said} n{edge.target}"
    fails = [str(at) for at, edge in enumerate(structure.edges) if words.style(edge) == "fail"]
    if fails:
        yield f"    linkStyle {','.join(fails)} stroke:#c2410c,stroke-dasharray:6 4"
    if structure.off_graph:
        yield "    classDef off stroke-dasharray:3 3"
        yield f"    class {','.join(f'n{number}' for number in sorted(structure.off_graph))} off"
    if graph.cycle:
        yield "    classDef cycle stroke:#dc2626,stroke-width:3px"
        yield f"    class {','.join(f'n{structure.index[name]}' for name in graph.cycle)} cycle"


def _node_text(node: Node, degree: int) -> str:
    title = f"<b>{escape(words.name(node.id, words.label_chars_max))}</b>"
    return f"{title}<br/>{escape(words.one_line(words.subtitle(node, degree)))}"


def escape(text: str) -> str:
    """Text within quotes: whatever may mean something to Mermaid, to Markdown or to HTML becomes a numbered character.

    So does what may begin a list, at the beginning.
    """
    return _NOT_PLAIN.sub(lambda found: "".join(f"#{ord(char)};" for char in found[0]), text)
