"""How turns are put together into commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import mainspring as ms
from mainspring.journal.records import Committed, Lease, Write
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

STEPS, MANY = 10, 40


@ms.task(name="group_step")
async def step() -> None: ...


CHAIN = workflow(*[node(f"n{i}", "group_step", *([f"n{i - 1}"] if i else [])) for i in range(STEPS)], id="chain")


class FarAway(MemoryStore):
    """A commit takes 5 ms, however much is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        self.groups.append(len(writes))
        await asyncio.sleep(0.005)
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
