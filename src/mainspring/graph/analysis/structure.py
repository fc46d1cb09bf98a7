"""A workflow as numbers: nodes in the order of the definition, connections as pairs of them, neighbours as lists.

Analysis and drawings start from here and not from the plan: they must also work where a plan cannot be made (a cycle,
an expression that does not compile).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mainspring.definition.findings import Finding, finding
from mainspring.definition.model import Trigger, Workflow
from mainspring.errors import DefinitionError

EdgeKind = Literal["connection", "dependsOn", "compensation", "fallback"]


class Edge(Struct, frozen=True, gc=False):
    """A connection, written or implied. `source` and `target` are numbers of nodes."""

    source: int
    target: int
    kind: EdgeKind = "connection"
    trigger: Trigger = "complete"
    condition: str | None = None
    source_port: str | None = None
    target_port: str | None = None
    id: str | None = None

    @property
    def helps(self) -> bool:
        """Whether it only names a node that undoes or stands in: no message travels on it."""
        return self.kind in ("compensation", "fallback")


class Structure:
    """Built once and never changed.

    `after` and `before` have each neighbour once, however many connections lead there, and only what is on the graph:
    nodes that compensate or stand in (SEMANTICS 22) are in `off_graph`, with their edges among `edges`.
    """

    __slots__ = ("after", "before", "edges", "index", "names", "off_graph", "on_graph", "workflow")

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.names = [node.id for node in workflow.nodes]
        self.index = {name: number for number, name in enumerate(self.names)}
        try:
            self.edges = _edges(workflow, self.index)
        except KeyError:
            raise DefinitionError(_dangling(workflow, self.index)) from None
        if len(self.index) < len(self.names):
            raise DefinitionError(_dangling(workflow, self.index))
        self.off_graph = _off_graph(workflow, self.index)
        self.on_graph = [number for number in range(len(self.names)) if number not in self.off_graph]
        self.after: list[list[int]] = [[] for _ in self.names]
        self.before: list[list[int]] = [[] for _ in self.names]
        self._connect()

    def _connect(self) -> None:
        size, off, seen = len(self.names), self.off_graph, set[int]()
        after, before = self.after, self.before
        apart = bool(off) or any(connection.is_compensation for connection in self.workflow.connections)
        for edge in self.edges:
            source, target = edge.source, edge.target
            pair = source * size + target
            if pair in seen or (apart and (edge.helps or source in off or target in off)):
                continue
            seen.add(pair)
            after[source].append(target)
            before[target].append(source)


def _dangling(workflow: Workflow, index: dict[str, int]) -> list[Finding]:
    """Names that lead nowhere, or to two nodes. They are refused; all else that is not sound (a cycle) is not."""
    found: list[Finding] = []
    if len(index) < len(workflow.nodes):
        twice = [(at, node.id) for at, node in enumerate(workflow.nodes) if index[node.id] != at]
        found += [finding("MS203", f"duplicate node id `{name}`", ("nodes", at, "id")) for at, name in twice]
    for at, connection in enumerate(workflow.connections):
        for key, name in (("source", connection.source), ("target", connection.target)):
            if name not in index:
                found.append(finding("MS206", f"`{name}` is no node", ("connections", at, key)))
    for at, node in enumerate(workflow.nodes):
        for name in node.depends_on:
            if name not in index:
                found.append(finding("MS207", f"`{name}` is no node", ("nodes", at, "dependsOn")))
        for key, helper in (
            ("compensationNodeId", node.compensation_node_id),
            ("fallbackNodeId", node.fallback_node_id),
        ):
            if helper is not None and helper not in index:
                found.append(finding("MS215", f"`{helper}` is no node", ("nodes", at, key)))
    return found


def _edges(workflow: Workflow, index: dict[str, int]) -> list[Edge]:
    """Written connections first, then what `dependsOn` adds, as the plan numbers them; then what helps."""
    edges = [
        Edge(
            index[written.source], index[written.target], "compensation" if written.is_compensation else "connection",
            written.trigger, written.condition, written.source_port, written.target_port, written.id,
        )
        for written in workflow.connections
    ]  # fmt: skip
    completing = set[tuple[str, str]]()
    if any(node.depends_on for node in workflow.nodes):
        completing = {
            (c.source, c.target) for c in workflow.connections if not c.is_compensation and c.trigger != "fail"
        }
    for node in workflow.nodes:
        for source in node.depends_on:
            if (source, node.id) not in completing:
                completing.add((source, node.id))
                edges.append(Edge(index[source], index[node.id], "dependsOn"))
    undone = {(edge.source, edge.target) for edge in edges if edge.kind == "compensation"}
    for number, node in enumerate(workflow.nodes):
        undo, instead = node.compensation_node_id, node.fallback_node_id
        if undo is not None and (number, index[undo]) not in undone:
            edges.append(Edge(number, index[undo], "compensation"))
        if instead is not None:
            edges.append(Edge(number, index[instead], "fallback"))
    return edges


def _off_graph(workflow: Workflow, index: dict[str, int]) -> frozenset[int]:
    named = {node.compensation_node_id for node in workflow.nodes} | {node.fallback_node_id for node in workflow.nodes}
    undoing = {connection.target for connection in workflow.connections if connection.is_compensation}
    forward = {connection.target for connection in workflow.connections if not connection.is_compensation}
    return frozenset(index[name] for name in named | (undoing - forward) if name is not None)
