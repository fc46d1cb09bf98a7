"""Random checkpoint policies. What runs ahead holds limits that the auditor, who sees what is durable, does not know of."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from mainspring.definition.bodies import bodies
from mainspring.definition.model import Body, Checkpoint, Workflow

SHARE = 0.6
"""Of so many seeds the workflows run ahead, where none of them has limits, breakers, or work that ends its process."""


def with_checkpoints(random: Random, workflows: list[Workflow]) -> list[Workflow]:
    """The workflows of a seed with policies, or as they are."""
    if random.random() >= SHARE or any(_is_bound(one) for one in workflows):
        return workflows
    return [replace(one, checkpoint=_policy(random)) for one in workflows]


def _policy(random: Random) -> Checkpoint:
    kind = random.random()
    if kind < 0.5:
        return Checkpoint(policy="count", count=random.choice((2, 3, 7)))
    if kind < 0.8:
        return Checkpoint(policy="interval", interval=random.choice((20, 200, 2_000)))
    return Checkpoint(policy="manual")


def _is_bound(graph: Workflow | Body) -> bool:
    whole = isinstance(graph, Workflow) and (graph.max_concurrency or graph.quotas)
    return bool(whole) or any(
        node.max_concurrent_executions
        or node.circuit_breaker
        or node.rate_limit
        or node.resources
        or node.pool
        or node.adaptive
        or "kills" in node.config
        or any(_is_bound(body) for _, body in bodies(node))
        for node in graph.nodes
    )
