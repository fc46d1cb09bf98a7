"""What random graphs say of failures: policies, critical nodes, bounds, fallbacks, and what undoes what.

Any random graph can be made to (`failing`), those with blocks too: what stands in, or undoes, may then have bodies.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .naive import Shape
from .random_bodies import DEPTH_MAX, Place, _body
from .random_graphs import node_of

POLICIES = ("fail_fast", "continue", "partial_success", "graceful_degradation")
PLAIN = ("trigger", "log")


def failing(random: Random, graph: dict[str, Any], blocks: bool) -> dict[str, Any]:
    """The same graph, which is changed: it says what failures mean."""
    graph["policy"] = random.choice(("continue", "fail_fast", *POLICIES))
    graph["threshold"] = random.choice((None, None, 0.1, 0.25, 0.5))
    graph["maxPartial"] = random.choice((None, None, 1, 2))
    graph["ratio"] = random.choice((None, None, 0.5, 1))
    graph["retryBudget"] = random.choice((None, None, 0, 1, 3))
    graph["scope"] = random.choice((None, "workflow", "branch", "branch"))
    graph["compensateOnCancel"] = random.random() < 0.5
    _furnish(random, graph, blocks, random.choice((0.1, 0.4)), random.choice((0.2, 0.6)))
    return graph


def _furnish(random: Random, graph: dict[str, Any], blocks: bool, falls: float, undoes: float) -> None:
    for node in graph["nodes"]:
        for body in (node.get("block") or {}).get("bodies", ()):
            _furnish(random, body, blocks, falls, undoes)
        if random.random() < 0.2:
            node["failurePolicy"] = random.choice(POLICIES)
        if random.random() < 0.2:
            node["isCritical"] = random.random() < 0.7
        if random.random() < 0.2:
            node["impact"] = random.choice(("critical", "major", "minor"))
        node["fallbacks"], node["undo"] = [], None
        node["compensateFailed"] = random.random() < 0.3
        node["compensateInDoubt"] = random.random() < 0.3
        if node["type"] not in ("trigger", "log", "terminate", "if", "switch") and random.random() < falls:
            _fallbacks(random, graph, node, blocks)
        if node["type"] != "terminate" and random.random() < undoes:
            node["undo"] = _undo(random, node, blocks)


def _fallbacks(random: Random, graph: dict[str, Any], node: dict[str, Any], blocks: bool) -> None:
    node["named"] = random.random() < 0.6
    for place in range(random.choice((1, 1, 2))):
        if place or not node["named"]:
            stand_in = _function(random, f"act{place}", random.random() < 0.5)
        else:
            stand_in = _alone(random, f"f{node['id']}", blocks)
        if random.random() < 0.3:
            paths = ("error.type", "nodes.n0.output", "input.x", "index")
            stand_in["mapping"] = ("make", {"was": ("get", random.choice(paths))})
        node["fallbacks"].append(_as_body(stand_in))
    # What is left to it by a fallback has no port.
    leaving = [edge for edge in graph["connections"] if edge["source"] == node["id"] and edge["trigger"] != "fail"]
    if leaving and random.random() < 0.5 and Shape(graph).most[node["id"]] == 1:
        random.choice(leaving)["port"] = None


def _undo(random: Random, node: dict[str, Any], blocks: bool) -> dict[str, Any]:
    undo = _alone(random, f"u{node['id']}", blocks)
    if random.random() < 0.4:
        told = ("remaining", "node", "path", "run", "output")
        undo["mapping"] = ("make", {"of": ("get", f"compensation.{random.choice(told)}"), "x": ("get", "input.x")})
    return _as_body(undo)


def _alone(random: Random, id: str, blocks: bool) -> dict[str, Any]:
    """A node that nothing leads to."""
    if blocks and random.random() < 0.3:
        node = _function(random, id, False)
        body = _body(random, Place(DEPTH_MAX), "", 0)
        node.update(type="subflow", retry=None, limited=False, block={"bodies": [body]}, timeout=None)
        _furnish(random, body, False, 0.1, 0.3)
        return node
    if random.random() < 0.2:
        return {**_function(random, id, False), "type": random.choice(PLAIN), "limited": False, "retry": None}
    return _function(random, id, random.random() < 0.3)


def _function(random: Random, id: str, bad: bool) -> dict[str, Any]:
    """One that fails, in the end, where it is `bad`."""
    node = node_of(id)
    outcomes = [{"kind": "ok", "base": random.randint(0, 4), "port": None}]
    if bad:
        outcomes = [{"kind": "fail", "type": random.choice("AB"), "fatal": False}]
    if random.random() < 0.3 and not id.startswith("act"):
        outcomes.insert(0, {"kind": "fail", "type": random.choice("AB"), "fatal": random.random() < 0.1})
        node["retry"] = {"maxAttempts": random.randint(1, 3), "retryOn": [], "doNotRetryOn": []}
    if outcomes[0]["kind"] == "ok" and random.random() < 0.3:
        outcomes[0]["sets"] = ["a"]
    node["outcomes"] = outcomes
    node["limited"] = not id.startswith("act") and random.random() < 0.2
    return node


def _as_body(node: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": [node], "connections": [], "output": None, "name": None}
