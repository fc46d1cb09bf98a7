"""Draw joins onto a drawn graph, so that it stays one that may be run (SEMANTICS 15 to 17)."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from mainspring.definition.model import Connection, Join, Node
from mainspring.testing.simulation.joins import runs_at_most

RUNS_MAX = 6
"""How often a drawn node can run at most: enough for everything to happen, and no more to wait for."""

TARGET_PORTS = ("a", "b", None)


class Joiner:
    """Goes through the nodes in their order, in which every source comes before its targets."""

    def __init__(self, random: Random, connections: list[Connection], share: float) -> None:
        self._random = random
        self._share = share
        self.connections = connections
        self._most: dict[str, int] = {}

    def joined(self, node: Node, kind: str | None = None) -> Node:
        """The node with a join, drawn or of this `kind`; what it cannot join is left out of its connections."""
        mine = [one for one in self.connections if one.target == node.id]
        if any(self._most[source] > 1 for source in self._sources(node, mine)):
            node, mine = self._after_repeating(node, mine)
        elif mine or node.depends_on:
            node, mine = self._any_of_all(node, mine, kind)
        others = [one for one in self.connections if one.target != node.id]
        self.connections = [*others, *mine]
        self._most[node.id] = self._count(node, mine)
        return node

    def _sources(self, node: Node, mine: list[Connection]) -> list[str]:
        return [*(one.source for one in mine), *node.depends_on]

    def _count(self, node: Node, mine: list[Connection]) -> int:
        brought = [(self._most[one.source], one.target_port) for one in mine]
        brought += [(self._most[source], None) for source in node.depends_on]
        return runs_at_most("all" if node.join is None else node.join.kind, brought)

    def _after_repeating(self, node: Node, mine: list[Connection]) -> tuple[Node, list[Connection]]:
        """Only one connection, or `each`."""
        kind = self._random.choice(("each", "each", "all"))
        node = replace(node, join=Join(kind=kind, capacity=self._capacity()))  # type: ignore[arg-type]
        most = sum(self._most[source] for source in self._sources(node, mine))
        if kind == "each" and most <= RUNS_MAX:
            return node, mine
        if mine:
            return replace(node, depends_on=()), mine[:1]
        return replace(node, depends_on=node.depends_on[:1]), mine

    def _any_of_all(self, node: Node, mine: list[Connection], kind: str | None) -> tuple[Node, list[Connection]]:
        draw = self._random.random
        alone = len(mine) + len(node.depends_on) == 1
        if kind is None and draw() >= (self._share / 3 if alone else self._share):
            return node, mine
        kinds = ["any", "any", "n", "n", "each", "each", "each", "all", *(["ports", "ports"] if mine else [])]
        kind = kind or self._random.choice(kinds)
        if kind == "ports" or (kind in ("all", "n") and draw() < 0.4):
            mine = self._with_ports(mine, need_one=kind == "ports")
        distinct = len(set(self._sources(node, mine)))
        join = Join(
            kind=kind,  # type: ignore[arg-type]
            n=self._random.randrange(1, distinct + 1) if kind == "n" else None,
            cancel_others=kind in ("any", "n") and draw() < 0.6,
            capacity=self._capacity() if kind in ("each", "ports") else None,
        )
        return replace(node, join=join), mine

    def _with_ports(self, mine: list[Connection], need_one: bool) -> list[Connection]:
        """Two connections from one source share a port: else the two ports might never be served together."""
        by_source: dict[str, str | None] = {}
        for one in mine:
            by_source.setdefault(one.source, self._random.choice(TARGET_PORTS))
        if need_one and mine:
            by_source[mine[0].source] = TARGET_PORTS[0]
        return [replace(one, target_port=by_source[one.source]) for one in mine]

    def _capacity(self) -> int | None:
        return self._random.choice((None, None, 1, 2, 4))
