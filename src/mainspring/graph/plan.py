"""A checked definition becomes a plan: what the machine needs at each turn, worked out once and never changed.

Nodes and connections are numbered in the order in which the definition's canonical form names them (connections that
`dependsOn` implies come after the written ones). Events name connections by that number, so for one content hash the
numbering must never differ between versions of mainspring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mainspring.definition.bodies import bodies
from mainspring.definition.fallbacks import stand_ins
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.expression import Template, compile_expression, compile_template
from mainspring.graph.joining import settle_joins
from mainspring.graph.plan_node import (
    MACHINE_TYPES,
    SHORT_NODE_TIMEOUT_MS,
    Fallback,
    PlanConnection,
    PlanNode,
    Route,
    finish,
)
from mainspring.graph.plan_policies import Policies
from mainspring.graph.plan_undo import settle_undo
from mainspring.graph.plan_waits import Keeps, keeps_of
from mainspring.graph.regions import Regions
from mainspring.graph.schemas import Check, check_of

__all__ = [
    "MACHINE_TYPES",
    "SHORT_NODE_TIMEOUT_MS",
    "SHORT_WORKFLOW_TIMEOUT_MS",
    "Graph",
    "Plan",
    "PlanConnection",
    "PlanNode",
    "Route",
]

SHORT_WORKFLOW_TIMEOUT_MS = 30_000


class Graph:
    """Nodes and connections: those of a workflow, or of a body within one.

    `stands_in`: it is that of a fallback, which has none itself. `beside`: where a fallback node is looked for, if not in it.
    """

    __slots__ = ("_regions", "by_id", "connections", "leaves", "milestones", "nodes", "on_graph", "output", "roots")

    def __init__(
        self,
        nodes: Sequence[Node],
        connections: Sequence[Connection],
        output: object,
        policies: Policies,
        stands_in: bool = False,
        beside: Mapping[str, PlanNode] | None = None,
    ) -> None:
        self.nodes = [PlanNode(index, *policies.effective(node)) for index, node in enumerate(nodes)]
        self.by_id = {node.id: node for node in self.nodes}
        self.connections: list[PlanConnection] = []
        self.output: Template | None = None if output is None else compile_template(output)
        self._mark_off_graph(nodes, connections)
        self._connect(nodes, connections)
        for node in self.nodes:
            finish(node, policies)
            node.bodies = tuple(_bodies(node, policies))
            node.fallbacks = () if stands_in else tuple(_fallbacks(node, beside or self.by_id, policies))
            node.nests = bool(node.bodies or node.fallbacks)
        settle_joins(self)
        settle_undo(self, nodes, connections, lambda node: Graph((node,), (), None, policies, beside=self.by_id))
        self._regions: Regions | None = None
        self.roots = [node for node in self.nodes if not node.incoming and not node.off_graph]
        self.leaves = [node for node in self.nodes if not node.outgoing and not node.off_graph]
        self.milestones = [node for node in self.nodes if node.machine_kind == "milestone"]
        self.on_graph = sum(1 for node in self.nodes if not node.off_graph)

    def everywhere(self) -> Iterator[PlanNode]:
        """All nodes, those of bodies right after their block, and what stands in for a node after it."""
        for node in self.nodes:
            yield node
            for body in node.bodies:
                yield from body.everywhere()
            for fallback in node.fallbacks:
                yield from fallback.graph.everywhere()

    def stopped_by(self, join: PlanNode) -> list[PlanNode]:
        """The nodes that a join with `cancelOthers` stops: all of their paths to a leaf pass it."""
        if self._regions is None:
            self._regions = Regions([[edge.target for edge in node.outgoing] for node in self.nodes])
        return [self.nodes[index] for index in self._regions.region(join.index)]

    def _mark_off_graph(self, nodes: Sequence[Node], connections: Sequence[Connection]) -> None:
        """SEMANTICS 22: nodes that only compensate or stand in are not part of the graph."""
        named = {node.compensation_node_id for node in nodes} | {node.fallback_node_id for node in nodes}
        undoing = {connection.target for connection in connections if connection.is_compensation}
        forward = {connection.target for connection in connections if not connection.is_compensation}
        for id in named | (undoing - forward):
            if id is not None and id in self.by_id:
                self.by_id[id].off_graph = True

    def _connect(self, nodes: Sequence[Node], connections: Sequence[Connection]) -> None:
        seen: set[tuple[str, str]] = set()
        for written in connections:
            if written.is_compensation:
                continue
            connection = self._edge(written.source, written.target)
            connection.id = written.id
            connection.on_complete = written.trigger in ("complete", "all")
            connection.on_fail = written.trigger in ("fail", "all")
            connection.port = written.source_port
            connection.target_port = written.target_port
            if written.condition is not None:
                connection.condition = compile_expression(written.condition)
            if connection.on_complete:  # one that only fires on a failure does not say what dependsOn says
                seen.add((written.source, written.target))
        for node in nodes:
            for source in node.depends_on:
                if (source, node.id) not in seen:
                    seen.add((source, node.id))
                    self._edge(source, node.id)

    def _edge(self, source: str, target: str) -> PlanConnection:
        begin, end = self.by_id[source], self.by_id[target]
        connection = PlanConnection(len(self.connections), begin.index, end.index)
        self.connections.append(connection)
        begin.outgoing.append(connection)
        end.incoming.append(connection)
        return connection


def _bodies(node: PlanNode, policies: Policies) -> Iterator[Graph]:
    for way, body in bodies(node.definition):
        graph = Graph(body.nodes, body.connections, body.output, policies)
        branch = way[-1] if isinstance(way[-1], int) else ""
        for inner in graph.everywhere():
            inner.place = f"{node.id}[{branch}].{inner.place}"
        for undoing in {id(one.undo.graph): one.undo.graph for one in graph.everywhere() if one.undo}.values():
            for inner in undoing.everywhere():
                inner.place = f"{node.id}[{branch}].{inner.place}"
        yield graph


def _fallbacks(node: PlanNode, siblings: Mapping[str, PlanNode], policies: Policies) -> Iterator[Fallback]:
    named = siblings.get(node.definition.fallback_node_id or "")
    for found, said in stand_ins(node.definition, None if named is None else named.definition):
        graph = Graph((found,), (), None, policies, stands_in=True)
        for inner in graph.everywhere():
            inner.place = f"{node.id}[fallback].{inner.place}"
            inner.undo = None  # what stands in is not undone (SEMANTICS 58)
        yield Fallback(graph, graph.nodes[0], policies.fallback_rule(node, said))


class Plan(Graph):
    """The whole of it: the workflow's own graph, and what holds for all of an instance."""

    __slots__ = ("_keeps", "input_check", "limited", "output_check", "policies", "timeout", "version", "workflow")

    def __init__(self, workflow: Workflow, version: str = "") -> None:
        self.policies = Policies(workflow)
        super().__init__(workflow.nodes, workflow.connections, workflow.output, self.policies)
        for node in self.nodes:
            node.path = node.id
        self.workflow = workflow
        self.version = version
        self.limited = any(node.resource is not None for node in self.everywhere())
        self.timeout = workflow.timeout or (SHORT_WORKFLOW_TIMEOUT_MS if workflow.defaults == "short" else None)
        self.input_check: Check | None = check_of(workflow.input_schema, "input")
        self.output_check: Check | None = check_of(workflow.output_schema, "output")
        self._keeps: Keeps | None = None

    @property
    def keeps(self) -> Keeps:
        """Which signals, events and approvals are kept when nobody waits for them yet."""
        if self._keeps is None:
            self._keeps = keeps_of(self.workflow.nodes)
        return self._keeps
