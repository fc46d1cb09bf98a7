"""What can be said of a graph before it runs: its connections, how often its nodes can run, who stops whom."""

from __future__ import annotations

from functools import cached_property
from typing import Any

Graph = dict[str, Any]
Edge = dict[str, Any]


def edges_of(graph: Graph) -> list[Edge]:
    """The written connections, then those that `dependsOn` implies."""
    edges = list(graph["connections"])
    for node in graph["nodes"]:
        for source in node.get("dependsOn", ()):
            written = [
                edge for edge in graph["connections"] if (edge["source"], edge["target"]) == (source, node["id"])
            ]
            if all(edge["trigger"] == "fail" for edge in written):
                edges.append(plain_edge(source, node["id"]))
    return edges


def plain_edge(source: str, target: str) -> Edge:
    """A connection of which only the ends are written."""
    return {
        "id": None,
        "source": source,
        "target": target,
        "trigger": "complete",
        "port": None,
        "targetPort": None,
        "condition": None,
    }


class Shape:
    """A graph as the rules see it."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = {node["id"]: node for node in graph["nodes"]}
        self.edges = edges_of(graph)
        self.incoming: dict[str, list[int]] = {id: [] for id in self.nodes}
        self.outgoing: dict[str, list[int]] = {id: [] for id in self.nodes}
        for index, edge in enumerate(self.edges):
            self.incoming[edge["target"]].append(index)
            self.outgoing[edge["source"]].append(index)

    def join(self, id: str) -> str:
        """The kind of a node's join."""
        return (self.nodes[id].get("join") or {}).get("kind", "all")

    def sources(self, id: str) -> list[str]:
        """The sources of a node's incoming connections, one for each connection."""
        return [self.edges[index]["source"] for index in self.incoming[id]]

    def ports(self, id: str) -> dict[str | None, list[int]]:
        """The distinct target ports of a node, each with its connections."""
        ports: dict[str | None, list[int]] = {}
        for index in self.incoming[id]:
            ports.setdefault(self.edges[index]["targetPort"], []).append(index)
        return ports

    @cached_property
    def most(self) -> dict[str, int]:
        """How often each node can run at most."""
        most: dict[str, int] = {}

        def brings(connections: list[int]) -> int:
            return sum(count(self.edges[index]["source"]) for index in connections)

        def count(id: str) -> int:
            if id not in most:
                most[id] = self._most(id, brings)
            return most[id]

        for id in self.nodes:
            count(id)
        return most

    def _most(self, id: str, brings: Any) -> int:
        incoming = self.incoming[id]
        if not incoming:
            return 1
        if self.join(id) == "each" or len(incoming) == 1:
            return int(brings(incoming))
        if self.join(id) == "ports":
            return min(brings(connections) for connections in self.ports(id).values())
        return 1

    def repeats(self, id: str) -> bool:
        """Whether a node can run more than once."""
        return self.most[id] > 1

    def places(self, id: str) -> int:
        """The places of a repeating node's inbox."""
        return max((self.nodes[id].get("join") or {}).get("capacity") or 0, len(self.incoming[id]))

    def queue(self, index: int) -> str | None:
        """Which of its target's queues a connection's messages go to: one for all, unless it joins by ports."""
        edge = self.edges[index]
        return edge["targetPort"] if self.join(edge["target"]) == "ports" else None

    def stopped_by(self, id: str) -> list[str]:
        """The nodes all of whose paths to a leaf pass this one."""
        passes: dict[str, bool] = {id: True}

        def all_pass(other: str) -> bool:
            if other not in passes:
                targets = [self.edges[index]["target"] for index in self.outgoing[other]]
                passes[other] = bool(targets) and all(all_pass(target) for target in targets)
            return passes[other]

        return [other for other in self.nodes if all_pass(other) and other != id]
