"""Breaker, retries, their budget and a fallback together, on the engine in virtual time, in whatever order things happen.

The target is up or down, fast or slow; instances come, are cancelled, the engine is stopped or killed, somebody opens and
closes by hand. Whatever happens: nobody calls while it is open, trials are no more than allowed, what was retried is within
the budget, and every instance ends as its calls and refusals say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mainspring as ms
from mainspring.definition.model import CircuitBreaker, Retry
from mainspring.engine.engine import Engine
from mainspring.errors import CommandRefused
from mainspring.journal.store import Store
from mainspring.limits.breaker import Transition
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

WORLD: list[World] = []
BREAKER = CircuitBreaker(
    target="t", minimum_throughput=3, window=6, open_for=500, half_open_successes=2, canary=True, retry_ratio=0.4
)
FLOW = workflow(
    node(
        "call",
        "bm_call",
        circuit_breaker=BREAKER,
        fallback_node_id="instead",
        retry=Retry(max_attempts=3, initial_delay=50),
    ),
    node("instead", "bm_instead", input={"error": "${ error }"}),
)


class World:
    """The target, and what was seen of it."""

    def __init__(self) -> None:
        self.up, self.takes = True, 0.0
        self.state = "closed"
        self.phase = 0
        self.since = 0.0
        self.under_way: dict[object, int] = {}
        self.starts: list[bool] = []
        self.retries: dict[str, int] = {}
        self.faults: list[str] = []

    def went(self, target: str, transition: Transition) -> None:
        if transition.before != self.state:
            self.faults.append(f"from {transition.before}, being {self.state}")
        self.state = transition.after
        self.since = asyncio.get_running_loop().time()
        self.phase += 1

    def begins(self, ctx: ms.TaskContext) -> object:
        """A call is made: the state says whether it may be."""
        call = object()
        self.under_way[call] = self.phase
        # What was let through just before it opened begins once that is durable, in the same moment.
        if self.state in ("open", "forced_open") and asyncio.get_running_loop().time() > self.since:
            self.faults.append(f"a call while {self.state}")
        trials = sum(1 for phase in self.under_way.values() if phase == self.phase)
        if self.state == "half_open" and trials > BREAKER.half_open_successes:
            self.faults.append(f"{trials} trials")
        return call


@ms.task(name="bm_call")
async def call(ctx: ms.TaskContext) -> str:
    world = WORLD[-1]
    made = world.begins(ctx)
    try:
        if world.takes:
            await asyncio.sleep(world.takes)
        if not world.up:
            raise ConnectionError("down")
        return "called"
    finally:
        world.under_way.pop(made, None)


@ms.task(name="bm_instead")
async def instead(error: Any) -> str:
    return str(error["type"])


STEPS = st.one_of(
    st.tuples(st.just("start"), st.integers(1, 6)),
    st.tuples(st.just("start"), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 60, 200, 499, 500, 2_000])),
    st.tuples(st.just("target"), st.sampled_from([(True, 0.0), (False, 0.0), (True, 0.1), (False, 0.1)])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("hand"), st.booleans()),
    st.tuples(st.just("restart"), st.booleans()),
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=25))
def test_whatever_happens(steps: list[tuple[str, Any]]) -> None:
    async def test(new: Callable[[Store], Engine]) -> None:
        world, store = World(), MemoryStore()
        WORLD.append(world)
        engine = await new(store).__aenter__()
        engine.watch_breakers(world.went)
        runs: list[str] = []
        for what, how in steps:
            if what == "start":
                runs += [(await engine.start(FLOW)).id for _ in range(how)]
            elif what == "wait":
                await asyncio.sleep(how / 1000)
            elif what == "target":
                world.up, world.takes = how
            elif what == "cancel" and how < len(runs):
                try:
                    await engine.cancel(runs[-1 - how])
                except CommandRefused:
                    pass
            elif what == "hand":
                await (engine.close_breaker("t") if how else engine.open_breaker("t"))
            elif what == "restart":
                await (engine.__aexit__(None, None, None) if how else engine.host.kill(release=True))
                world.under_way.clear()
                engine = await new(store).__aenter__()
                [world.state] = [one.state for one in engine.breakers()] or ["closed"]
                world.phase += 1
                engine.watch_breakers(world.went)
            refused = world.state in ("open", "forced_open")
            # One that was let through before, in a turn that is not durable yet, begins after.
            let_in = max(len(world.under_way), sum(one.active for one in engine.breakers()))
            await asyncio.sleep(0)
            if refused and world.state in ("open", "forced_open") and len(world.under_way) > let_in:
                world.faults.append(f"a call while {world.state}")
        world.up, world.takes = True, 0.0
        await engine.close_breaker("t")
        for id in runs:
            result = await asyncio.wait_for(engine.wait(id), 3_600)
            assert result.status in ("completed", "cancelled")
            if result.status == "completed":
                assert result.output in ("called", "CircuitOpen", "ConnectionError", "RetryBudgetSpent")
        [one] = engine.breakers()
        assert (one.active, one.waiting) == (0, 0)
        assert not [left for left in engine.host.limits.standings() if left.active or left.queued]
        assert world.faults == []
        await engine.__aexit__(None, None, None)

    virtually(test)
