"""`python -m mainspring.testing.simulate`: one seed with its story, or thousands of them in several processes.

python -m mainspring.testing.simulate --seed 815 --verbose
python -m mainspring.testing.simulate --seeds 20000 --start 0 --workers 2
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from msgspec import Struct

from mainspring.testing.simulation.points import POINTS
from mainspring.testing.simulator import Outcome, replay, simulate

CHUNK = 50
FAILURES_SHOWN = 5


class Tally(Struct):
    """What many runs came to."""

    seeds: int = 0
    instances: int = 0
    rows: int = 0
    attempts: int = 0
    seconds: float = 0.0
    hits: dict[str, int] = {}
    failed: list[tuple[int, str, str]] = []

    def add(self, outcome: Outcome) -> None:
        """One run more."""
        self.seeds += 1
        self.instances += outcome.instances
        self.rows += outcome.rows
        self.attempts += outcome.attempts
        self.seconds += outcome.seconds
        self.hits = dict(Counter(self.hits) + Counter(outcome.hits))
        if not outcome.ok:
            self.failed = [*self.failed, (outcome.seed, outcome.invariant, outcome.text)]

    def join(self, other: Tally) -> None:
        """All of another tally."""
        self.seeds += other.seeds
        self.instances += other.instances
        self.rows += other.rows
        self.attempts += other.attempts
        self.seconds += other.seconds
        self.hits = dict(Counter(self.hits) + Counter(other.hits))
        self.failed = sorted([*self.failed, *other.failed])


def run_chunk(start: int, count: int) -> Tally:
    """These seeds, in this process."""
    tally = Tally()
    hits: Counter[str] = Counter()
    for seed in range(start, start + count):
        try:
            outcome = simulate(seed)
        except Exception as error:  # a fault of the simulator's own: the other seeds are played all the same
            tally.seeds += 1
            tally.failed = [*tally.failed, (seed, "the simulator itself", repr(error))]
            continue
        hits.update(outcome.hits)
        tally.add(outcome)
    tally.hits = dict(hits)
    gc.collect()
    return tally


def run_many(start: int, count: int, workers: int) -> Iterator[Tally]:
    """Tallies of parts, as they are ready."""
    chunks = [(first, min(CHUNK, start + count - first)) for first in range(start, start + count, CHUNK)]
    if workers <= 1:
        yield from (run_chunk(*chunk) for chunk in chunks)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(run_chunk, *chunk) for chunk in chunks]):
            yield future.result()


def summary(tally: Tally, elapsed: float) -> str:
    """A table for a person."""
    never = [name for name in POINTS if not tally.hits.get(name)]
    lines = [f"{name:36} {hits:>10,}" for name, hits in sorted(tally.hits.items(), key=lambda item: -item[1])]
    lines += [f"{name:36} {'never':>10}" for name in never]
    faults = sum(tally.hits.values())
    lines.append("")
    lines.append(
        f"{tally.seeds:,} seeds, {tally.instances:,} instances, {tally.attempts:,} attempts, {tally.rows:,} rows, "
        f"{faults:,} faults in {tally.seconds / 3600:,.1f} virtual hours"
    )
    lines.append(f"{elapsed:.1f} s, {tally.seeds / elapsed:,.0f} seeds/s; {len(tally.failed)} failed")
    return "\n".join(lines)


def failures(tally: Tally) -> str:
    """The first few failures, each with its story."""
    parts = [replay(seed).report() for seed, _, _ in tally.failed[:FAILURES_SHOWN]]
    kinds = Counter(invariant for _, invariant, _ in tally.failed)
    parts += [f"{count:6} {invariant}" for invariant, count in kinds.most_common()]
    parts.append("Replay one with: python -m mainspring.testing.simulate --seed N --verbose")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """The command. 1 where any seed failed."""
    parser = argparse.ArgumentParser(prog="python -m mainspring.testing.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one, and tell its story if it fails")
    parser.add_argument("--verbose", action="store_true", help="tell the whole story")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        outcome = replay(chosen.seed)
        print(outcome.report(len(outcome.story) if chosen.verbose else 0 if outcome.ok else 40))
        print(f"digest {outcome.digest}")
        return 0 if outcome.ok else 1
    tally, begun, tenth = Tally(), time.perf_counter(), 0
    for part in run_many(chosen.start, chosen.seeds, chosen.workers):
        tally.join(part)
        rate = tally.seeds / (time.perf_counter() - begun)
        told = f"{tally.seeds:,} of {chosen.seeds:,} seeds, {rate:,.0f}/s, {len(tally.failed)} failed"
        if sys.stderr.isatty():
            print(f"\r{told} ", end="" if tally.seeds < chosen.seeds else "\n", file=sys.stderr, flush=True)
        elif tally.seeds * 10 // chosen.seeds > tenth:  # in a log: a line for each tenth, and nothing redrawn
            tenth = tally.seeds * 10 // chosen.seeds
            print(told, file=sys.stderr, flush=True)
    print(summary(tally, time.perf_counter() - begun))
    if tally.failed:
        print(failures(tally))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
