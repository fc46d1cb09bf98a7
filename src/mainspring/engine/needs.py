"""What a node needs of limits before it starts, by its definition: the desks that have it, in the order of asking."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial

from mainspring.definition.model import CircuitBreaker, Workflow
from mainspring.engine import limit_names
from mainspring.engine.settings import EngineSettings
from mainspring.graph.plan import PlanNode
from mainspring.limits.adaptive import Adaptive
from mainspring.limits.bucket import Bucket
from mainspring.limits.fair import PRIORITIES
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Need
from mainspring.limits.limit import Limit
from mainspring.limits.pool import UNIT, Absent, Pool, Units

ADAPTIVE_MAX = 100
"""How many of an adaptive node run at once at most, where its definition does not say."""


class Sort:
    """Nodes that need the same, but for the limits of their instances."""

    __slots__ = ("family", "resources")

    def __init__(self, gate: Gate, node: PlanNode, workflow: Workflow, shared: tuple[Need, ...]) -> None:
        self.family = gate.family(PRIORITIES[node.definition.priority or "normal"], workflow.id, shared)
        self.resources = limit_names.amounts(node.definition.resources)


class Needs:
    """`breaker` gives what a call of a target needs, and what a retry of it needs too; `empty_at` when a bucket was empty.

    `sorts` has what is known of nodes by now, `desks` all limits that are shared, by their names.
    """

    def __init__(
        self,
        gate: Gate,
        settings: EngineSettings,
        breaker: Callable[[CircuitBreaker, str], tuple[Need, Need]],
        empty_at: Callable[[], int | None],
    ) -> None:
        self._gate = gate
        self._settings = settings
        self._breaker = breaker
        self._empty_at = empty_at
        self.sorts: dict[PlanNode, Sort] = {}
        self.desks: dict[str, Desk] = {}
        self._by_try: dict[PlanNode, tuple[Sort, Sort]] = {}
        self._alike: dict[Hashable, Sort] = {}

    def sort_of(self, node: PlanNode, workflow: Workflow, failed: Callable[[], bool]) -> Sort:
        """What the node needs. Where retries have a budget of their target's, it is asked whether it has failed before."""
        found = self.sorts.get(node)
        if found is not None:
            return found
        told = node.definition.circuit_breaker
        if told is None or told.retry_ratio is None:
            found = self.sorts[node] = self._sort(node, workflow, tuple(self._shared_needs(node, workflow.id)))
            return found
        by_try = self._by_try.get(node)
        if by_try is None:
            shared = tuple(self._shared_needs(node, workflow.id))
            call, budget = self._breaker(told, f"{node.place} of {workflow.id}")
            after = shared.index(call) + 1  # a retry is marked as one right after the call
            again = (*shared[:after], budget, *shared[after:])
            by_try = self._by_try[node] = self._sort(node, workflow, shared), self._sort(node, workflow, again)
        return by_try[failed()]

    def _sort(self, node: PlanNode, workflow: Workflow, shared: tuple[Need, ...]) -> Sort:
        definition = node.definition
        own = workflow.id, workflow.max_concurrency is not None, workflow.quotas
        alike = own, definition.priority, shared, definition.resources
        found = self._alike.get(alike)
        if found is None:
            found = self._alike[alike] = Sort(self._gate, node, workflow, shared)
        return found

    def _shared_needs(self, node: PlanNode, workflow: str) -> Iterable[Need]:
        definition = node.definition
        most, rate = definition.max_concurrent_executions, definition.rate_limit
        name = limit_names.of_node(node, workflow)
        sizes = limit_names.amounts(self._settings.quotas)
        if definition.adaptive:
            yield (
                self._desk(name, lambda key: Adaptive(key, most or ADAPTIVE_MAX), most or ADAPTIVE_MAX),
                1,
            )
        elif most is not None:
            yield self._desk(name, lambda key: Pool(key, most), most), 1
        if definition.pool is not None:
            yield self._pool(definition.pool), 1
        for what, amount in limit_names.amounts(definition.resources).items():
            if what in sizes:
                yield (
                    self._desk(limit_names.of_units(what, limit_names.OF_THE_ENGINE), partial(Units, size=sizes[what])),
                    round(amount * UNIT),
                )
        if definition.circuit_breaker is not None:
            yield self._breaker(definition.circuit_breaker, f"{node.place} of {workflow}")[0]
        if rate is not None:  # the last one: what is looked at after a token would have to give it back
            desk = self._desk(
                limit_names.of_rate(node, workflow),
                lambda key: Bucket(key, rate.rate, rate.per, rate.burst, self._empty_at()),
            )
            assert isinstance(desk.limit, Bucket)
            desk.limit.resize(rate.rate, rate.per, rate.burst)
            yield desk, 1

    def _pool(self, name: str) -> Desk:
        pools = self._settings.pools
        if name in pools:
            return self._desk(limit_names.of_pool(name), lambda key: Pool(key, pools[name]))
        there_are = ", ".join(sorted(pools)) or "none"
        what = f"this engine has no pool {name} (it has: {there_are}); its size is a setting: pools, or --pool {name}=N"
        return self._desk(limit_names.of_pool(name), lambda key: Absent(key, what))

    def _desk(self, key: str, make: Callable[[str], Limit], size: int | None = None) -> Desk:
        """The one desk of that name. What a later version of a workflow says of its size holds from then on."""
        desk = self.desks.get(key)
        if desk is None:
            desk = self.desks[key] = Desk(make(key))
        elif size is not None and isinstance(desk.limit, Pool):
            desk.limit.resize(size)
        return desk
