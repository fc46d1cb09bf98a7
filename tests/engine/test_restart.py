"""What outlives an engine: open instances, timers, waiting handlers, mail. Each test stops one engine and starts another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import Retry
from mainspring.errors import HandlerNotFound, StoreError
from mainspring.journal.records import Committed, Lease
from mainspring.machine.commands import lifecycle
from mainspring.machine.effects import DispatchTask
from mainspring.machine.step import RULES
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.kinds import task_kinds
from tests.engine.conftest import node, workflow

CALLS: list[tuple[str, int]] = []
GATE: list[asyncio.Event] = []


@ms.task(name="r_step")
async def step(ctx: ms.TaskContext) -> dict[str, int]:
    """Counts its calls."""
    CALLS.append((ctx.path, ctx.attempt))
    return {"attempt": ctx.attempt}


@ms.task(name="r_gate")
async def gate(ctx: ms.TaskContext) -> str:
    """Waits until the test lets it go."""
    CALLS.append((ctx.path, ctx.attempt))
    await GATE[-1].wait()
    return "through"


@ms.task(name="r_flaky")
async def flaky(ctx: ms.TaskContext) -> int:
    """Fails the first time."""
    CALLS.append((ctx.path, ctx.attempt))
    if ctx.attempt == 1:
        raise ConnectionError("once")
    return ctx.attempt


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nothing was called yet."""
    CALLS.clear()
    GATE.append(asyncio.Event())


def sqlite(tmp_path: Path) -> str:
    """A store's URL."""
    return f"sqlite:///{tmp_path}/store.db"


CHAIN = workflow(node("a", "r_step"), node("b", "r_gate", "a"), node("c", "r_step", "b"), id="chain")


async def _until(path: str) -> None:
    while path not in [called for called, _ in CALLS]:
        await asyncio.sleep(0)


@pytest.mark.parametrize("orderly", [True, False])
async def test_goes_on_where_it_was(tmp_path: Path, orderly: bool) -> None:
    engine = ms.Engine(sqlite(tmp_path))
    await engine.__aenter__()
    run = await engine.start(CHAIN)
    await _until("b")
    await (engine.__aexit__() if orderly else engine.host.kill())
    async with ms.Engine(sqlite(tmp_path)) as engine:
        GATE[-1].set()
        result = await asyncio.wait_for(engine.wait(run.id), 10)
    assert result.status == "completed"
    assert CALLS == [("a", 1), ("b", 1), ("b", 2), ("c", 1)]
    assert result.nodes["b"].crashes == (0 if orderly else 1)


async def test_a_retry_waits_out_its_back_off_across_a_restart(tmp_path: Path) -> None:
    retry = Retry(strategy="fixed", max_attempts=2, initial_delay=300, jitter=0)
    engine = ms.Engine(sqlite(tmp_path))
    await engine.__aenter__()
    run = await engine.start(workflow(node("a", "r_flaky", retry=retry)))
    await engine.idle()
    await engine.host.kill()
    async with ms.Engine(sqlite(tmp_path)) as engine:
        due = (await engine.inspect(run.id)).nodes["a"].due
        result = await asyncio.wait_for(engine.wait(run.id), 10)
    started_at = result.nodes["a"].started_at
    assert due is not None and started_at is not None and started_at >= due
    assert result.output == 2


async def test_a_sleeper_leaves_memory_and_wakes(tmp_path: Path) -> None:
    settings = ms.EngineSettings(sleep_after_ms=20)
    async with ms.Engine(sqlite(tmp_path), settings=settings) as engine:
        sleepy = workflow(node("w", type="delay", config={"duration": "400ms"}), node("a", "r_step", "w"))
        run = await engine.start(sleepy)
        while engine.host.lives:
            await asyncio.sleep(0.005)
        assert (await engine.inspect(run.id)).nodes["w"].status == "waiting"
        result = await asyncio.wait_for(run.result(), 10)
        assert engine.host.sleep.asleep >= 1
    assert result.status == "completed"


async def test_a_sleeper_can_be_cancelled(tmp_path: Path) -> None:
    async with ms.Engine(sqlite(tmp_path), settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        run = await engine.start(workflow(node("w", type="delay", config={"duration": "1h"})))
        while engine.host.lives:
            await asyncio.sleep(0.005)
        await run.cancel()
        assert (await asyncio.wait_for(run.result(), 10)).status == "cancelled"


class _Lacking(FunctionKind):
    """Functions, but for those that this process does not have yet."""

    lacking = True

    def prepare(self, node: Any, folder: str) -> Any:
        if self.lacking:
            raise HandlerNotFound("no r_step here")
        return super().prepare(node, folder)


async def test_a_node_waits_for_its_code_and_uses_no_attempt(tmp_path: Path) -> None:
    kind = _Lacking()
    async with ms.Engine(sqlite(tmp_path), kinds={**task_kinds(), "function": kind}) as engine:
        run = await engine.start(workflow(node("a", "r_step")))
        await engine.idle()
        waiting = (await run.state()).nodes["a"]
        assert (waiting.status, waiting.waits_for) == ("waiting", "handler no r_step here")
        kind.lacking = False
        engine.host.deeds.look_for_code()
        result = await asyncio.wait_for(run.result(), 10)
    assert result.status == "completed"
    assert CALLS == [("a", 1)]


class _Failing(MemoryStore):
    """A store whose n-th commit fails, before or after it was made."""

    def __init__(self, at: int, durable: bool) -> None:
        super().__init__()
        self.at = at
        self.durable = durable
        self.commits = 0

    async def commit(self, lease: Lease, writes: Any) -> Committed:
        self.commits += 1
        if self.commits == self.at:
            if self.durable:
                await super().commit(lease, writes)
            raise StoreError("the disk is full")
        return await super().commit(lease, writes)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
async def test_a_failed_commit_loses_nothing_and_repeats_nothing(at: int, durable: bool) -> None:
    store = _Failing(at, durable)
    chain = workflow(*[node(f"n{i}", "r_step", *([f"n{i - 1}"] if i else [])) for i in range(4)])
    async with ms.Engine(store) as engine:
        run = await engine.start(chain)
        result = await asyncio.wait_for(run.result(), 10)
    assert result.status == "completed"
    assert [(f"n{i}", 1) for i in range(4)] == CALLS


async def test_an_input_on_which_the_machine_fails_parks_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.machine import inputs

    def broken(turn: Any, report: Any) -> None:
        raise RuntimeError("a defect")

    store = MemoryStore()
    async with ms.Engine(store) as engine:
        run = await engine.start(CHAIN)
        await _until("b")
        monkeypatch.setitem(RULES, inputs.TaskFinished, broken)
        GATE[-1].set()
        while (await run.state()).status != "parked":
            await asyncio.sleep(0)
        assert "a defect" in (await run.state()).reason
        monkeypatch.undo()
        await engine.cancel(run.id)
        assert (await asyncio.wait_for(run.result(), 10)).status == "cancelled"


async def test_a_second_engine_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    async with ms.Engine(sqlite(tmp_path)):
        with pytest.raises(ms.StoreHeld):
            async with ms.Engine(sqlite(tmp_path), wait=False):
                pass


async def test_an_engine_that_lost_its_store_stops_and_says_so() -> None:
    store = MemoryStore()
    settings = ms.EngineSettings(lease_ms=60_000)
    async with ms.Engine(store, settings=settings) as engine:
        run = await engine.start(CHAIN)
        await _until("b")
        store._contents.lease = None
        await store.acquire("somebody else", 0, 60_000)
        GATE[-1].set()
        with pytest.raises(ms.NotOwner):
            await asyncio.wait_for(run.result(), 10)
        assert CALLS == [("a", 1), ("b", 1)]


@pytest.mark.parametrize(("nodes", "limit"), [(1, lifecycle.CRASHES_MAX), (2, lifecycle.CRASHES_MAX + 3)])
async def test_crashes_bring_a_node_to_the_limit_one_suspect_at_a_time(tmp_path: Path, nodes: int, limit: int) -> None:
    """One node by itself: three crashes. Two: both are in flight twice, then each is caught alone in its turn."""
    for _ in range(limit):
        engine = ms.Engine(open_store(sqlite(tmp_path)))
        await engine.__aenter__()
        if not engine.host.lives:
            run = await engine.start(workflow(*[node(f"n{i}", "r_gate") for i in range(nodes)], id="killer"))
        async with asyncio.timeout(10):
            while not any(live.tasks for live in engine.host.lives.values()):  # what runs has durably started
                await asyncio.sleep(0)
            await engine.host.writer.drained()
        await engine.host.kill()
    async with ms.Engine(sqlite(tmp_path)) as engine:
        result = await asyncio.wait_for(engine.wait(run.id), 10)
    assert [error.type for error in result.errors.values()] == ["CrashLimit"] * nodes
    assert {one.crashes for one in result.nodes.values()} == {3 if nodes == 1 else 4}


async def test_a_turn_that_cannot_be_encoded_parks_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.engine import loop

    def broken(*_: Any) -> Any:
        raise ValueError("no bytes for this")

    async with ms.Engine(MemoryStore()) as engine:
        run = await engine.start(CHAIN)
        other = await engine.start(workflow(node("x", "r_gate"), id="other"))
        await _until("x")
        encode = loop.encode_turn
        first: list[Any] = []
        monkeypatch.setattr(
            loop, "encode_turn", lambda *given: encode(*given) if first else first.append(1) or broken()
        )
        GATE[-1].set()
        assert (await asyncio.wait_for(other.result(), 10)).status == "completed"
        while (await run.state()).status != "parked":
            await asyncio.sleep(0)
        assert "no bytes for this" in (await run.state()).reason


async def test_a_task_sees_no_variables_that_are_not_durable() -> None:
    """SEMANTICS 1: b was ordered by the turn that ended a, before c set anything."""
    seen: list[Any] = []

    @ms.task(name="r_sets")
    async def sets(ctx: ms.TaskContext) -> None:
        ctx.variables["v"] = 1

    @ms.task(name="r_sees")
    async def sees(ctx: ms.TaskContext) -> None:
        seen.append(ctx.variables.get("v"))

    for _ in range(20):
        fork = workflow(node("a", "r_step"), node("c", "r_sets"), node("b", "r_sees", "a"))
        async with ms.Engine(MemoryStore()) as engine:
            run = await engine.start(fork)
            await run.result()
            names = [(one.name, getattr(one.event, "path", "")) async for one in run.events()]
            durable_first = names.index(("VariablesSet", "c")) < names.index(("NodeStarted", "b"))
            assert seen[-1] == (1 if durable_first else None)


async def test_an_unreadable_instance_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    import sqlite3

    engine = ms.Engine(sqlite(tmp_path))
    await engine.__aenter__()
    broken = await engine.start(CHAIN)
    sound = await engine.start(CHAIN)
    await _until("b")
    await engine.host.kill()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE turn SET body = 'nonsense' WHERE instance = 1 AND seq = 2")
    connection.close()
    async with ms.Engine(sqlite(tmp_path)) as engine:
        GATE[-1].set()
        assert (await asyncio.wait_for(engine.wait(sound.id), 10)).status == "completed"
        record = await engine.instances(status="parked")
    assert [one.id for one in record] == [broken.id]
    assert "checksum" in record[0].reason


async def test_an_order_for_an_attempt_that_has_ended_meanwhile_begins_nothing(tmp_path: Path) -> None:
    """A turn that followed in the same group has ended it, and with it what it worked on (simulator, seed 18944)."""
    nodes = [ms.Node("done", "log"), ms.Node("asleep", "delay", config={"duration": "1h"}, depends_on=["done"])]
    async with ms.Engine(f"sqlite:///{tmp_path / 's.db'}") as engine:
        await engine.start(ms.Workflow("w", nodes=nodes))
        (live,) = engine.host.lives.values()
        for path, attempt in (("done", 1), ("asleep", 2)):
            engine.host.dispatcher.dispatch(live, DispatchTask(path, 1, attempt, b"{}"))
        assert (engine.host.dispatcher.in_flight, live.tasks) == (0, {})
