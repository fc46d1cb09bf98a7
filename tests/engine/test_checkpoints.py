"""Checkpoint policies: what runs ahead of the store, and what waits for it all the same (SEMANTICS 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Checkpoint, Workflow
from mainspring.engine.settings import EngineSettings
from mainspring.errors import MainspringError, NotOwner, StoreError, UnknownInstance
from mainspring.journal.records import Committed, Lease, Write
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow

CALLS: list[tuple[str, int]] = []
GATES: dict[str, asyncio.Event] = {}
EACH, MANUAL = Checkpoint(policy="each"), Checkpoint(policy="manual")


def count(many: int) -> Checkpoint:
    """After so many completions."""
    return Checkpoint(policy="count", count=many)


@ms.task(name="cp_step")
async def step(ctx: ms.TaskContext) -> int:
    """Counts its calls; waits where there is a gate for it."""
    CALLS.append((ctx.path, ctx.attempt))
    if ctx.path in GATES:
        await GATES[ctx.path].wait()
    return len(CALLS)


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nothing was called yet."""
    CALLS.clear()
    GATES.clear()


class Watched(MemoryStore):
    """Knows how many turns each commit held; `failing` says how many of those to come are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []
        self.failing = 0

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.failing:
            self.failing -= 1
            raise StoreError("the disk is away")
        self.groups.append(sum(len(write.rows) for write in writes))
        return await super().commit(lease, writes)


def chain(length: int, checkpoint: Checkpoint | None, **more: Any) -> Workflow:
    """n0, n1, … one after the other."""
    nodes = [node(f"n{at}", "cp_step", *([f"n{at - 1}"] if at else [])) for at in range(length)]
    return workflow(*nodes, id="chain", checkpoint=checkpoint, **more)


async def called(path: str) -> None:
    """The node's work has begun."""
    while path not in [one for one, _ in CALLS]:
        await asyncio.sleep(0)


async def durable(store: MemoryStore, id: str) -> list[str]:
    """The nodes of whose completion the store knows."""
    loaded = await store.load(id)
    assert loaded is not None
    async with ms.Engine(store.copy(), recover=False) as other:
        nodes = (await other.inspect(id)).nodes
        return [path for path in nodes if nodes[path].status == "completed"]


@pytest.mark.parametrize(("checkpoint", "groups"), [
    (None, [1] * 7), (EACH, [1] * 7), (count(2), [1, 2, 2, 2]), (count(4), [1, 4, 2]), (MANUAL, [1, 6]),
])  # fmt: skip
async def test_a_checkpoint_is_one_commit(checkpoint: Checkpoint | None, groups: list[int]) -> None:
    """The start and the end are checkpoints by themselves."""
    store = Watched()
    async with ms.Engine(store) as engine:
        result = await (await engine.start(chain(6, checkpoint), key="x")).result()
    assert result.status == "completed"
    assert [one for one in store.groups if one] == groups
    assert [path for path, _ in CALLS] == [f"n{at}" for at in range(6)]


async def test_what_ran_ahead_of_a_crash_runs_again_with_the_same_key_and_nothing_else_does() -> None:
    store = Watched()
    GATES["n5"] = asyncio.Event()
    engine = ms.Engine(store)
    await engine.__aenter__()
    run = await engine.start(chain(7, count(3)))
    await called("n5")
    await engine.host.kill(release=True)
    GATES.clear()
    async with ms.Engine(store) as engine:
        result = await engine.wait(run.id)
    assert result.status == "completed"
    assert [path for path, _ in CALLS] == ["n0", "n1", "n2", "n3", "n4", "n5", "n3", "n4", "n5", "n6"]


async def test_after_a_crash_an_instance_goes_node_by_node() -> None:
    """Or a task that ends its process would do so for ever, uncounted."""
    store = Watched()
    crashes = 0
    GATES["n2"] = asyncio.Event()
    run_id = ""
    while crashes < 10:
        engine = ms.Engine(store)
        await engine.__aenter__()
        run_id = run_id or (await engine.start(chain(4, MANUAL))).id
        CALLS.clear()
        over = asyncio.ensure_future(engine.wait(run_id))
        reached = asyncio.ensure_future(called("n2"))
        await asyncio.wait((over, reached), return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            reached.cancel()
            assert over.result().nodes["n2"].error.type == "CrashLimit"
            await engine.__aexit__()
            break
        over.cancel()
        crashes += 1
        await engine.host.kill(release=True)
    assert crashes == 4  # the first one was not counted


async def test_an_orderly_stop_is_a_checkpoint() -> None:
    store = Watched()
    GATES["n3"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(5, MANUAL))
        await called("n3")
    GATES.clear()
    async with ms.Engine(store) as engine:
        assert (await engine.wait(run.id)).status == "completed"
    assert [path for path, _ in CALLS] == ["n0", "n1", "n2", "n3", "n3", "n4"]


async def test_by_hand() -> None:
    store = Watched()
    GATES["n3"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(5, MANUAL))
        await called("n3")
        assert (await run.state()).nodes["n2"].status == "pending"
        await run.checkpoint()
        assert (await run.state()).nodes["n2"].status == "completed"
        GATES["n3"].set()
        await run.result()
        await run.checkpoint()  # nothing to do
        with pytest.raises(UnknownInstance):
            await engine.checkpoint("nobody")


class Away(MemoryStore):
    """Its commits never end, or say that somebody else has the store."""

    away = False
    error: Exception | None = None

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.error is not None:
            raise self.error
        if self.away:
            await asyncio.Event().wait()
        return await super().commit(lease, writes)


@pytest.mark.parametrize("lost", [False, True])
async def test_who_waits_for_one_is_told_that_it_will_never_be(lost: bool) -> None:
    store = Away()
    GATES["n3"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(5, MANUAL))
        await called("n3")
        store.away, store.error = True, NotOwner("somebody else has it") if lost else None
        waits = asyncio.create_task(run.checkpoint())
        for _ in range(20):
            await asyncio.sleep(0)
        await engine.host.kill()
        with pytest.raises(MainspringError, match="somebody else" if lost else "was stopped"):
            await asyncio.wait_for(waits, 5)


async def test_by_time() -> None:
    store = Watched()
    GATES["n3"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(5, Checkpoint(policy="interval", interval=20)))
        await called("n3")
        assert (await run.state()).nodes["n2"].status == "pending"
        while (await run.state()).nodes["n2"].status != "completed":
            await asyncio.sleep(0.001)
        GATES["n3"].set()
        await run.result()


async def test_never_more_turns_than_the_bound() -> None:
    store = Watched()
    async with ms.Engine(store, settings=EngineSettings(ahead_turns_max=3)) as engine:
        await (await engine.start(chain(8, MANUAL))).result()
    assert [one for one in store.groups if one] == [1, 3, 3, 2]


async def test_a_standstill_is_a_checkpoint() -> None:
    """Where no task runs nothing is gained by keeping turns back."""
    nodes = (
        node("a", "cp_step"),
        node("b", "cp_step", "a"),
        node("w", None, "b", type="wait", config={"signal": "go"}),
    )
    async with ms.Engine(Watched()) as engine:
        run = await engine.start(workflow(*nodes, checkpoint=MANUAL))
        while (await run.state()).nodes["w"].status != "waiting":
            await asyncio.sleep(0)
        await run.signal("go", {"x": 1})
        assert (await run.result()).nodes["w"].output == {"x": 1}


async def test_a_message_is_acknowledged_with_what_came_before_it() -> None:
    store = Watched()
    nodes = [*chain(3, None).nodes, node("long", "cp_step"), node("w", None, type="wait", config={"signal": "go"})]
    GATES["long"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(*nodes, checkpoint=MANUAL))
        await called("n2")
        while engine.peek(run.id).nodes["n2"].status != "completed":  # type: ignore[union-attr]
            await asyncio.sleep(0)
        assert (await run.state()).nodes["n2"].status == "pending"
        await run.signal("go")
        while (await run.state()).nodes["w"].status != "completed":
            await asyncio.sleep(0)
        assert (await run.state()).nodes["n2"].status == "completed"
        GATES["long"].set()
        await run.result()


async def test_children_start_when_what_led_to_them_is_durable() -> None:
    child = workflow(node("c", "cp_step"), id="child")
    sub = node("sub", None, "n1", type="subflow", config={"workflow": "child"})
    parent = workflow(*chain(2, None).nodes, node("long", "cp_step"), sub, id="parent", checkpoint=MANUAL)
    GATES["long"] = GATES["c"] = asyncio.Event()
    async with ms.Engine(Watched()) as engine:
        engine.register(child)
        run = await engine.start(parent)
        await called("c")
        assert (await run.state()).nodes["n1"].status == "completed"
        GATES["c"].set()
        assert (await run.result()).status == "completed"


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_commit_that_fails_loses_nothing(lost: int) -> None:
    store = Watched()
    GATES["n4"] = asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(6, MANUAL))
        await called("n4")
        store.failing = lost
        await run.checkpoint()
        assert store.failing == 0
        assert (await run.state()).nodes["n3"].status == "completed"
        GATES["n4"].set()
        assert (await run.result()).status == "completed"
    assert [path for path, _ in CALLS] == [f"n{at}" for at in range(6)]  # what ran ahead still counts


async def test_what_failed_to_be_committed_takes_along_what_was_decided_on_it() -> None:
    """The turns kept back rest on the ones that are lost."""
    store = Watched()
    GATES["n2"], GATES["n3"] = asyncio.Event(), asyncio.Event()
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(6, count(2)))
        await called("n2")  # a checkpoint has been taken
        await engine.host.writer.drained()
        store.failing = 1
        GATES["n2"].set()
        await called("n3")
        GATES["n3"].set()
        assert (await run.result()).status == "completed"
    assert [path for path, _ in CALLS] == [f"n{at}" for at in range(6)]


async def test_one_that_slept_here_goes_on_as_it_went() -> None:
    nodes = (
        node("d", None, type="delay", config={"duration": 60}),
        *(node(f"n{at}", "cp_step", f"n{at - 1}" if at else "d") for at in range(4)),
    )
    store = Watched()
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(*nodes, checkpoint=MANUAL))
        await engine.idle()
        engine.host.sleep.check(0)
        assert engine.host.sleep.asleep == 1
        await run.result()
    assert [one for one in store.groups if one][-1] == 5


async def test_an_order_by_hand_is_told_by_what_has_happened() -> None:
    GATES["n3"] = asyncio.Event()
    async with ms.Engine(Watched()) as engine:
        run = await engine.start(chain(5, MANUAL))
        await called("n3")
        told = await engine.skip(run.id, "n3", dry_run=True)
        assert told.stops == ("n3",)
        GATES["n3"].set()
        await run.result()


async def test_a_lock_is_given_back_when_that_is_durable() -> None:
    """Or, after a crash, it would be held by whoever got it and by whoever had given it back."""
    body = {"nodes": [{"id": "in", "type": "function", "config": {"handler": "cp_step"}}]}
    guard = node("m", None, type="mutex", config={"name": "till", "body": body})
    flow = workflow(guard, node("long", "cp_step"), node("after", "cp_step", "m"), id="guarded", checkpoint=MANUAL)
    GATES["long"] = GATES["after"] = asyncio.Event()
    async with ms.Engine(Watched()) as engine:
        first = await engine.start(flow)
        await called("after")
        assert (await first.state()).nodes["m"].status == "completed"
        second = await engine.start(flow)
        while len([path for path, _ in CALLS if path == "m[0].in"]) < 2:
            await asyncio.sleep(0)
        GATES["long"].set()
        assert {(await first.result()).status, (await second.result()).status} == {"completed"}
