"""D8: the picture: well-formed, self-contained, with every node and edge in it, and kept up to date in the docs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given

import mainspring as ms
from mainspring.definition.model import Node, Position, Workflow
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export.svg import picture, svg, text_width
from tests.graph.drawn import any_graphs, workflow_of
from tests.graph.hostile import HOSTILE, hostile_workflow
from tests.graph.test_export_text import rich

ROOT = Path(__file__).parents[2]
NS = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text"}


def parse(drawn: str) -> ElementTree.Element:
    root = ElementTree.fromstring(drawn.encode())
    for element in root.iter():
        assert element.tag.removeprefix(NS) in ALLOWED, element.tag
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)
    return root


def marked(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def test_all_is_there_and_named() -> None:
    root = parse(svg(rich()))
    assert root.get("role") == "img"
    named = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    title, description = (named[name] for name in (root.get("aria-labelledby") or "").split())
    assert title == "Insurance claim"
    assert description == (
        "Workflow claims: 10 nodes, 9 connections, 6 levels; begins with new, ends with alarm, archive."
    )
    assert [element.text for element in marked(root, "id")] == [node.id for node in rich().workflow.nodes]
    assert len(marked(root, "edge")) == 11
    assert len(marked(root, "help")) == 2 and len(marked(root, "fail")) == 1 and len(marked(root, "off")) == 2
    said = [element.text for element in marked(root, "said")]
    assert sorted(filter(None, said)) == sorted(
        ["large", "small", "if output.ok && input.amount < 100", "on fail", "always", "undo", "instead"]
    )
    markers = {element.get("id") for element in root.iter(f"{NS}marker")}
    used = {value[5:-1] for e in marked(root, "edge") for key, value in e.attrib.items() if key.startswith("marker-")}
    assert used <= markers


def test_light_and_dark_without_touching_the_page_around() -> None:
    style = parse(svg(rich())).find(f"{NS}style")
    assert style is not None and style.text is not None
    day, _, night = style.text.partition("@media (prefers-color-scheme:dark)")
    assert "fill:#ffffff" in day and "fill:#0d1117" in night
    rules = [line for line in style.text.splitlines() if "{" in line and not line.startswith("@media")]
    assert rules and all(line.startswith(".mainspring-graph ") for line in rules)
    assert "url(" not in style.text and "@import" not in style.text


@given(any_graphs())
def test_each_node_and_edge_is_drawn(workflow: Workflow) -> None:
    graph = WorkflowGraph(workflow)
    root = parse(svg(graph))
    assert len(marked(root, "box")) == len(graph)
    pairs = {(edge.source, edge.target) for edge in graph.structure.edges}
    assert len(marked(root, "edge")) == len(pairs)
    assert len(marked(root, "cycle")) == len(graph.cycle)
    assert bool(marked(root, "back")) == bool(graph.cycle)
    assert ("it has a cycle" in svg(graph)) == bool(graph.cycle)


@pytest.mark.parametrize("direction", ["right", "down"])
def test_hostile_texts_are_texts(direction: str) -> None:
    drawn = svg(WorkflowGraph(hostile_workflow()), direction)  # type: ignore[arg-type]
    root = parse(drawn)
    assert len(marked(root, "id")) == len(HOSTILE)
    assert "<script" not in drawn
    assert max(len(element.text or "") for element in marked(root, "id")) <= 32
    titles = [element.text or "" for element in root.iter(f"{NS}title")]
    assert max(map(len, titles)) <= 1_000


def test_positions_are_taken_where_all_nodes_have_one() -> None:
    nodes = (
        Node(id="a", type="log", position=Position(x=0, y=0)),
        Node(id="b", type="log", position=Position(x=-300, y=200), depends_on=("a",)),
    )
    drawn, notes = picture(WorkflowGraph(Workflow(id="w", nodes=nodes)), positions=True)
    places = [e.get("transform") for e in marked(parse(drawn), "work")]
    assert places == ["translate(300 0)", "translate(0 200)"] and notes == ()
    lost = Workflow(id="w", nodes=(nodes[0], Node(id="b", type="log")))
    assert picture(WorkflowGraph(lost), positions=True)[1] == ("1 of the nodes have no position: laid out anew",)
    assert picture(WorkflowGraph(lost))[1] == ()


def test_curves_leave_and_arrive_in_the_direction_of_the_drawing() -> None:
    fork = WorkflowGraph(workflow_of(3, [(0, 1), (0, 2)]))
    for direction, along in (("right", 1), ("down", 0)):
        for edge in marked(parse(svg(fork, direction)), "edge"):  # type: ignore[arg-type]
            begin, curve = (edge.get("d") or "").removeprefix("M").split("C")
            points = [tuple(map(float, pair)) for pair in zip(*[iter(f"{begin} {curve}".split())] * 2, strict=True)]
            assert points[0][along] == points[1][along] and points[2][along] == points[3][along]
            assert points[0][along] != points[3][along]


def test_the_same_definition_gives_the_same_bytes() -> None:
    assert svg(rich()) == svg(rich())


def test_the_picture_in_the_docs_is_current() -> None:
    """`mainspring graph examples/order/order.yaml -o docs/images/order.svg` makes it."""
    drawn = svg(WorkflowGraph(ms.load(ROOT / "examples" / "order" / "order.yaml")))
    assert (ROOT / "docs" / "images" / "order.svg").read_text("utf-8") == drawn


def test_an_empty_graph_is_a_picture_too() -> None:
    assert marked(parse(svg(WorkflowGraph(workflow_of(0, [])))), "box") == []


def test_widths_grow_with_what_is_wide() -> None:
    assert text_width("illi", 10) < text_width("abcd", 10) < text_width("WWWW", 10)
    assert text_width("漢字漢字", 10) > text_width("abcd", 10)
