"""D8, A3 `graph`: the drawing in the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings

import mainspring as ms
from mainspring.definition.load import read_text
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export.analysis_text import analysis_text
from mainspring.graph.export.lanes import Row, rows
from mainspring.graph.export.text import bodies_max, rows_max, text
from tests.graph.drawn import any_graphs, dags, workflow_of
from tests.graph.hostile import HOSTILE, RICH, hostile_workflow

BLOCKS = Path(__file__).parents[1] / "definition" / "files" / "blocks.yaml"

ROOT = Path(__file__).parents[2]


def rich() -> WorkflowGraph:
    workflow = read_text(RICH).workflow
    assert workflow is not None
    return WorkflowGraph(workflow)


def test_the_example_of_the_order() -> None:
    drawn = text(WorkflowGraph(ms.load(ROOT / "examples" / "order" / "order.yaml")))
    assert drawn == (
        "An order  order  6 nodes · 6 connections · 5 levels\n"
        "\n"
        "  ●      reserve    function\n"
        "  ●      charge     function  3 attempts\n"
        "  ├─┬─╮\n"
        "  │ ● │  release    function  on fail · Put the goods back\n"
        "  ●   │  gift-wrap  function  if nodes.reserve.output.gift == true\n"
        "  ╰───┤\n"
        "      ●  ship       function\n"
        "      ●  notify     function\n"
    )


def test_branches_joins_conditions_ports_triggers_and_what_is_off_the_graph() -> None:
    assert text(rich()) == (
        "Insurance claim  claims  10 nodes · 9 connections · 6 levels\n"
        "\n"
        "  ▶      new       trigger   A claim arrives\n"
        "  ├─╮\n"
        "  ◆ │    size      decision\n"
        "  ├─│─╮\n"
        "  │ │ ◷  cool-off  delay     small\n"
        "  ● │ │  review    log       large\n"
        "  ╰─│─┤\n"
        "    │ ●  decide    log       2 of 2\n"
        "    │ ●  pay       log       if output.ok && input.amount < 100 · 4 attempts\n"
        "    ├─┤\n"
        "    │ ●  alarm     email     on fail\n"
        "    ◎    archive   subflow   new: always · joins any\n"
        "\n"
        "  off the graph\n"
        "  ○ unpay  undoes pay\n"
        "  ○ owe    stands in for pay\n"
    )


def test_where_only_ascii_can_be_shown() -> None:
    drawn = text(rich(), plain=True)
    assert drawn.isascii()
    assert "  +-|-+\n  | | ~  cool-off" in drawn


def traced(drawn: list[Row]) -> set[tuple[int, int]]:
    """The edges that a reader sees: down from each node, sideways right beneath it, down to the next node."""
    grid = [row.lanes for row in drawn]
    at = {row.node: (number, row.lanes.index("●")) for number, row in enumerate(drawn) if row.node >= 0}

    def char(row: int, column: int) -> str:
        return grid[row][column] if row < len(grid) and column < len(grid[row]) else " "

    def fall(row: int, column: int) -> int | None:
        while char(row, column) not in " ╮╭┬":
            if char(row, column) == "●":
                return drawn[row].node
            row += 1
        return None

    edges = set()
    for node, (row, column) in at.items():
        ways = []
        if row + 1 < len(drawn) and drawn[row + 1].node < 0 and char(row + 1, column) in "├┤┼╰╯┴":
            if char(row + 1, column) in "├┤┼":
                ways.append(column)
            for step, open_ in ((1, "├┼╰┴"), (-1, "┤┼╯┴")):
                place = column
                if char(row + 1, column) not in open_:
                    continue
                while True:
                    place += step
                    here = char(row + 1, place)
                    if here not in "─│":
                        ways.append(place)
                    if here in ("┤╮" if step == 1 else "├╭"):
                        break
                    assert here in "─│┼┬", here
            edges |= {(node, target) for way in ways if (target := fall(row + 2, way)) is not None}
        else:
            target = fall(row + 1, column)
            edges |= {(node, target)} if target is not None else set()
    return edges


@pytest.mark.apart
@settings(max_examples=500)
@given(dags(12))
def test_what_a_reader_sees_is_the_graph(workflow: Workflow) -> None:
    structure = WorkflowGraph(workflow).structure
    drawn = rows(structure, lanes_max=100)
    assert drawn is not None
    assert sorted(row.node for row in drawn if row.node >= 0) == structure.on_graph
    assert traced(drawn) == {(a, b) for a, targets in enumerate(structure.after) for b in targets}


@pytest.mark.apart
@settings(max_examples=200)
@given(any_graphs())
def test_a_graph_with_cycles_is_drawn_with_what_leads_back(workflow: Workflow) -> None:
    graph = WorkflowGraph(workflow)
    drawn = rows(graph.structure, lanes_max=100)
    assert drawn is not None
    seen = traced(drawn)
    every = {(a, b) for a, targets in enumerate(graph.structure.after) for b in targets}
    assert seen <= every
    place = {row.node: at for at, row in enumerate(drawn)}
    assert every - seen == {(a, b) for a, b in every if place[b] <= place[a]}
    assert text(graph).count("back to") == len(every - seen)
    assert ("a cycle:" in text(graph)) == bool(graph.cycle)


def test_two_workflows_in_one_do_not_look_like_one() -> None:
    drawn = text(WorkflowGraph(workflow_of(4, [(0, 1), (2, 3)])))
    assert [line.split()[:2] for line in drawn.splitlines()[2:]] == [
        ["●", "n0"],
        ["●", "n1"],
        [],
        ["●", "n2"],
        ["●", "n3"],
    ]


def test_a_graph_that_is_too_wide_or_too_large_is_told_by_levels() -> None:
    fan = workflow_of(102, [*((0, at) for at in range(1, 101)), *((at, 101) for at in range(1, 101))])
    drawn = text(WorkflowGraph(fan)).splitlines()
    assert drawn[2:] == [
        "  1    ×1  n0",
        "  2  ×100  n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15, n16, n17, n18 … 82 more",
        "  3    ×1  n101",
    ]
    long = text(WorkflowGraph(workflow_of(5_000, [(at, at + 1) for at in range(4_999)]))).splitlines()
    assert len(long) == rows_max + 3
    assert f"  … {5_000 - rows_max:,} more levels" in long


def test_levels_say_what_can_never_run() -> None:
    ring = [(at, (at + 1) % 500) for at in range(500)]
    drawn = text(WorkflowGraph(workflow_of(501, [(500, 0), *ring])))
    assert "a cycle: n0 → n1 → " in drawn and "→ n499 → n0" in drawn
    assert "\n  never  n0, n1" in drawn


@pytest.mark.parametrize("plain", [False, True])
def test_hostile_texts_stay_on_their_lines(plain: bool) -> None:
    drawn = text(WorkflowGraph(hostile_workflow()), plain=plain)
    lines = drawn.splitlines()
    nodes_apart, gap, head, off = len(HOSTILE) - 1, 1, 2, 3
    assert len(lines) == nodes_apart + gap + head + off
    assert drawn.replace("\n", "").isprintable()
    assert max(map(len, lines)) < 400
    analysis_text(WorkflowGraph(hostile_workflow())).encode()


def test_the_hostile_workflow_has_no_connections_that_draw_lanes() -> None:
    """What the count of lines above relies on."""
    assert all(len(after) <= 1 for after in WorkflowGraph(hostile_workflow()).structure.after)


def test_colours_are_the_callers() -> None:
    painted = text(rich(), lambda one, style: f"<{style}>{one}</>")
    assert "<bold>pay</>" in painted and "<red>on fail</>" in painted and "<yellow>small</>" in painted
    assert re.sub(r"<(/|[a-z ]+)>", "", painted) == text(rich())


def test_wide_characters_keep_the_columns() -> None:
    nodes = (Node(id="漢字", type="log"), Node(id="abcdef", type="log", depends_on=("漢字",)))
    drawn = text(WorkflowGraph(Workflow(id="w", nodes=nodes))).splitlines()
    assert drawn[2] == "  ●  漢字    log"
    assert drawn[3] == "  ●  abcdef  log"


def test_the_analysis_as_a_table() -> None:
    assert analysis_text(rich()) == (
        "Insurance claim\n"
        "\n"
        "  nodes           10  of these off the graph: unpay, owe\n"
        "  connections     9\n"
        "  begins with     new\n"
        "  ends with       alarm, archive\n"
        "  branches at     new, size, pay\n"
        "  joins at        decide, archive\n"
        "  levels          6  at most 2 side by side\n"
        "  critical path   new → size → review → decide → pay → alarm  6 long\n"
        "  bottlenecks     new  every path passes them\n"
        "  paths           5\n"
    )


def test_the_analysis_of_a_cycle_and_of_too_many_paths() -> None:
    told = analysis_text(WorkflowGraph(workflow_of(3, [(0, 1), (1, 2), (2, 1)])))
    assert "cycle           n1 → n2 → n1" in told and "can never run   n1, n2" in told
    steps = [(3 * s + a, 3 * s + b) for s in range(400) for a, b in ((0, 1), (0, 2), (1, 3), (2, 3))]
    assert "paths           2.582250e+120\n" in analysis_text(WorkflowGraph(workflow_of(1_201, steps)))
    wide = analysis_text(WorkflowGraph(workflow_of(30, [])))
    assert "begins with     n0, n1, n2, n3, n4, n5, n6, n7 … 22 more" in wide
    assert "branches at     –" in wide
    long = analysis_text(WorkflowGraph(workflow_of(30, [(at, at + 1) for at in range(29)])))
    assert "n3 → n4 → … 20 more … → n25" in long


def test_connections_between_the_same_nodes_are_all_told() -> None:
    nodes = (Node(id="a", type="log"), Node(id="b", type="log"))
    twice = (
        Connection(source="a", target="b", source_port="left"),
        Connection(source="a", target="b", condition="output.x"),
    )
    assert "left · if output.x" in text(WorkflowGraph(Workflow(id="w", nodes=nodes, connections=twice)))


def test_a_node_with_a_body_says_how_much_it_repeats() -> None:
    body = {"nodes": [{"id": "x", "type": "log"}, {"id": "y", "type": "log"}]}
    node = Node(id="each", type="forEach", config={"items": "${ input }", "body": body})
    assert "◎  each  forEach  repeats 2 nodes" in text(WorkflowGraph(Workflow(id="w", nodes=(node,))))


def test_more_nodes_off_the_graph_than_are_listed_are_counted() -> None:
    owners = [Node(id=f"a{at}", type="log", compensation_node_id=f"u{at}") for at in range(rows_max + 7)]
    undoing = [Node(id=f"u{at}", type="log") for at in range(rows_max + 7)]
    drawn = text(WorkflowGraph(Workflow(id="w", nodes=(*owners, *undoing)))).splitlines()
    assert drawn[-2:] == [f"  ○ u{rows_max - 1}  undoes a{rows_max - 1}", "  … 7 more"]


def test_blocks_and_waits_say_what_they_do_and_what_is_within() -> None:
    shown = text(WorkflowGraph(ms.load(BLOCKS).workflow))
    for line in (
        "lines       forEach    repeats 2 nodes · 5 at a time · at most 1h",
        "poll        until      repeats 2 nodes",
        "both        parallel   customer · 2 branches, 2 nodes",
        "billing     subflow    answer: nobody · release: timeout · runs billing",
        "release     wait       for approval release · at most 5d",
        "shipped     wait       for event shipped, lost",
        "stop        cancel     approved · stops remind",
        "may-change  milestone  after both · before billing",
    ):
        assert line in shown
    within = shown.split("  within\n")[1].splitlines()
    assert within[0] == "  ◎ lines: book, note"
    assert "  ◎ answer [customer]: reply" in within
    assert within[-3:] == ["  ◎ both [0]: pack", "  ◎ both [bill]: alone", "    ◎ both[bill].alone: bill"]


def test_a_picture_lists_bodies_within_a_bound() -> None:
    body = {"nodes": [{"id": "x", "type": "log"}]}
    nodes = tuple(Node(id=f"m{at}", type="mutex", config={"name": "l", "body": body}) for at in range(bodies_max + 1))
    lines = text(WorkflowGraph(Workflow(id="w", nodes=nodes))).splitlines()
    assert lines[-1] == "  … more bodies" and sum(": x" in line for line in lines) == bodies_max
