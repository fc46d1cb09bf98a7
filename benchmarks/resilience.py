"""What resilience costs where nothing fails: policies, retries, fallbacks, undo nodes and breakers that are never needed."""

from __future__ import annotations

import mainspring as ms
from benchmarks.routing import LENGTH, overhead_of
from mainspring.definition.model import (
    CircuitBreaker,
    Connection,
    FallbackAction,
    Node,
    Resilience,
    Retry,
    Workflow,
)


@ms.task(name="bench_resilient")
async def resilient() -> dict[str, object]:
    """A step that costs nothing itself, and never fails."""
    return {"rows": 3}


POLICY: dict[str, object] = {
    "retry": Retry(max_attempts=5),
    "retry_budget": 20,
    "failure_policy": "partial_success",
    "max_partial_failures": 3,
    "termination_threshold": 0.5,
}
"""What the workflow says of failures."""


def chain(kind: str) -> Workflow:
    """A `plain` chain, or one with `policies` (retry, budget, policy, critical nodes), `fallbacks`, an undo node for each
    step (`saga`), all of these (`all`), or a breaker that all steps share (`breaker`)."""
    policies, fallbacks, saga = (kind in (one, "all") for one in ("policies", "fallbacks", "saga"))
    nodes: list[Node] = []
    for index in range(LENGTH):
        more: dict[str, object] = {}
        if policies or fallbacks:
            actions = (FallbackAction(type="bench_resilient"),) if fallbacks else ()
            critical = index % 2 == 0 if policies else None
            more["resilience"] = Resilience(is_critical=critical, fallback_actions=actions)
        if saga:
            more["compensation_node_id"] = f"u{index}"
        if kind == "breaker":
            more["circuit_breaker"] = CircuitBreaker(target="bench")
        step: dict[str, object] = {"type": "function", "config": {"handler": "bench_resilient"}, "input": {}}
        nodes.append(Node(id=f"n{index}", **step, **more))  # type: ignore[arg-type]
        if saga:
            nodes.append(Node(id=f"u{index}", **step))  # type: ignore[arg-type]
    edges = tuple(Connection(source=f"n{index}", target=f"n{index + 1}") for index in range(LENGTH - 1))
    said = POLICY if policies else {}
    return Workflow(id=f"resilience-{kind}", nodes=tuple(nodes), connections=edges, **said)  # type: ignore[arg-type]


def overhead(kind: str, pairs: int, count: int) -> dict[str, float]:
    """CPU per step with it against without, in interleaved pairs."""
    return overhead_of(chain("plain"), chain(kind), pairs, count)
