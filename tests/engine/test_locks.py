"""Mutexes of several instances on real stores: one at a time, in the order in which they asked, through crashes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow

inside: list[str] = []
order: list[str] = []
gates: list[asyncio.Event] = []


@ms.task(name="lock_step")
async def step(ctx: ms.TaskContext) -> str:
    """Alone while it runs, or a test fails."""
    order.append(ctx.instance)
    inside.append(ctx.instance)
    assert inside == [ctx.instance]
    try:
        await gates[-1].wait()
    finally:
        inside.clear()
    return ctx.instance


@pytest.fixture(autouse=True)
def fresh() -> None:
    inside.clear()
    order.clear()
    gates.append(asyncio.Event())


def alone(name: str = "${ input.lock }") -> Any:
    body = {"nodes": [{"id": "step", "type": "function", "config": {"handler": "lock_step"}}]}
    return workflow(node("m", type="mutex", config={"name": name, "body": body}), id="alone")


async def start(engine: ms.Engine, *keys: str, lock: str = "a") -> list[ms.Run]:
    return [await engine.start(alone(), input={"lock": lock}, key=key) for key in keys]


async def until_inside() -> None:
    while not inside:
        await asyncio.sleep(0.001)


async def test_one_at_a_time_in_the_order_in_which_they_asked(store: Store) -> None:
    gates[-1].set()
    async with ms.Engine(store) as engine:
        runs = await start(engine, *"12345")
        for run in runs:
            assert (await asyncio.wait_for(run.result(), 10)).status == "completed"
    assert order == [f"alone:{key}" for key in "12345"]


async def test_the_holder_does_not_sleep_and_the_others_wait(store: Store) -> None:
    async with ms.Engine(store, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        first, second = await start(engine, "1", "2")
        await until_inside()
        await asyncio.sleep(0.05)
        assert (await second.state()).nodes["m"].waits_for == "lock a"
        assert engine.host.sleep.asleep == 0
        assert order == [first.id]
        await first.cancel()
        gates[-1].set()
        assert (await asyncio.wait_for(second.result(), 10)).status == "completed"


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_holder_keeps_its_lock_through_a_restart(tmp_path: Path, orderly: bool) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    engine = ms.Engine(url)
    await engine.__aenter__()
    await start(engine, "2", "1", "3")
    await until_inside()
    await (engine.__aexit__(None, None, None) if orderly else engine.host.kill())
    assert order == ["alone:2"]
    await asyncio.sleep(0)
    async with ms.Engine(url) as engine:
        other = (await start(engine, "0"))[0]
        gates[-1].set()
        await asyncio.wait_for(other.result(), 10)
        for key in "123":
            assert (await asyncio.wait_for(engine.wait(f"alone:{key}"), 10)).status == "completed"
    assert order[:2] == ["alone:2", "alone:2"], "whoever held it goes on first"
    assert sorted(order) == ["alone:0", "alone:1", "alone:2", "alone:2", "alone:3"]
