"""R7: what conditions, trigger filters and ports cost, as a share of the whole CPU of a step.

Two chains take turns in one process, the same but for their connections: plain ones, and ones that have a condition, a
trigger or a source port (one of the three each, or all three at once). Each pair gives a ratio; what is quoted is their
geometric mean and its upper 95 % bound.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import mainspring as ms
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.engine.settings import EngineSettings

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


def chain(routed: str) -> Workflow:
    """A chain whose connections are `plain`, or have all that a connection can have (`all`), or one thing each (`each`)."""
    nodes, connections = [], []
    for index in range(LENGTH):
        some: dict[str, object] = {}
        kind = index % 3 if routed == "each" else 3 if routed == "all" else None
        if kind in (0, 3):
            some["condition"] = CONDITION
        if kind in (1, 3):
            some["trigger"] = "all"
        if kind in (2, 3):
            some["source_port"] = "ok"
        handler = "bench_by_port" if "source_port" in some else "bench_plain"
        nodes.append(Node(id=f"n{index}", type="function", config={"handler": handler}, input={}))
        connections.append(Connection(source=f"n{index}", target=f"n{index + 1}", **some))  # type: ignore[arg-type]
    last = Node(id=f"n{LENGTH}", type="log")
    return Workflow(id=f"routed-{routed}", nodes=(*nodes, last), connections=tuple(connections))


async def cpu_per_step(path: str, workflow: Workflow, count: int, settings: EngineSettings | None = None) -> float:
    """Microseconds of CPU, all threads together, for each step of `count` chains, 50 in flight."""
    async with ms.Engine(f"sqlite:///{path}", settings=settings) as engine:
        gate = asyncio.Semaphore(50)

        async def one() -> None:
            async with gate:
                result = await (await engine.start(workflow, input={})).result()
                assert result.status == "completed", result

        await one()
        began = time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        return (time.process_time() - began) * 1e6 / (count * LENGTH)


def overhead(routed: str, pairs: int, count: int = 200) -> dict[str, float]:
    """Ratios of interleaved pairs, the first of which is a warm-up: their geometric mean, and its upper 95 % bound."""
    return overhead_of(chain("plain"), chain(routed), pairs, count)


def overhead_of(
    plain: Workflow, more: Workflow, pairs: int, count: int, settings: EngineSettings | None = None
) -> dict[str, float]:
    """The same for any two chains of `LENGTH` steps: what the second costs beside the first."""
    return ratios_of(lambda path, with_it: cpu_per_step(path, more if with_it else plain, count, settings), pairs)


def ratios_of(cost_of: Callable[[str, bool], Coroutine[None, None, float]], pairs: int) -> dict[str, float]:
    """The same for anything that costs so much CPU a step, without (False) and with what is looked at (True)."""
    logs, base = [], []
    for number in range(pairs + 1):
        cost = {}
        for with_it in (False, True) if number % 2 else (True, False):
            with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
                cost[with_it] = asyncio.run(cost_of(str(Path(folder) / "store.db"), with_it))
        if number:
            logs.append(math.log(cost[True] / cost[False]))
            base.append(cost[False])
    mean, upper = mean_and_upper(logs)
    return {"cpu_us_a_step": statistics.median(base), "overhead": mean, "overhead_upper95": upper}


def mean_and_upper(logs: list[float]) -> tuple[float, float]:
    """The mean overhead (0.05: 5 %) of ratios whose logarithms these are, and its upper 95 % bound.

    Of the logarithms, as noise that hits both sides alike makes the mean of plain ratios too high: E[1/x] > 1/E[x], by 2 %
    where single runs differ by 15 %. And of the middle eight tenths: a neighbour on the machine hits single runs hard.
    """
    ordered = sorted(logs)
    cut = len(ordered) // 10
    middle = ordered[cut : len(ordered) - cut]
    mean = statistics.fmean(middle)
    error = statistics.stdev(middle) / math.sqrt(len(middle))
    return math.expm1(mean), math.expm1(mean + 1.96 * error)
