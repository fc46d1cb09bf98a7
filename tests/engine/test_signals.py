"""Signals, events and approvals through the engine: durable, each once, and those who wait may sleep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.errors import CommandRefused, PayloadError, PayloadTooLarge, StoreError, UnknownInstance
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow


@ms.task(name="sig_double")
async def double(n: int = 0) -> int:
    return 2 * n


def wait(id: str = "w", *depends_on: str, timeout: int | None = None, **config: Any) -> Any:
    return node(id, None, *depends_on, type="wait", config=config, timeout=timeout)


PAID = workflow(wait(signal="paid"), node("a", "sig_double", "w"), id="paid")
APPROVAL = workflow(wait(approval="manager"), id="approval")


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 10)


async def waits(engine: ms.Engine, id: str, path: str = "w") -> None:
    """Until the node waits, durably."""
    while (await engine.inspect(id)).nodes[path].status != "waiting":
        await asyncio.sleep(0.001)


async def test_a_signal_is_taken(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(PAID)
        assert await run.signal("paid", 21, by="ada")
        result = await soon(run.result())
        assert (result.status, result.output) == ("completed", 42)
        taken = [one.event async for one in run.events() if one.name == "SignalTaken"]
        assert [one.by for one in taken] == ["ada"]


async def test_a_key_makes_it_one_signal(store: Store) -> None:
    two = workflow(wait("v", signal="paid"), wait("w", "v", signal="paid"))
    async with ms.Engine(store) as engine:
        run = await engine.start(two)
        assert await run.signal("paid", 1, key="k")
        assert not await run.signal("paid", 1, key="k")
        await waits(engine, run.id)
        await run.signal("paid", 2, key="l")
        assert (await soon(run.result())).output == 2


async def test_an_approval(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(APPROVAL)
        await run.approve("manager", False, "too dear", by="bob")
        result = await soon(run.result())
        assert result.nodes["w"].port == "rejected"
        assert result.output == {"approved": False, "comment": "too dear", "by": "bob"}


async def test_an_event_reaches_all_that_may_take_it(store: Store) -> None:
    tick, other = workflow(wait(event="tick"), id="tick"), workflow(wait(event="tock"), id="tock")
    async with ms.Engine(store, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        runs = [await engine.start(tick) for _ in range(3)]
        aside = await engine.start(other)
        for run in runs:
            await waits(engine, run.id)
        while engine.host.lives:  # asleep, all of them
            await asyncio.sleep(0.005)
        assert await engine.publish("tick", {"n": 1}, key="first") == 3
        for run in runs:
            assert (await soon(run.result())).output == {"n": 1}
        assert await engine.publish("tick", {"n": 1}, key="first") == 0
        assert (await aside.state()).status == "running"


async def test_an_event_published_while_the_store_is_away_is_no_ones_loss(store: Store) -> None:
    """A store that cannot be asked which workflows wait for an event does not say that none does."""
    away, definition = True, store.definition

    async def ask(version: str) -> Any:
        if away:
            raise StoreError("the server is away")
        return await definition(version)

    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(wait(event="tick"), id="ticks"))
        await waits(engine, run.id)
        store.definition = ask  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            await engine.publish("tick", 1, key="first")
        away = False
        assert await engine.publish("tick", 1, key="first") == 1
        assert (await soon(run.result())).output == 1


async def test_who_waits_for_a_signal_leaves_memory_and_wakes(store: Store) -> None:
    async with ms.Engine(store, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        run = await engine.start(PAID)
        while engine.host.lives:
            await asyncio.sleep(0.005)
        assert engine.host.sleep.asleep == 1
        await run.signal("paid", 4)
        assert (await soon(run.result())).output == 8


async def test_a_signal_that_comes_while_nobody_runs_the_instance_is_there_when_somebody_does(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    first = ms.Engine(url)
    await first.__aenter__()
    run = await first.start(workflow(wait(signal="paid", timeout=60_000), node("a", "sig_double", "w"), id="p"))
    await waits(first, run.id)
    await run.signal("paid", 5)
    await first.host.kill()
    async with ms.Engine(url) as engine:
        assert (await soon(engine.wait(run.id))).output == 10
        taken = [one async for one in engine.events(run.id) if one.name == "SignalTaken"]
        assert len(taken) == 1


async def test_its_timeout_goes_on_across_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    first = ms.Engine(url)
    await first.__aenter__()
    run = await first.start(workflow(wait(signal="paid", timeout=200)))
    await waits(first, run.id)
    await first.host.kill()
    async with ms.Engine(url) as engine:
        result = await soon(engine.wait(run.id))
    assert result.errors["w"].type == "NodeTimeout"


async def test_what_is_refused(store: Store) -> None:
    async with ms.Engine(store, settings=ms.EngineSettings(payload_bytes_max=1_000)) as engine:
        run = await engine.start(PAID)
        with pytest.raises(PayloadError, match=r"payload\.x"):
            await run.signal("paid", {"x": object()})
        with pytest.raises(PayloadTooLarge, match="payload_bytes_max"):
            await run.signal("paid", "x" * 1_000)
        with pytest.raises(UnknownInstance):
            await engine.signal("nobody", "paid")
        await run.cancel()
        assert (await soon(run.result())).status == "cancelled"
        with pytest.raises(CommandRefused, match="at its end"):
            await run.signal("paid")
