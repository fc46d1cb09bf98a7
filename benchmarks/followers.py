"""What those who follow cost: a hundred each on its own instance, one on everything, a hundred that stall, beside none.

A hundred chains of 200 steps run at once, so that each event has somebody who is handed it: no load is worse for those who
follow. Both halves of a pair run in one process, one after the other.
"""

from __future__ import annotations

import asyncio
import time

import mainspring as ms
from benchmarks.routing import ratios_of
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.engine.following import Following

INSTANCES = 100
LENGTH = 200


@ms.task(name="bench_followed")
async def followed() -> dict[str, object]:
    """A step that costs nothing itself."""
    return {"rows": 3}


def chain() -> Workflow:
    """A chain of `LENGTH` steps."""
    step = {"type": "function", "config": {"handler": "bench_followed"}, "input": {}}
    nodes = tuple(Node(id=f"n{index}", **step) for index in range(LENGTH))  # type: ignore[arg-type]
    edges = tuple(Connection(source=f"n{index}", target=f"n{index + 1}") for index in range(LENGTH - 1))
    return Workflow(id="followed", nodes=nodes, connections=edges)


async def cpu_per_step(path: str, kind: str, rounds: int) -> float:
    """Microseconds of CPU, all threads together, for each step, with followers of a kind: none, own, all, stalled."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        workflow = chain()
        await (await engine.start(workflow)).result()
        stalled = [engine.follow() for _ in range(INSTANCES)] if kind == "stalled" else []
        for one in stalled:
            await anext(one)
        instances = 1 + rounds * INSTANCES
        everything = asyncio.create_task(_all(engine, instances)) if kind == "all" else None
        began = time.process_time()
        for _ in range(rounds):
            runs = [await engine.start(workflow) for _ in range(INSTANCES)]
            readers = [asyncio.create_task(_own(run)) for run in runs] if kind == "own" else []
            await asyncio.gather(*(run.result() for run in runs))
            assert min(await asyncio.gather(*readers), default=LENGTH) >= LENGTH
        if everything is not None:
            await everything
        spent = time.process_time() - began
        if stalled:
            await _told_and_caught_up(stalled, instances)
    return spent * 1e6 / (rounds * INSTANCES * LENGTH)


async def _own(run: ms.Run) -> int:
    count = 0
    async for _ in run.events():
        count += 1
    return count


async def _all(engine: ms.Engine, instances: int) -> None:
    async for one in engine.follow():
        instances -= isinstance(one, ms.Followed) and one.name == "InstanceCompleted"
        if not instances:
            return


async def _told_and_caught_up(stalled: list[Following[ms.Followed | ms.Behind]], instances: int) -> None:
    """Each is told once that it is behind, and has every instance's end. (A few of them: they all read the same.)"""
    for stream in stalled[:3]:
        told = ends = 0
        async for one in stream:
            told += isinstance(one, ms.Behind)
            ends += isinstance(one, ms.Followed) and one.name == "InstanceCompleted"
            if ends == instances:
                break
        assert told == 1, told


def overhead(kind: str, pairs: int, rounds: int) -> dict[str, float]:
    """CPU per step with such followers against none, in interleaved pairs."""
    return ratios_of(lambda path, with_them: cpu_per_step(path, kind if with_them else "none", rounds), pairs)
