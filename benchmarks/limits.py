"""What limits cost where nobody waits, how soon a freed place is used, and how well a rate is kept in real time."""

from __future__ import annotations

import asyncio
import statistics
import time

import mainspring as ms
from benchmarks.routing import LENGTH, overhead_of
from mainspring.definition.model import Connection, Node, RateLimit, Workflow
from mainspring.engine.settings import EngineSettings

PLENTY = 100_000
SETTINGS = EngineSettings(pools={"plenty": PLENTY})

KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "one": {"max_concurrent_executions": PLENTY},
    "three": {"max_concurrent_executions": PLENTY, "pool": "plenty", "rate_limit": RateLimit(rate=1_000_000)},
}


@ms.task(name="bench_limited")
async def limited() -> dict[str, object]:
    """A step that costs nothing itself."""
    return {"rows": 3}


def chain(kind: str) -> Workflow:
    """A chain whose steps have no limit, `one`, `three`, or the limit of their instance (`own`): none ever binds."""
    more = KINDS.get(kind, {})
    nodes = tuple(
        Node(id=f"n{index}", type="function", config={"handler": "bench_limited"}, input={}, **more)  # type: ignore[arg-type]
        for index in range(LENGTH)
    )
    edges = tuple(Connection(source=f"n{index}", target=f"n{index + 1}") for index in range(LENGTH - 1))
    return Workflow(id=f"limits-{kind}", nodes=nodes, connections=edges, max_concurrency=50 if kind == "own" else None)


def overhead(kind: str, pairs: int, count: int) -> dict[str, float]:
    """CPU per step with limits against without, in interleaved pairs."""
    return overhead_of(chain("plain"), chain(kind), pairs, count, SETTINGS)


async def handed_over(path: str, count: int = 1_000) -> list[float]:
    """Milliseconds from the end of an attempt that had a place to the beginning of the next one that waited for it.

    A node of 4 places whose work takes 20 ms, at less than half of what it could bear: instances come in pairs, so some wait.
    """
    ended: list[float] = []
    waits: list[float] = []
    begun = [0]
    places = 4

    @ms.task(name="bench_held")
    async def held() -> None:
        """Has a place for 20 ms."""
        now = time.perf_counter()
        begun[0] += 1
        if begun[0] > places:
            waits.append((now - ended.pop(0)) * 1000)  # places are given back in the order of ends
        await asyncio.sleep(0.02)
        ended.append(time.perf_counter())

    step = Node(id="a", type="function", config={"handler": "bench_held"}, max_concurrent_executions=places)
    workflow = Workflow(id="handover", nodes=(step,))
    async with ms.Engine(f"sqlite:///{path}") as engine:
        runs = []
        for _ in range(count // 8):
            runs += [await engine.start(workflow) for _ in range(8)]  # 4 begin, 4 wait for them
            for run in runs:
                await run.result()
            runs.clear()
            ended.clear()
            begun[0] = 0
            await asyncio.sleep(0.04)
    return waits


async def rate_kept(path: str, rate: int, seconds: int) -> dict[str, float]:
    """Starts of a node at so many a second, in real time: the worst window of ten seconds, and the most in any one."""
    starts: list[float] = []

    @ms.task(name="bench_rated")
    async def rated() -> None:
        """Notes when it started."""
        starts.append(time.perf_counter())

    inner = {
        "id": "n",
        "type": "function",
        "config": {"handler": "bench_rated"},
        "rateLimit": {"rate": rate, "burst": max(1, rate // 10)},
    }
    config = {"items": list(range(rate * seconds)), "concurrency": min(1_000, 2 * rate), "body": {"nodes": [inner]}}
    async with ms.Engine(f"sqlite:///{path}") as engine:
        run = await engine.start(Workflow(id="rated", nodes=(Node(id="each", type="forEach", config=config),)))
        assert (await run.result()).status == "completed"
    began, window = starts[0] + 1, min(10, seconds - 2)
    counts = []
    while began + window <= starts[-1]:
        counts.append(sum(began <= one < began + window for one in starts) / (rate * window))
        began += 1
    return {"least": min(counts), "most": max(counts), "mean": statistics.fmean(counts)}
