"""`python -m benchmarks [--only NAME ...] [--pairs N] [--quick] [--json FILE]`: all figures, as a table and as JSON.

Ours and its floor take turns in one run (A B A B …), so that a ratio holds when the machine's speed drifts; what is quoted
is the median. Each benchmark says what it has to reach (DESIGN.md, Performance); `--check` exits with 1 where one does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    analysis,
    floor,
    followers,
    limits,
    loops,
    measured,
    resilience,
    routing,
    sagas,
    stages,
    workflows,
)

Row = dict[str, Any]


class Bench:
    """Runs pairs, each on files of its own."""

    def __init__(self, pairs: int, quick: bool, note: Callable[[str], None]) -> None:
        self.pairs = pairs
        self.quick = quick
        self.note = note

    def pair(self, ours: Callable[[str], Any], bare: Callable[[str], Any]) -> tuple[list[Any], list[Any]]:
        """The results of ours and of the floor, interleaved, the first pair (a warm-up) left out."""
        mine, floors = [], []
        for number in range(self.pairs + 1):
            results = []
            for work in (ours, bare) if number % 2 else (bare, ours):
                with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
                    results.append(asyncio.run(work(str(Path(folder) / "store.db"))))
            if number:
                first, second = results if number % 2 else results[::-1]
                mine.append(first)
                floors.append(second)
        return mine, floors

    def alone(self, work: Callable[[str], Any]) -> list[Any]:
        """The results of ours where there is no floor to compare with."""
        results = []
        for _ in range(self.pairs):
            with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
                results.append(asyncio.run(work(str(Path(folder) / "store.db"))))
        return results


def _percentiles(values: list[float]) -> Row:
    ordered = sorted(values)
    at = lambda share: ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000  # noqa: E731
    return {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99)}


def chain(bench: Bench) -> Row:
    """10-step chains, 50 in flight."""
    count = 500 if bench.quick else 2_000
    cpu: list[float] = []

    async def ours(path: str) -> tuple[float, list[float]]:
        began = time.process_time()
        result = await measured.chains(path, count, 50, 10)
        cpu.append((time.process_time() - began) * 1e6 / (count * 10))
        return result

    mine, bare = bench.pair(ours, lambda path: floor.chains(path, count, 50, 10))
    rates = [count * 10 / seconds for seconds, _ in mine]
    floors = [count * 10 / seconds for seconds, _ in bare]
    ratio = statistics.median(a / b for a, b in zip(rates, floors, strict=True))
    return {
        "value": statistics.median(rates),
        "floor": statistics.median(floors),
        "unit": "steps/s",
        "ratio": ratio,
        "reach": "20,000 steps/s and 0.4 of the floor",
        "ok": ratio >= 0.4 and statistics.median(rates) >= 20_000,
        "cpu_us_per_step": statistics.median(cpu),
        "workflows_per_s": statistics.median(rates) / 10,
        **_percentiles([one for _, each in mine for one in each]),
    }


def postgres_chain(bench: Bench) -> Row:
    """10-step chains on PostgreSQL, 50 in flight."""
    from benchmarks import postgres

    count = 300 if bench.quick else 1_000
    mine, bare = bench.pair(lambda _: postgres.chains(count, 50, 10), lambda _: postgres.bare_chains(count, 50, 10))
    rates = [count * 10 / seconds for seconds, _ in mine]
    floors = [count * 10 / seconds for seconds, _ in bare]
    ratio = statistics.median(a / b for a, b in zip(rates, floors, strict=True))
    return {
        "value": statistics.median(rates),
        "floor": statistics.median(floors),
        "unit": "steps/s",
        "ratio": ratio,
        "reach": "0.5 of the floor",
        "ok": ratio >= 0.5,
        **_percentiles([one for _, each in mine for one in each]),
    }


def single(bench: Bench) -> Row:
    """One 10-step chain alone, p50."""
    count = 100 if bench.quick else 200
    mine, bare = bench.pair(
        lambda path: measured.chains(path, count, 1, 10), lambda path: floor.chains(path, count, 1, 10)
    )
    ours_ms = [statistics.median(each) * 1000 for _, each in mine]
    bare_ms = [statistics.median(each) * 1000 for _, each in bare]
    ratio = statistics.median(a / b for a, b in zip(ours_ms, bare_ms, strict=True))
    return {
        "value": statistics.median(ours_ms),
        "floor": statistics.median(bare_ms),
        "unit": "ms",
        "ratio": ratio,
        "reach": "6 ms and 1.5 times the floor",
        "ok": ratio <= 1.5 and statistics.median(ours_ms) <= 6,
        **_percentiles([one for _, each in mine for one in each]),
    }


def fan(bench: Bench) -> Row:
    """A root, 1,000 parallel steps, a join."""
    return _graph(bench, workflows.fan_out(1_000), 1_002, 0.06)


def layered_5000(bench: Bench) -> Row:
    """5,000 nodes in layers, 10,000 connections."""
    return _graph(bench, workflows.layered(5_000), 5_000, 0.4)


def _graph(bench: Bench, workflow: Any, nodes: int, reach: float) -> Row:
    mine, bare = bench.pair(lambda path: measured.one_graph(path, workflow), lambda path: floor.steps(path, nodes))
    ratio = statistics.median(b / a for a, b in zip(mine, bare, strict=True))
    return {
        "value": statistics.median(mine),
        "floor": statistics.median(bare),
        "unit": "s",
        "ratio": ratio,
        "reach": f"{reach} s",
        "ok": statistics.median(mine) <= reach,
        "steps_per_s": nodes / statistics.median(mine),
    }


def layered_linear(bench: Bench) -> Row:
    """100,000 nodes in layers: its time a node beside that of 5,000 nodes."""
    small, large = workflows.layered(5_000), workflows.layered(20_000 if bench.quick else 100_000)
    pairs = Bench(max(1, bench.pairs // 3), bench.quick, bench.note)
    big, little = pairs.pair(lambda path: measured.one_graph(path, large), lambda path: measured.one_graph(path, small))
    scale = len(large.nodes) / len(small.nodes)
    ratio = statistics.median(a / (b * scale) for a, b in zip(big, little, strict=True))
    return {
        "value": statistics.median(big),
        "floor": statistics.median(little) * scale,
        "unit": "s",
        "ratio": ratio,
        "reach": "linear: at most 1.25 times the time a node of 5,000 nodes",
        "ok": ratio <= 1.25,
    }


def recovery_100(bench: Bench) -> Row:
    """100 chains killed half way, restarted, all done."""
    return _recovery(bench, 100, 0.7)


def recovery_10000(bench: Bench) -> Row:
    """10,000 open instances of a killed process, all loaded and brought to their end."""
    return _recovery(bench, 1_000 if bench.quick else 10_000, None)


def _recovery(bench: Bench, count: int, reach: float | None) -> Row:
    async def once(path: str) -> dict[str, float]:
        await measured.prepare_open(path, count)
        return await measured.recover(path)

    found = bench.alone(once)
    assert all(one["open"] == count for one in found), found
    value = statistics.median(one["done_s"] for one in found)
    return {
        "value": value,
        "unit": "s",
        "reach": "-" if reach is None else f"{reach} s",
        "ok": reach is None or value <= reach,
        "loaded_s": statistics.median(one["loaded_s"] for one in found),
        "instances_per_s": count / value,
    }


def memory(bench: Bench) -> Row:
    """Resident bytes for each waiting 10-node instance."""
    count = 2_000 if bench.quick else 10_000
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.measured", str(Path(folder) / "store.db"), str(count)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        "value": found["awake_bytes"],
        "unit": "bytes",
        "reach": "5 KB, and 0 asleep",
        "ok": found["awake_bytes"] <= 5 * 1024 and found["asleep_instances_in_memory"] == 0,
        **found,
    }


def by_stage(bench: Bench) -> Row:
    """CPU a step, by stage."""
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        found = asyncio.run(stages.stages(str(Path(folder) / "store.db")))
    return {"value": sum(found.values()), "unit": "us", "reach": "-", "ok": True, "stages": found}


def graph_100000(bench: Bench) -> Row:
    """100,000 nodes and 300,000 connections analysed."""
    return analysis.process_100000(bench.pairs, bench.quick)


def layout_2000(bench: Bench) -> Row:
    """2,000 nodes laid out."""
    return analysis.layout_2000(bench.pairs, bench.quick)


def layout_100000(bench: Bench) -> Row:
    """100,000 nodes laid out."""
    return analysis.layout_100000(bench.pairs, bench.quick)


def routing_each(bench: Bench) -> Row:
    """What conditions, triggers and ports cost, one of the three on each connection (R7)."""
    return _overhead(bench, "each")


def routing_all(bench: Bench) -> Row:
    """What they cost with all three on every connection."""
    return _overhead(bench, "all")


def _overhead(bench: Bench, routed: str) -> Row:
    found = routing.overhead(routed, 8 * bench.pairs, 100 if bench.quick else 300)
    upper = 100 * found["overhead_upper95"]
    ok = upper < 2 or routed == "all"
    return {"value": upper, "unit": "% CPU", "reach": "-" if routed == "all" else "2 %", "ok": ok, **found}


def loop_each(bench: Bench) -> Row:
    """forEach over 100,000 items, 50 at once, against one over 1,000."""
    return _loop(bench, "forEach")


def loop_while(bench: Bench) -> Row:
    """while with 100,000 passes, against one with 1,000."""
    return _loop(bench, "while")


def _loop(bench: Bench, kind: str) -> Row:
    count = 20_000 if bench.quick else 100_000
    found = loops.overhead(kind, count) | loops.resumed(kind, count)
    memory_mb, ratio = found["memory_mb"], found["cpu_ratio"]
    reach = "20 MB; last thousands 1.1 times the first; half way, one snapshot interval to fold"
    ok = memory_mb <= 20 and ratio <= 1.1 and found["rows_folded"] <= loops.interval(count)
    return {"value": memory_mb, "unit": "MB", "ratio": ratio, "reach": reach, "ok": ok, **found}


def saga(bench: Bench) -> Row:
    """100,000 iterations, all of them undone in order, against 1,000."""
    found = sagas.overhead(20_000 if bench.quick else 100_000)
    memory_mb = found["memory_mb"]
    return {"value": memory_mb, "unit": "MB", "reach": "20 MB", "ok": memory_mb <= 20, **found}


def limits_one(bench: Bench) -> Row:
    """CPU per step with a limit on each node that never binds, against none."""
    return _limited(bench, "one")


def limits_own(bench: Bench) -> Row:
    """The same with the concurrency of each instance."""
    return _limited(bench, "own")


def limits_three(bench: Bench) -> Row:
    """The same with a limit, a pool and a rate on each node."""
    return _limited(bench, "three")


def _limited(bench: Bench, kind: str) -> Row:
    found = limits.overhead(kind, 8 * bench.pairs, 100 if bench.quick else 300)
    upper = 100 * found["overhead_upper95"]
    return {"value": upper, "unit": "% CPU", "reach": "10 %", "ok": upper < 10, **found}


def resilience_all(bench: Bench) -> Row:
    """CPU per step with retries, policies, fallbacks and an undo node for each step, none of which is needed."""
    return _resilient(bench, "all")


def resilience_saga(bench: Bench) -> Row:
    """The same with the undo nodes alone."""
    return _resilient(bench, "saga")


def resilience_breaker(bench: Bench) -> Row:
    """The same with a breaker that all steps share: what is asked before each of them is a limit too."""
    return _resilient(bench, "breaker")


def _resilient(bench: Bench, kind: str) -> Row:
    found = resilience.overhead(kind, 8 * bench.pairs, 100 if bench.quick else 300)
    upper = 100 * found["overhead_upper95"]
    reach = 10 if kind == "breaker" else 5
    return {"value": upper, "unit": "% CPU", "reach": f"{reach} %", "ok": upper < reach, **found}


def followers_each(bench: Bench) -> Row:
    """CPU per step with followers: a hundred on an instance each, one on everything, a hundred that stall; against none."""
    kinds = {"own": 10.0, "all": 10.0, "stalled": 10.0}
    rounds, pairs = 1, 4 if bench.quick else 8 * bench.pairs
    found = {kind: followers.overhead(kind, pairs, rounds) for kind in kinds}
    upper = {kind: 100 * one["overhead_upper95"] for kind, one in found.items()}
    means = {kind: 100 * one["overhead"] for kind, one in found.items()}
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        told = asyncio.run(followers.told_and_caught_up(str(Path(folder) / "store.db"), 20 if bench.quick else 200))
    return {
        "value": max(upper.values()),
        "unit": "% CPU",
        "reach": "10 % each; stalled no more than one that follows everything, all 100 told and caught up",
        "ok": max(upper.values()) <= 10 and means["stalled"] <= means["all"] and told == followers.INSTANCES,
        "told_and_caught_up": told,
        "cpu_us_a_step": found["own"]["cpu_us_a_step"],
        **{f"{kind}_mean": mean for kind, mean in means.items()},
        **{f"{kind}_upper95": one for kind, one in upper.items()},
    }


def limits_handover(bench: Bench) -> Row:
    """From the end of an attempt to the start of the one that waited for its place, p99, below half load."""
    waits = sorted(one for each in bench.alone(limits.handed_over) for one in each)
    p99 = waits[int(len(waits) * 0.99)]
    return {
        "value": p99,
        "unit": "ms",
        "reach": "10 ms",
        "ok": p99 < 10,
        "median": waits[len(waits) // 2],
        "of": len(waits),
    }


def limits_rates(bench: Bench) -> Row:
    """The share of the wanted starts in windows of ten seconds, at 10, 100 and 1,000 a second: the worst."""
    seconds = 13 if bench.quick else 30
    found: dict[str, dict[str, float]] = {}
    for rate in (10, 100, 1_000):
        with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
            found[str(rate)] = asyncio.run(limits.rate_kept(str(Path(folder) / "store.db"), rate, seconds))
    worst = 100 * max(max(1 - one["least"], one["most"] - 1) for one in found.values())
    return {"value": worst, "unit": "% off", "reach": "5 %", "ok": worst <= 5, **found}


ALL: dict[str, Callable[[Bench], Row]] = {
    "limits-one": limits_one,
    "limits-own": limits_own,
    "limits-three": limits_three,
    "resilience-all": resilience_all,
    "resilience-saga": resilience_saga,
    "resilience-breaker": resilience_breaker,
    "followers": followers_each,
    "limits-handover": limits_handover,
    "limits-rates": limits_rates,
    "chain": chain,
    "postgres-chain": postgres_chain,
    "single": single,
    "fan-out": fan,
    "layered-5000": layered_5000,
    "layered-linear": layered_linear,
    "recovery-100": recovery_100,
    "recovery-10000": recovery_10000,
    "memory": memory,
    "stages": by_stage,
    "routing-each": routing_each,
    "routing-all": routing_all,
    "graph-100000": graph_100000,
    "loop-each": loop_each,
    "loop-while": loop_while,
    "saga": saga,
    "layout-2000": layout_2000,
    "layout-100000": layout_100000,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(ALL), help="run only these")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs (default 5)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, for a look")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure is not reached")
    options = parser.parse_args()
    console = Console()
    bench = Bench(options.pairs, options.quick, console.print)
    table = Table("benchmark", "value", "floor", "ratio", "to reach", "")
    rows: dict[str, Row] = {}
    for name in options.only or ALL:
        with console.status(f"{name}: {(ALL[name].__doc__ or '').strip()}"):
            row = rows[name] = ALL[name](bench)
        table.add_row(name, *_cells(row))
    console.print(table)
    _print_stages(console, rows)
    if options.json:
        options.json.write_text(json.dumps({"machine": _machine(), "figures": rows}, indent=2) + "\n")
    missed = [name for name, row in rows.items() if not row["ok"]]
    return 1 if options.check and missed else 0


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    def text(value: float | None) -> str:
        if value is None:
            return ""
        return f"{value:,.0f} {row['unit']}" if value >= 100 else f"{value:.3g} {row['unit']}"

    ratio = row.get("ratio")
    verdict = "[green]reached[/]" if row["ok"] else "[red]not reached[/]"
    return text(row["value"]), text(row.get("floor")), "" if ratio is None else f"{ratio:.2f}", row["reach"], verdict


def _print_stages(console: Console, rows: dict[str, Row]) -> None:
    if "stages" in rows:
        table = Table("stage", "CPU us a step")
        for name, value in rows["stages"]["stages"].items():
            table.add_row(name, f"{value:.1f}")
        console.print(table)


def _machine() -> Row:
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}


if __name__ == "__main__":
    sys.exit(main())
