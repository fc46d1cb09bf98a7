"""Draw limits into a drawn workflow: pools, rates, units, places of a node and of an instance, priorities."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from mainspring.definition.model import CircuitBreaker, Node, RateLimit, Resources, Retry, Workflow
from mainspring.testing.simulation.draw_undo import everywhere

SHARE = 0.35
"""So many of the workflows have limits."""

ABSENT = "nowhere"
"""A pool that no engine has."""

UNITS = 2.0


def draw_pools(random: Random) -> dict[str, int]:
    """The pools of the engine."""
    return {"small": random.randint(1, 2), "large": random.randint(2, 4)}


def with_limits(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; a share of them has limits."""
    draw = random.random
    if draw() >= SHARE:
        return workflow
    share = random.choice((0.2, 0.5, 0.9))
    nodes, connections = everywhere(
        workflow.nodes,
        workflow.connections,
        lambda nodes, edges: ([_limited(random, one, share) for one in nodes], edges),
    )
    return replace(
        workflow,
        nodes=tuple(nodes),
        connections=tuple(connections),
        max_concurrency=random.randint(1, 3) if draw() < 0.3 else None,
        quotas=Resources(cpu=UNITS, io=1.0) if draw() < 0.3 else None,
    )


BREAKERS = (
    CircuitBreaker(target="pay", minimum_throughput=3, open_for=400, half_open_successes=1),
    CircuitBreaker(target="mail", minimum_throughput=4, failure_threshold=0.25, open_for=1_500, half_open_successes=2),
    CircuitBreaker(target="ship", minimum_throughput=3, open_for=200, half_open_successes=2, canary=True, window=6),
    CircuitBreaker(minimum_throughput=2, open_for=800, half_open_successes=1, window_time=3_000),
)


def with_breakers(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; in a share of them breakers stand before what nodes call."""
    if random.random() >= SHARE:
        return workflow
    share = random.choice((0.3, 0.9))

    def guarded(node: Node) -> Node:
        if node.type != "function" or random.random() >= share:
            return node
        made: Node = replace(node, circuit_breaker=random.choice(BREAKERS))
        return made

    nodes, connections = everywhere(
        workflow.nodes, workflow.connections, lambda nodes, edges: ([guarded(one) for one in nodes], edges)
    )
    return replace(workflow, nodes=tuple(nodes), connections=tuple(connections))


CALLS = (
    CircuitBreaker(target="slow", minimum_throughput=3, open_for=300, half_open_successes=2, slow_call=60, window=8),
    CircuitBreaker(
        target="late",
        minimum_throughput=3,
        failure_threshold=0.8,
        open_for=300,
        half_open_successes=1,
        slow_call=60,
        slow_call_threshold=0.5,
    ),
    CircuitBreaker(
        target="tired", minimum_throughput=3, failure_threshold=1.0, open_for=300, retry_ratio=0.4, window=6
    ),
    CircuitBreaker(target="weary", minimum_throughput=6, failure_threshold=1.0, open_for=500, retry_ratio=0.25),
)
"""Targets that may be slow, and targets that all who call them share a budget of retries of."""

CALLS_SHARE = 0.3


def with_calls(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; in a share of them nodes call targets that count what is slow, or have a budget of retries."""
    if random.random() >= CALLS_SHARE:
        return workflow
    share, told = random.choice((0.4, 0.9)), random.choice(CALLS)

    def calling(node: Node) -> Node:
        if node.type != "function" or node.circuit_breaker is not None or random.random() >= share:
            return node
        traits: dict[str, Any] = {"ms": random.choice((5, 40, 40, 200))}
        some: dict[str, Any] = {}
        if told.retry_ratio is not None and random.random() < 0.7:
            traits["fail"] = random.choice((0.2, 0.5, 0.5))
            some["retry"] = Retry(
                strategy="fixed", max_attempts=random.randint(2, 5), initial_delay=random.choice((5, 40)), jitter=0.0
            )
        made: Node = replace(node, circuit_breaker=told, config={**node.config, **traits}, **some)
        return made

    nodes, connections = everywhere(
        workflow.nodes, workflow.connections, lambda nodes, edges: ([calling(one) for one in nodes], edges)
    )
    return replace(workflow, nodes=tuple(nodes), connections=tuple(connections))


def _limited(random: Random, node: Node, share: float) -> Node:
    draw = random.random
    if node.type != "function" or draw() >= share:
        return node
    told: dict[str, Any] = {}
    if draw() < 0.5:
        told["pool"] = ABSENT if draw() < 0.02 else random.choice(("small", "large"))
    if draw() < 0.25:
        told["rate_limit"] = RateLimit(
            rate=random.choice((1, 2, 5)), per=random.choice((100, 400)), burst=random.choice((None, 1, 2))
        )
    if draw() < 0.25:
        told["resources"] = Resources(cpu=random.choice((0.5, 1.0, 1.5)), io=random.choice((0, 0.25, 1.0)))
    if draw() < 0.25:
        told["max_concurrent_executions"] = random.randint(1, 3)
    if draw() < 0.4:
        told["priority"] = random.choice(("high", "normal", "low"))
    limited: Node = replace(node, **told)
    return limited
