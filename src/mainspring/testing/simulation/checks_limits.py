"""Limits as the auditor sees them: never more at once than there are places, and no place empty while somebody waits (73).

What a process had under way that is gone holds nothing: only attempts of the epoch that looks are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.audit import Audit


def places_of(scope: WatchedScope, id: str) -> int | None:
    """How many of a node may run at once, over all instances (None: as many as like)."""
    return scope.graph.nodes[id].max_concurrent_executions


def place_taken(audit: Audit, scope: WatchedScope, id: str) -> None:
    """A node with a limit has started."""
    places = places_of(scope, id)
    if places is not None:
        holding = sum(1 for node in _of_the_same(audit, scope, id) if holds(node, scope.whole.epoch))
        scope.must(holding <= places, "limits hold", f"{id}: {holding} run at once, and there are {places} places")
        if holding == places:
            audit.world.points.hit("limit is reached")


def all_taken(audit: Audit, scope: WatchedScope, id: str, epoch: int, long_ago: float) -> bool:
    """Whether one that is ready has a reason to wait: no place is free, or one has been free only for a moment."""
    places = places_of(scope, id)
    if places is None:
        return False
    same = list(_of_the_same(audit, scope, id))
    # One that runs again gives its place back, and is ready, in one turn.
    moved = any(node.since >= long_ago and (node.status != "ready" or node.ends) for node in same)
    return moved or sum(1 for node in same if holds(node, epoch)) >= places


def holds(node: WatchedNode, epoch: int) -> bool:
    """Whether the node has a place in the process of this epoch."""
    return node.status == "running" and node.epoch == epoch


def _of_the_same(audit: Audit, scope: WatchedScope, id: str) -> Iterator[WatchedNode]:
    for watched in audit.instances.values():
        if watched.graph is scope.whole.graph:
            for other in watched.scopes.values():
                if other.graph is scope.graph:
                    yield other.nodes[id]
