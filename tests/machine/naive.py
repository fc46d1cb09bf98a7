"""The meaning of a graph, a second time: from DESIGN.md's "Messages and joins" and SEMANTICS, with nothing of mainspring.

No turns, no tokens, no events: each node's fate is a function of its sources' fates, worked out by plain recursion. The
graph is plain data (see `random_graphs`); what tasks do is part of it, so the interleaving cannot matter.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

Graph = dict[str, Any]

UNSTABLE = ("attempt", "maxAttempts", "message")
"""Fields of an error that depend on crashes or are mere words: no comparison looks at them."""


def stable(value: Any) -> Any:
    """A value without what may differ between two right runs."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in UNSTABLE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def work(base: int, input: Any) -> dict[str, Any]:
    """What a task makes of its input: a small number that any difference in the input is likely to change."""
    text = json.dumps(stable(input), sort_keys=True)
    return {"v": (base + zlib.crc32(text.encode())) % 5}


class Fate:
    """How a node ended: status, output, port, error, and the input it ran with."""

    def __init__(self, status: str, input: Any = None, output: Any = None, port: str | None = None) -> None:
        self.status = status
        self.input = input
        self.output = output
        self.port = port
        self.error: dict[str, Any] | None = None
        self.fired: list[int] = []
        self.routing_faults = 0


class Raised(Exception):
    """An expression that cannot be evaluated."""


def failed(type: str, input: Any = None, fatal: bool = False) -> Fate:
    """A failure for good."""
    fate = Fate("failed", input)
    fate.error = {"type": type, "code": None, "context": None, "fatal": fatal}
    return fate


class Naive:
    """The outcome of a graph under the policy `continue`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node["id"]: node for node in graph["nodes"]}
        self.incoming: dict[str, list[int]] = {id: [] for id in self.nodes}
        self.outgoing: dict[str, list[int]] = {id: [] for id in self.nodes}
        for index, edge in enumerate(graph["connections"]):
            self.incoming[edge["target"]].append(index)
            self.outgoing[edge["source"]].append(index)
        self.fates: dict[str, Fate] = {}
        for id in self.nodes:
            self.fate(id)
        self.unhandled = sum(
            fate.routing_faults + (fate.status == "failed" and not fate.fired) for fate in self.fates.values()
        )
        self.status = "failed" if self.unhandled else "completed"
        self.output = self.final_output()

    def fate(self, id: str) -> Fate:
        """How this node ends."""
        if id not in self.fates:
            fate = self.fates[id] = self.live(id)
            for index in self.outgoing[id]:
                try:
                    if self.fires(self.graph["connections"][index], fate):
                        fate.fired.append(index)
                except Raised:
                    fate.routing_faults += 1
        return self.fates[id]

    def live(self, id: str) -> Fate:
        messages = [index for index in self.incoming[id] if index in self.source(index).fired]
        if self.incoming[id] and not messages:
            return Fate("skipped")
        node = self.nodes[id]
        try:
            input = self.default_input(id, messages) if node["mapping"] is None else self.mapped(node["mapping"])
        except Raised:
            return failed("MappingError")
        if node["type"] != "function":
            return Fate("completed", input, input)
        return self.tried(id, node, input)

    def source(self, index: int) -> Fate:
        return self.fate(self.graph["connections"][index]["source"])

    def default_input(self, id: str, messages: list[int]) -> Any:
        if not self.incoming[id]:
            return self.graph["input"]
        if len(self.incoming[id]) == 1:
            return self.payload(messages[0])
        edges = self.graph["connections"]
        sources = [edges[index]["source"] for index in self.incoming[id]]
        keyed = {}
        for index in messages:
            source = edges[index]["source"]
            keyed[source if sources.count(source) == 1 else edges[index]["id"]] = self.payload(index)
        return keyed

    def payload(self, index: int) -> Any:
        fate = self.source(index)
        return fate.error if fate.status == "failed" else fate.output

    def mapped(self, mapping: tuple[str, str]) -> Any:
        kind, source = mapping
        if kind == "raise":
            raise Raised
        return {"from": self.fate(source).output, "x": (self.graph["input"] or {}).get("x")}

    def tried(self, id: str, node: dict[str, Any], input: Any) -> Fate:
        tries = 0
        while True:
            outcome = node["outcomes"][min(tries, len(node["outcomes"]) - 1)]
            tries += 1
            if outcome["kind"] == "ok":
                ports = {self.graph["connections"][index]["port"] for index in self.outgoing[id]} - {None}
                if outcome["port"] is not None and outcome["port"] not in ports:
                    return failed("UnknownPort", input)
                return Fate("completed", input, work(outcome["base"], input), outcome["port"])
            type = "NodeTimeout" if outcome["kind"] == "hang" else outcome["type"]
            fatal = bool(outcome.get("fatal"))
            retry = node["retry"]
            if fatal or retry is None or tries >= retry["maxAttempts"]:
                return failed(type, input, fatal)
            if type in retry["doNotRetryOn"] or (retry["retryOn"] and type not in retry["retryOn"]):
                return failed(type, input, fatal)

    def fires(self, edge: dict[str, Any], fate: Fate) -> bool:
        if fate.status == "completed":
            if edge["trigger"] == "fail" or edge["port"] != fate.port:
                return False
        elif fate.status != "failed" or edge["trigger"] == "complete" or edge["port"] is not None:
            return False
        return edge["condition"] is None or self.holds(edge["condition"], fate)

    def holds(self, condition: tuple[str, Any], fate: Fate) -> bool:
        """The few shapes that the generator makes (SEMANTICS G)."""
        shape, value = condition
        output = fate.output if isinstance(fate.output, dict) and fate.status == "completed" else {}
        v = output.get("v")
        if shape == "greater":
            return v is not None and v > value
        if shape == "equal":
            return v == value
        if shape == "missing":
            return True
        if shape == "error":
            return fate.error is not None and fate.error["type"] == value
        if shape == "input":
            return (self.graph["input"] or {}).get("x", -1) > value
        raise Raised

    def final_output(self) -> Any:
        if self.status == "completed" and self.graph["output"]:
            return {id: self.fates[id].output for id in self.graph["output"]}
        leaves = [id for id in self.nodes if not self.outgoing[id]]
        if len(leaves) == 1:
            return self.fates[leaves[0]].output
        return {id: self.fates[id].output for id in leaves if self.fates[id].status == "completed"}
