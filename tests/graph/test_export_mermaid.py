"""D8: Mermaid, read back line by line."""

from __future__ import annotations

import re

from hypothesis import given

from mainspring.definition.model import Workflow
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export import words
from mainspring.graph.export.mermaid import escape, mermaid
from tests.graph.drawn import any_graphs, workflow_of
from tests.graph.hostile import HOSTILE, hostile_workflow
from tests.graph.test_export_text import rich

NODE = re.compile(r'    n(\d+)(?:\(\(\(|\(\(|\(\[|\[\(|\[\[|\{\{|\[/|\(|\[|\{)"([^"]*)"[\])}/]+')
EDGE = re.compile(r'    n(\d+) (-->|-\.->)(?:\|"([^"]*)"\|)? n(\d+)')
STYLE = re.compile(r"    (linkStyle [\d,]+ |classDef \w+ |class [n\d,]+ )[\w:#,;. -]+")


def read(text: str) -> tuple[dict[int, str], list[tuple[int, int, str, str]]]:
    """Nodes and edges; every line must be one of those that Mermaid knows, with plain characters in its texts."""
    head, *lines = text.splitlines()
    assert head in ("flowchart LR", "flowchart TB")
    nodes, edges = {}, []
    for line in lines:
        node, edge = NODE.fullmatch(line), EDGE.fullmatch(line)
        if node:
            nodes[int(node[1])] = unescape(re.sub(r"<b>|</b>|<br/>", "\n", node[2]))
        elif edge:
            edges.append((int(edge[1]), int(edge[4]), edge[2], unescape(edge[3] or "")))
        else:
            assert STYLE.fullmatch(line) or line.startswith("    %% "), line
    return nodes, edges


def unescape(text: str) -> str:
    assert not re.search(r"[<>\"`{}|&;]", re.sub(r"#\d+;", "", text)), text
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)


def test_shapes_edges_and_styles() -> None:
    drawn = mermaid(rich(), "down")
    nodes, edges = read(drawn)
    assert drawn.startswith("flowchart TB\n")
    assert nodes[5] == "\npay\n\nlog · 4 attempts" and len(nodes) == 10
    assert (5, 9, "-->", "") in edges
    assert (4, 5, "-->", "if output.ok && input.amount < 100") in edges
    assert (5, 6, "-.->", "undo") in edges and (5, 7, "-.->", "instead") in edges
    fail = edges.index((5, 8, "-->", "on fail"))
    assert f"linkStyle {fail} stroke:#c2410c,stroke-dasharray:6 4" in drawn
    assert "class n6,n7 off" in drawn
    for shape in ('n0(("<b>new', 'n1{"<b>size', 'n3(["<b>cool', 'n6[("<b>unpay', 'n9[["<b>archive', 'n2("<b>review'):
        assert f"    {shape}" in drawn


@given(any_graphs())
def test_each_edge_is_there(workflow: Workflow) -> None:
    graph = WorkflowGraph(workflow)
    nodes, edges = read(mermaid(graph))
    assert sorted(nodes) == list(range(len(graph)))
    assert [edge[:2] for edge in edges] == [(e.source, e.target) for e in graph.structure.edges]
    assert ("classDef cycle" in mermaid(graph)) == bool(graph.cycle)


def test_hostile_texts_are_texts() -> None:
    nodes, edges = read(mermaid(WorkflowGraph(hostile_workflow())))
    assert len(nodes) == len(HOSTILE) and len(edges) == len(HOSTILE) - 2
    for number, text in enumerate(HOSTILE):
        assert nodes[number].split("\n")[1] == words.name(text, words.label_chars_max)
        assert len(nodes[number]) < 200


def test_what_begins_a_list_does_not() -> None:
    assert [escape(text) for text in ("1. one", "- one", "* one", "one - 2")] == [
        "#49;. one",
        "#45; one",
        "#42; one",
        "one - 2",
    ]


def test_more_edges_than_mermaid_draws_are_said() -> None:
    chain = workflow_of(502, [(at, at + 1) for at in range(501)])
    assert "%% 501 edges: set maxEdges" in mermaid(WorkflowGraph(chain))
