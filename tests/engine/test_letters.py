"""Dead letters on the engine: nothing that is given up is lost, and what is put back to work has its effect once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import CircuitBreaker, Workflow
from mainspring.errors import CommandRefused
from mainspring.journal import messages
from mainspring.journal.records import Change, InboxMessage, OutboxRow, Write
from mainspring.machine.commands import lifecycle
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow

CALLS: list[tuple[str, str]] = []
GATE: list[asyncio.Event] = []


@ms.task(name="l_kills")
async def kills(ctx: ms.TaskContext) -> str:
    """Runs until it is let go; the test ends its process meanwhile."""
    CALLS.append((ctx.path, ctx.idempotency_key))
    await GATE[-1].wait()
    return "through"


@ms.task(name="l_step")
async def step(ctx: ms.TaskContext) -> str:
    CALLS.append((ctx.path, ctx.idempotency_key))
    return ctx.path


@pytest.fixture(autouse=True)
def fresh() -> None:
    CALLS.clear()
    GATE.append(asyncio.Event())


FLOW = workflow(
    node("before", "l_step"), node("killer", "l_kills", "before"), node("after", "l_step", "killer"), id="w"
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


async def condemned(url: str, key: str = "1", flow: Workflow = FLOW) -> str:
    """An instance whose killer has been condemned."""
    id = f"w:{key}"
    for _ in range(lifecycle.CRASHES_MAX):
        engine = ms.Engine(open_store(url))
        await engine.__aenter__()
        await engine.start(flow, key=key)
        while not any(path == "killer" for path, _ in CALLS):
            await asyncio.sleep(0)
        CALLS.clear()
        await engine.host.writer.drained()
        await engine.host.kill()
    async with ms.Engine(url) as engine:
        assert (await engine.wait(id)).status == "failed"
    return id


async def test_a_condemned_node_is_listed_and_runs_again_once(url: str) -> None:
    id = await condemned(url)
    CALLS.clear()
    async with ms.Engine(url) as engine:
        [letter] = await engine.dead_letters()
        assert (letter.id, letter.kind, letter.instance, letter.path, letter.run) == (
            f"{id}/killer/1",
            "node",
            id,
            "killer",
            1,
        )
        assert "the process ended 3 times" in letter.reason
        GATE[-1].set()
        ends = await asyncio.gather(*(engine.requeue(letter.id, by="me") for _ in range(3)), return_exceptions=True)
        assert None in ends
        result = await asyncio.wait_for(engine.wait(id), 10)
        assert (result.status, result.output) == ("completed", "after")
        assert [("killer", f"{id}/killer/2"), ("after", f"{id}/after/2")] == CALLS
        assert await engine.dead_letters() == []
        with pytest.raises(CommandRefused, match="there is no dead letter"):
            await engine.requeue(letter.id)
    async with ms.Engine(url) as engine:  # what came too late for it is taken, refused, and forgotten
        await engine.idle()
        assert (await engine.inspect(id)).status == "completed"
        assert [one.open for one in await engine.instances()] == [False]
        assert len(CALLS) == 2


async def test_the_order_outlives_the_engine_that_took_it(url: str) -> None:
    """The command line's way: nothing is run there. The next engine finds the instance with its mail."""
    id = await condemned(url)
    CALLS.clear()
    async with ms.Engine(url, recover=False) as engine:
        engine.host.recovery.want = lambda: None  # type: ignore[method-assign]
        await engine.requeue(f"{id}/killer/1")
    assert CALLS == []
    GATE[-1].set()
    async with ms.Engine(url) as engine:
        assert (await asyncio.wait_for(engine.wait(id), 10)).status == "completed"
        assert await engine.dead_letters() == []


async def test_a_node_that_kills_again_is_a_letter_of_its_new_run(url: str) -> None:
    id = await condemned(url)
    async with ms.Engine(url, recover=False) as engine:
        engine.host.recovery.want = lambda: None  # type: ignore[method-assign]
        await engine.requeue(f"{id}/killer/1")
    CALLS.clear()
    await condemned(url)
    async with ms.Engine(url) as engine:
        assert [letter.id for letter in await engine.dead_letters()] == [f"{id}/killer/2"]


async def test_a_purged_letter_is_gone_and_its_instance_stays(url: str) -> None:
    id = await condemned(url)
    async with ms.Engine(url) as engine:
        assert await engine.purge(f"{id}/killer/1", "unheard of") == 1
        assert await engine.dead_letters() == []
        assert (await engine.inspect(id)).status == "failed"


async def test_a_refused_order_closes_the_instance_again(url: str) -> None:
    """Two orders at once, of which the first was taken and has ended by the time that the second is read."""
    id = await condemned(url)
    GATE[-1].set()
    async with ms.Engine(url, recover=False) as engine:
        engine.host.recovery.want = lambda: None  # type: ignore[method-assign]
        await engine.requeue(f"{id}/killer/1")
        record = (await engine.instances())[0]
        late = messages.encode(messages.RetryNode("killer", 7))
        await engine.host.store.post(InboxMessage("late", record.number, late, 0))
    async with ms.Engine(url) as engine:
        await asyncio.wait_for(engine.wait(id), 10)
        await engine.idle()
        assert [(one.status, one.open) for one in await engine.instances()] == [("completed", False)]
        assert engine.host.lives == {}


async def test_the_second_of_two_orders_writes_nothing_over_what_the_first_has_begun(url: str) -> None:
    """It had read the record before that, and wrote `failed` over the one of an instance that was running again."""
    id = await condemned(url)
    CALLS.clear()
    async with ms.Engine(url) as engine:
        store, late = engine.host.store, asyncio.Event()
        read, waits = store.definition, [late]

        async def definition(version: str) -> object:
            if waits:
                await waits.pop().wait()
            return await read(version)

        store.definition = definition  # type: ignore[assignment, method-assign]
        second = asyncio.create_task(engine.requeue(f"{id}/killer/1"))
        while waits:
            await asyncio.sleep(0)
        first = asyncio.create_task(engine.requeue(f"{id}/killer/1"))
        for _ in range(200):
            await store.find(id)  # the store does one thing after another: the first one gets on meanwhile
        late.set()
        assert None in await asyncio.gather(first, second, return_exceptions=True)
        while not CALLS:
            await asyncio.sleep(0)
        await engine.host.writer.drained()
        assert [(one.status, one.open) for one in await engine.instances()] == [("running", True)]
        GATE[-1].set()
        assert (await asyncio.wait_for(engine.wait(id), 10)).status == "completed"
        await engine.idle()
        assert [(one.status, one.open) for one in await engine.instances()] == [("completed", False)]


async def test_one_that_comes_to_the_same_end_in_the_turn_that_opens_it_is_closed(url: str) -> None:
    """The new run is refused by a breaker that somebody has opened: the record stayed open."""
    guarded = workflow(node("killer", "l_kills", circuit_breaker=CircuitBreaker(target="t")), id="w")
    id = await condemned(url, flow=guarded)
    async with ms.Engine(url) as engine:
        await engine.open_breaker("t")
        await engine.requeue(f"{id}/killer/1")
        while await engine.dead_letters():
            await asyncio.sleep(0)
        await engine.idle()
        assert [(one.status, one.open) for one in await engine.instances()] == [("failed", False)]
        assert engine.host.lives == {}


async def test_a_parked_instance_is_listed_and_resumed() -> None:
    async with ms.Engine(MemoryStore()) as engine:
        run = await engine.start(FLOW)
        while len(CALLS) < 2:
            await asyncio.sleep(0)
        from mainspring.machine.inputs import ParkInstance

        engine.host.loop.post(engine.host.by_id[run.id], ParkInstance(reason="a defect"))
        while (await run.state()).status != "parked":
            await asyncio.sleep(0)
        [letter] = await engine.dead_letters()
        assert (letter.id, letter.kind, letter.reason) == (run.id, "instance", "a defect")
        assert await engine.dead_letter(run.id) == letter
        GATE[-1].set()
        await engine.requeue(run.id)
        assert (await asyncio.wait_for(run.result(), 10)).status == "completed"
        assert await engine.dead_letters() == []


async def test_a_message_that_nobody_can_read_is_a_letter_and_can_be_sent_again() -> None:
    store = MemoryStore()
    async with ms.Engine(store) as engine:
        GATE[-1].set()
        run = await engine.start(FLOW)
        await run.result()
        number = (await engine.instances())[0].number
        broken = OutboxRow("w/x", number, "child cancel", b"nonsense", 5)
        await store.commit(engine.host.ownership.lease(), [Write(number, outbox=(broken,))])
        for _ in range(2):
            engine.host.outbox.want()
            await engine.idle()
            await asyncio.sleep(0)
            [letter] = await engine.dead_letters()
            assert (letter.id, letter.kind, letter.path, letter.body) == (
                "w/x/outbox",
                "outbox",
                "child cancel",
                b"nonsense",
            )
            assert await store.outbox(engine.host.ownership.lease(), 10) == []
            await engine.requeue(letter.id)  # for a version that can read it; this one buries it again
            while not await engine.dead_letters():
                await asyncio.sleep(0)


async def test_a_detached_child_that_cannot_be_started_is_a_letter() -> None:
    child = ms.Workflow(
        "child", nodes=[ms.Node("x", "log")], input_schema={"type": "object", "required": ["must"], "properties": {}}
    )
    parent = ms.Workflow("parent", nodes=[ms.Node("s", "subflow", config={"workflow": "child", "wait": False})])
    async with ms.Engine(MemoryStore()) as engine:
        engine.register(child)
        run = await engine.start(parent)
        await run.result()
        while not (letters := await engine.dead_letters()):
            await asyncio.sleep(0)
        [letter] = letters
        assert (letter.kind, letter.instance) == ("child", run.id)
        assert "must" in letter.reason


async def test_one_that_was_opened_for_nothing_is_closed_again(url: str) -> None:
    """Whoever opens an instance for an order may find that somebody else has seen to it: nobody would look at it again."""
    async with ms.Engine(url) as engine:
        run = await engine.start(workflow(node("x", type="log"), id="w"))
        await run.result()
        record = await engine.host.store.find(run.id)
        assert record is not None
        opened = Change(status=record.status, open=True, wake_at=engine.host.clock.now())
        await engine.host.store.commit(engine.host.ownership.lease(), [Write(record.number, change=opened)])
        engine.host.recovery.want()
        while (found := await engine.host.store.find(run.id)) is not None and found.open:
            await asyncio.sleep(0)
        assert found == msgspec.structs.replace(record, owner=found.owner if found else 0)
        await engine.idle()
        assert engine.host.lives == {}
