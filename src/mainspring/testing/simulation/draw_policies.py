"""Draw what failures lead to into a drawn workflow: policies of nodes and of the whole, named ones, bounds, fallbacks."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from mainspring.definition.model import (
    Connection,
    FailurePolicy,
    FallbackAction,
    Node,
    Resilience,
    ResilienceSpec,
    StepPolicy,
    Workflow,
)
from mainspring.testing.simulation.draw_undo import everywhere, function, undo_block

POLICIES_SHARE = 0.4
FALLBACKS_SHARE = 0.35
"""So many of the workflows have policies, and fallbacks."""

POLICIES: tuple[FailurePolicy, ...] = ("continue", "fail_fast", "partial_success", "graceful_degradation")
TAGS = ("money", "mail")
TOLD = ({"why": "${ error.type }", "k": "${ input.k }"}, {"v": "${ nodes.n0.output.v }", "x": "${ 6 / (input.k - 2) }"})


def with_policies(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; a share of them has failure policies."""
    draw = random.random
    if draw() >= POLICIES_SHARE:
        return workflow
    nodes, connections = everywhere(
        workflow.nodes, workflow.connections, lambda nodes, edges: ([_ruled(random, one) for one in nodes], edges)
    )
    whole: Any = random.choice((None, *POLICIES, "partial_success"))
    return replace(
        workflow,
        nodes=tuple(nodes),
        connections=tuple(connections),
        failure_policy=whole,
        retry_budget=random.randrange(4) if draw() < 0.25 else None,
        resilience=_file(random) if draw() < 0.6 else None,
        **_bounds(random),
    )


def _ruled(random: Random, node: Node) -> Node:
    draw = random.random
    told: dict[str, Any] = {}
    if draw() < 0.25:
        told["failure_policy"] = random.choice(POLICIES)
    if draw() < 0.3:
        told["is_critical"] = draw() < 0.7
    if draw() < 0.2:
        told["failure_impact"] = random.choice(("critical", "major", "negligible"))
    if told:
        node = replace(node, resilience=replace(node.resilience or Resilience(), **told))
    return replace(node, tags=(random.choice(TAGS),)) if draw() < 0.3 else node


def _bounds(random: Random) -> dict[str, Any]:
    draw = random.random
    return {
        "max_partial_failures": random.randrange(4) if draw() < 0.3 else None,
        "critical_step_ratio": random.choice((0.0, 0.25, 0.5, 0.9)) if draw() < 0.3 else None,
        "termination_threshold": random.choice((0.1, 0.2, 0.3, 0.5)) if draw() < 0.3 else None,
    }


def _file(random: Random) -> ResilienceSpec:
    steps = {
        name: StepPolicy(
            match=random.choice((TAGS, TAGS[:1])) if name == "special" else (),
            failure_policy=random.choice((None, *POLICIES)),
            is_critical=random.choice((None, None, True, False)),
        )
        for name in random.sample(("special", "money", "mail"), random.choice((0, 1, 2, 2, 3)))
    }
    return ResilienceSpec(
        name=random.choice((None, "house-rules")),
        default_failure_policy=random.choice((None, *POLICIES)),
        retry_budget=random.choice((None, None, 2)),
        step_policies=steps,
        **_bounds(random),
    )


# --- fallbacks ------------------------------------------------------------------------------------------------------


def with_fallbacks(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; in a share of them something stands in for nodes that fail."""
    if random.random() >= FALLBACKS_SHARE:
        return workflow
    share = random.choice((0.3, 0.6, 1.0))
    nodes, connections = everywhere(
        workflow.nodes, workflow.connections, lambda nodes, edges: _standing_in(random, nodes, edges, share)
    )
    return replace(workflow, nodes=tuple(nodes), connections=tuple(connections))


def _standing_in(
    random: Random, nodes: list[Node], connections: list[Connection], share: float
) -> tuple[list[Node], list[Connection]]:
    those = [_fallback(random, f"f{number}") for number in range(random.randint(1, 2))]
    used: dict[str, Node] = {}
    made = []
    for node in nodes:
        if random.random() < share:
            if random.random() < 0.7:
                by = random.choice(those)
                used[by.id] = by
                node = replace(node, fallback_node_id=by.id)
            if random.random() < 0.5:
                actions = tuple(_action(random, index) for index in range(random.randint(1, 2)))
                node = replace(node, resilience=replace(node.resilience or Resilience(), fallback_actions=actions))
        made.append(node)
    return [*made, *used.values()], connections


def _fallback(random: Random, id: str) -> Node:
    some: dict[str, Any] = {"input": random.choice(TOLD)} if random.random() < 0.4 else {}
    kind = random.random()
    if kind < 0.1:
        return Node(id=id, type="delay", config={"duration": random.choice((0, 50, 400))}, **some)
    if kind < 0.3:
        return undo_block(random, id, some)
    return function(random, id, some)


def _action(random: Random, index: int) -> FallbackAction:
    traits: dict[str, Any] = {"fail": random.choice((0, 0.3, 1)), "ms": random.choice((0, 5, 40))}
    if random.random() < 0.4:
        traits["input"] = random.choice(TOLD)
    return FallbackAction(type=f"tasks:stand_in_{index}", config=traits)
