"""R7: what conditions, trigger filters and ports cost, as a share of the whole CPU of a step.

Two chains take turns in one process, the same but for their connections: plain ones, and ones that each have a source port, a
trigger and a condition. Each pair gives a ratio; what is quoted is the mean of the pairs and its upper 95 % bound.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from pathlib import Path

import mainspring as ms
from mainspring.definition.model import Connection, Node, Workflow

LENGTH = 10
CONDITION = 'output.rows > 0 && output.status == "ok"'


@ms.task(name="bench_plain")
async def plain() -> dict[str, object]:
    """A step that leaves by its primary output."""
    return {"rows": 3, "status": "ok"}


@ms.task(name="bench_by_port")
async def by_port() -> ms.Output:
    """The same by a port."""
    return _by_port


_by_port = ms.Output({"rows": 3, "status": "ok"}, port="ok")


def chain(routed: bool) -> Workflow:
    """The chain with plain connections, or with all that a connection can have."""
    handler = "bench_by_port" if routed else "bench_plain"
    some = {"source_port": "ok", "trigger": "all", "condition": CONDITION} if routed else {}
    last = [Node(id=f"n{LENGTH}", type="log")]
    nodes = [Node(id=f"n{i}", type="function", config={"handler": handler}, input={}) for i in range(LENGTH)]
    connections = [Connection(source=f"n{i}", target=f"n{i + 1}", **some) for i in range(LENGTH)]
    return Workflow(id="routed" if routed else "plain", nodes=(*nodes, *last), connections=tuple(connections))


async def cpu_per_step(path: str, workflow: Workflow, count: int) -> float:
    """Microseconds of CPU, all threads together, for each step of `count` chains, 50 in flight."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        gate = asyncio.Semaphore(50)

        async def one() -> None:
            async with gate:
                result = await (await engine.start(workflow, input={})).result()
                assert result.status == "completed", result

        await one()
        began = time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        return (time.process_time() - began) * 1e6 / (count * LENGTH)


def overhead(pairs: int, count: int = 200) -> dict[str, float]:
    """Ratios of interleaved pairs, the first of which is a warm-up: their mean, and its upper 95 % bound."""
    workflows = {routed: chain(routed) for routed in (False, True)}
    ratios, base = [], []
    for number in range(pairs + 1):
        cost = {}
        for routed in (False, True) if number % 2 else (True, False):
            with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
                path = str(Path(folder) / "store.db")
                cost[routed] = asyncio.run(cpu_per_step(path, workflows[routed], count))
        if number:
            ratios.append(cost[True] / cost[False] - 1)
            base.append(cost[False])
    # The mean of the middle: a neighbour on the machine hits single runs, and hits them hard.
    ordered = sorted(ratios)
    cut = len(ordered) // 10
    middle = ordered[cut : len(ordered) - cut]
    mean = statistics.fmean(middle)
    error = statistics.stdev(middle) / math.sqrt(len(middle))
    return {"cpu_us_a_step": statistics.median(base), "overhead": mean, "overhead_upper95": mean + 1.96 * error}
