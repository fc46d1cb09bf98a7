"""What people do to single nodes, through the engine: a dry run tells what then happens, and the journal who did it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Node, Workflow
from mainspring.engine.interventions import Preview
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.journal.messages import SkipNode
from mainspring.journal.records import Committed, InboxMessage, Lease, Loaded, Write
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow

GATE: list[asyncio.Event] = []
BROKEN = {"on": True}


@ms.task(name="hand_ok")
async def ok(ctx: ms.TaskContext) -> Any:
    return {"key": ctx.idempotency_key, "was": ctx.input}


@ms.task(name="hand_broken")
async def broken() -> str:
    if BROKEN["on"]:
        raise ValueError("not today")
    return "mended"


@ms.task(name="hand_gated")
async def gated() -> str:
    await GATE[0].wait()
    return "through"


@pytest.fixture(autouse=True)
def fresh() -> None:
    GATE[:] = [asyncio.Event()]
    BROKEN["on"] = True


FLOW = workflow(
    node("a", "hand_ok"), node("b", "hand_broken", "a"), node("c", "hand_ok", "b"), node("d", "hand_ok", "a"), id="flow"
)


async def soon(awaited: Any) -> Any:
    """Well before a lease ends, which is when an order that nobody confirms is waited for no longer."""
    return await asyncio.wait_for(awaited, EngineSettings().lease_ms / 1000 / 2)


async def taken(run: ms.Run, told: Preview) -> None:
    """The turn that begins with that order has the events that were told, and then whatever else it leads to."""
    first = told.events[0]
    while True:
        events = [one async for one in run._engine.events(run.id)] if (await run.state()).done else await so_far(run)
        at = next((index for index, one in enumerate(events) if one.event == first), None)
        if at is not None:
            row = [one.event for one in events if one.seq == events[at].seq]
            assert tuple(row) == told.events
            return
        await asyncio.sleep(0.001)


async def so_far(run: ms.Run) -> list[Any]:
    from mainspring.engine.result import recorded

    page = await run._engine._store.turns(run.id)
    assert page is not None
    return list(recorded(page))


async def test_a_failed_node_is_retried_and_its_instance_opened(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(FLOW, input=1)
        assert (await soon(run.result())).status == "failed"
        BROKEN["on"] = False
        dry = await engine.retry(run.id, "b", by="ann", reason="mended", dry_run=True)
        assert (dry.status, dry.starts, dry.stops) == ("running", ("b",), ())
        assert (await run.state()).status == "failed", "nothing has happened"
        told = await engine.retry(run.id, "b", by="ann", reason="mended")
        assert told.events == dry.events
        result = await soon(run.result())
        while result.status != "completed":  # it had ended before: that is told until it is open again
            result = await soon(run.result())
        await taken(run, told)
        assert result.nodes["c"].output == {"key": f"{run.id}/c/2", "was": "mended"}
        assert told.events[0] == ev.Intervened("retry", "b", 1, "ann", "mended")


class Held(MemoryStore):
    """Commits with rows wait for these gates, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[asyncio.Event] = []

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.gates and any(write.rows for write in writes):
            await self.gates.pop(0).wait()
        return await super().commit(lease, writes)


async def turns_of_the_loop() -> None:
    """All that can go on has gone on."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_two_orders_each_of_which_ends_it_anew() -> None:
    """The first end is durable before the second: the instance must not be claimed in between, to take the second again."""
    store = Held()
    flow = workflow(node("a", "hand_broken"), node("b", "hand_broken"), id="two")
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        await soon(run.result())
        gates = store.gates[:] = [asyncio.Event(), asyncio.Event()]
        await soon(engine.skip(run.id, "a"))
        await turns_of_the_loop()
        order = SkipNode("b", 1)  # from somebody who has seen what was durable before
        second = asyncio.create_task(engine.host.interventions.order(run.id, order))
        await turns_of_the_loop()
        assert engine.host.by_id[run.id].instance.status == "completed", "in memory"
        gates[0].set()
        await turns_of_the_loop()
        gates[1].set()
        await soon(second)
        assert (await soon(engine.wait(run.id))).status == "completed"
        events = [one.event async for one in engine.events(run.id)]
        assert [one.path for one in events if isinstance(one, ev.Intervened)] == ["a", "b"]
        record = await store.find(run.id)
        assert record is not None and (record.status, record.open) == ("completed", False)
        assert engine.host.recovery.failures == 0


async def test_what_comes_to_the_same_end_at_once_is_closed_again() -> None:
    store = Held()
    async with ms.Engine(store) as engine:
        run = await engine.start(Workflow(id="log", nodes=(Node(id="a", type="log"),)))
        await soon(run.result())
        await soon(engine.rerun(run.id, "a"))
        await turns_of_the_loop()
        page = await store.turns(run.id)
        assert page is not None and (len(page.rows), page.record.open) == (2, False)


async def test_with_another_input(store: Store) -> None:
    flow = workflow(node("a", "hand_ok"), node("b", "hand_broken", "a"), id="other")
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        await soon(run.result())
        told = await engine.retry(run.id, "b", input={"n": 7})
        await taken(run, told)
        assert (await run.state()).nodes["b"].input == {"n": 7}


async def test_what_runs_is_skipped_or_done_by_hand(store: Store) -> None:
    flow = workflow(node("x", "hand_gated"), node("y", "hand_gated"), node("z", "hand_ok", "x", "y"), id="gates")
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        assert (await engine.skip(run.id, "x", dry_run=True)).stops == ("x",)
        await soon(engine.skip(run.id, "x", by="ann"))
        told = await soon(engine.complete(run.id, "y", {"n": 3}, by="ann", reason="by phone"))
        assert told.starts in ((), ("z",)), "the order before it may not be durable yet"
        result = await soon(run.result())
        assert (result.status, result.nodes["z"].output["was"]) == ("completed", {"y": {"n": 3}})


async def test_variables_are_set(store: Store) -> None:
    flow = workflow(
        node("x", "hand_gated"),
        node("y", "hand_ok", "x", input={"rate": "${ variables.rate }"}),
        id="rates",
        variables={"rate": 1},
    )
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        await taken(run, await soon(engine.set_variables(run.id, {"rate": 3}, by="ann")))
        GATE[0].set()
        assert (await soon(run.result())).nodes["y"].output["was"] == {"rate": 3}


async def test_again_from_a_node(store: Store) -> None:
    BROKEN["on"] = False
    async with ms.Engine(store) as engine:
        run = await engine.start(FLOW, input=1)
        assert (await soon(run.result())).status == "completed"
    async with ms.Engine(store) as engine:
        run = await engine.get(run.id)
        told = await engine.rerun(run.id, "b", input="other", by="ann")
        await taken(run, told)
        result = await soon(run.result())
        assert {path: one.runs for path, one in result.nodes.items()} == {"a": 1, "b": 2, "c": 2, "d": 1}
        assert (result.nodes["b"].input, result.status) == ("other", "completed")


async def test_what_can_t_be_is_refused_and_changes_nothing(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(FLOW)
        await soon(run.result())
        rows = len(await so_far(run))
        with pytest.raises(UnknownInstance):
            await engine.skip("nobody", "a")
        with pytest.raises(CommandRefused, match="there is no z"):
            await engine.skip(run.id, "z")
        with pytest.raises(CommandRefused, match=r"is in its run|run it again from the node"):
            await engine.skip(run.id, "a")
        with pytest.raises(CommandRefused, match="nothing would see them"):
            await engine.set_variables(run.id, {"n": 1})
        await engine.idle()
        assert len(await so_far(run)) == rows
        assert not (await engine._store.find(run.id)).open  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(12))
async def test_a_dry_run_tells_what_then_happens(store: Store, seed: int) -> None:
    """On random graphs, at their ends: the order's own row has the events that the dry run told, no more and no less."""
    chance = random.Random(seed)
    count = chance.randrange(2, 7)
    nodes = [
        node(
            f"n{index}",
            chance.choice(("hand_ok", "hand_ok", "hand_broken")),
            *(f"n{source}" for source in range(index) if chance.random() < 0.5),
        )
        for index in range(count)
    ]
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(*nodes, id=f"random{seed}"))
        await soon(run.result())
        for _ in range(4):
            path = f"n{chance.randrange(count)}"
            do: Any = chance.choice((engine.retry, engine.skip, engine.rerun, engine.complete))
            try:
                dry = await do(run.id, path, by="ann", reason=str(seed), dry_run=True)
            except CommandRefused as refused:
                with pytest.raises(CommandRefused) as real:
                    await do(run.id, path, by="ann", reason=str(seed))
                assert str(real.value) == str(refused)
                continue
            assert (await do(run.id, path, by="ann", reason=str(seed))).events == dry.events
            await taken(run, dry)
            while not (await run.state()).done:
                await asyncio.sleep(0.001)
            await engine.idle()


class Late(MemoryStore):
    """Gives what it has read only when it is told to, and mail too."""

    gate: asyncio.Event | None = None

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        late = self.gate is not None and not self.gate.is_set()
        return [] if late else await super().mail(lease, limit)

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        loaded = await super().load(id, until=until)
        if self.gate is not None and loaded is not None and loaded.inbox:
            await self.gate.wait()
        return loaded


async def test_an_instance_that_ends_while_it_is_looked_at_is_opened_for_its_order() -> None:
    store = Late()
    flow = workflow(node("x", "hand_gated"), id="gate")
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        store.gate = asyncio.Event()
        order = asyncio.create_task(engine.set_variables(run.id, {"late": 1}))
        await turns_of_the_loop()
        GATE[0].set()
        await soon(run.result())
        store.gate.set()
        await soon(order)
        await turns_of_the_loop()
        loaded = await store.load(run.id)
        assert loaded is not None and not loaded.inbox and not loaded.record.open
