"""Several engines on one store: each instance has one of them, and goes on with another where that one is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

import mainspring as ms
from mainspring.errors import CommandRefused, MainspringError, NotOwner, UnknownInstance
from mainspring.stores.postgres import PostgresStore
from mainspring.stores.postgres.address import address_of
from mainspring.testing.postgres_server import drop, fresh_url
from tests.engine.conftest import node, workflow

SHORT = ms.EngineSettings(lease_ms=300, sleep_after_ms=20)
LONG = ms.EngineSettings(lease_ms=60_000)


class Work:
    """Tasks that say what they do, and hold on until they are let go."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.cancelled: list[str] = []
        self.begun: asyncio.Condition = asyncio.Condition()
        self.go = asyncio.Event()

    async def quick(self, ctx: ms.TaskContext) -> str:
        self.ran.append(ctx.idempotency_key)
        return ctx.idempotency_key

    async def slow(self, ctx: ms.TaskContext) -> str:
        self.ran.append(ctx.idempotency_key)
        async with self.begun:
            self.begun.notify_all()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(ctx.idempotency_key)
            raise
        return "done"

    async def until(self, count: int) -> None:
        """Until so many runs have begun."""
        async with self.begun:
            await asyncio.wait_for(self.begun.wait_for(lambda: len(self.ran) >= count), 20)


work: Work


@ms.task(name="share_quick")
async def quick(ctx: ms.TaskContext) -> str:
    return await work.quick(ctx)


@ms.task(name="share_slow")
async def slow(ctx: ms.TaskContext) -> str:
    return await work.slow(ctx)


CHAIN = workflow(*[node(f"n{i}", "share_quick", *([f"n{i - 1}"] if i else [])) for i in range(5)], id="chain")
HELD = workflow(node("a", "share_slow"), node("b", "share_quick", "a"), id="held")
WAIT = workflow(node("w", None, type="wait", config={"signal": "go"}), node("b", "share_quick", "w"), id="wait")


@pytest.fixture(autouse=True)
def _fresh_work() -> None:
    global work
    work = Work()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    found = fresh_url()
    yield found
    await drop(found)


Engines = Callable[..., Any]


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engines]:
    """Begins an engine on the store that all of them share."""
    async with AsyncExitStack() as stack:

        async def begin(settings: ms.EngineSettings = LONG) -> ms.Engine:
            return await stack.enter_async_context(ms.Engine(PostgresStore(url), settings=settings))

        yield begin


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 20)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def sql(url: str, query: str, *given: object) -> Any:
    address = address_of(url)
    connection = await asyncpg.connect(address.dsn, server_settings={"search_path": address.schema})
    try:
        return await connection.fetchval(query, *given)
    finally:
        await connection.close()


async def test_the_same_key_from_three_engines_is_one_instance(engine: Engines) -> None:
    engines = [await engine() for _ in range(3)]
    for turn in range(5):
        work.ran.clear()
        runs = await soon(asyncio.gather(*[one.start(CHAIN, key=f"k{turn}") for one in engines]))
        results = await soon(asyncio.gather(*[run.result() for run in runs]))
        assert [result.status for result in results] == ["completed"] * 3
        assert work.ran == [f"chain:k{turn}/n{i}/1" for i in range(5)]
        assert len(await engines[0].instances(limit=100)) == turn + 1
        assert all(not one.host.lives and not one.host.by_id for one in engines)


async def test_a_result_is_waited_for_where_it_does_not_run(engine: Engines) -> None:
    first, second = await engine(), await engine()
    run = await first.start(HELD)
    await work.until(1)
    there = await second.get(run.id)
    waiting = asyncio.ensure_future(there.result())
    followed: list[str] = []

    async def follow() -> None:
        async for one in there.events():
            followed.append(one.name)

    following = asyncio.ensure_future(follow())
    await until(lambda: "NodeStarted" in followed)
    assert not waiting.done()
    work.go.set()
    assert (await soon(waiting)).nodes["b"].output == f"{run.id}/b/1"
    await soon(following)
    assert followed[-1] == "InstanceCompleted"
    assert (await there.state()).status == "completed"


async def test_a_signal_sent_from_elsewhere_is_taken(engine: Engines) -> None:
    first, second = await engine(), await engine()
    run = await first.start(WAIT)
    await soon(asyncio.ensure_future(second.signal(run.id, "go", 1)))
    assert (await soon(run.result())).status == "completed"


async def test_a_cancel_sent_from_elsewhere_stops_the_task(engine: Engines) -> None:
    first, second = await engine(), await engine()
    run = await first.start(HELD)
    await work.until(1)
    await second.cancel(run.id, reason="enough")
    assert (await soon(second.wait(run.id))).status == "cancelled"
    await until(lambda: work.cancelled)


async def test_sleepers_are_woken_by_one_of_them(engine: Engines) -> None:
    engines = [await engine(SHORT) for _ in range(3)]
    runs = [await engines[0].start(WAIT) for _ in range(20)]
    await until(lambda: not engines[0].host.lives)
    for place, run in enumerate(runs):
        await engines[place % 3].signal(run.id, "go")
    results = await soon(asyncio.gather(*[engines[(place + 1) % 3].wait(run.id) for place, run in enumerate(runs)]))
    assert {result.status for result in results} == {"completed"}
    assert sorted(work.ran) == sorted(f"{run.id}/b/1" for run in runs)


async def test_what_a_dead_engine_had_goes_on_with_the_others(engine: Engines, url: str) -> None:
    other = await engine(SHORT)
    dead = ms.Engine(PostgresStore(url), settings=SHORT)
    await dead.__aenter__()
    runs = [await dead.start(HELD) for _ in range(10)]
    await work.until(10)
    await dead.host.kill()  # as a kill -9 would: nothing is given back
    began = asyncio.get_running_loop().time()
    await work.until(20)
    assert asyncio.get_running_loop().time() - began < 2 * SHORT.lease_ms / 1000
    work.go.set()
    results = await soon(asyncio.gather(*[other.wait(run.id) for run in runs]))
    assert {result.status for result in results} == {"completed"}
    # In flight when it died: once more, with the same key. What came after that: once.
    assert sorted(work.ran) == sorted([f"{run.id}/{path}/1" for run in runs for path in ("a", "a", "b")])


async def test_what_an_engine_gives_back_is_taken_at_once(engine: Engines, url: str) -> None:
    other = await engine()  # with a lease of a minute: nobody waits for that
    async with ms.Engine(PostgresStore(url), settings=LONG) as first:
        run = await first.start(HELD)
        await work.until(1)
    await work.until(2)
    work.go.set()
    assert (await soon(other.wait(run.id))).status == "completed"
    assert work.ran == [f"{run.id}/a/1", f"{run.id}/a/1", f"{run.id}/b/1"]


async def test_a_late_owner_writes_nothing_and_its_tasks_are_stopped(engine: Engines, url: str) -> None:
    other = await engine(SHORT)
    late = ms.Engine(PostgresStore(url), settings=SHORT)
    await late.__aenter__()
    run = await late.start(HELD)
    waiting = asyncio.ensure_future(late.wait(run.id))
    await work.until(1)
    keeping = late.host.ownership._task
    assert keeping is not None
    keeping.cancel()  # as if it was stopped: its lease runs out
    await work.until(2)
    work.go.set()  # both of them report
    with pytest.raises(NotOwner):
        await soon(waiting)
    assert (await soon(other.wait(run.id))).status == "completed"
    assert work.ran.count(f"{run.id}/b/1") == 1
    with pytest.raises(MainspringError):
        await late.start(HELD)
    await late.__aexit__(None, None, None)


async def test_an_instance_that_another_session_took_is_dropped_and_the_others_go_on(
    engine: Engines, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await engine(), await engine()
    lost, kept = await first.start(HELD), await first.start(HELD)
    await work.until(2)
    number = first.host.by_id[lost.id].number
    await sql(url, "UPDATE instance SET owner = $1 WHERE number = $2", second.host.ownership.epoch(), number)
    work.go.set()
    assert (await soon(kept.result())).status == "completed"
    await until(lambda: lost.id not in first.host.by_id)
    assert "is another engine's by now" in caplog.text
    assert f"{lost.id}/b/1" not in work.ran, "what follows a turn that was refused is not begun"


async def test_a_reload_finds_that_another_session_has_it(engine: Engines, url: str) -> None:
    """A commit failed, and before the instance was loaded again somebody else took it."""
    first, second = await engine(), await engine()
    run = await first.start(HELD)
    await work.until(1)
    live = first.host.by_id[run.id]
    await sql(url, "UPDATE instance SET owner = $1 WHERE number = $2", second.host.ownership.epoch(), live.number)
    first.host.recovery.reload(live, [])
    await until(lambda: run.id not in first.host.by_id)
    await until(lambda: work.cancelled)
    assert first.host.loss is None


async def test_a_reload_of_one_that_is_asleep_leaves_it_to_whoever_wakes_it(engine: Engines, url: str) -> None:
    first = await engine()
    run = await first.start(WAIT)
    await until(lambda: first.host.writer.quiet)
    live = first.host.by_id[run.id]
    await sql(url, "UPDATE instance SET owner = 0 WHERE number = $1", live.number)
    first.host.recovery.reload(live, [])
    await until(lambda: run.id not in first.host.by_id)
    await first.signal(run.id, "go")
    assert (await soon(run.result())).status == "completed"


async def test_a_letter_of_another_engines_instance_is_left_to_it(engine: Engines, url: str) -> None:
    first, second = await engine(), await engine()
    run = await first.start(HELD)
    await work.until(1)
    number = first.host.by_id[run.id].number
    await sql(
        url,
        "INSERT INTO dead_letter (id, instance, kind, reason, created_at, path, run, subject, body)"
        " VALUES ('x', $1, 'child', 'so', 1, 'start', 0, 'x', '')",
        number,
    )
    with pytest.raises(CommandRefused, match="another engine has"):
        await second.requeue("x")
    assert [one.id for one in await second.dead_letters()] == ["x"]


async def test_children_run_anywhere_and_their_parents_hear_of_it(engine: Engines, url: str) -> None:
    parent = workflow(
        node("c", None, type="subflow", config={"workflow": "held"}), node("e", "share_quick", "c"), id="parent"
    )
    first = ms.Engine(PostgresStore(url), settings=SHORT)
    await first.__aenter__()
    first.register(HELD)
    run = await first.start(parent)
    await work.until(1)
    second, third = await engine(SHORT), await engine(SHORT)
    await first.host.kill()
    await work.until(2)
    work.go.set()
    assert (await soon(third.wait(run.id))).status == "completed"
    assert (await soon(second.wait(run.id))).nodes["e"].status == "completed"
    assert work.ran.count(f"{run.id}/e/1") == 1


async def test_engines_that_clean_up_at_once_remove_each_once_beside_live_work(engine: Engines) -> None:
    engines = [await engine() for _ in range(3)]
    runs = await asyncio.gather(*[engines[n % 3].start(CHAIN, key=str(n)) for n in range(60)])
    await soon(asyncio.gather(*[run.result() for run in runs]))
    live = [asyncio.ensure_future((await engines[2].start(CHAIN, key=f"live{n}")).result()) for n in range(20)]
    first, second = await soon(asyncio.gather(*[one.gc(keep=0) for one in engines[:2]]))
    results = await soon(asyncio.gather(*live, return_exceptions=True))
    assert {getattr(one, "status", "removed") for one in results} <= {"completed", "removed"}
    third = await engines[2].gc(keep=0)
    assert first.removed + second.removed + third.removed == 80
    assert await engines[0].instances() == []
    assert len(set(work.ran)) == len(work.ran) == 80 * 5


async def test_who_waits_for_one_that_ended_and_was_removed_elsewhere_is_told(engine: Engines) -> None:
    """It was asked whether it had ended, and one that is not there any more had not: the wait had no end."""
    here, there = await engine(), await engine()
    run = await there.start(HELD, key="1")
    waiting = asyncio.ensure_future(here.wait(run.id))
    await work.until(1)
    while run.id not in here._waiters:
        await asyncio.sleep(0.001)
    asked = here._elsewhere._store.ended
    holding = asyncio.Event()

    async def late(ids: Any) -> list[str]:
        await holding.wait()
        found: list[str] = await asked(ids)
        return found

    here._elsewhere._store.ended = late
    work.go.set()
    await soon(run.result())
    assert (await there.gc(keep=0)).removed == 1
    holding.set()
    here._elsewhere.news()
    with pytest.raises(UnknownInstance):
        await soon(waiting)
