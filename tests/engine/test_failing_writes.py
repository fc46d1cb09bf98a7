"""The n-th call of the store fails once, for every n, with its effect and without: the engine goes on, to the same end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

import mainspring as ms
from mainspring.definition.model import Retry
from mainspring.engine.engine import Engine
from mainspring.errors import CommandRefused, StoreError
from mainspring.journal.codec import decode_turn
from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from mainspring.stores.sqlite import SqliteStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually
from tests.stores.conftest import small_disk as small_disk

T = TypeVar("T")

CALLS: Counter[str] = Counter()
OUTSIDE = ("open", "close", "acquire", "release", "listen", "turns", "instances")
"""Verbs of which the engine's start and end consist, or that only the test asks."""


@ms.task(name="fail_work")
async def work(ctx: ms.TaskContext, n: int) -> int:
    CALLS[ctx.idempotency_key] += 1
    return 2 * n


@ms.task(name="fail_flaky")
async def flaky(ctx: ms.TaskContext, n: int) -> int:
    if ctx.attempt == 1:
        raise ConnectionError("the first attempt fails")
    return n


CHILD = workflow(
    node("w", type="wait", config={"signal": "go"}),
    node("work", "fail_work", "w", input={"n": "${ nodes.w.output }"}),
    id="kid",
)
PARENT = workflow(
    node("a", "fail_work", input={"n": 1}),
    node("d", None, "a", type="delay", config={"duration": "8s"}),
    node("s", None, "d", type="subflow", config={"workflow": "kid"}),
    node("f", "fail_flaky", "s", input={"n": "${ nodes.s.output }"}, retry=Retry(initial_delay=10)),
    node("z", "fail_work", "f", input={"n": "${ nodes.f.output }"}),
    id="parent",
)


class FailingStore:
    """A store of which one call fails: the `nth`, before or after it has its effect."""

    def __init__(self, inner: Store, nth: int, done: bool) -> None:
        self._inner = inner
        self._left = nth
        self._done = done
        self.failed = ""

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        if name in OUTSIDE or not callable(verb):
            return verb
        return lambda *given, **more: self._call(name, verb, *given, **more)

    async def _call(self, name: str, verb: Callable[..., Awaitable[Any]], *given: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left:
            return await verb(*given, **more)
        self.failed = name
        if self._done and name != "claim":  # a store sees to it by itself that what it gave is given again
            await verb(*given, **more)
        raise StoreError(f"{name} failed")


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """As a caller does: what the store refuses is asked again."""
    while True:
        try:
            return await ask()
        except StoreError as error:
            assert type(error) is StoreError
            await asyncio.sleep(0.1)


async def to_its_end(engine: Engine) -> None:
    engine.register(CHILD)
    run = await insist(lambda: engine.start(PARENT, key="1"))
    child = f"{run.id}/s/1"
    while await insist(lambda: engine._store.find(child)) is None:
        await asyncio.sleep(1)
    with suppress(CommandRefused):  # it had arrived, and the child is at its end by now
        await insist(lambda: engine.signal(child, "go", 5, key="go"))
    assert (await insist(run.result)).output == 20


async def events(inner: Store, id: str) -> Counter[str]:
    page = await inner.turns(id, limit=10_000)
    assert page is not None
    return Counter(type(event).__name__ for row in page.rows for event in decode_turn(row, page.blobs).events)


@pytest.mark.parametrize("done", [False, True], ids=["without its effect", "with its effect"])
def test_one_call_that_fails_changes_nothing(done: bool) -> None:
    failed: Counter[str] = Counter()

    async def once(engine: Callable[..., Engine], inner: MemoryStore, store: FailingStore) -> None:
        mine = engine(cast(Any, store), lease_ms=15_000, sleep_after_ms=5_000)
        await insist(mine.__aenter__)
        await asyncio.wait_for(to_its_end(mine), 10_000)
        await mine.__aexit__()
        parent, kid = await events(inner, "parent:1"), await events(inner, "parent:1/s/1")
        assert (parent["InstanceStarted"], kid["InstanceStarted"]) == (1, 1)
        assert (parent["NodeCompleted"], kid["NodeCompleted"], kid["SignalTaken"]) == (5, 2, 1)
        assert set(CALLS.values()) == {1}, f"a failed {store.failed} had work done twice: {CALLS}"

    for nth in range(1, 1_000):
        CALLS.clear()
        inner = MemoryStore()
        store = FailingStore(inner, nth, done)
        virtually(lambda engine, inner=inner, store=store: once(engine, inner, store))  # type: ignore[misc]
        if not store.failed:
            break
        failed[store.failed] += 1
    assert {"commit", "post", "sent", "outbox", "claim", "mail", "renew", "define", "numbers"} <= failed.keys(), failed


async def test_instances_wait_for_room_on_a_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The disk is full in the midst of them: none is lost, none is decided on what is not durable, and all go on."""
    caplog.set_level("CRITICAL", "mainspring")
    CALLS.clear()
    ballast = small_disk / "ballast"
    chain = workflow(*[node(f"n{i}", "fail_large", *([f"n{i - 1}"] if i else [])) for i in range(10)], id="large")
    full = asyncio.Event()
    commit = SqliteStore.commit

    async def watched(store: SqliteStore, lease: Any, writes: Any) -> Any:
        try:
            return await commit(store, lease, writes)
        except StoreError as error:
            assert "disk is full" in str(error)
            full.set()
            raise

    store = SqliteStore(str(small_disk / "store.db"))
    store.commit = lambda lease, writes: asyncio.ensure_future(watched(store, lease, writes))  # type: ignore[method-assign]
    async with ms.Engine(store, settings=ms.EngineSettings(store_retry_ms_max=20)) as engine:
        ballast.write_bytes(b"x" * (900 << 10))
        starts = asyncio.gather(*(engine.start(chain, key=str(number)) for number in range(8)))
        await asyncio.wait_for(full.wait(), 20)
        ballast.unlink()  # the last ones may not have begun by then: they wait for room too
        results = [await asyncio.wait_for(run.result(), 20) for run in await asyncio.wait_for(starts, 20)]
    assert {result.status for result in results} == {"completed"}
    assert len(CALLS) == 80
    assert set(CALLS.values()) == {1}, "none ran again"


@ms.task(name="fail_large")
async def large(ctx: ms.TaskContext) -> str:
    CALLS[ctx.idempotency_key] += 1
    return "x" * 5_000
