"""What those who follow cost: a hundred each on its own instance, one on everything, a hundred that stall, beside none.

A hundred chains of 200 steps run at once, so that each event has somebody who is handed it: no load is worse for those who
follow. Who follows an instance begins when it has started. Both halves of a pair run in one process, one after the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

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


def chain(length: int = LENGTH) -> Workflow:
    """A chain of so many steps."""
    step = {"type": "function", "config": {"handler": "bench_followed"}, "input": {}}
    nodes = tuple(Node(id=f"n{index}", **step) for index in range(length))  # type: ignore[arg-type]
    edges = tuple(Connection(source=f"n{index}", target=f"n{index + 1}") for index in range(length - 1))
    return Workflow(id="followed", nodes=nodes, connections=edges)


async def cpu_per_step(path: str, kind: str, rounds: int) -> float:
    """Microseconds of CPU, all threads together, for each step, with followers of a kind: none, own, all, stalled."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        workflow = chain()
        await (await engine.start(workflow)).result()
        stalled = await _begun_and_left(engine) if kind == "stalled" else []
        everything = asyncio.create_task(_all(engine, 1 + rounds * INSTANCES)) if kind == "all" else None
        began = time.process_time()
        for _ in range(rounds):
            runs, readers = [], []
            for _ in range(INSTANCES):
                runs.append(await engine.start(workflow))
                if kind == "own":
                    readers.append(asyncio.create_task(_own(runs[-1])))
            await asyncio.gather(*(run.result() for run in runs))
            assert min(await asyncio.gather(*readers), default=LENGTH) >= LENGTH
        if everything is not None:
            await everything
        spent = time.process_time() - began
        for one in stalled:
            await one.aclose()
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


async def _begun_and_left(engine: ms.Engine) -> list[Following[ms.Followed | ms.Behind]]:
    """A hundred that take one event each, and then no more."""
    stalled = [engine.follow() for _ in range(INSTANCES)]
    for one in stalled:
        await anext(one)
    return stalled


async def told_and_caught_up(path: str, length: int = LENGTH) -> int:
    """How many of a hundred that stalled were told so once, at the place where they were, and then had every event of all
    instances, each instance's in order and all in the order of their commits."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        workflow = chain(length)
        await (await engine.start(workflow)).result()
        stalled = await _begun_and_left(engine)
        runs = [await engine.start(workflow) for _ in range(INSTANCES)]
        await asyncio.gather(*(run.result() for run in runs))
        expected = sum([1 async for run in _each(runs) async for _ in run.events()])
        return sum([await _complete(stream, expected, INSTANCES + 1) for stream in stalled])


async def _each(runs: list[ms.Run]) -> AsyncIterator[ms.Run]:
    for run in runs:
        yield run


async def _complete(stream: Following[ms.Followed | ms.Behind], expected: int, instances: int) -> bool:
    """Whether this one, of which the first event was taken, gets all of the others and is told once where it stopped."""
    told = count = 0
    last = (0, 0, 0)
    rows: dict[str, int] = {}
    ended: set[str] = set()
    seen: ms.Position | None = None
    async for one in stream:
        if isinstance(one, ms.Behind):
            told += one.after == seen
            continue
        seen = one.position
        place = (seen.group, seen.index, one.index)
        assert place > last and one.seq - rows.get(one.id, one.seq - 1) in (0, 1), (last, place)
        last, rows[one.id] = place, one.seq
        count += bool(ended)
        if one.name == "InstanceCompleted":
            ended.add(one.id)  # the first instance is from before
            if len(ended) == instances:
                break
    await stream.aclose()
    return told == 1 and count == expected


def overhead(kind: str, pairs: int, rounds: int) -> dict[str, float]:
    """CPU per step with such followers against none, in interleaved pairs."""
    return ratios_of(lambda path, with_them: cpu_per_step(path, kind if with_them else "none", rounds), pairs)
