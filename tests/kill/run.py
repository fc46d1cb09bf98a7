"""The kill test on SQLite: `python -m tests.kill.run --instances 10000 --kills 1000 --seed 0`.

A victim works off instances (chains, timers, retries, a join, a signal: `work.py`) on one file; it is killed (SIGKILL)
at moments drawn by `--seed`, and another one goes on. A kill counts where `--in-flight-min` nodes were in flight and
`--open-min` instances open. After each kill the journal is read on in a copy of the file (a reader that is the last to
close would fold the WAL into it, and the next process would no longer find what a kill leaves) and held to what the steps
themselves wrote. Exit 1 on a violation.

So many kills from outside condemn some innocent nodes by the crash limit (SEMANTICS 9). Those are counted, and requeued in
the last life, as a person would; then they must come to the same end as all others.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import mainspring as ms
from mainspring.machine.nodes.running import SUSPECT_CRASHES
from mainspring.stores.sqlite import SqliteStore
from tests.kill import work
from tests.kill.judge import Judge
from tests.kill.victim import Victim, go_through, requeue_all

BYTES_PER_LINE = len("X storm:5000/s0/1 1\n")

TRIES_PER_KILL = 3
"""Of so many kills one has to count."""


class Trial:
    """One file, through all the lives of those who have it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.store = folder / "store.db"
        self.copies = folder / "copies"
        self.copies.mkdir()
        self.options = options
        self.judge = Judge(folder / "side", work.storm(options.instances))

    def live(self, last: bool = False) -> Victim:
        """Start a victim: it works off what is not known to be at its end."""
        ended, options = self.judge.known.ended, self.options
        left = [number for number in range(options.instances) if f"storm:{number}" not in ended]

        async def main() -> None:
            async with ms.Engine(f"sqlite:///{self.store}") as engine:
                await go_through(engine, left, options.width)
                if last:
                    await requeue_all(engine)

        return Victim(self.judge.path, main)

    def kill_at(self, size: int) -> bool:
        """Let a victim live until the side file has that size. False where it came to its end before."""
        victim = self.live()
        deadline = time.monotonic() + self.options.patience
        while self.judge.side.size() < size and not victim.over():
            if time.monotonic() > deadline:
                self.judge.violations.append(f"nothing moved for {self.options.patience} s: stuck")
                break
            time.sleep(0.0005)
        return victim.kill()

    def finish(self) -> None:
        """Let the last one come to its end."""
        victim = self.live(last=True)
        deadline = time.monotonic() + self.options.patience
        while not victim.over() and time.monotonic() < deadline:
            time.sleep(0.01)
        if victim.kill() or victim.code:
            self.judge.violations.append(f"stuck: the last life had no good end (exit code {victim.code})")

    def look(self, end: bool = False) -> int:
        """Hold what is there to what the steps wrote. Gives how many nodes have run again."""
        for suffix in ("", "-wal"):
            copy = self.copies / f"copy.db{suffix}"
            copy.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self.store}{suffix}", copy)
        return asyncio.run(self._look(end))

    async def _look(self, end: bool) -> int:
        store = SqliteStore(f"{self.copies}/copy.db", read_only=True, inline=True)
        await store.open()
        try:
            return await (self.judge.end(store) if end else self.judge.look(store))
        finally:
            await store.close()

    def counts(self) -> tuple[bool, str]:
        """Whether a kill at this moment counts, and the figures."""
        ledger, options = self.judge.ledger, self.options
        suspects = [place for place in ledger.in_flight if ledger.crashes[place] >= SUSPECT_CRASHES]
        if len(suspects) > 1:
            self.judge.violations.append(f"several suspects at once: {suspects[:5]}")
        counts = len(ledger.in_flight) >= options.in_flight_min and ledger.open >= options.open_min
        figures = (ledger.open, len(ledger.in_flight), len(ledger.completed), len(ledger.condemned))
        return counts, "".join(f"{figure:>11}" for figure in figures)


def kill_all(trial: Trial, random: Random) -> int:
    """The kills, and a row of the table for each; gives how many counted."""
    options, side = trial.options, trial.judge.side
    print(f"{'kill':>5}{'counted':>9}{'open':>11}{'in flight':>11}{'completed':>11}{'condemned':>11}{'repeated':>10}")
    all_bytes = options.instances * work.LINES * BYTES_PER_LINE
    counted = tried = 0
    killed = True
    while killed and counted < options.kills and tried < TRIES_PER_KILL * options.kills and not trial.judge.violations:
        tried += 1
        # Spread over what is left of the work; some strike just after the start, in the middle of recovery.
        share = all_bytes * trial.judge.left(options.width) / (options.kills - counted + 1)
        killed = trial.kill_at(side.size() + 1 + int(random.random() * 2 * share))
        repeated = trial.look()
        counts, figures = trial.counts()
        counted += counts and killed
        if tried % options.every == 0 or counted == options.kills:
            print(f"{tried:>5}{counted:>9}{figures}{repeated:>10}", flush=True)
    return counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--width", type=int, default=60, help="how many instances a victim has under way")
    parser.add_argument("--in-flight-min", type=int, default=10)
    parser.add_argument("--open-min", type=int, default=40)
    parser.add_argument("--every", type=int, default=1, help="show one of so many kills")
    parser.add_argument("--patience", type=float, default=120, help="seconds in which a life must get on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        trial, begin = Trial(Path(folder), options), time.monotonic()
        counted = kill_all(trial, Random(options.seed))
        trial.finish()
        trial.look(end=True)
        if counted < options.kills:
            trial.judge.violations.append(f"only {counted} of {options.kills} kills counted")
        kept = trial.judge.verdict(f"{counted} kills and {options.instances} instances")
        print(f"{time.monotonic() - begin:.1f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
