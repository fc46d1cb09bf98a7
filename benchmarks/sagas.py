"""Long sagas: a loop whose every iteration is compensable, and that fails at its end. All of it is undone, in order.

Each is run in a process of its own (`python -m benchmarks.sagas PATH COUNT`), which gives its peak memory.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mainspring as ms
from mainspring.definition.model import Node, Workflow

SHORT = 1_000
"""Beside the memory of a saga of so many runs that of the long one is looked at."""

_last = -1
_began = 0.0
_ordered = True


@ms.task(name="bench_book")
async def book(n: int) -> int:
    """What is undone later."""
    return n


@ms.task(name="bench_unbook")
async def unbook(ctx: ms.TaskContext) -> None:
    """Looks whether its turn has come: the runs ended in the order of the items."""
    global _began, _last, _ordered
    found = ctx.compensation
    assert found is not None
    _began = _began or time.perf_counter()
    _ordered = _ordered and found.output == ctx.input and (_last < 0 or found.output == _last - 1)
    _ordered = _ordered and found.remaining == found.output
    _last = found.output


@ms.task(name="bench_refuse")
async def refuse() -> None:
    """The end."""
    raise ms.Fatal("no")


def saga(count: int) -> Workflow:
    """One iteration after the other, so that their order is known."""
    work = {"id": "book", "type": "function", "config": {"handler": "bench_book"}, "input": {"n": "${ item }"}}
    undo = {"id": "unbook", "type": "function", "config": {"handler": "bench_unbook"}}
    body = {"nodes": [work | {"compensationNodeId": "unbook"}, undo]}
    loop = Node(id="loop", type="forEach", config={"items": count, "concurrency": 1, "body": body})
    end = Node(id="end", type="function", config={"handler": "bench_refuse"}, depends_on=("loop",))
    return Workflow(id="saga", nodes=(loop, end))


async def measure(path: str, count: int) -> dict[str, Any]:
    """One saga to its end."""
    async with ms.Engine(f"sqlite:///{path}") as engine:
        run = await engine.start(saga(count), input={})
        result = await run.result()
        took = time.perf_counter() - _began
    found = result.compensation
    assert result.status == "failed" and found is not None and found.undone == count, result.reason
    assert _ordered and _last == 0, "each run, and in order"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_bytes": peak, "us_per_run": 1e6 * took / count}


def child(path: Path, count: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sagas", str(path), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def overhead(count: int) -> dict[str, float]:
    """Memory above that of a short saga, and what a run that is undone takes."""
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        short = child(Path(folder) / "short.db", SHORT)
        long = child(Path(folder) / "long.db", count)
    return {"memory_mb": (long["peak_bytes"] - short["peak_bytes"]) / 1e6, "us_per_run": long["us_per_run"]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))))
