"""Where a milestone stands (docs/semantics-blocks.md, "Stopping and milestones"), for the auditor."""

from __future__ import annotations

from mainspring.testing.simulation.watched_scope import WatchedScope

_FINAL = frozenset({"completed", "failed", "skipped", "cancelled"})


def port_of(scope: WatchedScope, id: str) -> str | None:
    """The port by which it leaves now; None: it waits."""
    config = scope.graph.nodes[id].config
    before, after = config.get("before"), config.get("after")
    if before is not None and scope.nodes[before].status not in ("pending", "skipped"):
        return "closed"
    if after is None or scope.nodes[after].status == "completed":
        return "open"
    return "closed" if scope.nodes[after].status in _FINAL else None
