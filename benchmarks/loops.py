"""Long loops: what the thousandth thousand of iterations costs beside the first, and how much memory all of them take.

Each is run in a process of its own (`python -m benchmarks.loops PATH KIND COUNT [KILL_AT]`), which gives its peak memory and
the CPU time at every thousandth iteration; with KILL_AT it kills itself there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mainspring as ms
from mainspring.definition.model import Node, Workflow
from mainspring.engine.live import SNAPSHOT_BYTES_PER_TURN

EACH = 1_000
"""So many iterations are one measure."""

_marks: list[float] = []
_count = 0
_kill_at = 0


@ms.task(name="bench_iteration")
async def iteration(n: int) -> int:
    """An iteration's work: none, but that it is counted."""
    global _count
    _count += 1
    if _count % EACH == 0:
        _marks.append(time.process_time())
    if _count == _kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return n + 1


def loop(kind: str, count: int) -> Workflow:
    """`forEach` over `count` items, 50 at once, or `while` with `count` passes; both collect what comes of each."""
    work: dict[str, Any] = {"id": "work", "type": "function", "config": {"handler": "bench_iteration"}}
    if kind == "forEach":
        config = {"items": count, "concurrency": 50, "body": {"nodes": [work | {"input": {"n": "${ item }"}}]}}
    else:
        body = {"nodes": [work | {"input": {"n": "${ loop.state }"}}]}
        condition = f"index < {count}"
        config = {"condition": condition, "initial": 0, "maxIterations": count, "collect": True, "body": body}
    return Workflow(id="loop", nodes=(Node(id="loop", type=kind, config=config),))


async def measure(path: str, kind: str, count: int) -> dict[str, Any]:
    """One loop to its end."""
    _marks.append(time.process_time())
    async with ms.Engine(f"sqlite:///{path}") as engine:
        found = await engine.instances(limit=1)
        run = await (engine.get(found[0].id) if found else engine.start(loop(kind, count), input={}))
        result = await run.result()
    assert result.status == "completed", result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert result.output == list(range(1, count + 1))
    return {"peak_bytes": peak, "marks": _marks, "iterations": _count}


def child(path: Path, kind: str, count: int, kill_at: int = 0) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.loops", str(path), kind, str(count), str(kill_at)]
    done = subprocess.run(command, check=not kill_at, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found


def overhead(kind: str, count: int) -> dict[str, float]:
    """Memory above that of a short loop, and the last thousands' CPU beside that of the first ones.

    The very first thousand is left out: it also pays for the start. A share of the thousands is compared at each end, by
    their medians, since a single one is a few dozen milliseconds.
    """
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        short = child(Path(folder) / "short.db", kind, EACH)
        long = child(Path(folder) / "long.db", kind, count)
    marks = long["marks"]
    cpu = [after - before for before, after in itertools.pairwise(marks)][1:]
    share = max(1, len(cpu) // 10)
    first, last = statistics.median(cpu[:share]), statistics.median(cpu[-share:])
    return {
        "memory_mb": (long["peak_bytes"] - short["peak_bytes"]) / 1e6,
        "cpu_ratio": last / first,
        "cpu_us": 1e6 * statistics.median(cpu) / EACH,
    }


def interval(count: int) -> int:
    """The most rows between two snapshots of such a loop: a snapshot holds items and results, some bytes for each."""
    per_item = 2 * len(f"{count},")
    return ms.EngineSettings().snapshot_turns_min + count * per_item // SNAPSHOT_BYTES_PER_TURN


async def folded(path: str) -> int:
    """How many rows of the loop's instance stand after its last snapshot."""
    async with ms.Engine(f"sqlite:///{path}", recover=False) as engine:
        record = (await engine.instances(limit=1))[0]
        loaded = await engine.host.store.load(record.id)
    assert loaded is not None
    return len(loaded.rows)


def resumed(kind: str, count: int) -> dict[str, float]:
    """A loop killed half way and brought to its end by another process."""
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        path = Path(folder) / "store.db"
        child(path, kind, count, count // 2)
        rows = asyncio.run(folded(str(path)))
        again = child(path, kind, count)
    return {"rows_folded": rows, "iterations_after": again["iterations"]}


if __name__ == "__main__":
    _kill_at = int(sys.argv[4])
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
