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

SIMPLE_NODE = {"retry": None, "mapping": None, "limited": False, "join": None, "dependsOn": [], "timeout": None}
SIMPLE_BLOCK = {
    "concurrency": None,
    "onError": None,
    "succeedAt": None,
    "stopWhen": None,
    "more": None,
    "items": [1],
    "initial": 0,
    "collect": False,
    "name": "m",
    "condition": ("is", ("index", "<", 1)),
}
SIMPLE_EDGE = {"trigger": "complete", "port": None, "targetPort": None, "condition": None}
DULL = {
    "duration": 40,
    "join": None,
    "limited": False,
    "mapping": None,
    "retry": None,
    "dependsOn": [],
    "decides": None,
    "timeout": None,
}


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


def bodies_of(graph: Graph) -> Iterator[Graph]:
    """The bodies that the graph's own nodes have."""
    for node in graph["nodes"]:
        yield from (node.get("block") or {}).get("bodies", ())


def valid(graph: Graph) -> bool:
    """Whether the rules allow the graph (rule 15, and what a join says of itself), and its bodies."""
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
    return all(valid(body) for body in bodies_of(graph))


def _steps(graph: Graph) -> Iterator[Graph]:
    """Each graph that is a little simpler."""
    for name, value in (("output", None), ("policy", "continue"), ("input", None)):
        if graph[name] != value:
            yield {**copy.deepcopy(graph), name: value}
    for at in range(len([*_all_graphs(graph)])):
        for change in _changes([*_all_graphs(graph)][at]):
            less = copy.deepcopy(graph)
            change([*_all_graphs(less)][at])
            yield less


def _all_graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for body in bodies_of(graph):
        yield from _all_graphs(body)


def _changes(graph: Graph) -> Iterator[Callable[[Graph], Any]]:
    """What can be done to make one graph, or body, simpler: each is done to a copy of it."""
    for node in graph["nodes"]:
        if len(graph["nodes"]) > 1 and not _mentions(graph, node["id"]):
            yield lambda less, id=node["id"]: _drop(less, id)
    for at, edge in enumerate(graph["connections"]):
        yield lambda less, at=at: less["connections"].pop(at)
        for name, value in SIMPLE_EDGE.items():
            if edge[name] != value:
                yield lambda less, at=at, name=name, value=value: less["connections"][at].update({name: value})
    if graph.get("name") is not None:
        yield lambda less: less.update(name=None)
    if "policy" not in graph and graph.get("output") is not None:
        yield lambda less: less.update(output=None)
    for at, node in enumerate(graph["nodes"]):
        for new in _simpler_nodes(node):
            yield lambda less, at=at, new=new: less["nodes"].__setitem__(at, new)


def _drop(graph: Graph, id: str) -> None:
    graph["nodes"] = [node for node in graph["nodes"] if node["id"] != id]
    graph["connections"] = [edge for edge in graph["connections"] if id not in (edge["source"], edge["target"])]
    for node in graph["nodes"]:
        node["dependsOn"] = [other for other in node["dependsOn"] if other != id]


def _simpler_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in SIMPLE_NODE.items():
        if node.get(name) is not None and node[name] != value:
            yield {**node, name: value}
    if node["type"] not in ("trigger", "function"):
        yield {**node, "type": "function", "block": None, "timeout": None}
    elif node["type"] == "function":
        yield {**node, "type": "trigger", "limited": False}
    ok = [{"kind": "ok", "base": 0, "port": None}]
    if node["type"] == "function" and node["outcomes"] != ok:
        yield {**node, "outcomes": ok}
        yield {**node, "outcomes": node["outcomes"][1:] or ok}
    for name in sorted(set(node["join"] or ()) - {"kind", "n"}):
        yield {**node, "join": {key: value for key, value in node["join"].items() if key != name}}
    block = node.get("block")
    if block:
        for name, value in SIMPLE_BLOCK.items():
            if name in block and block[name] != value:
                yield {**node, "block": {**block, name: value}}
        if isinstance(block.get("items"), list):
            for at in range(len(block["items"])):
                yield {**node, "block": {**block, "items": block["items"][:at] + block["items"][at + 1 :]}}
        for at in range(len(block["bodies"]) if len(block["bodies"]) > 1 else 0):
            yield {**node, "block": {**block, "bodies": block["bodies"][:at] + block["bodies"][at + 1 :]}}
        if len(block["bodies"]) == 1 and node["type"] != "subflow":
            yield {**node, "type": "subflow", "block": {"bodies": block["bodies"]}}


def _mentions(graph: Graph, id: str) -> bool:
    """Whether something in the graph names a node, but for the connections."""
    others = [node for node in graph["nodes"] if node["id"] != id]
    named = [other for node in others for other in node.get("cancels", ()) if node["type"] == "cancel"]
    named += [other for node in others for other in (node.get("milestone") or {}).values()]
    mapped = any(node["mapping"] and node["mapping"][1] == id for node in others)
    asked = any(edge["condition"] == ("done", id) for edge in graph["connections"])
    cases = [case for node in others if node["decides"] for case in node["decides"].get("cases", ())]
    asked = asked or any(condition == ("done", id) for _, condition in cases)
    return mapped or asked or id in named or ("policy" in graph and id in (graph["output"] or ()))


def told(graph: Graph) -> str:
    """A graph in a few lines."""
    return "\n".join(
        [f"policy {graph['policy']}, input {graph['input']}, output {graph['output']}", *_lines(graph, "  ")]
    )


def _lines(graph: Graph, margin: str) -> Iterator[str]:
    for node in graph["nodes"]:
        parts = {key: value for key, value in node.items() if DULL.get(key, "") != value}
        block = parts.pop("block", None) or {}
        del parts["id"], parts["type"]
        if node["type"] != "function":
            parts.pop("outcomes")
        if node["type"] != "delay":
            parts.pop("duration", None)
        parts.update({key: value for key, value in block.items() if key != "bodies" and value is not None})
        yield f"{margin}{node['id']} {node['type']} {parts}"
        for body in block.get("bodies", ()):
            yield f"{margin}  body {body['name'] or ''} output {body['output']}"
            yield from _lines(body, margin + "    ")
    for edge in graph["connections"]:
        dull = {"trigger": "complete"}
        parts = {key: value for key, value in edge.items() if value is not None and dull.get(key) != value}
        yield f"{margin}{parts.pop('source')} -> {parts.pop('target')} {parts}"
