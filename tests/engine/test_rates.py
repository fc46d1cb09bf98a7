"""Rates as the starts of a node show them, in virtual time: kept over every window, the bursts too, and through a crash."""

from __future__ import annotations

import asyncio
from bisect import bisect_left

import pytest

import mainspring as ms
from mainspring.engine.engine import Engine
from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from tests.engine.virtually import virtually

pytestmark = pytest.mark.apart

SECONDS = 25
WINDOW = 10.0
SLACK_S = 0.002
"""Times are whole milliseconds, both that of a token and that of a start."""


def rated(rate: int, burst: int) -> ms.Workflow:
    inner = {
        "id": "n",
        "type": "function",
        "config": {"handler": "rated_step"},
        "rateLimit": {"rate": rate, "burst": burst},
    }
    config = {"items": list(range(rate * SECONDS)), "concurrency": 2 * burst + 2, "body": {"nodes": [inner]}}
    return ms.Workflow("rated", nodes=[ms.Node("each", "forEach", config=config)])


def starts_of(rate: int, burst: int, crash: bool) -> tuple[list[float], float]:
    """When each attempt began, and when the second engine opened."""
    starts: list[float] = []
    reopened = 0.0

    @ms.task(name="rated_step")
    async def step() -> None:
        starts.append(asyncio.get_running_loop().time())

    async def test(engine: object) -> None:
        nonlocal reopened
        store: Store = MemoryStore()
        async with engine(store) as first:  # type: ignore[operator]
            assert isinstance(first, Engine)
            run = await first.start(rated(rate, burst))
            if not crash:
                assert (await run.result()).status == "completed"
                return
            await asyncio.sleep(SECONDS / 2)
            await first.host.kill(release=True)
        reopened = asyncio.get_running_loop().time()
        async with engine(store) as second:  # type: ignore[operator]
            assert (await second.wait(run.id)).status == "completed"

    virtually(test)
    return starts, reopened


@pytest.mark.parametrize("crash", [False, True], ids=["in peace", "with a crash"])
@pytest.mark.parametrize(("rate", "burst"), [(10, 1), (10, 5), (100, 10), (1_000, 50)])
def test_a_rate_holds_over_every_window_and_so_does_its_burst(rate: int, burst: int, crash: bool) -> None:
    starts, reopened = starts_of(rate, burst, crash)
    for index, at in enumerate(starts):
        for window in (0.1, 1.0, WINDOW):
            within = bisect_left(starts, at + window) - index
            # Once its first tokens are gone somebody always waits for the next one: no second burst, after a crash neither.
            more = burst if index < burst else 0
            assert within <= rate * (window + SLACK_S) + more + 1, f"{within} starts in {window} s from {at:.3f}"
    # While there is work the rate is used, too: windows that lie within one session, once its first burst is over.
    for first, last in [(0.0, reopened), (reopened, starts[-1])] if crash else [(0.0, starts[-1])]:
        begin = first + 0.5
        while begin + WINDOW <= last:
            share = (bisect_left(starts, begin + WINDOW) - bisect_left(starts, begin)) / (rate * WINDOW)
            assert 0.95 <= share <= 1.05, f"{share:.3f} of the rate in 10 s from {begin:.1f}"
            begin += 0.5
