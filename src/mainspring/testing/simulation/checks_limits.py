"""Limits as the auditor sees them: never more at once than there are places, and no place empty while somebody waits (72-76).

What a process had under way that is gone holds nothing: only attempts of the epoch that looks are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mainspring.definition.model import RateLimit, Resources
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

Key = tuple[Any, ...]
ROUNDED = 1e-6
UNITS = ("cpu", "memory", "io")


class Need(Struct, frozen=True):
    """So much of one limit, of so many. `what` is how a point calls it."""

    key: Key
    amount: float
    size: float
    what: str


class Holdings:
    """Who holds what, by what is durable: of each limit the attempts that run, with what they have of it, and their epoch.

    `left` says when somebody last gave something back, `starts` when those of a rate began, in the engine's milliseconds.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: dict[Key, dict[tuple[str, str], tuple[float, int]]] = {}
        self.left: dict[Key, float] = {}
        self.starts: dict[Key, list[int]] = {}
        self.last: dict[Key, float] = {}

    def total(self, key: Key, epoch: int) -> float:
        """How much of a limit is held in the process of this epoch."""
        return sum(amount for amount, held_by in self.held.get(key, {}).values() if held_by == epoch)

    # --- taking and giving back ---------------------------------------------------------------------------------------

    def take(self, scope: WatchedScope, id: str, node: WatchedNode) -> None:
        """An attempt has started: it holds all that it needs from here on."""
        points, who = self.world.points, (scope.whole.id, scope.path(id))
        node.holds = tuple(need.key for need in self.needs(scope, id))
        for need in self.needs(scope, id):
            self.held.setdefault(need.key, {})[who] = (need.amount, node.epoch)
            total = self.total(need.key, node.epoch)
            text = f"{id}: {total} of {need.what} are held at once, and there are {need.size}"
            scope.must(total <= need.size + ROUNDED, "limits hold", text)
            if total + ROUNDED >= need.size:
                points.hit(f"{need.what} is used up")
        rate = scope.graph.nodes[id].rate_limit
        if rate is not None:
            self._started(scope, id, rate)

    def _started(self, scope: WatchedScope, id: str, rate: RateLimit) -> None:
        """Over any time at most what fits in a burst, and what comes in that time: across restarts too."""
        key = ("rate", scope.graph, id)
        starts = self.starts.setdefault(key, [])
        starts.append(scope.whole.at)
        self.last[key] = self.world.scheduler.now
        if self.world.profile.jumps:
            return  # by a clock that jumps time itself is not what it was
        burst = max(1, int(rate.rate)) if rate.burst is None else rate.burst
        for place, begin in enumerate(starts):
            most = burst + (starts[-1] - begin) * rate.rate / rate.per
            count = len(starts) - place
            text = f"{id}: {count} starts in {starts[-1] - begin} ms, and {most:.2f} are right"
            scope.must(count <= most + ROUNDED, "rates hold", text)

    def unused(self, scope: WatchedScope, id: str) -> None:
        """The attempt could not begin, as its code is not there: its token is back."""
        starts = self.starts.get(("rate", scope.graph, id))
        if starts:
            starts.pop()

    def give_back(self, whole: str, path: str, node: WatchedNode) -> None:
        """An attempt is over."""
        for key in node.holds:
            self.held[key].pop((whole, path), None)
            self.left[key] = self.world.scheduler.now
        node.holds = ()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def all_taken(self, scope: WatchedScope, id: str, process: Process, long_ago: float) -> bool:
        """Whether one that is ready has a reason to wait: too little is free, or has been free only for a moment."""
        for need in self.needs(scope, id):
            if self.total(need.key, process.epoch) + need.amount > need.size + ROUNDED:
                return True
            if self.left.get(need.key, 0.0) >= long_ago:
                return True
        if scope.graph.nodes[id].circuit_breaker is not None:
            return True  # half open: others are tried first
        rate = scope.graph.nodes[id].rate_limit
        if rate is None:
            return False
        # While somebody waits, each token is taken as it comes: the next one is there an interval after the last start.
        last = max(self.last.get(("rate", scope.graph, id), 0.0), process.up_at, scope.nodes[id].since)
        self.world.points.hit("a token is waited for")
        return last + rate.per / rate.rate / 1000 >= long_ago

    def needs(self, scope: WatchedScope, id: str) -> Iterator[Need]:
        """What a node needs before it may start."""
        node, workflow, settings = scope.graph.nodes[id], scope.whole.graph.workflow, self.world.settings
        if node.type != "function":
            return
        if workflow.max_concurrency is not None:
            yield Need(("instance", scope.whole.id), 1, workflow.max_concurrency, "maxConcurrency")
        if node.max_concurrent_executions is not None:
            yield Need(("node", scope.graph, id), 1, node.max_concurrent_executions, "maxConcurrentExecutions")
        if node.pool is not None and node.pool in settings.pools:
            yield Need(("pool", node.pool), 1, settings.pools[node.pool], "a pool")
        for owner, quotas in ((scope.whole.id, workflow.quotas), ("", settings.quotas)):
            for what in UNITS:
                amount, size = _units(node.resources, what), _units(quotas, what)
                if amount and size:
                    yield Need((what, owner), amount, size, "units of an instance" if owner else "units of the engine")


def _units(resources: Resources | None, what: str) -> float:
    return 0.0 if resources is None else float(getattr(resources, what))


def nothing_leaks(world: World, process: Process) -> None:
    """All is over: nobody holds or waits for anything."""
    host = process.engine.host
    desks = (*host.limits.desks.values(), *host.breakers.desks())
    left = [
        str(one) for one in (*host.limits.gate.waiting, *(lease for desk in desks for lease in desk.limit.holders()))
    ]
    if left:
        world.fail("no place leaks", f"{process.name}: all is over, and there are {left[:3]}")
