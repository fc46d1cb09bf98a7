"""What the rules say, worked out a second time: routing, retries, mappings. Written from SEMANTICS.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition.bodies import bodies
from mainspring.definition.model import Connection, Node, Retry, Workflow
from mainspring.testing.simulation.deciding import Rules
from mainspring.testing.simulation.expressions import Look, Raises, evaluate, fill
from mainspring.testing.simulation.joins import Edge, rules
from mainspring.testing.simulation.workflows import DURATION_TEMPLATE


class Undo(Struct, frozen=True):
    """What undoes a node: the `graph` of its undo node alone, and which runs are undone besides those that completed."""

    graph: Graph
    failed: bool
    in_doubt: bool


class Graph:
    """Connections by their ends, and how the nodes join: of a workflow, or of a body in it. `bodies` are those of blocks.

    `undo` says of the nodes that can be undone how that is done. What is a part of undoing (`undoing`) cannot be.
    """

    def __init__(
        self,
        workflow: Workflow,
        nodes: Sequence[Node],
        connections: Sequence[Connection],
        output: Any,
        name: str | None,
        undoing: bool = False,
        stands_in: bool = False,
        beside: Mapping[str, Node] | None = None,
    ) -> None:
        self.workflow = workflow
        self.output = output
        self.name = name
        undone_by = _undone_by(nodes, connections)
        beside = {node.id: node for node in nodes} if beside is None else beside
        off = {*undone_by.values(), *(node.fallback_node_id for node in nodes)}
        nodes = [node for node in nodes if node.id not in off]
        connections = [one for one in connections if not one.is_compensation]
        self.nodes: dict[str, Node] = {node.id: node for node in nodes}
        self.incoming: dict[str, list[Edge]] = {path: [] for path in self.nodes}
        self.outgoing: dict[str, list[Edge]] = {path: [] for path in self.nodes}
        edges = [
            Edge(index, one.source, one.target, one.trigger, one.source_port, one.condition, one.target_port, one.id)
            for index, one in enumerate(connections)
        ]
        known = {(edge.source, edge.target) for edge in edges if edge.trigger != "fail"}
        for node in nodes:
            for source in node.depends_on:
                if (source, node.id) not in known:
                    known.add((source, node.id))
                    edges.append(Edge(len(edges), source, node.id))
        self.edges = edges
        for edge in edges:
            self.incoming[edge.target].append(edge)
            self.outgoing[edge.source].append(edge)
        self.rules = rules(self.nodes, self.incoming)
        self.leaves = [id for id in self.nodes if not self.outgoing[id]]
        self.bodies = {
            node.id: [
                Graph(workflow, one.nodes, one.connections, one.output, one.name, undoing) for _, one in bodies(node)
            ]
            for node in nodes
        }
        self.fallbacks = {
            node.id: []
            if stands_in
            else [Graph(workflow, (one,), (), None, None, True, True) for one in ways_out(node, beside)]
            for node in nodes
        }
        alone = {id: Graph(workflow, (beside[id],), (), None, None, True, beside=beside) for id in undone_by.values()}
        self.undo = {} if undoing else {id: _undo(self.nodes[id], alone[by]) for id, by in undone_by.items()}
        self.policies = Rules(workflow)

    @classmethod
    def of(cls, workflow: Workflow) -> Graph:
        """A workflow's own."""
        return cls(workflow, workflow.nodes, workflow.connections, None, None)

    def fired_by_completion(self, path: str, ports: Sequence[str | None], look: Look) -> tuple[set[int], set[int]]:
        """The connections that fire, and those whose condition cannot be evaluated."""
        wanted = [edge for edge in self.outgoing[path] if edge.trigger != "fail" and edge.port in ports]
        return _fired(wanted, look)

    def fired_by_failure(self, path: str, look: Look) -> tuple[set[int], set[int]]:
        """The same for a node that failed for good."""
        wanted = [edge for edge in self.outgoing[path] if edge.trigger != "complete" and edge.port is None]
        return _fired(wanted, look)

    def retry_of(self, path: str) -> Retry | None:
        """The policy that holds for a node."""
        return self.nodes[path].retry or self.workflow.retry

    def stopped_by(self, path: str) -> frozenset[str]:
        """What a cancel node stops."""
        node = self.nodes[path]
        return frozenset(node.config["nodes"]) if node.type == "cancel" else frozenset()


def _undone_by(nodes: Sequence[Node], connections: Sequence[Connection]) -> dict[str, str]:
    """Which node undoes which: by what the node says, or a connection."""
    told = {one.source: one.target for one in connections if one.is_compensation}
    return told | {node.id: node.compensation_node_id for node in nodes if node.compensation_node_id is not None}


def _undo(node: Node, alone: Graph) -> Undo:
    told = node.resilience
    return Undo(alone, told is not None and told.compensate_failed, told is not None and told.compensate_in_doubt)


def ways_out(node: Node, beside: Mapping[str, Node]) -> Iterator[Node]:
    """What stands in for a node that failed: the node that it names, as it is by itself, then its actions."""
    if node.fallback_node_id is not None:
        yield replace(beside[node.fallback_node_id], fallback_node_id=None, compensation_node_id=None, resilience=None)
    for action in node.resilience.fallback_actions if node.resilience is not None else ():
        config = {key: value for key, value in action.config.items() if key != "input"}
        id = action.type.replace(".", "-")
        yield Node(id=id, type="function", config={"handler": action.type, **config}, input=action.config.get("input"))


def _fired(edges: list[Edge], look: Look) -> tuple[set[int], set[int]]:
    fired, raising = set(), set()
    for edge in edges:
        try:
            if edge.condition is None or evaluate(edge.condition, look):
                fired.add(edge.index)
        except Raises:
            raising.add(edge.index)
    return fired, raising


def ports_of(node: Node, port: str | None, look: Look) -> list[str | None] | None:
    """The ports by which a node that decides must leave; None: its condition cannot be evaluated. `port`: of all others."""
    try:
        if node.type == "if":
            return ["true" if evaluate(node.config["condition"], look) else "false"]
        if node.type == "switch":
            holding: list[str | None] = []
            for case in node.config["cases"]:
                if evaluate(case["when"], look):
                    holding.append(case["port"])
                    if node.config["match"] == "first":
                        break
            return holding or ["default"]
    except Raises:
        return None
    return [port]


def tries_again(retry: Retry | None, failures: int, kind: str, kinds: tuple[str, ...], fatal: bool) -> bool:
    """Whether an attempt that failed is followed by another one, after `failures` failures in all."""
    if fatal or retry is None or retry.strategy == "none" or failures >= retry.max_attempts:
        return False
    names = {"*", kind, *kinds}
    if names & set(retry.do_not_retry_on):
        return False
    return not retry.retry_on or bool(names & set(retry.retry_on))


def backoff_bounds(retry: Retry, failures: int) -> tuple[int, int]:
    """The least and the most milliseconds before the retry after the `failures`-th failure."""
    base = float(retry.initial_delay)
    if retry.strategy == "linear":
        base *= failures
    elif retry.strategy == "exponential":
        base *= retry.multiplier ** (failures - 1)
    least, most = base * (1 - retry.jitter), base * (1 + retry.jitter)
    return int(min(least, retry.max_delay)), int(min(most, retry.max_delay) + 1)


def mapped_input(template: dict[str, Any], look: Look) -> Any:
    """What an input mapping gives; None where it cannot be evaluated."""
    try:
        return fill(template, look)
    except Raises:
        return None


def delay_of(config: dict[str, Any], input: Any) -> int | None:
    """How long a delay lasts, in milliseconds; None where its expression gives no duration."""
    duration = config["duration"]
    if duration == DURATION_TEMPLATE:
        duration = input["k"] * 150 - 150
    return int(duration) if duration >= 0 else None
