"""Limits as the modelled tasks see them: how many are at work at once, and what the locks let through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mainspring.graph.plan import Plan, PlanNode

if TYPE_CHECKING:
    from mainspring.testing.checking.space import Part


class Limits:
    """Counts who is at work. `began` says which limit that broke."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._at_work: dict[tuple[str, str], tuple[Plan, PlanNode]] = {}

    def began(self, workflow: str, instance: str, path: str, node: PlanNode | None) -> str | None:
        """A task began. Gives in words what it is too much for."""
        part = self._parts.get(workflow)
        if node is None or part is None:
            return None
        self._at_work[(instance, path)] = (part.plan, node)
        return self._instance(instance, part.plan) or self._node(node, part.plan) or self._quotas(instance, part.plan)

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
