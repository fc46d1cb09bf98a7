"""Breakers as the auditor sees them: who is refused has a reason, and while a breaker is open nobody gets through (79-81).

When it opened is told by each refusal (`until`). What was let through before that may begin its work later.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.definition.model import CircuitBreaker
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World

OPEN = "CircuitOpen"


class Calls:
    """`failed` counts the attempts that failed (or were slow) at each target, `shut` has from when to when it was open in an
    epoch, `made` when which calls were let through in one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.failed: Counter[Any] = Counter()
        self.shut: dict[Any, set[tuple[int, int]]] = {}
        self.made: dict[Any, set[int]] = {}

    def fails(self, scope: WatchedScope, id: str) -> None:
        """An attempt that was made has failed, or was slow."""
        told = scope.graph.nodes[id].circuit_breaker
        if told is not None:
            self.failed[_target(scope, id, told)] += 1

    def began(self, scope: WatchedScope, id: str, node: WatchedNode) -> None:
        """A call is made: not while the breaker was open when it was let through."""
        told = scope.graph.nodes[id].circuit_breaker
        if told is not None:
            key = (_target(scope, id, told), node.epoch)
            self.made.setdefault(key, set()).add(node.started_at)
            self._look(scope, key)

    def refused(self, scope: WatchedScope, id: str, event: Any) -> int | None:
        """A call was refused; gives when to come again, where that is known."""
        told = scope.graph.nodes[id].circuit_breaker
        if told is None:
            scope.must(False, "failures have a cause", f"{id} has no breaker, and is refused by one")
            return None
        target = _target(scope, id, told)
        share = min(told.failure_threshold, told.slow_call_threshold or 1.0)
        least = math.ceil(share * told.minimum_throughput)
        text = f"{id} is refused, and {self.failed[target]} of {target} have failed"
        scope.must(self.failed[target] >= least, "failures have a cause", text)
        self.world.points.hit("a breaker refuses")
        until: int | None = msgspec.json.decode(event.error.context)["until"]
        if until is not None:
            key = (target, scope.whole.epoch)
            self.shut.setdefault(key, set()).add((until - told.open_for, until))
            self._look(scope, key)
        return until

    def _look(self, scope: WatchedScope, key: Any) -> None:
        if self.world.profile.jumps:
            return
        for opened, until in self.shut.get(key, ()):
            through = [at for at in self.made.get(key, ()) if opened < at < until]
            text = f"{key[0]} is open from {opened} to {until}, and calls were let through at {through}"
            scope.must(not through, "open is open", text)


def _target(scope: WatchedScope, id: str, told: CircuitBreaker) -> Any:
    return told.target if told.target is not None else (scope.graph, id)
