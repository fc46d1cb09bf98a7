"""Subflows that are instances of their own: started once, ended together, found by their id."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Connection, Workflow
from mainspring.errors import DefinitionError
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow

CALLS: list[tuple[str, int]] = []


@ms.task(name="kid_double")
async def double(ctx: ms.TaskContext, n: int = 0) -> int:
    CALLS.append((ctx.idempotency_key, ctx.attempt))
    return 2 * n


@ms.task(name="kid_fail")
async def fail() -> None:
    raise ValueError("not today")


@pytest.fixture(autouse=True)
def fresh() -> None:
    CALLS.clear()


def sub(id: str, of: str, *depends_on: str, version: str | None = None, wait: bool = True, **more: Any) -> Any:
    config = {"workflow": of, **({} if version is None else {"version": version}), **({} if wait else {"wait": False})}
    return node(id, None, *depends_on, type="subflow", config=config, **more)


DOUBLE = workflow(node("a", "kid_double", input={"n": "${ input.n }"}), id="double")
PARENT = workflow(sub("s", "double"), node("after", "kid_double", "s"), id="parent")
WAITING = workflow(node("w", type="wait", config={"signal": "go"}), id="waiting")
FAILING = workflow(node("f", "kid_fail"), id="failing")


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 20)


async def under_way(engine: ms.Engine, id: str) -> None:
    """Until there is such an instance, and it runs."""
    while (await engine._store.find(id)) is None or (await engine.inspect(id)).status != "running":
        await asyncio.sleep(0.001)


async def test_a_child_is_an_instance_and_its_output_is_the_nodes(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(DOUBLE)
        run = await engine.start(PARENT, input={"n": 3})
        result = await soon(run.result())
        assert (result.status, result.nodes["s"].output, result.output) == ("completed", 6, 12)
        child = await engine.inspect(f"{run.id}/s/1")
        assert (child.status, child.input, child.output) == ("completed", {"n": 3}, 6)
        records = {record.id: record.parent for record in await engine.instances()}
        assert records == {run.id: None, child.id: run.id}
        assert [key for key, _ in CALLS] == [f"{child.id}/a/1", f"{run.id}/after/1"]
        await engine.idle()
        assert await engine._store.outbox(engine.host.ownership.lease(), 10) == []


async def test_a_child_that_fails_fails_its_node(store: Store) -> None:
    flow = workflow(
        sub("s", "failing"),
        node("alarm", type="log"),
        connections=(Connection(source="s", target="alarm", trigger="fail"),),
    )
    async with ms.Engine(store) as engine:
        engine.register(FAILING)
        result = await soon((await engine.start(flow)).result())
        error = result.nodes["s"].error
        assert error is not None
        assert (result.status, error.type, error.code) == ("completed", "ChildFailed", f"{result.id}/s/1")
        assert "1 unhandled failure" in error.message


async def test_a_node_that_is_stopped_has_its_child_cancelled(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(WAITING)
        run = await engine.start(workflow(sub("s", "waiting")))
        await under_way(engine, f"{run.id}/s/1")
        await run.cancel("enough")
        assert (await soon(run.result())).status == "cancelled"
        child = await soon(engine.wait(f"{run.id}/s/1"))
        assert (child.status, child.reason) == ("cancelled", "s was stopped")


async def test_a_child_that_is_cancelled_fails_its_node(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(WAITING)
        run = await engine.start(workflow(sub("s", "waiting")))
        await under_way(engine, f"{run.id}/s/1")
        await engine.cancel(f"{run.id}/s/1", reason="not wanted")
        result = await soon(run.result())
        assert result.errors["s"].type == "ChildCancelled"
        assert "not wanted" in result.errors["s"].message


async def test_a_child_whose_input_is_wrong_is_refused(store: Store) -> None:
    strict = workflow(node("a", "kid_double"), id="strict", input_schema={"type": "object", "required": ["n"]})
    async with ms.Engine(store) as engine:
        engine.register(strict)
        result = await soon((await engine.start(workflow(sub("s", "strict")))).result())
        assert result.errors["s"].type == "ChildRefused"
        assert "inputSchema" in result.errors["s"].message


async def test_one_that_nobody_waits_for_lives_on(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(WAITING)
        run = await engine.start(workflow(sub("s", "waiting", wait=False)))
        result = await soon(run.result())
        assert (result.status, result.output) == ("completed", {"instance": f"{run.id}/s/1"})
        await under_way(engine, f"{run.id}/s/1")
        await engine.signal(f"{run.id}/s/1", "go", 5)
        assert (await soon(engine.wait(f"{run.id}/s/1"))).output == 5


async def test_the_timeout_of_a_node_cancels_its_child(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(WAITING)
        run = await engine.start(workflow(sub("s", "waiting", timeout=500)))  # long enough for the child to begin
        assert (await soon(run.result())).errors["s"].type == "NodeTimeout"
        assert (await soon(engine.wait(f"{run.id}/s/1"))).status == "cancelled"


async def test_both_sleep_while_the_child_waits(store: Store) -> None:
    async with ms.Engine(store, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        engine.register(WAITING)
        run = await engine.start(workflow(sub("s", "waiting")))
        await under_way(engine, f"{run.id}/s/1")
        while engine.host.lives:
            await asyncio.sleep(0.005)
        await engine.signal(f"{run.id}/s/1", "go", 7)
        assert (await soon(run.result())).output == 7


async def test_it_nests_and_the_depth_has_a_bound(store: Store) -> None:
    flow = workflow(
        node("a", type="log"),
        sub("s", "self"),
        id="endless",
        connections=(Connection(source="a", target="s", condition="!output.enough"),),
    )
    async with ms.Engine(store) as engine:
        run = await engine.start(flow)
        result = await soon(run.result())
        assert result.status == "failed"
        deepest = run.id + "/s/1" * 16
        assert (await engine.inspect(deepest)).errors["s"].type == "DepthLimit"
        assert len(await engine.instances()) == 17


# --- which definition -------------------------------------------------------------------------------------------------


def versioned(version: str, factor: int) -> Workflow:
    """A child whose output tells which one it is."""
    return workflow(
        node("t", type="transform", config={"output": f"${{ value.n * {factor} }}"}), id="double", version=version
    )


async def ends(engine: ms.Engine, flow: Workflow, n: int = 1) -> Any:
    return (await soon((await engine.start(flow, input={"n": n})).result())).output


async def test_the_last_one_registered_or_the_one_that_is_told(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for version, factor in (("1", 10), ("2", 20), ("3", 30)):
            engine.register(versioned(version, factor))
        assert await ends(engine, workflow(sub("s", "double"))) == 30
        assert await ends(engine, workflow(sub("s", "double", version="2"))) == 20
        with pytest.raises(DefinitionError, match="no workflow `double@9` is known"):
            await engine.start(workflow(sub("s", "double", version="9")))
        engine.register(versioned("4", 40))
        assert await ends(engine, workflow(sub("s", "double"))) == 40


async def test_what_the_store_knows_is_found_without(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with ms.Engine(url) as engine:
        for version, factor in (("1", 10), ("2", 20)):
            await ends(engine, versioned(version, factor))
            await asyncio.sleep(0.002)  # the newest by the clock
    async with ms.Engine(url) as engine:
        assert await ends(engine, workflow(sub("s", "double"))) == 20
        assert await ends(engine, workflow(sub("s", "double", version="1"))) == 10
        with pytest.raises(DefinitionError, match="no workflow `nobody` is known"):
            await engine.start(workflow(sub("s", "nobody")))


async def test_a_file_beside_the_parents(tmp_path: Path, store: Store) -> None:
    (tmp_path / "parent.yaml").write_text("id: p\nnodes: [{id: s, type: subflow, config: {workflow: kid}}]\n")
    (tmp_path / "kid.yml").write_text(
        "id: kid\nnodes: [{id: t, type: transform, config: {output: '${ value.n + 1 }'}}]\n"
    )
    async with ms.Engine(store) as engine:
        run = await engine.start(ms.load(tmp_path / "parent.yaml"), input={"n": 1})
        assert (await soon(run.result())).output == 2


async def test_a_parent_keeps_to_what_was_known_when_it_started(store: Store) -> None:
    flow = workflow(node("w", type="wait", config={"signal": "go"}), sub("s", "double", "w"))
    async with ms.Engine(store) as engine:
        engine.register(versioned("1", 10))
        run = await engine.start(flow)
        engine.register(versioned("2", 20))
        await run.signal("go", {"n": 1})
        assert (await soon(run.result())).output == 10


# --- crashes ----------------------------------------------------------------------------------------------------------


async def test_a_child_goes_on_after_a_crash_and_is_started_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    engine = ms.Engine(url)
    await engine.__aenter__()
    engine.register(WAITING)
    run = await engine.start(workflow(sub("s", "waiting")))
    await under_way(engine, f"{run.id}/s/1")
    await engine.host.kill()
    async with ms.Engine(url) as engine:
        await engine.signal(f"{run.id}/s/1", "go", 3)
        assert (await soon(engine.wait(run.id))).output == 3
        assert len(await engine.instances()) == 2


async def test_what_was_not_delivered_is_delivered_by_the_next_engine(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    engine = ms.Engine(url)
    await engine.__aenter__()
    engine.register(DOUBLE)
    await engine.host.outbox.stop()
    run = await engine.start(PARENT, input={"n": 4})
    lease = engine.host.ownership.lease()
    while not (rows := await engine._store.outbox(lease, 10)):
        await asyncio.sleep(0.001)
    assert [(row.id, row.kind) for row in rows] == [(f"{run.id}/s/1", "child start")]
    await engine.host.kill()
    async with ms.Engine(url) as engine:
        assert (await soon(engine.wait(run.id))).output == 16


async def test_what_is_delivered_twice_has_one_effect(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(DOUBLE)
        forgetful = engine._store.sent

        async def sent(lease: Any, ids: Any) -> None:
            """As a crash before it would: nothing is taken out until everything has been delivered three times."""
            sent.calls += 1  # type: ignore[attr-defined]
            if sent.calls > 3:  # type: ignore[attr-defined]
                await forgetful(lease, ids)

        sent.calls = 0  # type: ignore[attr-defined]
        engine._store.sent = sent  # type: ignore[method-assign]
        run = await engine.start(PARENT, input={"n": 4})
        assert (await soon(run.result())).output == 16
        assert len(await engine.instances()) == 2
        assert len(CALLS) == 2
