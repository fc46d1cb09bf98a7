"""E8: a result cache per node: a key, a time to live."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import msgspec
import pytest

import mainspring as ms
from mainspring.definition.model import Cache, Connection, Join, Node, Retry
from mainspring.engine.caching import TRIM_EVERY, TRIM_MAX
from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.errors import StoreError
from mainspring.journal.codec import decode_turn
from mainspring.journal.records import CacheRow, Committed, Lease, Write
from mainspring.journal.store import Store
from mainspring.machine.events import NodeCompleted
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.testing.virtual import Scheduler, VirtualClock, VirtualLoop
from tests.engine.conftest import node, workflow

RAN: list[Any] = []
HOUR = Cache(ttl=3_600_000)


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@ms.task(name="tc_look_up")
async def look_up(id: Any = None, **rest: Any) -> dict[str, Any]:
    """Something that costs time."""
    RAN.append(id)
    return {"id": id, "times": len(RAN)}


@ms.task(name="tc_thread")
def in_thread(id: Any = None) -> int:
    """The same in a thread."""
    RAN.append(id)
    return len(RAN)


@ms.task(name="tc_flaky")
async def flaky(ctx: ms.TaskContext) -> int:
    """Fails once."""
    RAN.append(ctx.attempt)
    if ctx.attempt == 1:
        raise ConnectionError("at first")
    return ctx.attempt


@ms.task(name="tc_broken")
async def broken() -> None:
    """Fails always."""
    RAN.append("broken")
    raise ValueError("no good")


@ms.task(name="tc_leave")
async def leave(ctx: ms.TaskContext, id: int) -> ms.Output:
    """Leaves by a port, and sets a variable."""
    RAN.append(id)
    ctx.variables["seen"] = id
    return ms.Output({"id": id}, port="p")


@ms.task(name="tc_large")
async def large(size: int) -> str:
    """So many characters."""
    RAN.append(size)
    return "x" * size


@ms.task(name="tc_wait")
async def wait(ctx: ms.TaskContext) -> int:
    """Waits until two of them are there."""
    RAN.append(ctx.idempotency_key)
    while len(RAN) < 2:
        await asyncio.sleep(0)
    return 1


def process_id(id: int) -> int:
    """Which process this is."""
    return os.getpid()


PROCESS = ms.task(name="tc_process", process=True)(process_id)


def cached(handler: str, cache: Cache = HOUR, **more: Any) -> Node:
    """A node `a` with a cache."""
    return node("a", handler, cache=cache, **more)


async def run(engine: Engine, *nodes: Node, input: Any = None, **more: Any) -> ms.InstanceResult:
    """Run one workflow to its end."""
    started = await engine.start(workflow(*nodes, **more), input=input)
    return await asyncio.wait_for(started.result(), 10)


async def test_a_fresh_result_is_used_again_and_the_journal_says_so(store: Store) -> None:
    async with ms.Engine(store) as engine:
        first = await run(engine, cached("tc_look_up"), input={"id": 7})
        second = await run(engine, cached("tc_look_up"), input={"id": 7})
        third = await run(engine, cached("tc_look_up"), input={"id": 8})
        assert first.output == second.output == {"id": 7, "times": 1}
        assert [one.nodes["a"].cached for one in (first, second, third)] == [False, True, False]
        events = [one.event async for one in (await engine.get(second.id)).events()]
        assert [event.cached for event in events if isinstance(event, NodeCompleted)] == [True]
        assert (await engine.inspect(second.id)).nodes["a"].cached
    assert RAN == [7, 8]


async def test_without_a_key_the_whole_input_is_the_key_in_whatever_order(store: Store) -> None:
    async with ms.Engine(store) as engine:
        await run(engine, cached("tc_look_up"), input={"id": 1, "more": {"x": 1, "y": 2}})
        again = await run(engine, cached("tc_look_up"), input={"more": {"y": 2, "x": 1}, "id": 1})
        other = await run(engine, cached("tc_look_up"), input={"id": 1, "more": {"x": 1}})
    assert (again.nodes["a"].cached, other.nodes["a"].cached) == (True, False)


async def test_a_key_says_what_counts(store: Store) -> None:
    by_id = Cache(key="${ input.id }-v1")
    async with ms.Engine(store) as engine:
        await run(engine, cached("tc_look_up", by_id), input={"id": 1, "noise": 1})
        assert (await run(engine, cached("tc_look_up", by_id), input={"id": 1, "noise": 2})).nodes["a"].cached
        assert not (await run(engine, cached("tc_look_up", by_id), input={"id": 2, "noise": 1})).nodes["a"].cached
        # Text and number are different keys: `"1"` and `1`.
        bare = Cache(key="${ input.id }")
        await run(engine, cached("tc_look_up", bare), input={"id": 1})
        assert not (await run(engine, cached("tc_look_up", bare), input={"id": "1"})).nodes["a"].cached


async def test_a_key_of_another_nodes_output(store: Store) -> None:
    second = node("b", "tc_look_up", "a", cache=Cache(key="${ nodes.a.output.id }"))
    async with ms.Engine(store) as engine:
        await run(engine, node("a", "tc_look_up"), second, input={"id": 1, "noise": 1})
        result = await run(engine, node("a", "tc_look_up"), second, input={"id": 1, "noise": 2})
    assert result.nodes["b"].cached and not result.nodes["a"].cached


async def test_a_key_that_is_null_keeps_nothing(store: Store) -> None:
    missing = Cache(key="${ input.customer.id }")
    async with ms.Engine(store) as engine:
        for _ in range(2):
            result = await run(engine, cached("tc_look_up", missing), input={"id": 1})
            assert not result.nodes["a"].cached
    assert RAN == [1, 1]


async def test_a_key_that_cannot_be_computed_fails_the_node(store: Store) -> None:
    async with ms.Engine(store) as engine:
        result = await run(engine, cached("tc_look_up", Cache(key="${ 1 / input.id }")), input={"id": 0})
    error = result.errors["a"]
    assert (error.type, result.nodes["a"].attempts) == ("MappingError", 0)
    assert error.message.startswith("the cache key failed: division by zero")
    assert RAN == []


@pytest.mark.parametrize(
    "changed",
    [
        cached("tc_look_up", input={"id": "${ input.id }"}),
        cached("tc_look_up", Cache(ttl=1_000)),
        cached("tc_look_up", output_schema={"type": "object"}),
        node("b", "tc_look_up", cache=HOUR),
        cached("tc_thread"),
    ],
    ids=["input", "ttl", "schema", "path", "handler"],
)
async def test_a_changed_node_does_not_get_old_results(store: Store, changed: Node) -> None:
    async with ms.Engine(store) as engine:
        await run(engine, cached("tc_look_up"), input={"id": 1})
        result = await run(engine, changed, input={"id": 1})
        assert not result.nodes[changed.id].cached
        assert not (await run(engine, cached("tc_look_up"), input={"id": 1}, id="other")).nodes["a"].cached


async def test_what_does_not_change_the_result_does_not_matter(store: Store) -> None:
    renamed = cached("tc_look_up", name="Look it up", timeout=5_000, tags=("x",), retry=Retry())
    async with ms.Engine(store) as engine:
        await run(engine, cached("tc_look_up"), input={"id": 1})
        assert (await run(engine, renamed, node("b", "tc_look_up"), input={"id": 1})).nodes["a"].cached


async def test_retries_and_the_cache(store: Store) -> None:
    retry = Retry(strategy="fixed", max_attempts=2, initial_delay=0, jitter=0)
    async with ms.Engine(store) as engine:
        first = await run(engine, cached("tc_flaky", retry=retry))
        second = await run(engine, cached("tc_flaky", retry=retry))
    assert (first.output, first.nodes["a"].attempts, first.nodes["a"].cached) == (2, 2, False)
    assert (second.output, second.nodes["a"].attempts, second.nodes["a"].cached) == (2, 1, True)
    assert RAN == [1, 2]


async def test_failures_are_not_kept(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for _ in range(2):
            assert (await run(engine, cached("tc_broken"))).errors["a"].type == "ValueError"
    assert RAN == ["broken", "broken"]


async def test_an_output_that_breaks_its_schema_is_not_kept(store: Store) -> None:
    strict = cached("tc_look_up", output_schema={"required": ["nope"]})
    async with ms.Engine(store) as engine:
        for _ in range(2):
            assert (await run(engine, strict, input={"id": 1})).errors["a"].type == "OutputInvalid"
    assert RAN == [1, 1]


async def test_port_and_variables_are_kept_with_the_output(store: Store) -> None:
    more: dict[str, Any] = {"connections": (Connection(source="a", target="b", source_port="p"),)}
    nodes = (cached("tc_leave"), node("b", "tc_look_up"))
    async with ms.Engine(store) as engine:
        await run(engine, *nodes, input={"id": 3}, **more)
        result = await run(engine, *nodes, input={"id": 3}, **more)
        assert (result.nodes["a"].cached, result.nodes["a"].port, result.variables) == (True, "p", {"seen": 3})
        assert result.nodes["b"].output == {"id": 3, "times": 3}
        # Where the port has gone meanwhile, the work is done again, and says so itself.
        gone = await run(engine, *nodes, input={"id": 3})
        assert gone.errors["a"].type == "UnknownPort"
    assert RAN == [3, 3, 3, 3, 3]  # a b, then b, then a and b


async def test_results_outlive_the_engine(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    for _ in range(2):
        async with ms.Engine(url) as engine:
            last = await run(engine, cached("tc_look_up"), input={"id": 1})
    assert last.nodes["a"].cached
    assert RAN == [1]


async def test_tasks_in_threads_and_processes_have_it_too(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for handler, times in (("tc_thread", 1), ("tc_process", None)):
            first = await run(engine, cached(handler), input={"id": 5})
            second = await run(engine, cached(handler), input={"id": 5})
            assert first.output == second.output and second.nodes["a"].cached
            assert first.output == times if times else first.output != os.getpid()
    assert RAN == [5]


async def test_a_large_result_is_not_kept(store: Store) -> None:
    limit = EngineSettings().cache_entry_bytes_max
    async with ms.Engine(store) as engine:
        for size, kept in ((limit - 100, True), (limit, False)):
            await run(engine, cached("tc_large"), input={"size": size})
            result = await run(engine, cached("tc_large"), input={"size": size})
            assert (result.nodes["a"].cached, len(result.output)) == (kept, size)


async def test_two_that_miss_at_once_both_do_the_work(store: Store) -> None:
    async with ms.Engine(store) as engine:
        both = await asyncio.gather(run(engine, cached("tc_wait")), run(engine, cached("tc_wait")))
        assert [one.nodes["a"].cached for one in both] == [False, False]
        assert (await run(engine, cached("tc_wait"))).nodes["a"].cached
    assert len(RAN) == 2


async def test_each_run_of_a_repeating_node_is_kept_by_itself(store: Store) -> None:
    each = node("a", "tc_look_up", "x", "y", join=Join(kind="each"), cache=HOUR)
    nodes = (node("x", type="log", input={"id": 1}), node("y", type="log", input={"id": 1}), each)
    async with ms.Engine(store) as engine:
        result = await run(engine, *nodes)
        again = await run(engine, *nodes)
    assert result.output == [{"id": 1, "times": 1}] * 2 == again.output
    assert RAN == [1]


async def test_a_node_without_a_cache_never_asks(store: Store) -> None:
    asked: list[bytes] = []
    ask = store.cached

    async def listening(key: bytes, now: int) -> CacheRow | None:
        asked.append(key)
        return await ask(key, now)

    store.cached = listening  # type: ignore[method-assign]
    async with ms.Engine(store) as engine:
        await run(engine, node("a", "tc_look_up"), input={"id": 1})
        assert asked == []
        await run(engine, cached("tc_look_up"), input={"id": 1})
        assert len(asked) == 1


# --- what can go wrong ----------------------------------------------------------------------------------------------


class Failing(MemoryStore):
    """A store whose verbs can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.cache_fails = False
        self.commit_fails_with_results = 0

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        if self.cache_fails:
            raise StoreError("the disk is gone")
        return await super().cached(key, now)

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        if self.commit_fails_with_results and any(write.cached for write in writes):
            self.commit_fails_with_results -= 1
            raise StoreError("the disk is full")
        return await super().commit(lease, writes)


async def test_a_cache_that_cannot_be_asked_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    store = Failing()
    async with ms.Engine(store) as engine:
        await run(engine, cached("tc_look_up"), input={"id": 1})
        store.cache_fails = True
        assert not (await run(engine, cached("tc_look_up"), input={"id": 1})).nodes["a"].cached
    assert "could not be asked" in caplog.text


async def test_a_result_is_kept_with_its_completion_or_not_at_all() -> None:
    store = Failing()
    store.commit_fails_with_results = 2
    async with ms.Engine(store) as engine:
        first = await run(engine, cached("tc_look_up"), input={"id": 1})
        assert first.status == "completed" and store.commit_fails_with_results == 0
        assert (await run(engine, cached("tc_look_up"), input={"id": 1})).nodes["a"].cached
    assert RAN == [1]


async def test_what_cannot_be_read_is_a_miss(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async with ms.Engine(store) as engine:
        for body in (b"nonsense", b"[99,1]"):
            await run(engine, cached("tc_look_up"), input={"id": 1})
            program = engine.host.programs.of(workflow(cached("tc_look_up")), "")
            key, _ = await engine.host.cache.find(program, program.plan.nodes[0], b'{"id":1}')
            number = (await engine.instances())[0].number
            row = CacheRow(key, 2**60, body, crc32(body))
            await store.commit(engine.host.ownership.lease(), [Write(number, cached=(row,))])
            assert not (await run(engine, cached("tc_look_up"), input={"id": 1})).nodes["a"].cached


class Unreliable(MemoryStore):
    """Commits fail now and then: some before they were made, some after."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        fate = self.random.random()
        if fate < 0.15:
            raise StoreError("not written")
        done = await super().commit(lease, writes)
        if fate > 0.85:
            raise StoreError("written, and nobody knows")
        return done


@pytest.mark.parametrize("seed", range(20))
def test_whatever_fails_no_result_is_used_that_was_not_durable_before(seed: int) -> None:
    """Commits fail before and after they were made, engines are killed: each kept result is one of a completion."""
    store = Unreliable(Random(seed))
    given: list[int] = []

    async def serve(engine: Engine) -> None:
        for _ in range(25):
            try:
                await engine.start(workflow(cached("tc_look_up")), input={"id": store.random.randrange(3)})
            except ms.MainspringError:
                continue
            await asyncio.sleep(store.random.random() / 20)
        if store.random.random() < 0.5:
            await engine.host.kill()

    for _ in range(4):
        in_virtual_time(serve, store=store)

    async def look(engine: Engine) -> None:
        await engine.idle()
        await asyncio.sleep(60)
        worked: set[tuple[int, int]] = set()
        for position, row in await store.follow(0, 1_000_000):
            for event in decode_turn(row).events:
                if isinstance(event, NodeCompleted):
                    output = msgspec.json.decode(event.output)
                    one = (output["id"], output["times"])
                    assert not event.cached or one in worked, f"seed {seed}: {one} at {position}"
                    worked.add(one)
                    given.append(event.cached)

    in_virtual_time(look, store=store)
    assert sum(given) > 20 and given.count(False) >= 3


async def test_letting_go_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with ms.Engine(store) as engine:
        trim, fails = store.trim, [True]

        async def failing(lease: Lease, now: int, entries_max: int, limit: int) -> int:
            if fails.pop():
                raise StoreError("the disk is gone")
            return await trim(lease, now, 0, limit)

        store.trim = failing  # type: ignore[method-assign]
        for id in range(2):
            await run(engine, cached("tc_look_up"), input={"id": id})
            fails[:] = [id == 0]
            engine.host.cache.tick()
            while fails:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert "could not be let go of" in caplog.text
    assert not store._contents.cache


async def test_work_that_waits_for_the_cache_can_be_cancelled() -> None:
    store = MemoryStore()
    asked = asyncio.Event()

    async def stuck(key: bytes, now: int) -> CacheRow | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    store.cached = stuck  # type: ignore[method-assign]
    async with ms.Engine(store) as engine:
        started = await engine.start(workflow(cached("tc_look_up")), input={"id": 1})
        await asyncio.wait_for(asked.wait(), 5)
        await started.cancel()
        assert (await asyncio.wait_for(started.result(), 5)).status == "cancelled"
    assert RAN == []


async def test_code_that_is_missing_is_waited_for_before_the_cache_is_asked() -> None:
    async with ms.Engine() as engine:
        started = await engine.start(workflow(cached("tc_comes_later")), input={"id": 1})
        await engine.idle()
        state = (await started.state()).nodes["a"]
        assert state.status == "waiting" and state.waits_for.startswith("handler")

        @ms.task(name="tc_comes_later")
        async def later(id: int) -> int:
            return id

        engine.host.deeds.look_for_code()
        assert (await asyncio.wait_for(started.result(), 5)).output == 1


# --- time and number ------------------------------------------------------------------------------------------------

Act = Callable[[Engine], Awaitable[None]]


def in_virtual_time(act: Act, settings: EngineSettings | None = None, store: Store | None = None) -> None:
    """Have an engine on virtual time, and do something with it."""
    complaints: list[Any] = []
    scheduler = Scheduler(1, iterations_max=10_000_000)
    loop = VirtualLoop(scheduler, "one", complaints.append)  # type: ignore[abstract]

    async def live() -> None:
        clock = VirtualClock(scheduler, 1)
        kinds = {"function": task_kinds()["function"]}
        async with Engine(store or MemoryStore(), kinds, describe, clock=clock, settings=settings) as engine:
            await act(engine)

    task = loop.create_task(live())
    task.add_done_callback(lambda _: scheduler.stop())
    scheduler.run()
    task.result()
    loop.dispose()
    assert complaints == []


async def virtually(engine: Engine, id: Any, cache: Cache) -> bool:
    """Run it, and tell whether the result was a kept one."""
    result = await (await engine.start(workflow(cached("tc_look_up", cache)), input={"id": id})).result()
    return result.nodes["a"].cached


def test_a_result_is_used_for_its_time_to_live_and_no_longer() -> None:
    brief = Cache(ttl=60_000)

    async def act(engine: Engine) -> None:
        assert not await virtually(engine, 1, brief)
        await asyncio.sleep(59)
        assert await virtually(engine, 1, brief), "a use does not make it last longer"
        await asyncio.sleep(1)
        assert not await virtually(engine, 1, brief)
        assert await virtually(engine, 1, brief)

    in_virtual_time(act)
    assert RAN == [1, 1]


def test_what_is_over_leaves_the_store() -> None:
    store = MemoryStore()

    async def act(engine: Engine) -> None:
        for id in range(3):
            await virtually(engine, id, Cache(ttl=1_000))
        await virtually(engine, 9, Cache(ttl=3_600_000))
        assert len(store._contents.cache) == 4
        await asyncio.sleep(20)
        assert await virtually(engine, 9, Cache(ttl=3_600_000))
        await asyncio.sleep(20)

    in_virtual_time(act, store=store)
    assert len(store._contents.cache) == 1


def test_the_oldest_go_where_there_are_too_many() -> None:
    store = MemoryStore()

    async def act(engine: Engine) -> None:
        for id in range(5):
            await virtually(engine, id, HOUR)
        await asyncio.sleep(20)
        assert len(store._contents.cache) == 2
        assert [await virtually(engine, id, HOUR) for id in (3, 4, 0)] == [True, True, False]

    in_virtual_time(act, EngineSettings(cache_entries_max=2), store)


def test_the_bound_is_held_without_waiting_for_the_lease() -> None:
    store = MemoryStore()

    async def act(engine: Engine) -> None:
        for id in range(2 * TRIM_EVERY + 10):
            await virtually(engine, id, HOUR)
            assert len(store._contents.cache) <= 10 + TRIM_EVERY
        await asyncio.sleep(0.1)
        assert len(store._contents.cache) <= 10 + TRIM_EVERY

    in_virtual_time(act, EngineSettings(cache_entries_max=10), store)
    assert TRIM_MAX >= TRIM_EVERY, "one transaction lets go of all that came since the last"
