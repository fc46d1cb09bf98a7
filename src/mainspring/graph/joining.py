"""What joins need to know of the graph: how often a node can run at most, and what its inbox looks like.

Most nodes run once and have no inbox. A node that can run more than once is called repeating; so is whatever comes after
it (SEMANTICS, "Nodes that run more than once").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.json import encode

from mainspring.definition.model import Join
from mainspring.queue import inbox_capacity

if TYPE_CHECKING:
    from mainspring.graph.plan import Graph
    from mainspring.graph.plan_node import PlanConnection, PlanNode

runs_max = 10_000
"""A graph in which a node could run more often than this is refused (MS225)."""

DEFAULT_PORT = "default"
"""The key of payloads that come by a connection without a target port, where the node has target ports."""


class Edge(NamedTuple):
    source: int
    target: int
    port: str | None


class InboxPlan:
    """A node's inbox: one lane for each target port (`ports`), or one for all.

    `lane_of` leads from a connection's number to its lane, `sources` counts each lane's connections. `rivals` are the
    repeating nodes that send here, by number: whoever of them wants to run must see whether there is room.
    """

    __slots__ = ("capacity", "lane_of", "names", "rivals", "sources")

    def __init__(self, node: PlanNode, capacity: int | None) -> None:
        by_port = node.definition.join is not None and node.definition.join.kind == "ports"
        names = dict.fromkeys(edge.target_port if by_port else None for edge in node.incoming)
        self.names = [name or DEFAULT_PORT for name in names]
        lanes = {name: lane for lane, name in enumerate(names)}
        self.lane_of = {edge.index: lanes[edge.target_port if by_port else None] for edge in node.incoming}
        self.sources = [0] * len(lanes)
        for lane in self.lane_of.values():
            self.sources[lane] += 1
        self.capacity = inbox_capacity(capacity, len(node.incoming))
        self.rivals: tuple[int, ...] = ()


def runs_at_most(kinds: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """How often each node can run at most, `runs_max` + 1 standing for all that is more.

    `kinds` are the joins. Nodes on a cycle, which is an error found elsewhere, count as 1.
    """
    most = [1] * len(kinds)
    if "each" not in kinds and "ports" not in kinds:
        return most
    incoming: list[list[Edge]] = [[] for _ in kinds]
    outgoing: list[list[Edge]] = [[] for _ in kinds]
    for edge in edges:
        incoming[edge.target].append(edge)
        outgoing[edge.source].append(edge)
    missing = [len(into) for into in incoming]
    line = [index for index, count in enumerate(missing) if not count]
    for index in line:
        into = incoming[index]
        if into:
            most[index] = min(_most(kinds[index], into, most), runs_max + 1)
        for edge in outgoing[index]:
            missing[edge.target] -= 1
            if not missing[edge.target]:
                line.append(edge.target)
    return most


def _most(kind: str, into: list[Edge], most: list[int]) -> int:
    if kind == "each" or len(into) == 1:
        return sum(most[edge.source] for edge in into)
    if kind == "ports":
        by_port: dict[str | None, int] = {}
        for edge in into:
            by_port[edge.port] = by_port.get(edge.port, 0) + most[edge.source]
        return min(by_port.values())
    return 1


def _keys(plan: Graph, node: PlanNode) -> tuple[tuple[int, bytes], ...]:
    """The connections of a node by which its input is keyed, source by source, each with its key as JSON, colon included.

    That is the source's id; where a source sends several payloads, each one's connection's id, unless a source is called
    so too (SEMANTICS 18).
    """
    sources: dict[str, list[PlanConnection]] = {}
    for edge in node.incoming:
        sources.setdefault(plan.nodes[edge.source].id, []).append(edge)
    keys = []
    for source, edges in sources.items():
        for edge in edges:
            several = f"{source}:{edge.index}" if edge.id is None or edge.id in sources else edge.id
            keys.append((edge.index, encode(source if len(edges) == 1 else several) + b":"))
    return tuple(keys)


def settle_joins(plan: Graph) -> None:
    """Give each node of the plan what its join needs: whether it repeats, its threshold, its inbox."""
    kinds = [_join(node).kind for node in plan.nodes]
    most = runs_at_most(kinds, [Edge(edge.source, edge.target, edge.target_port) for edge in plan.connections])
    for node in plan.nodes:
        join = _join(node)
        node.repeating = most[node.index] > 1
        node.need = {"any": 1, "n": join.n or 1}.get(join.kind, 0) if node.in_degree > 1 else 0
        node.cancels_others = join.cancel_others and join.kind in ("any", "n")
        if node.repeating or (join.kind == "ports" and node.in_degree > 1):
            node.inbox = InboxPlan(node, join.capacity)
        node.joins_plainly = node.inbox is None and not node.need and not node.cancels_others
        with_ports = any(edge.target_port is not None for edge in node.incoming)
        node.keyed_by_port = join.kind in ("all", "n", "ports") and (
            with_ports or (node.in_degree > 1 and join.kind == "ports")
        )
        node.keyed_input = node.in_degree > 1 and join.kind in ("all", "n")
        if node.keyed_input and not node.keyed_by_port:
            node.keys = _keys(plan, node)
    for node in plan.nodes:
        if node.inbox is not None:
            sources = dict.fromkeys(edge.source for edge in node.incoming)
            node.inbox.rivals = tuple(source for source in sources if plan.nodes[source].repeating)


def _join(node: PlanNode) -> Join:
    return node.definition.join or _all


_all = Join()
