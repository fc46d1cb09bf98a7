"""N5, D2: the ports of nodes that decide have one name each, however they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.deciding import default_port
from mainspring.definition.ports import Ports, ports_of

IF = {"type": "if", "config": {"condition": "input.x"}}
SWITCH = {"type": "switch", "config": {"conditions": [{"id": "p", "expression": "input.x"}]}}


@pytest.mark.parametrize(
    ("node", "written", "meant"),
    [
        (IF, "then", "true"),
        (IF, "Yes", "true"),
        (IF, True, "true"),
        (IF, "else", "false"),
        (IF, "no", "false"),
        (IF, False, "false"),
        (IF, "true", "true"),
        (SWITCH, "p", "p"),
        (SWITCH, "else", "default"),
        (SWITCH, "otherwise", "default"),
        ({"type": "decision", "config": {**SWITCH["config"], "defaultPath": "p"}}, "default", "p"),
        ({"type": "switch", "config": {"conditions": [{"port": "else", "when": "input.x"}]}}, "else", "else"),
        ({"type": "function", "config": {"handler": "m:f"}}, "then", "then"),
    ],
)
def test_a_port_has_one_name(node: dict[str, Any], written: Any, meant: str) -> None:
    edge = {"source": "d", "target": "z", "sourcePort": written}
    tree = {"id": "w", "nodes": [{"id": "d", **node}, {"id": "z", "type": "log"}], "connections": [edge]}
    text = ms.loads(json.dumps(tree), format="json")
    assert [one.source_port for one in text.workflow.connections] == [meant]


def test_the_ports_that_a_node_has() -> None:
    assert ports_of("if", {}) == Ports(("true", "false"))
    assert ports_of("terminate", {}) == Ports(())
    assert ports_of("function", {}) is None
    cases = [{"id": "a"}, {"port": "b", "id": "x"}, "no case", {"id": "a"}]
    assert ports_of("switch", {"conditions": cases, "default": "z"}) == Ports(("a", "b", "z"))
    assert ports_of("switch", {"conditions": "none"}) == Ports(("default",))
    assert default_port({"defaultPath": "", "defaultPort": 7}) == "7"


@pytest.mark.parametrize(
    ("kind", "config", "timed", "ports"),
    [
        ("log", {}, True, Ports((), primary=True)),
        ("cancel", {"nodes": ["a"]}, False, Ports((), primary=True)),
        ("milestone", {"after": "a"}, False, Ports(("open", "closed"))),
        ("wait", {"signal": "paid"}, False, Ports((), primary=True)),
        ("wait", {"signal": "paid"}, True, Ports(("timeout",), primary=True)),
        ("wait", {"event": ["a", "b", "a"]}, False, Ports(("a", "b"))),
        ("wait", {"event": ["a", "${ input.other }"]}, True, Ports(("a", "timeout"), more=True)),
        ("wait", {"approval": "boss"}, True, Ports(("approved", "rejected", "timeout"))),
        ("race", {"branches": [{"name": "x"}, {"name": "y"}]}, False, Ports(("x", "y"))),
        ("race", {"branches": [{"name": "x"}, {}]}, False, Ports(("x",), primary=True)),
        ("race", {}, False, Ports((), primary=True, more=True)),
        ("forEach", {}, True, Ports(("timeout",), primary=True)),
        ("subflow", {"workflow": "x"}, False, Ports((), primary=True)),
    ],
)
def test_the_ports_of_blocks_and_waits(kind: str, config: dict[str, Any], timed: bool, ports: Ports) -> None:
    assert ports_of(kind, config, timed) == ports
