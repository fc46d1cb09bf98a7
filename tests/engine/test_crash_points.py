"""A crash at every call of the store, before and after it has its effect: parents, children and signals come out the same.

The engine is killed at the k-th call, and another one goes on with the store, which is killed too; k is every number that
there is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import pytest

import mainspring as ms
from mainspring.errors import CommandRefused, StoreError
from mainspring.journal.codec import decode_turn
from mainspring.journal.records import Lease
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow

CALLS: Counter[str] = Counter()

CHILD = workflow(
    node("w", type="wait", config={"signal": "go"}),
    node("work", "crash_work", "w", input={"n": "${ nodes.w.output }"}),
    id="kid",
)
PARENT = workflow(
    node("a", "crash_work", input={"n": 1}),
    node("s", None, "a", type="subflow", config={"workflow": "kid"}),
    node("z", "crash_work", "s", input={"n": "${ nodes.s.output }"}),
    id="parent",
)
LOST = ("open", "close", "acquire", "renew", "release", "listen")
"""Verbs that a crash at them says nothing of: they are there before and after an engine's work."""


@ms.task(name="crash_work")
async def work(ctx: ms.TaskContext, n: int) -> int:
    CALLS[ctx.idempotency_key] += 1
    return 2 * n


class MortalStore:
    """The store as one process has it. At its `last` call it is out of reach, which is done by then where `done` says so."""

    def __init__(self, inner: MemoryStore, last: int = 0, done: bool = False) -> None:
        self._inner = inner
        self._left = last or 10**9
        self._done = done
        self.dead = asyncio.Event()
        self.lease: Lease | None = None

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        return (
            verb if name in LOST or not callable(verb) else lambda *args, **more: self._call(name, verb, *args, **more)
        )

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        self.lease = await self._inner.acquire(holder, now, ttl)
        return self.lease

    async def _call(self, name: str, verb: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left > 0:
            return await verb(*args, **more)
        if self._left == 0 and self._done:
            await verb(*args, **more)
        self.dead.set()
        raise StoreError(f"the process is gone at {name}")


async def died(inner: MemoryStore, last: int, done: bool, drive: Callable[[ms.Engine], Awaitable[None]]) -> bool:
    """Whether the process came to its last call; else it has driven all to its end."""
    store = MortalStore(inner, last, done)
    engine = ms.Engine(cast(Any, store))
    engine_is_up = False
    try:
        with suppress(StoreError):
            await engine.__aenter__()
            engine_is_up = True
            driving = asyncio.ensure_future(drive(engine))
            end = asyncio.ensure_future(store.dead.wait())
            await asyncio.wait((driving, end), return_when=asyncio.FIRST_COMPLETED, timeout=20)
            assert driving.done() or end.done(), "nothing moves any more"
            end.cancel()
            if not store.dead.is_set():
                driving.result()
            driving.cancel()
            await asyncio.gather(driving, end, return_exceptions=True)
    finally:
        if engine_is_up:
            await engine.host.kill()
        if store.lease is not None:
            await inner.release(store.lease)  # as the operating system tells that its holder is gone
    return store.dead.is_set()


async def events(inner: MemoryStore, id: str) -> list[Any]:
    page = await inner.turns(id, limit=10_000)
    assert page is not None
    return [event for row in page.rows for event in decode_turn(row, page.blobs).events]


async def to_its_end(engine: ms.Engine) -> None:
    engine.register(CHILD)
    run = await engine.start(PARENT, key="1")
    child = f"{run.id}/s/1"
    while await engine._store.find(child) is None:
        await asyncio.sleep(0)
    with suppress(CommandRefused):
        await engine.signal(child, "go", 5, key="go")
    assert (await run.result()).output == 20


async def cancelled(engine: ms.Engine) -> None:
    engine.register(CHILD)
    run = await engine.start(PARENT, key="1")
    child = f"{run.id}/s/1"
    while await engine._store.find(child) is None:
        await asyncio.sleep(0)
    with suppress(CommandRefused):
        await run.cancel()
    assert (await run.result()).status == "cancelled"
    assert (await engine.wait(child)).status == "cancelled"


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("drive", [to_its_end, cancelled])
async def test_a_crash_anywhere_changes_nothing(drive: Callable[[ms.Engine], Awaitable[None]], done: bool) -> None:
    last = 0
    while True:
        last += 1
        CALLS.clear()
        inner = MemoryStore()
        crashed = await died(inner, last, done, drive)
        crashes = int(crashed)
        if crashed:
            crashes += await died(inner, 1 + last * 7 % 30, done, drive)  # and once more, somewhere
            assert not await died(inner, 0, False, drive)
        ids = sorted(record.id for record in await inner.instances())
        assert ids == ["parent:1", "parent:1/s/1"]
        parent, kid = [Counter(type(one).__name__ for one in await events(inner, id)) for id in ids]
        assert (parent["InstanceStarted"], kid["InstanceStarted"]) == (1, 1)
        if drive is to_its_end:
            assert (parent["NodeCompleted"], kid["NodeCompleted"], kid["SignalTaken"]) == (3, 2, 1)
            assert all(1 <= count <= 1 + crashes for count in CALLS.values()), CALLS
        else:
            assert (parent["NodesCancelled"], kid["NodesCancelled"]) == (1, 1)
        if not crashed:
            break
    assert last > 20, "there were calls to crash at"
