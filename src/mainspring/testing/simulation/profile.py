"""What a seed draws before anything runs: bounds small enough that everything happens, and how much harm is done."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition.model import Resources, Workflow
from mainspring.engine.settings import EngineSettings
from mainspring.testing.simulation.draw_ahead import with_checkpoints
from mainspring.testing.simulation.draw_blocks import with_blocks
from mainspring.testing.simulation.draw_letters import with_killers
from mainspring.testing.simulation.draw_limits import draw_pools, with_breakers, with_calls, with_limits
from mainspring.testing.simulation.draw_policies import with_fallbacks, with_policies
from mainspring.testing.simulation.draw_reruns import with_reruns
from mainspring.testing.simulation.draw_undo import with_undo
from mainspring.testing.simulation.workflows import draw_workflow


class Order(Struct, eq=False):
    """Somebody wants an instance. `times`: so often at once, with one key."""

    workflow: Workflow
    input: Any
    key: str | None
    at: float
    times: int = 1
    follow: bool = True
    id: str = ""
    process: Any = None
    placed_at: float = 0.0


class Profile(Struct, frozen=True):
    """A run's shape. `harm` scales the faults at the store, `events` counts those from outside, times are seconds.

    `bodies_per_turn`: so many bodies of blocks begin in one turn at most. `left_max`: with so many not undone a saga ends.
    """

    sqlite: bool
    harm: float
    latency: float
    faults_until: float
    events: int
    jumps: bool
    settings: EngineSettings
    orders: list[Order]
    bodies_per_turn: int
    left_max: int


def draw_profile(seed: int | str) -> Profile:
    """All of it, from the seed."""
    random = Random(f"{seed}/profile")
    draw = random.random
    faults_until = random.choice((3.0, 6.0, 10.0))
    settings = EngineSettings(
        lease_ms=random.choice((900, 1_500, 3_000)),
        snapshot_turns_min=random.choice((1, 2, 3, 3, 8)),
        group_turns_max=random.choice((1, 2, 5, 2_000)),
        drain_inputs_max=random.randrange(1, 6),
        drain_orders_max=Random(f"{seed}/orders").choice((1, 2, 5, 32)),
        claim_max=random.choice((1, 2, 500)),
        sleep_after_ms=random.choice((100, 300, 1_000)),
        shutdown_ms=random.choice((200, 10_000)),
        store_retry_ms_max=200,
    )
    workflows = [draw_workflow(random, number) for number in range(random.randrange(1, 3))]
    blocks = Random(f"{seed}/draw")
    workflows = [with_blocks(blocks, workflow) for workflow in workflows]
    failing = Random(f"{seed}/failures")
    workflows = [with_undo(failing, workflow) for workflow in workflows]
    workflows = [with_fallbacks(failing, with_policies(failing, workflow)) for workflow in workflows]
    limits = Random(f"{seed}/limits")
    workflows = [with_limits(limits, workflow) for workflow in workflows]
    breakers = Random(f"{seed}/breakers")
    workflows = [with_breakers(breakers, workflow) for workflow in workflows]
    deadly = Random(f"{seed}/letters")
    workflows = [with_killers(deadly, workflow) for workflow in workflows]
    calls = Random(f"{seed}/calls")
    workflows = [with_calls(calls, workflow) for workflow in workflows]
    reruns = Random(f"{seed}/reruns")
    workflows = [with_reruns(reruns, workflow, number) for number, workflow in enumerate(workflows)]
    workflows = with_checkpoints(Random(f"{seed}/ahead"), workflows)
    settings = replace(
        settings,
        compensation_page=failing.choice((1, 2, 3, 500)),
        pools=draw_pools(limits),
        quotas=Resources(cpu=limits.choice((2, 3.5))) if limits.random() < 0.5 else None,
    )
    orders = []
    for number in range(random.randrange(1, 9)):
        key = f"k{number}" if draw() < 0.85 else None
        times = 2 if key is not None and draw() < 0.15 else 1
        at = draw() * faults_until * 0.6 if draw() < 0.7 else 0.0
        orders.append(Order(random.choice(workflows), {"k": random.randrange(6)}, key, at, times, draw() < 0.5))
    return Profile(
        sqlite=draw() < 0.1,
        harm=random.choice((0, 0.3, 1, 1, 2, 3)),
        latency=random.choice((0.0, 0.3, 1.0)),
        faults_until=faults_until,
        events=random.choice((0, 1, 3, 6, 10)),
        jumps=draw() < 0.3,
        settings=settings,
        orders=orders,
        bodies_per_turn=blocks.choice((1, 2, 3, 100)),
        left_max=failing.choice((1, 2, 1_000, 1_000)),
    )
