"""What stands in for a node that failed for good, as the auditor follows it: one after the other (SEMANTICS 56 to 58)."""

from __future__ import annotations

from typing import Any

from mainspring.testing.simulation.watched_block import End, WatchedBlock
from mainspring.testing.simulation.watched_scope import WatchedScope


class WatchedFallback(WatchedBlock):
    """A node that is falling back. `decided` counts the fallbacks that were decided for.

    `failed` is the error of the last one that failed: then the next must be decided for at once, or the node fails.
    """

    def __init__(self, scope: WatchedScope, id: str) -> None:
        super().__init__(scope, id, scope.graph.fallbacks[id])
        self.kind = "fallback"
        self.config = {}
        self.first = scope.nodes[id].bodies
        self.decided = 0
        self.failed: Any = None

    @property
    def bound(self) -> int:
        """One at a time."""
        return 1

    @property
    def keeps(self) -> bool:
        """Its output is that of one body."""
        return False

    def may_begin(self) -> bool:
        """Whether one is decided for and has not begun."""
        return self.end is None and not self.open and self.begun < self.decided

    def begin(self) -> WatchedScope:
        """The next fallback: its input is the owner's."""
        index = self.begun
        self.begun += 1
        body = WatchedScope(self.scope.whole, self.graphs[index], self, index)
        body.input = self.scope.input_of(self.id)
        self.open[index] = body
        self.ticks += 1
        self.spans[index] = (self.ticks, 2**62)
        return body

    def next(self) -> End | None:
        """How it must end now."""
        return self.end

    def _after(self, body: WatchedScope, status: str, output: Any) -> End | None:
        if status == "completed":
            return End(output)
        self.failed = self.errors[body.index]
        if self.begun < len(self.graphs):
            return None
        return End(error=self.scope.nodes[self.id].error)
