"""How turns are put together into commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import mainspring as ms
from mainspring.engine.live import Entry
from mainspring.engine.writer import Writer
from mainspring.journal.records import Committed, Lease, Write
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

STEPS, MANY = 10, 40


@ms.task(name="group_step")
async def step() -> None: ...


CHAIN = workflow(*[node(f"n{i}", "group_step", *([f"n{i - 1}"] if i else [])) for i in range(STEPS)], id="chain")


class FarAway(MemoryStore):
    """A commit takes 5 ms (or as long as is said), however much is in it."""

    def __init__(self, seconds: float = 0.005) -> None:
        super().__init__()
        self.groups: list[int] = []
        self._seconds = seconds

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        self.groups.append(len(writes))
        await asyncio.sleep(self._seconds)
        return await super().commit(lease, writes)


def test_who_waits_for_the_store_does_not_wait_in_two_halves() -> None:
    """Chains that began a moment apart fall into step: one commit takes a step of all, not of every second one."""
    store = FarAway()

    async def test(engine: object) -> float:
        async with engine(store) as running:  # type: ignore[operator]
            loop = asyncio.get_running_loop()
            began = loop.time()

            async def one(number: int) -> None:
                await asyncio.sleep(0.003 * (number % 2))
                await (await running.start(CHAIN, key=str(number))).result()

            await asyncio.gather(*[one(number) for number in range(MANY)])
            return loop.time() - began

    took = virtually(test)
    assert sum(store.groups) >= MANY * STEPS
    assert max(store.groups) == MANY
    assert took < 0.005 * (STEPS + 4), f"{len(store.groups)} commits: {store.groups}"


class Noting(MemoryStore):
    """A commit takes 1 ms, and begins when its task is first run, as one that goes through a connection does."""

    def __init__(self, remote: bool, notes: list[str]) -> None:
        super().__init__()
        self.remote = remote
        self._notes = notes

    def commit(self, lease: Lease, writes: Sequence[Write]) -> asyncio.Task[Committed]:  # type: ignore[override]
        return asyncio.get_running_loop().create_task(self._commit(writes))

    async def _commit(self, writes: Sequence[Write]) -> Committed:
        name = writes[0].consumed[0]
        self._notes.append(f"{name} begins")
        await asyncio.sleep(0.001)
        self._notes.append(f"{name} is durable")
        return Committed(1)


def two_groups(remote: bool) -> list[str]:
    """What happens to 40 turns, and to 40 more that come while these are made durable."""
    notes: list[str] = []

    def let_go(group: list[Entry], _: Committed) -> None:
        notes.append(f"{group[0].write.consumed[0]} goes on")  # type: ignore[union-attr]

    def never(*given: object) -> None:
        raise AssertionError(given)

    async def test(_: object) -> None:
        writer = Writer(Noting(remote, notes), lambda: Lease(1, "us", 0), let_go, never, never, 1_000)
        writer.start()
        for name in ("first", "second"):
            for _number in range(MANY):
                writer.add(Entry(None, Write(1, consumed=(name,)), [], None))  # type: ignore[arg-type]
            await asyncio.sleep(0.0005)
        await writer.drained()
        await writer.stop()

    virtually(test)
    return notes


def test_a_server_has_the_next_small_group_before_we_go_on_with_the_last() -> None:
    """Its processor and ours work at the same time."""
    assert two_groups(remote=True) == [
        "first begins", "first is durable", "second begins", "first goes on", "second is durable", "second goes on",
    ]  # fmt: skip


def test_where_we_commit_ourselves_small_groups_gather() -> None:
    """What the first group leads to at once is committed together with the second."""
    assert two_groups(remote=False) == [
        "first begins", "first is durable", "first goes on", "second begins", "second is durable", "second goes on",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more", [{}, {"max_concurrent_executions": 1_000}, {"timeout": 60_000, "max_concurrent_executions": 1_000}]
)
def test_what_a_step_orders_beside_its_next_does_not_split_groups(more: dict[str, Any]) -> None:
    """A place that is given back, a clock that is disarmed: chains in step stay in one commit."""
    store = FarAway(0)
    chain = workflow(
        *[node(f"n{i}", "group_step", *([f"n{i - 1}"] if i else []), **more) for i in range(STEPS)], id="chain"
    )

    async def test(engine: object) -> None:
        async with engine(store) as running:  # type: ignore[operator]
            runs = await asyncio.gather(*[running.start(chain, key=str(number)) for number in range(MANY)])
            await asyncio.gather(*[run.result() for run in runs])

    virtually(test)
    assert store.groups.count(MANY) >= STEPS, store.groups
