"""The measurements. Each gives seconds (or bytes) of one run of ours; its floor, where it has one, is in `floor`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mainspring as ms
from benchmarks import workflows
from mainspring.definition.model import Workflow

FIRST = 5_000
"""So many instances wait already when memory is first measured: they fill what is the same for any number (SQLite's pages,
the tables of asyncio and of the allocator), some 10 MB."""


async def chains(path: str, count: int, in_flight: int, length: int) -> tuple[float, list[float]]:
    """`count` chains, `in_flight` at a time: seconds in all, and of each."""
    workflow = workflows.chain(length)
    async with ms.Engine(f"sqlite:///{path}") as engine:
        gate = asyncio.Semaphore(in_flight)

        async def one(number: int) -> float:
            async with gate:
                began = time.perf_counter()
                result = await (await engine.start(workflow, input={"n": number})).result()
                assert result.status == "completed", result
                return time.perf_counter() - began

        await one(0)
        began = time.perf_counter()
        each = await asyncio.gather(*(one(number) for number in range(count)))
        return time.perf_counter() - began, list(each)


async def one_graph(path: str, workflow: Workflow) -> float:
    """One instance of a graph, from the call to its result: seconds. The definition is known to the engine."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        engine.host.programs.of(workflow, "")
        began = time.perf_counter()
        result = await (await engine.start(workflow, input={})).result()
        assert result.status == "completed", result
        return time.perf_counter() - began


async def prepare_open(path: str, count: int, length: int = 10) -> None:
    """Leave `count` open instances behind, in the store of a process that was killed half way (see `recover`)."""
    child = subprocess.Popen(  # noqa: ASYNC220 (it only forks; what waits is in a thread)
        [sys.executable, "-m", "benchmarks.victim", path, str(count), str(length)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    assert child.stdout is not None
    await asyncio.to_thread(child.stdout.readline)
    os.kill(child.pid, signal.SIGKILL)
    child.stdout.close()
    await asyncio.to_thread(child.wait)


async def recover(path: str) -> dict[str, float]:
    """Take a killed process's store and bring everything to its end: seconds until all is loaded, and until all is done."""
    began = time.perf_counter()
    async with ms.Engine(f"sqlite:///{path}") as engine:
        loaded = time.perf_counter() - began
        open_at_start = engine.host.recovery.recovered
        await engine.idle()
        assert not engine.host.lives
        done = time.perf_counter() - began
    return {"open": open_at_start, "loaded_s": loaded, "done_s": done}


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def memory(path: str, count: int) -> dict[str, float]:
    """Bytes of resident memory for each of `count` waiting ten-node instances, awake and asleep."""
    workflow = workflows.waiting()
    settings = ms.EngineSettings(sleep_after_ms=3_600_000 * 2)
    async with ms.Engine(f"sqlite:///{path}", settings=settings) as engine:
        for _ in range(FIRST // 200):
            await asyncio.gather(*[engine.start(workflow, input={"n": 1}) for _ in range(200)])
        await engine.idle()
        gc.collect()
        before = _resident()
        for _ in range(count // 200):
            await asyncio.gather(*[engine.start(workflow, input={"n": 1}) for _ in range(200)])
        await engine.idle()
        gc.collect()
        awake = (_resident() - before) / count
        engine.host.sleep.check(1_000)
        await engine.idle()
        in_memory = len(engine.host.lives)
    return {"awake_bytes": awake, "asleep_instances_in_memory": in_memory}


if __name__ == "__main__":
    # Memory is measured in a process of its own: one that ran other things has free memory to give before it grows.
    print(json.dumps(asyncio.run(memory(sys.argv[1], int(sys.argv[2])))))
