"""What is wrong with undo nodes is said where it stands."""

from __future__ import annotations

import pytest

from mainspring.definition.load import Definition
from mainspring.errors import DefinitionError
from mainspring.graph.check import loads


def found(nodes: str, connections: str = "") -> list[tuple[str, str]]:
    text = f"id: w\nnodes: [{nodes}]\n" + (f"connections: [{connections}]\n" if connections else "")
    try:
        definition: Definition = loads(text)
    except DefinitionError as error:
        return [(one.code, one.message) for one in error.findings if one.severity == "error"]
    assert definition.workflow
    return []


def test_one_undo_node_may_serve_several_nodes() -> None:
    assert not found(
        "{id: a, type: log, compensationNodeId: u}, {id: b, type: log, compensationNodeId: u}, {id: u, type: log}"
    )


def test_an_undo_node_is_not_undone() -> None:
    nodes = "{id: a, type: log, compensationNodeId: u}, {id: u, type: log, compensationNodeId: v}, {id: v, type: log}"
    assert found(nodes) == [("MS217", "`u` undoes another node, and is not undone itself")]


def test_a_node_has_one_undo_node() -> None:
    nodes = "{id: a, type: log, compensationNodeId: u}, {id: u, type: log}, {id: v, type: log}"
    assert found(nodes, "{source: a, target: v, isCompensation: true}") == [("MS217", "`a` is undone by `u` already")]
    assert not found(nodes.replace(", {id: v, type: log}", ""), "{source: a, target: u, isCompensation: true}")


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("{id: u, type: terminate}", "nothing ends an instance while it undoes what it did"),
        ("{id: u, type: cancel, config: {nodes: [b]}}", "a cancel has to do with others of its graph"),
    ],
)
def test_some_kinds_cannot_undo(node: str, why: str) -> None:
    nodes = f"{{id: a, type: log, compensationNodeId: u}}, {{id: b, type: log}}, {node}"
    assert ("MS217", f"`u` cannot undo a node: {why}") in found(nodes)
