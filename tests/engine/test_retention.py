"""Retention: what has ended goes by age and count, in whole families, and nothing that is needed goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mainspring as ms
from mainspring.engine import families, removal
from mainspring.engine.retention import Collected, Retention, RetentionRule
from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.journal.records import DeadLetter, Write
from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

RAN: list[str] = []


@ms.task(name="ret_step")
async def step(ctx: ms.TaskContext) -> str:
    RAN.append(ctx.idempotency_key)
    return ctx.path


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()


FLOW = workflow(node("a", "ret_step"), node("b", "ret_step", "a"), id="flow")
OTHER = workflow(node("a", "ret_step"), id="other")
WAITS = workflow(node("w", type="wait", config={"signal": "go"}), id="waits")
PARENT = workflow(node("s", type="subflow", config={"workflow": "flow"}), node("b", "ret_step", "s"), id="parent")
LOOSE = workflow(node("s", type="subflow", config={"workflow": "waits", "wait": False}), id="loose")


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 20)


async def ended(engine: Any, flow: Any, key: str) -> str:
    run = await engine.start(flow, key=key)
    await soon(run.result())
    return str(run.id)


async def ids(engine: Any) -> list[str]:
    return [record.id for record in await engine.instances(limit=1_000)][::-1]


def test_by_age_by_count_and_by_both() -> None:
    async def story(new: Any) -> None:
        async with new(MemoryStore()) as engine:
            for number in range(6):
                await ended(engine, FLOW, str(number))
                await asyncio.sleep(10)  # 0 ended a minute ago, 5 ten seconds ago
            await ended(engine, OTHER, "x")
            await engine.start(WAITS, key="y")

            async def would(**rule: Any) -> list[str]:
                done = await engine.gc(dry_run=True, **rule)
                assert (done.dry_run, done.removed) == (True, len(done.ids))
                return [id.removeprefix("flow:") for id in done.ids[::-1]]

            assert await would(older_than_ms=35_000) == ["0", "1", "2"]
            assert await would(keep=2) == ["0", "1", "2", "3"]
            assert await would(older_than_ms=35_000, keep=5) == ["0"]
            assert await would(older_than_ms=55_000, keep=1) == ["0"]
            assert await would(keep=0, workflow="other") == ["other:x"]
            assert await would(keep=0) == ["0", "1", "2", "3", "4", "5", "other:x"]
            assert len(await ids(engine)) == 8
            done = await engine.gc(older_than_ms=35_000)
            assert (done.removed, done.workflows) == (3, {"flow": 3})
            assert done.kept == {"open": 1, "young": 4}
            assert (await engine.gc(keep=1)).kept == {"open": 1, "newest": 2}
            assert await ids(engine) == ["flow:5", "other:x", "waits:y"]

    virtually(story)


async def test_what_may_go_must_be_said(store: Store) -> None:
    async with ms.Engine(store) as engine:
        with pytest.raises(CommandRefused, match="say what may go"):
            await engine.gc()
        with pytest.raises(CommandRefused, match="0 or more"):
            await engine.gc(keep=-1)


async def test_a_family_goes_together_once_all_of_it_has_ended(store: Store) -> None:
    async with ms.Engine(store) as engine:
        engine.register(FLOW)
        engine.register(WAITS)
        await ended(engine, PARENT, "1")
        await ended(engine, LOOSE, "1")
        await soon(engine.idle())
        done = await engine.gc(keep=0)
        assert (done.removed, done.workflows, done.kept) == (2, {"parent": 1}, {"children": 1})
        assert await ids(engine) == ["loose:1", "loose:1/s/1"]
        await engine.signal("loose:1/s/1", "go")
        await soon(engine.wait("loose:1/s/1"))
        assert (await engine.gc(keep=0)).removed == 2
        assert await ids(engine) == []


async def test_a_child_stays_while_its_parent_runs(store: Store) -> None:
    flow = workflow(
        node("s", type="subflow", config={"workflow": "flow"}),
        node("w", None, "s", type="wait", config={"signal": "go"}),
        id="p",
    )
    async with ms.Engine(store) as engine:
        engine.register(FLOW)
        await engine.start(flow, key="1")
        await soon(_until_ended(engine, "p:1/s/1"))
        done = await engine.gc(keep=0)
        assert (done.removed, done.kept) == (0, {"open": 1})
        assert (
            await engine._store.remove(engine.host.ownership.lease(), [[(await engine._store.find("p:1/s/1")).number]])
            == []
        )


async def _until_ended(engine: ms.Engine, id: str) -> None:
    while await engine._store.find(id) is None:
        await asyncio.sleep(0.001)
    await engine.wait(id)


async def test_what_has_a_dead_letter_stays_until_somebody_decides(store: Store) -> None:
    async with ms.Engine(store) as engine:
        id = await ended(engine, FLOW, "1")
        number = (await engine._store.find(id)).number  # type: ignore[union-attr]
        letter = DeadLetter("l", number, "outbox", "nobody can read it", 0, subject=f"{id}/x")
        await engine._store.commit(engine.host.ownership.lease(), [Write(number, buried=(letter,))])
        done = await engine.gc(keep=0)
        assert (done.removed, done.kept) == (0, {"dead letters": 1})
        await engine.purge("l")
        assert (await engine.gc(keep=0)).removed == 1


async def test_a_key_whose_instance_was_removed_begins_anew_with_its_children(store: Store) -> None:
    """What its children told the one before must not keep them from telling this one: it would wait for ever."""
    async with ms.Engine(store) as engine:
        engine.register(FLOW)
        for _ in range(3):
            RAN.clear()
            await ended(engine, PARENT, "same")
            assert RAN == ["parent:same/s/1/a/1", "parent:same/s/1/b/1", "parent:same/b/1"]
            await soon(engine.idle())
            assert (await engine.gc(keep=0)).removed == 2


async def test_in_several_batches_and_looks_and_larger_than_a_batch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH_MAX", 3)
    monkeypatch.setattr(families, "FAMILIES_AT_ONCE_MAX", 4)
    monkeypatch.setattr(families, "PAGE", 2)
    wide = workflow(*[node(f"s{n}", type="subflow", config={"workflow": "other"}) for n in range(5)], id="wide")
    async with ms.Engine(store) as engine:
        engine.register(OTHER)
        await ended(engine, wide, "1")
        for number in range(11):
            await ended(engine, FLOW, str(number))
        await soon(engine.idle())
        done = await engine.gc(keep=1)
        assert (done.removed, done.workflows) == (10, {"flow": 10})
        assert done.bytes_before is not None
        done = await engine.gc(keep=0)
        assert (done.removed, done.workflows, done.kept) == (7, {"wide": 1, "flow": 1}, {})
        assert await ids(engine) == []


async def test_live_work_goes_on_beside_it(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for number in range(40):
            await ended(engine, FLOW, str(number))
        runs = [asyncio.ensure_future(ended(engine, FLOW, f"live{number}")) for number in range(40)]
        first = await engine.gc(keep=0)
        await soon(asyncio.gather(*runs))
        last = await engine.gc(keep=0)
        assert first.removed >= 40
        assert first.removed + last.removed == 80
        assert len(set(RAN)) == len(RAN) == 160
        assert await ids(engine) == []


async def test_one_that_is_about_to_be_opened_again_stays(store: Store) -> None:
    async with ms.Engine(store) as engine:
        id = await ended(engine, FLOW, "1")
        async with engine.host.removal.holding(id):
            done = await engine.gc(keep=0)
            assert (done.removed, done.kept) == (0, {"in use": 1})
        again = asyncio.ensure_future(engine.rerun(id, "b"))
        cleaned = asyncio.ensure_future(engine.gc(keep=0))
        await soon(again)
        await soon(cleaned)
        async with asyncio.timeout(20):  # it was opened, whenever the clean-up came
            while f"{id}/b/2" not in RAN:
                await asyncio.sleep(0.001)
        await soon(engine.idle())
        await engine.gc(keep=0)
        with pytest.raises(UnknownInstance):
            await engine.rerun(id, "b")


async def test_followers_go_on_over_what_was_removed(store: Store) -> None:
    async with ms.Engine(store) as engine:
        gone = await ended(engine, FLOW, "gone")
        following = engine.follow()
        first = await soon(anext(following))
        assert isinstance(first, ms.Followed)
        assert first.id == gone
        of_one = engine.events(gone)
        await soon(anext(of_one))
        await engine.gc(keep=0)
        stays = await ended(engine, OTHER, "stays")
        met = [first.id]
        async with asyncio.timeout(20):
            while met[-1] != stays:
                one = await anext(following)
                assert isinstance(one, ms.Followed)
                met.append(one.id)
            async for _ in of_one:  # what was read before is given, then it ends
                pass
        fresh = engine.follow(first)
        assert (await soon(anext(fresh))).id == stays  # type: ignore[union-attr]
        await following.aclose()
        await fresh.aclose()
        with pytest.raises(UnknownInstance):
            await anext(engine.events(gone))


def test_by_itself_as_the_settings_say() -> None:
    async def story(new: Any) -> None:
        rules = Retention(older_than_ms=30_000, workflows={"other": RetentionRule(keep=1)}, every_ms=20_000)
        store = MemoryStore()
        async with new(store, retention=rules) as engine:
            await ended(engine, FLOW, "old")
            for number in range(3):
                await ended(engine, OTHER, str(number))
            await asyncio.sleep(21)
            assert await ids(engine) == ["flow:old", "other:2"]
            await asyncio.sleep(21)
            assert await ids(engine) == ["other:2"]
        async with new(store) as engine:
            await asyncio.sleep(10_000)
            assert await ids(engine) == ["other:2"]

    virtually(story)


async def test_it_stops_when_its_time_is_over_and_goes_on_where_it_was(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for number in range(5):
            await ended(engine, FLOW, str(number))
        done: Collected = await engine.gc(keep=0, seconds_max=0)
        assert (done.removed, done.more) == (0, True)
        done = await engine.gc(keep=0)
        assert (done.removed, done.more) == (5, False)
