"""The smallest graph for which machine and naive interpreter still differ: `compare --seed N --graphs 1` ends with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from .naive import Shape

Graph = dict[str, Any]
Fails = Callable[[Graph, Random, int], str | None]

WORLDS = 60
"""Orders in which a graph is tried before it passes for one without a difference."""


def shrunk(graph: Graph, difference: Fails) -> tuple[str, str]:
    """The graph without all that can go, and what is noticed of it, both in words."""
    words = "(not seen again)"
    smaller: Graph | None = graph
    while smaller is not None:
        graph = smaller
        smaller = None
        for candidate in _steps(graph):
            noticed = _noticed(candidate, difference) if valid(candidate) else None
            if noticed:
                smaller, words = candidate, noticed
                break
    return told(graph), words


def _noticed(graph: Graph, difference: Fails) -> str | None:
    for seed in range(WORLDS):
        words = difference(graph, Random(seed), 0 if seed < WORLDS // 2 else 6)
        if words:
            return words
    return None


def valid(graph: Graph) -> bool:
    """Whether the rules allow the graph (rule 15, and what a join says of itself)."""
    shape = Shape(graph)
    for id, node in shape.nodes.items():
        sources, join = shape.sources(id), node["join"] or {}
        repeating = any(shape.repeats(source) for source in sources)
        if repeating and (join.get("cancelOthers") or (len(sources) > 1 and shape.join(id) != "each")):
            return False
        if (not sources and join) or (join.get("n", 1) > len(sources) and join):
            return False
        if shape.join(id) == "ports" and len(sources) > 1 and set(shape.ports(id)) == {None}:
            return False
    return True


def _steps(graph: Graph) -> Iterator[Graph]:
    """Each graph that is a little simpler."""
    for node in graph["nodes"]:
        less = copy.deepcopy(graph)
        less["nodes"] = [other for other in less["nodes"] if other["id"] != node["id"]]
        less["connections"] = [
            edge for edge in less["connections"] if node["id"] not in (edge["source"], edge["target"])
        ]
        for other in less["nodes"]:
            other["dependsOn"] = [id for id in other["dependsOn"] if id != node["id"]]
        if less["nodes"] and not _mentions(less, node["id"]):
            yield less
    for at in range(len(graph["connections"])):
        less = copy.deepcopy(graph)
        del less["connections"][at]
        yield less
    simple_node = {"retry": None, "mapping": None, "limited": False, "join": None, "dependsOn": [], "type": "trigger"}
    ok = [{"kind": "ok", "base": 0, "port": None}]
    for at, node in enumerate(graph["nodes"]):
        for name, value in [*simple_node.items(), ("outcomes", ok)]:
            if node[name] != value and not (name == "type" and node["type"] in ("log", "delay", "if", "switch")):
                less = copy.deepcopy(graph)
                less["nodes"][at][name] = value
                yield less
        if node["join"] and len(node["join"]) > 1:
            for name in sorted(set(node["join"]) - {"kind", "n"}):
                less = copy.deepcopy(graph)
                del less["nodes"][at]["join"][name]
                yield less
    simple_edge = {"trigger": "complete", "port": None, "targetPort": None, "condition": None}
    for at, edge in enumerate(graph["connections"]):
        for name, value in simple_edge.items():
            if edge[name] != value:
                less = copy.deepcopy(graph)
                less["connections"][at][name] = value
                yield less
    for name, value in (("output", None), ("policy", "continue"), ("input", None)):
        if graph[name] != value:
            yield {**copy.deepcopy(graph), name: value}


def _mentions(graph: Graph, id: str) -> bool:
    mapped = any(node["mapping"] and node["mapping"][1] == id for node in graph["nodes"])
    asked = any(edge["condition"] == ("done", id) for edge in graph["connections"])
    cases = [case for node in graph["nodes"] if node["decides"] for case in node["decides"].get("cases", ())]
    asked = asked or any(condition == ("done", id) for _, condition in cases)
    return mapped or asked or id in (graph["output"] or ())


def told(graph: Graph) -> str:
    """A graph in a few lines."""
    lines = [f"policy {graph['policy']}, input {graph['input']}, output {graph['output']}"]
    for node in graph["nodes"]:
        dull = {
            "duration": 40,
            "join": None,
            "limited": False,
            "mapping": None,
            "retry": None,
            "dependsOn": [],
            "decides": None,
        }
        parts = {key: value for key, value in node.items() if dull.get(key, "") != value}
        del parts["id"], parts["type"]
        if node["type"] != "function":
            parts.pop("outcomes")
        if node["type"] != "delay":
            parts.pop("duration", None)
        lines.append(f"  {node['id']} {node['type']} {parts}")
    for edge in graph["connections"]:
        dull = {"trigger": "complete"}
        parts = {key: value for key, value in edge.items() if value is not None and dull.get(key) != value}
        lines.append(f"  {parts.pop('source')} -> {parts.pop('target')} {parts}")
    return "\n".join(lines)
