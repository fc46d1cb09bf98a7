"""D8: the graph as data."""

from __future__ import annotations

import json
from pathlib import Path

import mainspring as ms
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export.json_form import json_form
from tests.graph.drawn import workflow_of
from tests.graph.test_export_text import rich

BLOCKS = Path(__file__).parents[1] / "definition" / "files" / "blocks.yaml"


def test_nodes_connections_and_analysis_by_id() -> None:
    told = json.loads(json_form(rich()))
    assert (told["workflow"], told["name"]) == ("claims", "Insurance claim")
    assert told["nodes"][4] == {
        "id": "decide", "name": None, "type": "log", "level": 3, "join": "n", "offGraph": False, "bodies": [],
    }  # fmt: skip
    assert told["nodes"][6]["offGraph"] is True and told["nodes"][6]["level"] is None
    assert told["connections"][7] == {
        "id": None, "source": "pay", "target": "alarm", "kind": "connection", "trigger": "fail",
        "condition": None, "sourcePort": None, "targetPort": None,
    }  # fmt: skip
    assert [c["kind"] for c in told["connections"][-2:]] == ["compensation", "fallback"]
    assert told["analysis"]["criticalPath"] == ["new", "size", "review", "decide", "pay", "alarm"]
    assert told["analysis"]["pathCount"] == "5"
    assert told["analysis"]["levels"][2] == ["review", "cool-off"]


def test_a_cycle() -> None:
    told = json.loads(json_form(WorkflowGraph(workflow_of(3, [(0, 1), (1, 2), (2, 1)]))))["analysis"]
    assert told["cycle"] == ["n1", "n2"] == told["blocked"]
    assert (told["pathCount"], told["criticalPath"]) == (None, [])


def test_what_is_in_bodies_is_told() -> None:
    workflow = ms.load(BLOCKS).workflow
    told = {node["id"]: node for node in json.loads(json_form(WorkflowGraph(workflow)))["nodes"]}
    ((body),) = told["lines"]["bodies"]
    assert [node["id"] for node in body["nodes"]] == ["book", "note"]
    assert body["connections"] == [{"source": "book", "target": "note"}]
    pack, bill = told["both"]["bodies"]
    assert (pack["name"], bill["name"]) == (None, "bill")
    assert bill["nodes"][0]["bodies"][0]["nodes"][0]["id"] == "bill"
