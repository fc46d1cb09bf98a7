"""The wall clock is set forward or back by hours while an engine runs: its own waits are by a clock that nobody sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

import mainspring as ms
from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.engine.timers import CLOCK_CHECK_MS
from mainspring.errors import NotOwner
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.testing.running import _Clock, _Loop, _Outside
from tests.engine.conftest import node, workflow

T = TypeVar("T")

HOUR = 3_600_000
LEASE_MS = 15_000
RAN: list[str] = []


@ms.task(name="jump_step")
async def step(ctx: ms.TaskContext) -> None:
    RAN.append(ctx.idempotency_key)


@ms.task(name="jump_hold")
async def hold(ctx: ms.TaskContext) -> str:
    RAN.append(ctx.idempotency_key)
    await asyncio.sleep(60)
    return "held"


DELAY = workflow(
    node("d", type="delay", config={"duration": "1h"}), node("a", "jump_step", "d"), id="delay"
)  # due an hour after its start


class Wall(_Clock):
    """The time on the wall, in milliseconds: `offset` is by how much somebody has set it."""

    steady = False

    def __init__(self, outside: _Outside) -> None:
        super().__init__(outside, 0)
        self.offset = 0

    def now(self) -> int:
        return super().now() + self.offset


def virtually(test: Callable[[Wall, Callable[..., Engine]], Awaitable[T]]) -> T:
    """Run a test on a loop whose time jumps to whatever comes next, with a wall clock that it can set."""
    outside = _Outside()
    wall = Wall(outside)
    RAN.clear()

    def engine(store: MemoryStore, **settings: Any) -> Engine:
        given = EngineSettings(lease_ms=LEASE_MS, **settings)
        return Engine(store, task_kinds(), describe, clock=wall, settings=given)

    async def once() -> T:
        return await test(wall, engine)

    with asyncio.Runner(loop_factory=lambda: _Loop(outside)) as runner:
        return runner.run(once())


async def passed(seconds: float) -> float:
    """So much time, by the clock that nobody sets."""
    await asyncio.sleep(seconds)
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("sleep_after_ms", [5_000, 100 * HOUR], ids=["asleep", "in memory"])
def test_set_forward_what_is_due_by_the_wall_comes_soon(sleep_after_ms: int) -> None:
    async def test(wall: Wall, engine: Callable[..., Engine]) -> float:
        async with engine(MemoryStore(), sleep_after_ms=sleep_after_ms) as mine:
            run = await mine.start(DELAY)
            await passed(600)
            assert RAN == []
            wall.offset += 3 * HOUR
            assert (await run.result()).status == "completed"
            return asyncio.get_running_loop().time() - 600

    assert 0 <= virtually(test) <= CLOCK_CHECK_MS / 1000


@pytest.mark.parametrize("sleep_after_ms", [5_000, 100 * HOUR], ids=["asleep", "in memory"])
def test_set_back_nothing_comes_before_its_time_on_the_wall(sleep_after_ms: int) -> None:
    async def test(wall: Wall, engine: Callable[..., Engine]) -> float:
        async with engine(MemoryStore(), sleep_after_ms=sleep_after_ms) as mine:
            run = await mine.start(DELAY)
            due = wall.now() + HOUR
            await passed(600)
            wall.offset -= 3 * HOUR
            while wall.now() < due:
                assert RAN == []
                await passed(60)
            assert (await run.result()).status == "completed"
            return (wall.now() - due) / 1000

    assert virtually(test) <= 60 + CLOCK_CHECK_MS / 1000


@pytest.mark.parametrize("by", [3 * HOUR, -3 * HOUR, LEASE_MS, -LEASE_MS])
def test_a_session_outlives_a_clock_that_is_set(by: int) -> None:
    async def test(wall: Wall, engine: Callable[..., Engine]) -> None:
        async with engine(MemoryStore()) as mine:
            run = await mine.start(workflow(node("h", "jump_hold"), id="held"))
            await passed(20)
            wall.offset += by
            assert (await run.result()).output == "held"
            assert mine.host.loss is None

    virtually(test)
    assert ["held-" + RAN[0].removeprefix("held-")] == RAN


@pytest.mark.parametrize("by", [3 * HOUR, LEASE_MS])
def test_who_waits_for_a_store_does_not_take_a_clock_set_forward_for_its_owners_death(by: int) -> None:
    async def test(wall: Wall, engine: Callable[..., Engine]) -> None:
        store = MemoryStore()
        async with engine(store) as mine:
            run = await mine.start(workflow(node("h", "jump_hold"), id="held"))
            heir = engine(store)
            waiting = asyncio.ensure_future(heir.__aenter__())
            await passed(17)  # between two renewals
            wall.offset += by
            assert (await run.result()).output == "held"
            assert mine.host.loss is None
            assert not waiting.done()
        await waiting
        await heir.__aexit__()

    virtually(test)
    assert len(RAN) == 1


def test_an_owner_that_is_gone_is_missed_though_the_clock_is_set_forward_meanwhile() -> None:
    async def test(wall: Wall, engine: Callable[..., Engine]) -> float:
        store = MemoryStore()
        mine = engine(store)
        await mine.__aenter__()
        await mine.start(workflow(node("h", "jump_hold"), id="held"))
        await passed(1)
        await mine.host.kill()
        began = asyncio.get_running_loop().time()
        heir = engine(store)
        waiting = asyncio.ensure_future(heir.__aenter__())
        await passed(1)
        wall.offset += 3 * HOUR
        await waiting
        took = asyncio.get_running_loop().time() - began
        await heir.idle()
        await heir.__aexit__()
        with pytest.raises(NotOwner):
            mine.host.ownership.lease()
        return took

    assert virtually(test) <= 2 * LEASE_MS / 1000
    assert len(RAN) == 2
