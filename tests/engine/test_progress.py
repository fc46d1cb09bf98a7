"""How far an instance is: by its nodes, by what tasks report, by bodies; how long it will still take; what can be asked."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

import mainspring as ms
from mainspring.engine.progress import NOTHING, Durations, Reported, durations_of, progress_of, remaining_ms
from mainspring.journal.store import Store
from mainspring.machine.lifecycle import NODE_FINAL
from tests.engine.conftest import node, workflow
from tests.machine.harness import Run, graph
from tests.machine.random_bodies import random_block_graph
from tests.machine.random_graphs import random_graph
from tests.machine.world import World

GATES: dict[str, asyncio.Event] = {}


async def quick() -> int:
    return 1


async def half(ctx: ms.TaskContext) -> int:
    ctx.progress(50, "half way")
    GATES["reported"].set()
    await GATES["go"].wait()
    return 1


async def flaky(ctx: ms.TaskContext) -> int:
    if ctx.attempt == 1:
        ctx.progress(90)
        raise ConnectionError("again")
    GATES["reported"].set()
    await GATES["go"].wait()
    return 1


@pytest.fixture(autouse=True)
def gates() -> None:
    GATES.update(reported=asyncio.Event(), go=asyncio.Event())


def timed(text: str, *steps: tuple[int, str], **nodes: Any) -> Run:
    """A run in which nodes finish at these times (it began at 1,000)."""
    run = Run(graph(text, **nodes))
    run.start()
    for at, path in steps:
        run.now = at
        run.finish(path, 1)
    return run


def left(run: Run, now: int, reported: Reported = NOTHING, earlier: Durations | None = None) -> int | None:
    return remaining_ms(run.instance, reported, now, earlier)


def test_percent_is_the_share_of_nodes_that_ended() -> None:
    run = timed("a -> b -> c -> d")
    for number, path in enumerate("abcd"):
        progress = progress_of(run.instance, {}, run.now)
        assert progress.percent == pytest.approx(25 * number, abs=1)
        run.finish(path, 1)
    done = progress_of(run.instance, {}, run.now)
    assert (done.percent, done.remaining_ms, done.counts, done.total) == (100, 0, {"completed": 4}, 4)


@pytest.mark.parametrize("seed", range(40))
def test_percent_of_random_graphs_is_that_of_their_nodes_and_never_beyond_bounds(seed: int) -> None:
    random = Random(seed)
    blocks = seed % 2 == 1
    world = World(random_block_graph(random) if blocks else random_graph(random), random, unkind=2)
    take = world.take

    def taken(input: Any) -> None:
        take(input)
        instance = world.run.instance
        on_graph = [node for node in instance.plan.nodes if not node.off_graph]
        ended = sum(
            (state := instance.nodes[node.index]) is not None and state.status in NODE_FINAL for node in on_graph
        )
        progress = progress_of(instance, {}, world.run.now)
        assert 0 <= progress.percent <= 100.001 and sum(progress.counts.values()) == len(on_graph) == progress.total
        if not instance.blocks and instance.status == "running":
            assert progress.percent == pytest.approx(100 * ended / len(on_graph), abs=1)
        assert progress.remaining_ms is None or progress.remaining_ms >= 0

    world.take = taken  # type: ignore[method-assign]
    world.drive()
    assert progress_of(world.run.instance, {}, world.run.now).percent == 100


def test_time_left_is_the_longest_way_at_the_speed_so_far() -> None:
    run = timed("a -> b -> c -> d; a -> e", (3_000, "a"))
    assert left(run, 3_000) == 6_000  # b, c, d, each 2 s; e beside them
    assert left(run, 4_000) == 5_000
    assert left(run, 3_000, {"b": (50.0, "")}) == 4_000  # b has taken no time for its half
    assert left(run, 7_000, {"b": (50.0, "")}) == 8_000  # 4 s for one half: 4 s for the other
    assert left(run, 60_000) == 4_000  # b has had its time long ago: it may end at any moment


def test_time_left_of_who_waits() -> None:
    delay = timed("a -> b -> c", (3_000, "a"), b={"type": "delay", "config": {"duration": "10s"}})
    assert left(delay, 4_000) == 11_000  # 9 s of the delay, and c
    ahead = timed("a -> b -> c", b={"type": "delay", "config": {"duration": "10s"}})
    assert left(ahead, 1_000, earlier=Durations({}, 5.0, {"a": 100, "c": 300})) == 10_400
    somebody = timed("a -> b -> c", (3_000, "a"), b={"type": "wait", "config": {"signal": "go"}})
    assert left(somebody, 4_000) is None
    patient = timed("a -> b", (3_000, "a"), b={"type": "wait", "timeout": 20_000, "config": {"signal": "go"}})
    assert left(patient, 4_000) == 19_000
    pause = {"maxAttempts": 3, "initialDelay": 5_000, "jitter": 0, "strategy": "fixed"}
    retried = timed("a -> b", (3_000, "a"), b={"retry": pause})
    retried.fail("b")
    assert left(retried, 4_000) == 6_000  # the rest of the pause, and another attempt


def test_no_time_is_told_where_nobody_knows() -> None:
    run = timed("a -> b")
    assert left(run, 2_000) is None
    assert left(run, 2_000, earlier=Durations({}, 50.0, {})) == 50
    from mainspring.machine import inputs

    run.finish("a", 1)
    run.take(inputs.PauseInstance(by="ann", reason="", stop_clocks=True, until=None))
    assert left(run, 2_000) is None
    assert durations_of(timed("a -> b").instance) is None


async def test_what_tasks_report_counts(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(node("a", quick), node("b", half, "a"), node("c", quick, "b")))
        await GATES["reported"].wait()
        progress = await run.progress()
        assert progress.percent == pytest.approx(50, abs=1) and progress.counts == {
            "completed": 1,
            "running": 1,
            "pending": 1,
        }
        assert progress.remaining_ms is not None
        GATES["go"].set()
        await run.result()
        assert (await run.progress()).percent == 100


async def test_what_a_failed_attempt_reported_counts_no_more() -> None:
    async with ms.Engine() as engine:
        retry = {"retry": ms.Retry(strategy="fixed", max_attempts=2, initial_delay=1, jitter=0)}
        run = await engine.start(ms.Workflow("w", nodes=[ms.Node("a", "function", config={"handler": flaky}, **retry)]))
        await GATES["reported"].wait()
        assert (await run.progress()).percent == 0
        GATES["go"].set()
        assert (await run.result()).status == "completed"


async def test_earlier_instances_say_how_long_it_takes(store: Store) -> None:
    async with ms.Engine(store) as engine:
        steps = workflow(node("a", half), node("b", quick, "a"))
        GATES["go"].set()
        await (await engine.start(steps)).result()
        GATES["go"].clear()
        GATES["reported"].clear()
        run = await engine.start(steps)
        assert (await run.progress()).remaining_ms is not None
        GATES["go"].set()
        await run.result()


async def test_queries(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(node("a", quick), node("b", half, "a"), node("c", quick, "b")))
        await GATES["reported"].wait()
        assert await engine.status(run.id) == "running"
        found = await engine.node(run.id, "b")
        assert found is not None and found.status == "running" and found.started_at is not None
        assert await engine.node(run.id, "nowhere") is None
        drawn = await engine.execution_graph(run.id)
        assert drawn is not None and drawn["status"] == "running"
        assert {one["id"]: one["status"] for one in drawn["nodes"]} == {
            "a": "completed",
            "b": "running",
            "c": "pending",
        }
        assert len(drawn["connections"]) == 2
        assert engine.depths().tasks == 1 and engine.depths().instances == 1
        GATES["go"].set()
        await run.result()
        assert await engine.status(run.id) == "completed"
        assert engine.depths().tasks == 0


async def test_of_an_instance_that_is_not_there_they_say_none(store: Store) -> None:
    async with ms.Engine(store) as engine:
        assert await engine.look("nobody") is None
        assert await engine.status("nobody") is None
        assert await engine.node("nobody", "a") is None
        assert await engine.progress("nobody") is None
        assert await engine.execution_graph("nobody") is None
