"""Limits as the modelled tasks see them: how many are at work at once, and what the locks let through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mainspring.graph.plan import Plan, PlanNode

if TYPE_CHECKING:
    from mainspring.testing.checking.space import Part


class Limits:
    """Counts who is at work, and who began when. `began` says which limit that broke."""

    def __init__(self, parts: Mapping[str, Part], pools: Mapping[str, int]) -> None:
        self._parts = parts
        self._pools = pools
        self._starts: dict[tuple[int, str], list[int]] = {}
        self._at_work: dict[tuple[str, str], tuple[Plan, PlanNode]] = {}

    def began(self, workflow: str, instance: str, path: str, node: PlanNode | None, at: int) -> str | None:
        """A task began, at this time (ms). Gives in words what it is too much for."""
        part = self._parts.get(workflow)
        if node is None or part is None:
            return None
        self._at_work[(instance, path)] = (part.plan, node)
        return (
            self._instance(instance, part.plan)
            or self._node(node, part.plan)
            or self._pool(node)
            or self._quotas(instance, part.plan)
            or self._rate(node, part.plan, at)
        )

    def left(self, instance: str, path: str) -> None:
        """A task is at its end, whichever."""
        self._at_work.pop((instance, path), None)

    def all_gone(self) -> None:
        """The process died, and all tasks with it."""
        self._at_work.clear()

    def _instance(self, instance: str, plan: Plan) -> str | None:
        bound = plan.workflow.max_concurrency
        mine = sorted(path for one, path in self._at_work if one == instance)
        if bound is None or len(mine) <= bound:
            return None
        return f"{', '.join(mine)} are at work at once, and maxConcurrency is {bound}"

    def _node(self, node: PlanNode, plan: Plan) -> str | None:
        bound = node.definition.max_concurrent_executions
        if bound is None:
            return None
        mine = sorted(
            f"{path} of {instance}"
            for (instance, path), (of, other) in self._at_work.items()
            if of is plan and other.place == node.place
        )
        if len(mine) <= bound:
            return None
        return f"{', '.join(mine)} are at work at once, and maxConcurrentExecutions is {bound}"

    def _pool(self, node: PlanNode) -> str | None:
        pool = node.definition.pool
        if pool is None:
            return None
        mine = sorted(
            f"{path} of {instance}"
            for (instance, path), (_, other) in self._at_work.items()
            if other.definition.pool == pool
        )
        size = self._pools[pool]
        return None if len(mine) <= size else f"{', '.join(mine)} are at work at once, and the pool {pool} has {size}"

    def _rate(self, node: PlanNode, plan: Plan, at: int) -> str | None:
        """More starts in any time up to now than a bucket can have given that was full at the beginning of it."""
        rate = node.definition.rate_limit
        if rate is None:
            return None
        starts = self._starts.setdefault((id(plan), node.place), [])
        starts.append(at)
        burst = max(1, int(rate.rate)) if rate.burst is None else rate.burst
        for before, since in enumerate(starts):
            count = len(starts) - before
            if count > burst + (at - since) * rate.rate / rate.per:
                return f"{node.place} began {count} times in {at - since} ms, and rateLimit is {rate.rate:g} in {rate.per} ms"
        return None

    def _quotas(self, instance: str, plan: Plan) -> str | None:
        quotas = plan.workflow.quotas
        if quotas is None:
            return None
        held = [node.definition.resources for (one, _), (_, node) in self._at_work.items() if one == instance]
        for unit in ("cpu", "memory", "io"):
            bound = getattr(quotas, unit)
            taken = sum(getattr(one, unit) for one in held if one is not None)
            if bound and taken > bound:
                return f"the tasks at work hold {taken:g} units of {unit}, and the quota is {bound:g}"
        return None
