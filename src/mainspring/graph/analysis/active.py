"""Which ways through the graph an instance took, or may still take, as far as its nodes' statuses tell.

A node that was skipped or cancelled takes no part. A connection is alive where its source may still end in a way that fires
it, or has ended so, and its target takes part. Where two connections lead into a node that runs, and conditions decided
which of them fired, statuses cannot tell which it was: both are counted as alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mainspring.graph.analysis import paths
from mainspring.graph.analysis.structure import Edge
from mainspring.graph.analysis.workflow_graph import Names, WorkflowGraph

DEAD = frozenset({"skipped", "cancelled"})
_FIRED_BY = {
    "completed": ("complete", "all"),
    "compensating": ("complete", "all"),
    "compensated": ("complete", "all"),
    "compensation_failed": ("complete", "all"),
    "failed": ("fail", "all"),
}


class ActiveConnection(NamedTuple):
    """A connection that is alive. `passed`: its source has ended; else it may still fire."""

    source: str
    target: str
    passed: bool


def active_connections(graph: WorkflowGraph, statuses: Mapping[str, str]) -> tuple[ActiveConnection, ...]:
    """The connections that are alive, in the order of the definition. A node without a status is pending."""
    names = graph.structure.names
    found = {}
    for edge in graph.structure.edges:
        if _alive(edge, names, statuses):
            source, target = names[edge.source], names[edge.target]
            found[source, target] = ActiveConnection(source, target, statuses.get(source) in _FIRED_BY)
    return tuple(found.values())


def active_paths(
    graph: WorkflowGraph, statuses: Mapping[str, str], *, limit: int = paths.paths_listed_max
) -> Iterator[Names]:
    """Paths that messages took or may still take, from a root to a leaf, or to where nothing fired; at most `limit`."""
    structure = graph.structure
    size = len(structure.names)
    after: list[list[int]] = [[] for _ in range(size)]
    before: list[list[int]] = [[] for _ in range(size)]
    for source, target, _ in active_connections(graph, statuses):
        after[structure.index[source]].append(structure.index[target])
        before[structure.index[target]].append(structure.index[source])
    live = [node for node in structure.on_graph if statuses.get(structure.names[node]) not in DEAD]
    ends = [node for node in live if not after[node]]
    roots = [node for node in live if not structure.before[node]]
    for path in paths.listed(roots, ends, after, before, limit):
        yield tuple(map(structure.names.__getitem__, path))


def _alive(edge: Edge, names: list[str], statuses: Mapping[str, str]) -> bool:
    if edge.helps:
        return False
    source, target = statuses.get(names[edge.source], "pending"), statuses.get(names[edge.target], "pending")
    if source in DEAD or target in DEAD:
        return False
    return source not in _FIRED_BY or edge.trigger in _FIRED_BY[source]
