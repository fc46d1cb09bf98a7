"""Instances under way go over to another version of their workflow, and what stands in the way of that (D9)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

import mainspring as ms
from mainspring.definition.model import Connection, Join, Node, Retry, Workflow
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from tests.engine.conftest import node, workflow

CALLS: list[str] = []
GATES: dict[str, asyncio.Event] = {}


@ms.task(name="v_step")
async def step(ctx: ms.TaskContext) -> str:
    """Waits where there is a gate for its node."""
    CALLS.append(ctx.path)
    if ctx.path in GATES:
        await GATES[ctx.path].wait()
    return f"{ctx.path} of {ctx.input}"


@ms.task(name="v_other")
async def other(ctx: ms.TaskContext) -> str:
    """The code of a newer version."""
    CALLS.append(f"new {ctx.path}")
    return f"new {ctx.path}"


@ms.task(name="v_broken")
async def broken() -> None:
    raise ValueError("not today")


@pytest.fixture(autouse=True)
def fresh() -> None:
    CALLS.clear()
    GATES.clear()


def chain(*ids: str, handler: str = "v_step", **more: Any) -> Workflow:
    """One after the other."""
    nodes = [node(id, handler, *([ids[at - 1]] if at else [])) for at, id in enumerate(ids)]
    return workflow(*nodes, id="w", **more)


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 5)


async def called(path: str) -> None:
    while path not in CALLS:
        await asyncio.sleep(0)


async def until(run: ms.Run, path: str, status: str) -> None:
    while (await run.state()).nodes[path].status != status:
        await asyncio.sleep(0)


def gate(path: str) -> asyncio.Event:
    GATES[path] = asyncio.Event()
    return GATES[path]


OLD = chain("a", "b", "c")
NEW = replace(
    OLD,
    nodes=(*OLD.nodes[:2], node("c", "v_other", "b"), node("d", "v_step", "c"), node("beside", "v_step", "b")),
    variables={"rate": 3},
)


async def test_what_has_not_begun_is_as_the_new_version_says(store: Store) -> None:
    hold = gate("b")
    async with ms.Engine(store) as engine:
        run = await engine.start(OLD)
        await called("b")
        told = await engine.compatibility(run.id, NEW)
        assert told.compatible
        assert {(one.path, one.what) for one in told.differences} == {
            ("b", "changed"), ("c", "changed"), ("d", "added"), ("beside", "added")
        }  # fmt: skip
        dry = await engine.migrate(run.id, NEW, by="ann", reason="a new step", dry_run=True)
        assert (await run.state()).instance.plan.version != told.to, "nothing has happened"
        made = await soon(engine.migrate(run.id, NEW, by="ann", reason="a new step"))
        assert made.events == dry.events
        assert made.events[0] == ev.Intervened("migrate", "", 0, "ann", "a new step")
        hold.set()
        result = await soon(run.result())
        assert result.status == "completed"
        assert result.nodes["c"].output == "new c"
        assert result.nodes["d"].status == result.nodes["beside"].status == "completed"
        assert result.variables == {"rate": 3}
        assert CALLS.count("b") == CALLS.count("a") == 1
        state = await run.state(at=1)
        assert set(state.nodes) == {"a", "b", "c"}, "as it stood then: by the version before"
        assert set((await run.state()).nodes) == {"a", "b", "c", "d", "beside"}


@pytest.mark.parametrize("orderly", [True, False])
async def test_it_is_still_so_in_the_next_process(store: Store, orderly: bool) -> None:
    hold = gate("b")
    engine = ms.Engine(store)
    await engine.__aenter__()
    run = await engine.start(OLD)
    await called("b")
    await soon(engine.migrate(run.id, NEW))
    await (engine.__aexit__() if orderly else engine.host.kill(release=True))
    hold.set()
    async with ms.Engine(store) as engine:
        result = await soon(engine.wait(run.id))
        assert result.nodes["c"].output == "new c"
        assert result.nodes["d"].status == "completed"


@pytest.mark.parametrize(("new", "reason"), [
    (replace(NEW, id="another"), "it is the workflow another, not w"),
    (chain("a", "c"), "b: it is running, and is not there any more"),
    (replace(OLD, nodes=(*OLD.nodes, node("x", "v_step", "a"))), "a: it is completed, and what it led to cannot be changed"),
    (replace(OLD, nodes=(*OLD.nodes, node("x", "v_step"))), "x: nothing leads to it"),
    (replace(OLD, nodes=(*OLD.nodes[:2], node("c", "v_step"))), "c: nothing leads to it any more"),
    (replace(OLD, nodes=(replace(OLD.nodes[0], compensation_node_id="u"), *OLD.nodes[1:], node("u", "v_step"))),
     "what undoes it cannot be changed"),
    (replace(OLD, nodes=(OLD.nodes[0], node("b", None, "a", type="log"), OLD.nodes[2])), "of type function, not log"),
])  # fmt: skip
async def test_what_has_happened_cannot_be_otherwise(new: Workflow, reason: str) -> None:
    hold = gate("b")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(OLD)
        await called("b")
        found = await engine.compatibility(run.id, new)
        assert not found.compatible
        with pytest.raises(CommandRefused, match="cannot go on by version") as refused:
            await engine.migrate(run.id, new)
        assert reason in str(refused.value)
        hold.set()
        assert (await soon(run.result())).status == "completed"


async def test_not_twice_and_not_at_its_end() -> None:
    hold = gate("b")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(OLD)
        await called("b")
        with pytest.raises(CommandRefused, match="by this version already"):
            await engine.migrate(run.id, OLD)
        hold.set()
        await soon(run.result())
        with pytest.raises(CommandRefused, match="is completed: only one that is under way"):
            await engine.migrate(run.id, NEW)


async def test_who_has_nothing_left_to_wait_for_begins_at_once() -> None:
    hold = gate("b")
    old = workflow(node("a", "v_step"), node("b", "v_step"), node("c", "v_step", "a", "b"), id="w")
    new = replace(old, nodes=(*old.nodes[:2], node("c", "v_step", "a")))
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old)
        await until(run, "a", "completed")
        told = await soon(engine.migrate(run.id, new))
        assert told.starts == ("c",)
        await called("c")
        hold.set()
        assert (await soon(run.result())).nodes["c"].input == "a of {}"


async def test_a_paused_one_goes_over_and_begins_nothing() -> None:
    hold = gate("a")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(OLD)
        await called("a")
        await engine.pause(run.id)
        while (await run.state()).status != "pausing":
            await asyncio.sleep(0)
        hold.set()
        await soon(engine.standstill(run.id))
        await soon(engine.migrate(run.id, NEW))
        assert (await run.state()).status == "paused"
        await run.resume()
        assert (await soon(run.result())).nodes["c"].output == "new c"


async def test_bodies_under_way_go_over_too() -> None:
    def looped(*inner: Node, **config: Any) -> Workflow:
        body = {"nodes": inner, "connections": ()}
        loop = Node(
            id="loop", type="forEach", config={"items": "${ input.items }", "concurrency": 2, **config, "body": body}
        )
        return workflow(loop, node("end", "v_step", "loop"), id="w")

    old, new = looped(node("x", "v_step")), looped(node("x", "v_step"), node("y", "v_other", "x"))
    hold = gate("loop[1].x")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old, input={"items": [1, 2, 3]})
        await called("loop[1].x")
        with pytest.raises(CommandRefused, match="only its bodies can change"):
            await engine.migrate(run.id, looped(node("x", "v_step"), concurrency=1))
        await until(run, "loop", "waiting")
        await soon(engine.migrate(run.id, new))
        hold.set()
        result = await soon(run.result())
        assert result.status == "completed", result.errors
        assert "new loop[1].y" in CALLS


async def test_connections_are_counted_anew() -> None:
    """What came by a connection came by the same one, whatever its number is by now."""
    old = workflow(
        node("a", "v_step"), node("b", "v_step"), node("j", "v_step", "a", "b"), node("k", "v_step", "j"), id="w"
    )
    first = Connection(source="k", target="z")
    new = replace(old, nodes=(*old.nodes, node("z", "v_step")), connections=(first,))
    hold = gate("b")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old)
        await until(run, "a", "completed")
        await soon(engine.migrate(run.id, new))
        hold.set()
        result = await soon(run.result())
        assert result.nodes["j"].input == {"a": "a of {}", "b": "b of {}"}
        assert result.nodes["z"].status == "completed"


async def test_one_that_runs_more_than_once_keeps_its_connections() -> None:
    each = replace(node("e", "v_step", "a", "b"), join=Join(kind="each"))
    old = workflow(node("a", "v_step"), node("b", "v_step"), each, id="w")
    hold = gate("b")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old)
        await until(run, "a", "completed")
        with pytest.raises(CommandRefused, match="nodes run more than once here"):
            await engine.migrate(run.id, replace(old, nodes=(*old.nodes, node("f", "v_step", "e"))))
        told = replace(old, nodes=(*old.nodes[:2], replace(each, config={"handler": "v_other"})))
        await soon(engine.migrate(run.id, told))
        hold.set()
        assert (await soon(run.result())).status == "completed"
        assert CALLS.count("new e") == 1


async def test_limits_are_those_of_the_new_version() -> None:
    """Who waits asks by them; who runs goes on, and is seen to hold what it had."""

    def limited(most: int) -> Workflow:
        return workflow(*[node(id, "v_step") for id in ("x", "y", "z")], id="w", max_concurrency=most)

    gate("x"), gate("y"), gate("z")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(limited(1))
        await called("x")
        assert CALLS == ["x"]
        await soon(engine.migrate(run.id, limited(2)))
        await called("y")
        assert sorted(one.active for one in engine.limits()) == [1, 2], "the places of before, and those of now"
        for one in GATES.values():
            one.set()
        assert (await soon(run.result())).status == "completed"


async def test_what_needs_no_limit_by_the_new_version_leaves_its_place_to_others() -> None:
    """No attempt gives it back, since none needs one by then: it would be lost for good."""

    def limited(id: str, most: int | None) -> Workflow:
        return workflow(node("x", "v_step", pool="few" if most else None), id=id)

    gate("x")
    async with ms.Engine("memory:", settings=EngineSettings(pools={"few": 1})) as engine:
        first = await engine.start(limited("w", 1))
        await called("x")
        second = await engine.start(limited("v", 1))
        assert [(one.active, one.queued) for one in engine.limits()] == [(1, 1)]
        await soon(engine.migrate(first.id, limited("w", None)))
        GATES["x"].set()
        assert (await soon(second.result())).status == "completed"
        assert (await soon(first.result())).status == "completed"
        assert [(one.active, one.queued) for one in engine.limits()] == [(0, 0)]


async def test_an_instance_at_its_end_runs_again_by_a_new_version() -> None:
    old = workflow(node("a", "v_step"), node("b", "v_broken", "a"), node("c", "v_step", "b"), id="w")
    new = replace(
        old, nodes=(old.nodes[0], node("b", "v_other", "a"), node("n", "v_step", "b"), node("c", "v_step", "n"))
    )
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old)
        assert (await soon(run.result())).status == "failed"
        dry = await engine.rerun(run.id, "b", definition=new, by="ann", dry_run=True)
        told = await soon(engine.rerun(run.id, "b", definition=new, by="ann"))
        assert told.events == dry.events
        while (await run.state()).status != "completed":
            await asyncio.sleep(0)
        result = await run.state()
        assert result.nodes["c"].input == "n of new b"
        assert CALLS.count("a") == 1
        with pytest.raises(CommandRefused, match="no node b to begin with"):
            await engine.rerun(run.id, "b", definition=replace(old, nodes=(old.nodes[0],)))


async def test_all_of_a_workflow() -> None:
    hold = gate("b")
    async with ms.Engine("memory:") as engine:
        runs = [await engine.start(OLD, key=str(key)) for key in range(3)]
        late = await engine.start(NEW, key="new")
        while CALLS.count("b") < 4:
            await asyncio.sleep(0)
        other = replace(OLD, nodes=(*OLD.nodes, node("x", "v_step", "a")))
        assert all("cannot be changed" in why for why in (await engine.migrate_all(other, dry_run=True)).values())
        assert await engine.migrate_all(NEW, by="ann") == {run.id: "" for run in runs}
        hold.set()
        for run in (*runs, late):
            assert (await soon(run.result())).nodes["d"].status == "completed"


async def test_a_wait_that_is_new_hears_of_events() -> None:
    hold = gate("b")
    waits = replace(OLD, nodes=(*OLD.nodes[:2], node("c", None, "b", type="wait", config={"event": "paid"})))
    async with ms.Engine("memory:") as engine:
        run = await engine.start(OLD)
        await called("b")
        await soon(engine.migrate(run.id, waits))
        hold.set()
        await until(run, "c", "waiting")
        assert await engine.publish("paid", {"n": 1}) == 1
        assert (await soon(run.result())).nodes["c"].output == {"n": 1}


async def test_its_time_begins_with_the_instance() -> None:
    gate("b")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(OLD)
        await called("b")
        await soon(engine.migrate(run.id, replace(OLD, timeout=60)))
        result = await soon(run.result())
        assert result.status == "failed"
        assert result.reason == "no end within 60 ms"


async def test_a_retry_to_come_is_by_the_new_code() -> None:
    retry = Retry(strategy="fixed", initial_delay=60, max_attempts=3, jitter=0)
    old = workflow(node("a", "v_broken", retry=retry), id="w")
    async with ms.Engine("memory:") as engine:
        run = await engine.start(old)
        await until(run, "a", "retrying")
        await soon(engine.migrate(run.id, workflow(node("a", "v_other", retry=retry), id="w")))
        assert (await soon(run.result())).nodes["a"].output == "new a"
