"""Random graphs as plain data, and the definition that mainspring makes of one.

They are drawn from a `random.Random`: a seeded one in the command, Hypothesis's own in the properties, which can shrink.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from mainspring.definition.model import Workflow
from mainspring.graph.plan import Plan

NODE_TIMEOUT_MS = 700
CONDITIONS = {
    "greater": "output.v > {}",
    "equal": "output.v == {}",
    "missing": "output.nowhere.at.all == null",
    "error": "error.type == '{}'",
    "input": "input.x > {}",
    "raise": "1 / (input.x - input.x) > 0",
}


def random_graph(random: Random, policy: str = "continue") -> dict[str, Any]:
    """2 to 12 nodes, each connected to some before it."""
    count = random.randint(2, 12)
    nodes = [_node(random, f"n{index}") for index in range(count)]
    connections: list[dict[str, Any]] = []
    for target in range(1, count):
        for source in {random.randrange(target) for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3)))}:
            for _ in range(random.choice((1, 1, 1, 1, 2))):
                connections.append(_edge(random, source, target, len(connections)))
        sources = [edge["source"] for edge in connections if edge["target"] == f"n{target}"]
        if sources and random.random() < 0.15:
            nodes[target]["mapping"] = (random.choice(("value", "value", "value", "raise")), random.choice(sources))
    return {
        "nodes": nodes,
        "connections": connections,
        "policy": policy,
        "input": random.choice((None, {"x": 1}, {"x": 3, "y": "ü"})),
        "output": random.sample([node["id"] for node in nodes], 1) if random.random() < 0.2 else None,
    }


def _node(random: Random, id: str) -> dict[str, Any]:
    type = random.choice(("function",) * 8 + ("delay", "trigger", "log"))
    retry = None
    if type == "function" and random.random() < 0.5:
        retry = {
            "maxAttempts": random.randint(1, 4),
            "retryOn": random.choice(([], [], ["A"], ["A", "NodeTimeout"])),
            "doNotRetryOn": random.choice(([], [], ["B"])),
        }
    return {
        "id": id,
        "type": type,
        "retry": retry,
        "mapping": None,
        "limited": type == "function" and random.random() < 0.2,
        "outcomes": [_outcome(random) for _ in range(random.randint(1, 3))],
    }


def _outcome(random: Random) -> dict[str, Any]:
    kind = random.choice(("ok", "ok", "ok", "ok", "fail", "hang"))
    if kind == "ok":
        port = random.choice((None, None, None, "p", "q"))
        return {"kind": "ok", "base": random.randint(0, 4), "port": port}
    return {"kind": kind, "type": random.choice("AB"), "fatal": kind == "fail" and random.random() < 0.1}


def _edge(random: Random, source: int, target: int, index: int) -> dict[str, Any]:
    trigger = random.choice(("complete", "complete", "complete", "all", "fail"))
    shape = random.choice((None, None, None, "greater", "equal", "missing", "error", "input", "raise"))
    value: Any = random.choice("AB") if shape == "error" else random.randint(0, 3)
    return {
        "id": f"e{index}",
        "source": f"n{source}",
        "target": f"n{target}",
        "trigger": trigger,
        "port": random.choice((None, None, None, "p", "q")),
        "condition": None if shape is None or (shape == "raise" and random.random() < 0.5) else (shape, value),
    }


def plan_of(graph: dict[str, Any]) -> Plan:
    """The same graph as mainspring's plan."""
    document = {
        "id": "w",
        "failurePolicy": graph["policy"],
        "nodes": [_node_document(node) for node in graph["nodes"]],
        "connections": [_edge_document(edge) for edge in graph["connections"]],
        "output": {id: f"${{ nodes.{id}.output }}" for id in graph["output"]} if graph["output"] else None,
    }
    return Plan(msgspec.convert(document, Workflow), "v1")


def _node_document(node: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"id": node["id"], "type": node["type"]}
    if node["type"] == "function" and any(outcome["kind"] == "hang" for outcome in node["outcomes"]):
        document["timeout"] = NODE_TIMEOUT_MS
    if node["type"] == "delay":
        document["config"] = {"duration": 40}
    if node["retry"]:
        document["retry"] = {**node["retry"], "initialDelay": 20}
    if node["limited"]:
        document["maxConcurrentExecutions"] = 1
    if node["mapping"]:
        kind, source = node["mapping"]
        value = f"${{ nodes.{source}.output }}" if kind == "value" else "${ 1 / (input.x - input.x) }"
        document["input"] = {"from": value, "x": "${ input.x }"}
    return document


def _edge_document(edge: dict[str, Any]) -> dict[str, Any]:
    condition = edge["condition"]
    return {
        "id": edge["id"],
        "source": edge["source"],
        "target": edge["target"],
        "trigger": edge["trigger"],
        "sourcePort": edge["port"],
        "condition": None if condition is None else CONDITIONS[condition[0]].format(condition[1]),
    }
