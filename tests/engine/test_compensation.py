"""Sagas on a running engine (SEMANTICS 64-70): the code that undoes, crashes, pages, and what is done by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Node
from mainspring.engine.engine import Engine
from mainspring.errors import StoreError
from mainspring.journal.records import Committed, Lease, Write
from mainspring.machine import events as ev
from mainspring.machine.effects import ArmTimer
from mainspring.stores.memory import MemoryStore
from mainspring.testing import kill_at_each_turn
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

DONE: list[str] = []
UNDONE: list[tuple[str, Any, str]] = []
BROKEN: set[str] = set()
HOLD: list[str] = []
WAITING: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    DONE.clear()
    UNDONE.clear()
    BROKEN.clear()
    HOLD.clear()
    WAITING.clear()


async def book(name: str) -> dict[str, str]:
    DONE.append(name)
    return {"booked": name}


async def unbook(ctx: ms.TaskContext) -> None:
    found = ctx.compensation
    assert found is not None and found.output == ctx.input
    if ctx.input["booked"] in BROKEN:
        raise RuntimeError("the line is busy")
    if ctx.input["booked"] in HOLD:
        WAITING.append(found.path)
        await asyncio.Event().wait()
    UNDONE.append((found.path, ctx.input["booked"], ctx.idempotency_key))


def undoes_nothing(ctx: ms.TaskContext) -> bool:
    return ctx.compensation is None


def refuse() -> None:
    raise ValueError("no money")


def trip(undo: ms.Node | None = None) -> ms.Workflow:
    booking = {"config": {"handler": book}, "compensation_node_id": "unbook"}
    return ms.Workflow(
        "trip",
        nodes=[
            ms.Node("flight", "function", input={"name": "flight"}, **booking),
            ms.Node("hotel", "function", input={"name": "hotel"}, depends_on=["flight"], **booking),
            ms.Node("pay", "function", config={"handler": refuse}, depends_on=["hotel"]),
            undo or ms.Node("unbook", "function", config={"handler": unbook}),
        ],
    )


async def test_what_was_booked_is_unbooked_the_last_first() -> None:
    async with ms.Engine("memory:") as engine:
        run = await engine.start(trip())
        result = await run.result()
        assert result.status == "failed"
        assert result.reason == "1 unhandled failure; undone: 2 of 2 runs"
        assert [
            ("hotel", "hotel", f"{run.id}/hotel/1:undo"),
            ("flight", "flight", f"{run.id}/flight/1:undo"),
        ] == UNDONE
        found = result.compensation
        assert found is not None and found.over and (found.total, found.undone, found.left) == (2, 2, ())


@pytest.mark.parametrize("deaths", [1, 2])
def test_no_crash_at_any_turn_undoes_twice_with_another_key_or_forgets(deaths: int) -> None:
    kill_at_each_turn(trip(), deaths=deaths)
    keys = {(path, key.partition("/")[2]) for path, _, key in UNDONE}
    assert keys == {("hotel", "hotel/1:undo"), ("flight", "flight/1:undo")}


async def test_by_hand_what_was_left_is_undone(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/a.db"
    BROKEN.update({"flight", "hotel"})
    async with ms.Engine(store) as engine:
        run = await engine.start(trip())
        result = await run.result()
        assert result.reason == "1 unhandled failure; undone: 0 of 2 runs; not undone: hotel, flight"
        BROKEN.discard("flight")
        await engine.compensate(run.id, by="me")
        result = await run.result()
        assert result.reason == "1 unhandled failure; undone: 1 of 2 runs; not undone: hotel"
    BROKEN.clear()
    async with ms.Engine(store) as engine:  # another process, which has the instance from the store
        with pytest.raises(ms.UnknownInstance):
            await engine.compensate("nobody")
        await engine.compensate(run.id)
        result = await engine.wait(run.id)
        assert result.status == "failed"
        assert result.reason == "1 unhandled failure; undone: 2 of 2 runs"
        with pytest.raises(ms.CommandRefused, match="nothing is left to be undone"):
            await engine.compensate(run.id)
    assert [path for path, _, _ in UNDONE] == ["flight", "hotel"]


async def test_by_hand_an_instance_that_runs_is_refused() -> None:
    workflow = ms.Workflow("w", nodes=[ms.Node("a", "delay", config={"duration": "1h"})])
    async with ms.Engine("memory:") as engine:
        run = await engine.start(workflow)
        with pytest.raises(ms.CommandRefused, match="is running: only one that is at its end"):
            await engine.compensate(run.id)


async def test_an_engine_that_stops_in_the_middle_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/a.db"
    HOLD.append("hotel")
    async with ms.Engine(store) as engine:
        run = await engine.start(trip())
        while engine.peek(run.id).status != "compensating" or not WAITING:  # type: ignore[union-attr]
            await asyncio.sleep(0)
    HOLD.clear()
    async with ms.Engine(store) as engine:
        result = await engine.wait(run.id)
        assert result.reason == "1 unhandled failure; undone: 2 of 2 runs"
    assert [path for path, _, _ in UNDONE] == ["hotel", "flight"]


@pytest.mark.parametrize("page", [1, 3, 7, 500])
async def test_the_runs_in_bodies_come_back_in_pages(page: int, tmp_path: Path) -> None:
    body = ms.Body(
        nodes=[
            ms.Node("x", "transform", config={"output": {"booked": "${index}"}}, compensation_node_id="u"),
            ms.Node("u", "function", config={"handler": unbook}),
        ]
    )
    loop = ms.Node("l", "forEach", config={"items": list(range(20)), "body": body})
    workflow = ms.Workflow("w", nodes=[loop, ms.Node("z", "function", config={"handler": refuse}, depends_on=["l"])])
    settings = ms.EngineSettings(compensation_page=page)
    async with ms.Engine(f"sqlite:///{tmp_path}/a.db", settings=settings) as engine:
        run = await engine.start(workflow)
        await run.result()
        ends = [one.event.path async for one in engine.events(run.id) if isinstance(one.event, ev.NodeCompleted)]
    done = [path for path in ends if path.endswith(".x")]
    assert [path for path, _, _ in UNDONE] == done[::-1] and len(done) == 20


async def test_a_script_has_the_context_in_a_file() -> None:
    code = "import json, os; print(json.dumps(json.load(open(os.environ['MAINSPRING_COMPENSATION']))['path']))"
    undo = ms.Node("unbook", "script", config={"runtime": "python", "code": code})
    async with ms.Engine("memory:") as engine:
        run = await engine.start(trip(undo))
        result = await run.result()
        assert result.reason.endswith("undone: 2 of 2 runs")


async def test_no_context_where_nothing_is_undone() -> None:
    async with ms.Engine("memory:") as engine:
        run = await engine.start(ms.Workflow("w", nodes=[ms.Node("a", "function", config={"handler": undoes_nothing})]))
        assert (await run.result()).output is True


# --- children


def child() -> ms.Workflow:
    return ms.Workflow(
        "child",
        nodes=[
            ms.Node("rent", "function", input={"name": "car"}, config={"handler": book}, compensation_node_id="unrent"),
            ms.Node("unrent", "function", config={"handler": unbook}),
        ],
    )


def parent() -> ms.Workflow:
    return ms.Workflow(
        "parent",
        nodes=[
            ms.Node(
                "flight", "function", input={"name": "flight"}, config={"handler": book}, compensation_node_id="undo"
            ),
            ms.Node("car", "subflow", config={"workflow": "child"}, depends_on=["flight"]),
            ms.Node("pay", "function", config={"handler": refuse}, depends_on=["car"]),
            ms.Node("undo", "function", config={"handler": unbook}),
        ],
    )


async def test_a_child_undoes_itself_before_what_came_before_it() -> None:
    async with ms.Engine("memory:") as engine:
        engine.register(child())
        run = await engine.start(parent())
        result = await run.result()
        assert result.reason == "1 unhandled failure; undone: 2 of 2 runs"
        assert [(path, name) for path, name, _ in UNDONE] == [("rent", "car"), ("flight", "flight")]
        assert (await engine.inspect(result.children[0])).status == "compensated"


async def test_a_child_that_cannot_is_as_it_was_and_is_asked_again_by_hand() -> None:
    async with ms.Engine("memory:") as engine:
        engine.register(child())
        BROKEN.add("car")
        run = await engine.start(parent())
        result = await run.result()
        assert result.reason == "1 unhandled failure; undone: 1 of 2 runs; not undone: car"
        there = await engine.inspect(result.children[0])
        assert (there.status, there.reason) == ("completed", "undone: 0 of 1 run; not undone: rent")
        left = result.compensation.left[0]  # type: ignore[union-attr]
        assert left.why == "ChildNotUndone: undone: 0 of 1 run; not undone: rent"
        BROKEN.clear()
        await engine.compensate(run.id)
        assert (await run.result()).reason == "1 unhandled failure; undone: 2 of 2 runs"
        assert (await engine.inspect(result.children[0])).status == "compensated"


async def test_a_child_that_was_undone_by_hand_meanwhile_counts_as_undone() -> None:
    async with ms.Engine("memory:") as engine:
        engine.register(child())
        BROKEN.add("car")
        run = await engine.start(parent())
        result = await run.result()
        BROKEN.clear()
        await engine.compensate(result.children[0])
        assert (await engine.wait(result.children[0])).status == "compensated"
        await engine.compensate(run.id)
        assert (await run.result()).reason == "1 unhandled failure; undone: 2 of 2 runs"
    assert [name for _, name, _ in UNDONE] == ["flight", "car"]


async def test_a_child_with_nothing_to_undo_begins_no_saga() -> None:
    plain = ms.Workflow("child", nodes=[ms.Node("a", "log")])
    lone = ms.Workflow(
        "lone",
        nodes=[
            ms.Node("car", "subflow", config={"workflow": "child"}),
            ms.Node("pay", "function", config={"handler": refuse}, depends_on=["car"]),
        ],
    )
    async with ms.Engine("memory:") as engine:
        engine.register(plain)
        run = await engine.start(lone)
        assert (await run.result()).reason == "1 unhandled failure"


@pytest.mark.parametrize("deaths", [1, 2])
def test_no_crash_at_any_turn_loses_what_goes_between_parent_and_child(deaths: int, tmp_path: Path) -> None:
    ms.save(child(), tmp_path / "child.yaml")
    ms.save(parent(), tmp_path / "parent.yaml")
    kill_at_each_turn(str(tmp_path / "parent.yaml"), deaths=deaths)
    assert {(name, key.rpartition("/")[2]) for _, name, key in UNDONE} == {("car", "1:undo"), ("flight", "1:undo")}


async def test_one_that_is_read_back_does_not_fall_asleep() -> None:
    """Its answer would find nobody at home, and the saga would lie until a timer of no use any more is due."""
    store, read = MemoryStore(), asyncio.Event()
    turns = store.turns

    async def slow(id: str, *, after: int = 0, limit: int = 1_000) -> Any:
        await read.wait()
        return await turns(id, after=after, limit=limit)

    store.turns = slow  # type: ignore[method-assign]
    async with ms.Engine(store) as engine:
        run = await engine.start(trip())
        host = engine.host
        while host.reader.idle:
            await asyncio.sleep(0)
        live = host.by_id[run.id]
        while live.uncommitted:
            await asyncio.sleep(0)
        host.timers.arm(live, ArmTimer("flight", 1, 1, "timeout", host.clock.now() + 3_600_000))
        host.sleep.check(0)
        assert host.sleep.asleep == 0
        read.set()
        assert (await run.result()).reason.endswith("undone: 2 of 2 runs")


class Refusing(MemoryStore):
    """Once it is told to, the next commit fails, and leaves nothing."""

    refuses = False

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.refuses:
            self.refuses = False
            raise StoreError("the disk is full")
        return await super().commit(lease, writes)


def test_a_commit_that_fails_does_not_stop_what_goes_on_by_hand() -> None:
    """The instance is loaded again as the one at its end that it is, and stays until it has taken the order."""
    BROKEN.add("hotel")
    store = Refusing()
    here = "tests.engine.test_compensation"
    booking = {"handler": f"{here}:book"}
    flow = workflow(
        Node(id="hotel", type="function", config=booking, input={"name": "hotel"}, compensation_node_id="unbook"),
        node("pay", f"{here}:refuse", "hotel"),
        node("unbook", f"{here}:unbook"),
    )

    async def test(new: Callable[..., Engine]) -> str:
        async with new(store, drain_inputs_max=1, group_turns_max=1) as engine:
            run = await engine.start(flow)
            await run.result()
            BROKEN.clear()
            store.refuses = True
            await engine.compensate(run.id)
            return (await run.result()).reason

    assert virtually(test) == "1 unhandled failure; undone: 1 of 1 run"
