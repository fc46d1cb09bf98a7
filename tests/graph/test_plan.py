"""What a definition comes to: numbering, degrees, roots and leaves, and what is worked out ahead for the hot path."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.definition.model import Connection, Join, Node, Retry, Workflow
from mainspring.graph.plan import SHORT_NODE_TIMEOUT_MS, SHORT_WORKFLOW_TIMEOUT_MS, Plan


def plan(nodes: list[Node], connections: list[Connection] | None = None, **fields: Any) -> Plan:
    return Plan(Workflow(id="w", nodes=tuple(nodes), connections=tuple(connections or ()), **fields), "v1")


def node(id: str, type: str = "function", **fields: Any) -> Node:
    return Node(id=id, type=type, **fields)


def edge(source: str, target: str, **fields: Any) -> Connection:
    return Connection(source=source, target=target, **fields)


def edges(made: Plan) -> list[tuple[str, str]]:
    return [(made.nodes[one.source].id, made.nodes[one.target].id) for one in made.connections]


def paths(nodes: list[Any]) -> list[str]:
    return [one.id for one in nodes]


def test_connections_are_numbered_as_written_and_implied_ones_come_after() -> None:
    """Events name connections by number: the order is part of the format of stores."""
    made = plan(
        [node("a"), node("b", depends_on=("a",)), node("c", depends_on=("b", "a"))], [edge("b", "c"), edge("a", "c")]
    )
    assert edges(made) == [("b", "c"), ("a", "c"), ("a", "b")]
    assert [one.index for one in made.connections] == [0, 1, 2]
    assert [one.only for one in made.connections] == [[0], [1], [2]]
    assert [one.index for one in made.by_id["c"].incoming] == [0, 1]
    assert [one.index for one in made.by_id["a"].outgoing] == [1, 2]


def test_compensation_connections_have_no_number() -> None:
    made = plan([node("a"), node("b"), node("undo")], [edge("a", "undo", is_compensation=True), edge("a", "b")])
    assert edges(made) == [("a", "b")]
    assert made.by_id["undo"].off_graph


def test_a_doubled_depends_on_is_one_connection_and_doubled_connections_are_two() -> None:
    assert edges(plan([node("a"), node("b", depends_on=("a", "a"))])) == [("a", "b")]
    assert len(plan([node("a"), node("b")], [edge("a", "b"), edge("a", "b")]).connections) == 2


def test_roots_leaves_and_degrees() -> None:
    made = plan([node("a"), node("b"), node("c"), node("d")], [edge("a", "c"), edge("b", "c")])
    assert paths(made.roots) == ["a", "b", "d"]
    assert paths(made.leaves) == ["c", "d"]
    assert [one.in_degree for one in made.nodes] == [0, 0, 2, 0]
    assert [one.keyed_input for one in made.nodes] == [False, False, True, False]
    assert made.on_graph == 4


def test_helpers_are_off_the_graph() -> None:
    made = plan(
        [node("a", compensation_node_id="undo", fallback_node_id="other"), node("undo"), node("other"), node("b")]
    )
    assert paths(made.roots) == paths(made.leaves) == ["a", "b"]
    assert made.on_graph == 2
    assert [one.off_graph for one in made.nodes] == [False, True, True, False]


def test_a_node_with_a_forward_connection_too_is_on_the_graph() -> None:
    made = plan([node("a"), node("b")], [edge("a", "b", is_compensation=True), edge("a", "b")])
    assert not made.by_id["b"].off_graph


@pytest.mark.parametrize(
    ("fields", "complete", "fail"),
    [({}, True, False), ({"trigger": "fail"}, False, True), ({"trigger": "all"}, True, True)],
)
def test_triggers(fields: dict[str, Any], complete: bool, fail: bool) -> None:
    one = plan([node("a"), node("b")], [edge("a", "b", **fields)]).connections[0]
    assert (one.on_complete, one.on_fail) == (complete, fail)


@pytest.mark.parametrize(
    ("fields", "plain"),
    [
        ({}, (0, 1)),
        ({"trigger": "all"}, (0, 1)),
        ({"trigger": "fail"}, None),
        ({"condition": "true"}, None),
        ({"source_port": "p"}, None),
    ],
)
def test_where_routing_needs_no_decision_it_is_made_ahead(
    fields: dict[str, Any], plain: tuple[int, ...] | None
) -> None:
    made = plan([node("a"), node("b"), node("c")], [edge("a", "b"), edge("a", "c", **fields)])
    assert made.by_id["a"].plain_fired == plain
    assert made.by_id["c"].plain_fired == (), "a leaf"
    assert made.by_id["a"].ports == ({"p"} if "source_port" in fields else set())


def test_policies_fall_back_to_the_workflow_s() -> None:
    own, shared = Retry(max_attempts=7), Retry(max_attempts=4)
    made = plan(
        [node("a", retry=own), node("b"), node("c", retry=Retry(strategy="none", max_attempts=9))], retry=shared
    )
    assert [one.retry.max_attempts if one.retry else None for one in made.nodes] == [7, 4, 9]
    assert [one.max_attempts for one in made.nodes] == [7, 4, 1], "the strategy none tries once"
    assert plan([node("a")]).by_id["a"].max_attempts == 1


def test_timeouts_and_short_defaults() -> None:
    made = plan([node("a", timeout=5), node("b")])
    assert (made.timeout, [one.timeout for one in made.nodes]) == (None, [5, None])
    made = plan([node("a", timeout=5), node("b")], defaults="short")
    assert (made.timeout, [one.timeout for one in made.nodes]) == (
        SHORT_WORKFLOW_TIMEOUT_MS,
        [5, SHORT_NODE_TIMEOUT_MS],
    )
    assert plan([node("a")], defaults="short", timeout=9).timeout == 9


def test_inputs_without_expressions_are_encoded_once() -> None:
    made = plan([node("a", input={"n": [1, "$${x}"]}), node("b", input={"n": "${ input.n }"}), node("c")])
    a, b, c = made.nodes
    assert (a.constant_input, a.template) == (b'{"n":[1,"${x}"]}', None)
    assert b.constant_input is None
    assert b.template is not None
    assert (c.constant_input, c.template) == (None, None)


def test_kinds_that_the_machine_does_itself() -> None:
    made = plan([node("a"), node("t", "trigger"), node("l", "log"), node("d", "delay", config={"duration": "1s"})])
    assert [one.machine_kind for one in made.nodes] == ["", "trigger", "log", "delay"]
    assert [one.duration is not None for one in made.nodes] == [False, False, False, True]


def test_the_plan_is_the_same_each_time_and_leaves_the_definition_alone() -> None:
    nodes = [node("a"), node("b", depends_on=("a",), join=Join()), node("c", depends_on=("a", "b"))]
    workflow = Workflow(id="w", nodes=tuple(nodes), connections=(edge("a", "c", condition="output.x"),))
    before = repr(workflow)
    assert edges(Plan(workflow)) == edges(Plan(workflow)) == [("a", "c"), ("a", "b"), ("b", "c")]
    assert repr(workflow) == before
    assert Plan(workflow).connections[0].condition is Plan(workflow).connections[0].condition, "compiled once"


def test_a_large_plan_is_built_in_one_pass() -> None:
    count = 20_000
    made = plan([node(f"n{i}", depends_on=(f"n{i - 1}",) if i else ()) for i in range(count)])
    assert len(made.connections) == count - 1
    assert paths(made.roots) == ["n0"]
    assert paths(made.leaves) == [f"n{count - 1}"]
