"""How the nodes of a graph join, worked out a second time from SEMANTICS ("Nodes that run more than once", 15 to 18).

By the plainest means: what can be counted is counted node by node, what is a region is searched for. It is for graphs of
a few nodes, and it shares no code with `graph/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from mainspring.definition.model import Join, Node

DEFAULT_PORT = "default"

Token = tuple[int, int]
"""A message: the connection that it came by, and the run of the source that sent it."""


class Edge(Struct, frozen=True):
    """A connection, written or implied."""

    index: int
    source: str
    target: str
    trigger: str = "complete"
    port: str | None = None
    condition: str | None = None
    target_port: str | None = None
    id: str | None = None


class Rule(Struct, frozen=True):
    """How one node joins.

    `most`: how often it can run. `need`: how many messages start it (0: it does not go by their number). `lanes`: the
    queues of its inbox, each by the connections that fill it (none: it has no inbox). `pointless`: what it stops.
    """

    kind: str
    most: int
    need: int
    lanes: tuple[frozenset[int], ...]
    places: int
    pointless: frozenset[str]
    keyed_by_port: bool

    @property
    def repeating(self) -> bool:
        """Whether it can run more than once."""
        return self.most > 1


def rules(nodes: Mapping[str, Node], incoming: Mapping[str, Sequence[Edge]]) -> dict[str, Rule]:
    """The rule of each node."""
    found: dict[str, Rule] = {}
    for path in nodes:
        _add(path, nodes, incoming, found)
    return found


def _add(path: str, nodes: Mapping[str, Node], incoming: Mapping[str, Sequence[Edge]], found: dict[str, Rule]) -> None:
    if path in found:
        return
    edges, join = incoming[path], nodes[path].join or Join()
    for edge in edges:
        _add(edge.source, nodes, incoming, found)
    most = runs_at_most(join.kind, [(found[edge.source].most, edge.target_port) for edge in edges])
    several = len(edges) > 1
    lanes: tuple[frozenset[int], ...] = ()
    if join.kind == "ports" and (several or most > 1):
        ports = dict.fromkeys(edge.target_port for edge in edges)
        lanes = tuple(frozenset(edge.index for edge in edges if edge.target_port == port) for port in ports)
    elif most > 1:
        lanes = (frozenset(edge.index for edge in edges),)
    found[path] = Rule(
        join.kind,
        most,
        {"any": 1, "n": join.n or 1}.get(join.kind, 0) if several else 0,
        lanes,
        max(join.capacity or 1, len(edges)),
        pointless(path, incoming) if join.cancel_others and join.kind in ("any", "n") else frozenset(),
        join.kind in ("all", "n", "ports") and any(edge.target_port is not None for edge in edges),
    )


def runs_at_most(kind: str, sources: Sequence[tuple[int, str | None]]) -> int:
    """How often a node can run, from what its connections can bring: a number, and the port where it comes in."""
    if not sources:
        return 1
    if kind == "each" or len(sources) == 1:
        return sum(most for most, _ in sources)
    if kind == "ports":
        return min(sum(most for most, port in sources if port == one) for _, one in sources)
    return 1


def pointless(join: str, incoming: Mapping[str, Sequence[Edge]]) -> frozenset[str]:
    """The nodes all of whose paths to a leaf pass the join: without the join they would reach none."""
    after: dict[str, list[str]] = {path: [] for path in incoming}
    for path, edges in incoming.items():
        for edge in edges:
            after[edge.source].append(path)

    def reaches_a_leaf(path: str) -> bool:
        return path != join and (not after[path] or any(reaches_a_leaf(one) for one in after[path]))

    return frozenset(path for path in incoming if path != join and not reaches_a_leaf(path))


def input_keys(edges: Sequence[Edge]) -> dict[int, str]:
    """By what each connection's payload is known in an object keyed by source."""
    sources = [edge.source for edge in edges]
    return {
        edge.index: edge.source
        if sources.count(edge.source) == 1
        else edge.id
        if edge.id is not None and edge.id not in sources
        else f"{edge.source}:{edge.index}"
        for edge in edges
    }


def default_input(rule: Rule, edges: Sequence[Edge], payloads: Mapping[int, object]) -> object:
    """SEMANTICS, "Inputs by default", for a node with incoming connections; `payloads` are what counts, by connection."""
    if rule.keyed_by_port:
        return _by_port(rule, edges, payloads)
    if rule.kind in ("all", "n") and len(edges) > 1:
        keys = input_keys(edges)
        return {keys[index]: payload for index, payload in payloads.items()}
    return next(iter(payloads.values()), None)


def _by_port(rule: Rule, edges: Sequence[Edge], payloads: Mapping[int, object]) -> dict[str, object]:
    keyed: dict[str, object] = {}
    for port in dict.fromkeys(edge.target_port for edge in edges):
        mine = [edge.index for edge in edges if edge.target_port == port]
        came = [payloads[index] for index in mine if index in payloads]
        if came:
            keyed[port or DEFAULT_PORT] = came if len(mine) > 1 and not rule.lanes else came[0]
    return keyed
