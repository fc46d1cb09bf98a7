"""Pause through the engine: drained, resumed in another engine, by itself, asleep meanwhile, with its children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.engine.engine import Engine
from mainspring.errors import CommandRefused, StoreError
from mainspring.journal.records import Committed, Lease, Write
from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

RAN: list[str] = []
GATES: dict[str, asyncio.Event] = {}


@ms.task(name="pause_gated")
async def gated(ctx: ms.TaskContext) -> str:
    """Runs until its gate is open."""
    name = ctx.idempotency_key.split("/")[-2]
    RAN.append(name)
    await GATES.setdefault(name, asyncio.Event()).wait()
    return name


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()
    GATES.clear()


def opened(*names: str) -> None:
    for name in names:
        GATES.setdefault(name, asyncio.Event()).set()


CHAIN = workflow(*(node(id, "pause_gated", *before) for id, before in (("a", ()), ("b", ("a",)), ("c", ("b",)))))


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 20)


async def running(name: str) -> None:
    while name not in RAN:
        await asyncio.sleep(0.001)


async def pausing(run: ms.Run) -> None:
    while (await run.state()).status != "pausing":
        await asyncio.sleep(0.001)


async def test_it_is_drained_when_what_runs_has_finished(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(CHAIN)
        await running("a")
        drained = asyncio.ensure_future(run.pause("a look"))
        await pausing(run)
        assert not drained.done()
        opened("a", "b", "c")
        assert await soon(drained) == "paused"
        await engine.idle()
        assert RAN == ["a"]
        with pytest.raises(CommandRefused, match="is paused: only one that is running"):
            await run.pause()
        await run.resume()
        assert (await soon(run.result())).status == "completed"
        with pytest.raises(CommandRefused, match="is completed: only one that is paused or parked"):
            await run.resume()
        assert RAN == ["a", "b", "c"]


async def test_paused_in_one_engine_it_goes_on_in_another_three_times_over(store: Store) -> None:
    id = ""
    for number, name in enumerate(("a", "b", "c")):
        async with ms.Engine(store) as engine:
            run = await engine.get(id) if id else await engine.start(CHAIN)
            id = run.id
            if number:
                await run.resume()
            await running(name)
            drained = asyncio.ensure_future(run.pause())
            await pausing(run)
            opened(name)
            assert await soon(drained) == "paused"
    async with ms.Engine(store) as engine:
        assert engine.host.recovery.recovered == 1
        run = await engine.get(id)
        await run.resume()
        result = await soon(run.result())
    assert (result.status, result.output, RAN) == ("completed", "c", ["a", "b", "c"])


async def test_all_of_a_workflow_or_all(store: Store) -> None:
    other = workflow(node("z", "pause_gated"), id="other")
    async with ms.Engine(store) as engine:
        mine = [await engine.start(CHAIN) for _ in range(3)]
        theirs = await engine.start(other)
        assert sorted(await engine.pause_all("test", reason="deploy")) == sorted(run.id for run in mine)
        for run in mine:
            await pausing(run)
        opened("a", "z")
        assert [await soon(engine.standstill(run.id)) for run in mine] == ["paused"] * 3
        assert (await soon(theirs.result())).status == "completed"
        assert await engine.pause_all() == []
        opened("b", "c")
        assert sorted(await engine.resume_all()) == sorted(run.id for run in mine)
        assert [(await soon(run.result())).status for run in mine] == ["completed"] * 3


async def test_children_stand_still_with_their_parent(store: Store) -> None:
    child = workflow(node("a", "pause_gated"), node("b", "pause_gated", "a"), id="child")
    parent = workflow(node("s", type="subflow", config={"workflow": "child"}), id="parent")
    async with ms.Engine(store) as engine:
        engine.register(child)
        run = await engine.start(parent)
        await running("a")
        assert await run.pause() == "paused"
        await pausing(await engine.get(f"{run.id}/s/1"))
        opened("a", "b")
        assert await soon(engine.standstill(f"{run.id}/s/1")) == "paused"
        assert RAN == ["a"]
        await run.resume()
        assert (await soon(run.result())).status == "completed"


def test_it_goes_on_by_itself_and_sleeps_until_then() -> None:
    async def test(new: Callable[..., Engine]) -> None:
        store = open_store("memory:")
        flow = workflow(node("d", type="delay", config={"duration": 60_000}), node("e", None, "d", type="log"))
        async with new(store) as engine:
            run = await engine.start(workflow(*flow.nodes, id="naps"))
            assert await run.pause(for_ms=3_600_000) == "paused"
            paused_at = engine.host.clock.now()
            engine.host.sleep.check(0)
            await engine.idle()
            assert run.id not in engine.host.by_id, "it is asleep"
            assert (await run.result()).status == "completed"
            assert engine.host.clock.now() == paused_at + 3_660_000, "its delay stood still for an hour"

    virtually(test)


def test_one_that_is_paused_for_long_leaves_memory() -> None:
    async def test(new: Callable[..., Engine]) -> None:
        store = open_store("memory:")
        async with new(store) as engine:
            run = await engine.start(workflow(node("d", type="delay", config={"duration": 60_000}), id="naps"))
            assert await run.pause() == "paused"
            engine.host.sleep.check(0)
            await engine.idle()
            assert run.id not in engine.host.by_id
            await run.resume()
            assert (await run.result()).status == "completed"

    virtually(test)


async def test_a_pause_comes_before_what_a_new_process_would_start(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(CHAIN)
        await running("a")
        await engine.host.kill(release=True)
    RAN.clear()
    async with ms.Engine(store, recover=False) as engine:
        await engine.pause(run.id)
        assert await soon(engine.standstill(run.id)) == "paused"
        await engine.idle()
    assert RAN == []


class Refusing(MemoryStore):
    """Its commits fail as long as somebody says so."""

    refusing = False

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.refusing:
            raise StoreError("the disk is full")
        return await super().commit(lease, writes)


async def test_a_crash_is_counted_though_only_the_pause_before_it_is_durable() -> None:
    """The pause comes before what a process that has just taken over does; that may be lost when the pause is not."""
    store = Refusing()
    async with ms.Engine(store) as engine:
        run = await engine.start(CHAIN)
        await running("a")
        await engine.host.kill(release=True)
    async with ms.Engine(store, recover=False, settings=ms.EngineSettings(group_turns_max=1)) as engine:
        committed = engine.host.writer._committed

        def first(group: Any, done: Any) -> None:
            committed(group, done)
            store.refusing = True
            asyncio.get_running_loop().call_later(0.01, setattr, store, "refusing", False)
            engine.host.writer._committed = committed

        engine.host.writer._committed = first
        run = await engine.get(run.id)
        await engine.pause(run.id)
        assert await soon(engine.standstill(run.id)) == "paused"
        await engine.idle()
        result = await run.state()
        assert (result.nodes["a"].crashes, result.nodes["a"].status) == (1, "ready")
        await run.resume()
        opened("a", "b", "c")
        assert (await soon(run.result())).status == "completed"


def test_what_has_not_gone_on_yet_is_not_laid_down() -> None:
    """Between its loading and its first turn an instance has no timers: it would sleep for ever."""

    async def test(new: Callable[..., Engine]) -> None:
        store = open_store("memory:")
        flow = workflow(node("w", type="wait", config={"signal": "go"}, timeout=60_000), id="waits")
        async with new(store) as engine:
            run = await engine.start(flow)
            await engine.idle()
        engine = new(store, claim_max=1)
        claim = store.claim

        async def claimed(*args: Any, **more: Any) -> Any:
            if engine.host.lives:
                engine.host.sleep.check(0)
                assert run.id in engine.host.by_id, "it is asleep, and nothing will wake it"
            return await claim(*args, **more)

        store.claim = claimed  # type: ignore[method-assign]
        async with asyncio.timeout(3_600):
            async with engine:
                assert (await (await engine.get(run.id)).result()).status == "failed"

    virtually(test)


async def test_cancelled_with_grace_what_runs_may_finish(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(CHAIN)
        await running("a")
        await engine.cancel(run.id, reason="enough", grace_ms=600_000)
        await pausing(run)
        opened("a")
        result = await soon(run.result())
        assert (result.status, result.nodes["a"].status, result.nodes["b"].status) == (
            "cancelled",
            "completed",
            "skipped",
        )
        again = await engine.start(CHAIN)
        GATES["a"] = asyncio.Event()
        await engine.cancel(again.id, grace_ms=20)
        result = await soon(again.result())
        assert result.status == "cancelled"
