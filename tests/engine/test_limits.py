"""Limits on the real engine: never over, used at once, and nothing leaks."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import Connection, Join, Resources, Retry, Workflow
from mainspring.engine.settings import EngineSettings
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow

inside: list[str] = []
most: list[int] = [0]
order: list[str] = []
gate: list[asyncio.Event] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    inside.clear()
    order.clear()
    most[0] = 0
    gate[:] = [asyncio.Event()]


@ms.task(name="limit_work")
async def work(ctx: ms.TaskContext) -> None:
    """Tells that it is at work until the gate opens."""
    inside.append(f"{ctx.instance} {ctx.path}")
    order.append(f"{ctx.instance} {ctx.path}")
    most[0] = max(most[0], len(inside))
    try:
        await gate[-1].wait()
    finally:
        inside.remove(f"{ctx.instance} {ctx.path}")


@ms.task(name="limit_step")
async def step(ctx: ms.TaskContext) -> None:
    """Is at work for one turn of the loop."""
    inside.append(ctx.path)
    order.append(ctx.path)
    most[0] = max(most[0], len(inside))
    await asyncio.sleep(0)
    inside.remove(ctx.path)


@ms.task(name="limit_fail")
async def fail(ctx: ms.TaskContext) -> None:
    """Fails once."""
    if ctx.attempt == 1:
        raise ConnectionError("no")


async def until(count: int) -> None:
    while len(inside) != count:
        await asyncio.sleep(0.001)


def wide(count: int, handler: str = "limit_step", **more: Any) -> Workflow:
    return workflow(*(node(f"n{number}", handler) for number in range(count)), id="wide", **more)


def free(engine: ms.Engine) -> bool:
    """Nobody holds anything, nobody waits."""
    return all(one.active == 0 and one.queued == 0 for one in engine.limits())


async def test_the_concurrency_of_an_instance_is_exact(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(wide(20, max_concurrency=3))
        assert (await run.result()).status == "completed"
        assert most == [3] and len(order) == 20 and free(engine)


async def test_it_is_that_of_each_instance_by_itself(store: Store) -> None:
    async with ms.Engine(store) as engine:
        runs = [await engine.start(wide(3, "limit_work", max_concurrency=1)) for _ in range(4)]
        await until(4)
        gate[-1].set()
        for run in runs:
            assert (await run.result()).status == "completed"
        assert most == [4] and free(engine)


async def test_a_node_and_a_pool_are_limited_over_all_instances(store: Store) -> None:
    settings = EngineSettings(pools={"gpu": 3})
    async with ms.Engine(store, settings=settings) as engine:
        one = workflow(node("a", "limit_work", max_concurrent_executions=2), node("b", "limit_work", pool="gpu"))
        other = workflow(node("c", "limit_work", pool="gpu"), id="other")
        runs = [await engine.start(definition) for definition in (one, other) * 4]
        await until(5)
        standing = {limit.key: (limit.active, limit.queued, limit.figures["size"]) for limit in engine.limits()}
        assert standing == {"maxConcurrentExecutions of a of test": (2, 2, 2), "pool gpu": (3, 5, 3)}
        gate[-1].set()
        for run in runs:
            assert (await run.result()).status == "completed"
        assert most == [5] and free(engine)


async def test_units_are_held_together_with_a_place_or_not_at_all(store: Store) -> None:
    settings = EngineSettings(quotas=Resources(cpu=4), pools={"p": 3})
    async with ms.Engine(store, settings=settings) as engine:
        nodes = [node(f"n{i}", "limit_work", resources=Resources(cpu=2, memory=1), pool="p") for i in range(5)]
        run = await engine.start(workflow(*nodes, quotas=Resources(memory=9)))
        await until(2)
        standing = {limit.key: limit for limit in engine.limits()}
        assert standing["cpu of the engine"].figures == {"size": 4, "taken": 4}
        assert standing["pool p"].active == 2
        assert standing[f"memory of {run.id}"].figures == {"size": 9, "taken": 2}
        gate[-1].set()
        assert (await run.result()).status == "completed"
        assert most == [2] and free(engine)


@pytest.mark.parametrize(
    ("more", "settings", "words"),
    [
        ({"pool": "gpu"}, EngineSettings(pools={"tpu": 1}), "this engine has no pool gpu (it has: tpu)"),
        (
            {"resources": Resources(cpu=9)},
            EngineSettings(quotas=Resources(cpu=4)),
            "cpu of the engine has not that many",
        ),
    ],
)
async def test_what_can_never_be_had_is_refused(more: Any, settings: EngineSettings, words: str, store: Store) -> None:
    async with ms.Engine(store, settings=settings) as engine:
        result = await (await engine.start(workflow(node("a", "limit_work", **more)))).result()
        assert result.status == "failed"
        error = result.nodes["a"].error
        assert error is not None and error.type == "AdmissionRefused" and words in error.message


async def test_the_high_ones_come_first_and_the_low_ones_come_too(store: Store) -> None:
    settings = EngineSettings(pools={"p": 1})
    async with ms.Engine(store, settings=settings) as engine:
        kinds = {"high": 8, "normal": 4, "low": 2}
        runs = [await engine.start(workflow(node("first", "limit_work", pool="p")))]
        await until(1)
        for priority, count in kinds.items():
            nodes = [node(f"{priority}{i}", "limit_step", pool="p", priority=priority) for i in range(count)]
            runs.append(await engine.start(workflow(*nodes, id=priority)))
        gate[-1].set()
        for run in runs:
            await run.result()
        assert "".join(path[0] for path in order[1:]) == "hnhlhnhhnhlhnh"


# --- leases ----------------------------------------------------------------------------------------------------------


async def waiting(engine: ms.Engine, **more: Any) -> list[ms.Run]:
    """One that holds the only place of its node, and one that waits for it."""
    runs = [
        await engine.start(workflow(node("a", "limit_work", max_concurrent_executions=1, **more))) for _ in range(2)
    ]
    await until(1)
    while engine.limits()[0].queued != 1:
        await asyncio.sleep(0.001)
    return runs


async def test_cancelling_gives_back_at_once(store: Store) -> None:
    async with ms.Engine(store) as engine:
        first, second = await waiting(engine)
        await first.cancel()
        await asyncio.wait_for(until_other(second), 5)
        await second.cancel()
        await second.result()
        await engine.idle()
        assert free(engine)


async def test_what_one_instance_had_its_successor_has_free(store: Store) -> None:
    """Of one version, one after the other: each is cancelled while two of it are at work and one waits."""
    one_of_cpu = Resources(cpu=1)
    nodes = [node(f"n{number}", "limit_work", resources=one_of_cpu) for number in range(3)]
    said = workflow(*nodes, id="own", max_concurrency=2, quotas=Resources(cpu=3))
    async with ms.Engine(store) as engine:
        for _ in range(3):
            run = await engine.start(said)
            await until(2)
            standing = {one.key: (one.active, one.queued) for one in engine.limits()}
            assert standing == {f"maxConcurrency of {run.id}": (2, 1), f"cpu of {run.id}": (2, 0)}
            await run.cancel()
            await run.result()
            await engine.idle()
            assert not engine.limits() and not inside


async def until_other(run: ms.Run) -> None:
    while [one.split()[0] for one in inside] != [run.id]:
        await asyncio.sleep(0.001)


async def test_one_that_waits_and_is_cancelled_waits_no_more(store: Store) -> None:
    async with ms.Engine(store) as engine:
        first, second = await waiting(engine)
        await second.cancel()
        await second.result()
        gate[-1].set()
        await first.result()
        assert order == [f"{first.id} a"] and free(engine)


async def test_a_timeout_gives_back(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for run in await waiting(engine, timeout=60):
            assert (await run.result()).status == "failed"
        assert len(order) == 2 and free(engine)


async def test_while_one_waits_for_its_retry_it_holds_nothing(store: Store) -> None:
    retry = Retry(strategy="fixed", initial_delay=3_600_000)
    async with ms.Engine(store, settings=EngineSettings(pools={"p": 1})) as engine:
        failing = workflow(node("a", "limit_fail", pool="p", retry=retry), id="failing")
        first = await engine.start(failing)
        other = await engine.start(workflow(node("b", "limit_step", pool="p"), id="other"))
        assert (await other.result()).status == "completed"
        assert (await first.state()).nodes["a"].status == "retrying" and free(engine)


async def test_a_restart_leaves_nothing_held(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with ms.Engine(open_store(url)) as engine:
        runs = await waiting(engine)
    fresh_gate = asyncio.Event()
    fresh_gate.set()
    gate.append(fresh_gate)
    most[0] = 0
    async with ms.Engine(open_store(url)) as engine:
        for run in runs:
            assert (await engine.wait(run.id)).status == "completed"
        assert most == [1] and free(engine)


# --- upstream waits --------------------------------------------------------------------------------------------------


async def test_what_waits_holds_its_upstream_back(store: Store) -> None:
    """A node that runs for each message waits for its limit, its inbox fills, and whoever sends stops taking messages."""
    sources = [node(f"s{i}", "limit_step") for i in range(12)]
    nodes = [
        *sources,
        node("relay", "limit_step", join=Join(kind="each", capacity=12)),
        node("slow", "limit_step", pool="p", join=Join(kind="each", capacity=2)),
    ]
    sends = [Connection(source=f"s{i}", target="relay") for i in range(12)]
    edges = (*sends, Connection(source="relay", target="slow"))
    async with ms.Engine(store, settings=EngineSettings(pools={"p": 1})) as engine:
        holder = await engine.start(workflow(node("a", "limit_work", pool="p"), id="holder"))
        await until(1)
        run = await engine.start(workflow(*nodes, connections=edges))
        await engine_quiet(engine)
        assert (await run.state()).nodes["slow"].status == "ready"
        assert 0 < order.count("relay") < 12, "it relays no more than its target has room for"
        gate[-1].set()
        await holder.result()
        assert (await run.result()).status == "completed"
        assert order.count("relay") == order.count("slow") == 12 and free(engine)


async def engine_quiet(engine: ms.Engine) -> None:
    before = -1
    while before != len(order):
        before = len(order)
        await engine.host.writer.drained()
        await asyncio.sleep(0.05)


# --- rates, adaptation, warnings -------------------------------------------------------------------------------------


async def test_a_rate_is_kept_and_a_timer_wakes_who_waits(store: Store) -> None:
    inner = {"id": "n", "type": "function", "config": {"handler": "limit_step"}, "rateLimit": {"rate": 100, "burst": 2}}
    config = {"items": list(range(12)), "concurrency": 12, "body": {"nodes": [inner]}}
    async with ms.Engine(store) as engine:
        started = asyncio.get_running_loop().time()
        run = await engine.start(workflow(node("each", None, type="forEach", config=config)))
        assert (await run.result()).status == "completed"
        assert asyncio.get_running_loop().time() - started >= 0.1  # two at once; ten more take 100 ms
        assert len(order) == 12 and free(engine)


async def test_a_node_that_waits_long_is_told_of_with_who_holds_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "mainspring.engine")
    async with ms.Engine(store, settings=EngineSettings(starvation_warning_ms=30)) as engine:
        first, second = await waiting(engine)
        while not caplog.messages:
            await asyncio.sleep(0.005)
        gate[-1].set()
        await first.result()
        await second.result()
    told = caplog.messages[0]
    assert told.startswith(f"{second.id}: a has waited 0 s for maxConcurrentExecutions of a of test; ")
    assert told.endswith(f"it is held by a of {first.id}")
