"""The kill test on PostgreSQL: `python -m tests.kill.postgres --instances 6000 --kills 300 --seed 0`.

Three engines, each a process, work off instances (`work.py`) on one private server. What is harmed is drawn by `--seed`:

- an engine: SIGKILL; another one is started once its instances have other owners, and how long that took is measured
- a backend of the server: SIGKILL, after which the server recovers by itself
- the server: `pg_ctl stop -m immediate`, or SIGKILL to all its processes, and started again
- its recovery: stopped `-m immediate` again soon after it was started
- both: an engine and the server at once

A kill counts where `--in-flight-min` nodes were in flight when the journal was last read, and something ran since. What
must hold is in `judge.py`. Exit 1 on a violation, which a takeover that took longer than two lease times is too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

import asyncpg

import mainspring as ms
from mainspring.stores.postgres import PostgresStore
from mainspring.testing.postgres_server import PrivateServer
from tests.kill import work
from tests.kill.judge import Judge
from tests.kill.victim import Victim, go_through, insist, requeue_all

ENGINES = 3
KINDS = {"engine": 9, "backend": 3, "immediate": 3, "server": 2, "recovery": 2, "both": 2}
"""What is harmed, and how often beside the others."""

HARMS_ENGINE = ("engine", "both")
TAKEOVER_LEASES_MAX = 2
TRIES_PER_KILL = 3


@dataclass
class Trial:
    """One store, its server, and the engines on it."""

    server: PrivateServer
    folder: Path
    options: argparse.Namespace
    random: Random
    engines: dict[int, Victim] = field(default_factory=dict)
    takeovers: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in HARMS_ENGINE})
    """In seconds: from the kill, or from when the server was back, until each of its instances had another owner."""
    late: int = 0
    """Engines that ended by themselves, because their sessions were over."""

    def __post_init__(self) -> None:
        self.judge = Judge(self.folder / "side", work.storm(self.options.instances))
        self.url = f"{self.server.url}?schema=storm"
        self.settings = ms.EngineSettings(lease_ms=self.options.lease_ms, store_retry_ms_max=100)

    def start(self, place: int, last: bool = False) -> None:
        """An engine: it works off its share of what is not known to be at its end."""
        ended = self.judge.known.ended
        mine = [
            number
            for number in range(self.options.instances)
            if (last or number % ENGINES == place) and f"storm:{number}" not in ended
        ]

        async def main() -> None:
            engine = ms.Engine(self.url, settings=self.settings)
            await insist(engine.__aenter__)
            try:
                work.tell(f"B {engine.host.ownership.epoch()} {os.getpid()}")
                await go_through(engine, mine, self.options.width)
                if last:
                    await requeue_all(engine)
                else:  # its share is done, but not that of an engine that may die
                    await asyncio.Event().wait()
            except* ms.NotOwner:
                os._exit(3)
            await engine.__aexit__()

        self.engines[place] = Victim(self.judge.path, main)

    def mend(self) -> None:
        """Start again what has ended by itself."""
        for place, engine in tuple(self.engines.items()):
            if engine.over():
                self.late += engine.code == 3
                if engine.code != 3:
                    self.judge.violations.append(f"an engine ended with {engine.code}")
                self.start(place)

    async def look(self, end: bool = False) -> None:
        """Hold the journal to what the steps wrote."""
        store = PostgresStore(self.url, read_only=True)
        await insist(store.open)
        try:
            await insist(lambda: self.judge.end(store) if end else self.judge.look(store))
        finally:
            await store.close()

    def work_on(self, lines: int) -> bool:
        """Let them work until so much is written. False where all is done, or nothing moves."""
        side, asked = self.judge.side, 0.0
        size = side.size() + lines * len("X storm:500/s0/1 1\n")
        deadline = time.monotonic() + self.options.patience
        while side.size() < size:
            self.mend()
            if time.monotonic() > asked + 0.1:
                asked = time.monotonic()
                if self.all_told():
                    return False
            if time.monotonic() > deadline:
                self.judge.violations.append(f"nothing moved for {self.options.patience} s: stuck")
                return False
            time.sleep(0.002)
        return True

    def all_told(self) -> bool:
        """Whether each instance's end has been acknowledged."""
        self.judge.hear()
        return len(self.judge.known.ended) == self.options.instances

    # --- harm ---------------------------------------------------------------------------------------------------------

    def harm(self, kind: str) -> bool:
        """Whether it came to it."""
        server, epoch, began = self.server, 0, time.monotonic()
        place = self.random.randrange(ENGINES)
        if kind in HARMS_ENGINE:
            if not self.engines[place].kill():
                return False
            epoch = self._session_of(self.engines[place].pid)
        if kind == "backend":
            _, backends = server.processes()
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(backends), signal.SIGKILL)
        elif kind == "server":
            server.kill()
            server.start_again()
        elif kind in ("immediate", "recovery", "both"):
            server.stop("immediate")
            if kind == "recovery":
                server.start_again(wait=False)
                time.sleep(self.random.random() * 0.3)
                server.stop("immediate")
            server.start_again()
        if kind in HARMS_ENGINE:
            began = time.monotonic() if kind == "both" else began
            took = asyncio.run(self._taken_over(epoch, began)) if epoch else None
            if took is not None:
                self.takeovers[kind].append(took)
            self.start(place)
        return True

    def _session_of(self, pid: int) -> int:
        self.judge.hear()
        return max((epoch for epoch, whose in self.judge.known.sessions.items() if whose == pid), default=0)

    async def _taken_over(self, epoch: int, began: float) -> float | None:
        """Wait until all open instances of a session have other owners. None where it had none."""
        connection = await asyncpg.connect(self.server.url)
        had = False
        try:
            while await connection.fetchval(
                "SELECT EXISTS (SELECT 1 FROM storm.instance WHERE open AND owner = $1)", epoch
            ):
                had = True
                if time.monotonic() - began > self.options.patience:
                    self.judge.violations.append(f"session {epoch} was not taken over: stuck")
                    return None
                await asyncio.sleep(0.01)
        finally:
            await connection.close()
        return time.monotonic() - began if had else None

    def finish(self) -> None:
        """Let them come to their end, then have one requeue what was condemned."""
        deadline = time.monotonic() + self.options.patience
        while not self.all_told():
            if time.monotonic() > deadline:
                self.judge.violations.append("stuck: not all came to their ends")
                break
            self.mend()
            time.sleep(0.01)
        for engine in self.engines.values():
            engine.kill()
        self.start(0, last=True)
        while not self.engines[0].over() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.engines[0].kill() or self.engines[0].code:
            self.judge.violations.append(f"stuck: the last engine had no good end ({self.engines[0].code})")

    def judge_takeovers(self) -> None:
        """Say how long they took."""
        lease = self.options.lease_ms / 1000
        for kind, since in (("engine", "an engine's death"), ("both", "the server's return, engine and server killed")):
            times = self.takeovers[kind]
            if times:
                figures = f"median {median(times) / lease:.2f}, longest {max(times) / lease:.2f} lease times"
                print(f"takeover since {since}: {figures} of {lease} s ({len(times)})")
        over = [took for took in self.takeovers["engine"] if took > TAKEOVER_LEASES_MAX * lease]
        self.judge.blame("takeovers longer than two lease times", list(over))


def kill_all(trial: Trial) -> Counter[str]:
    """The kills; gives how many of each kind counted."""
    options, judge = trial.options, trial.judge
    counted: Counter[str] = Counter()
    for place in range(ENGINES):
        trial.start(place)
    for tried in range(1, TRIES_PER_KILL * options.kills + 1):
        if counted.total() == options.kills or judge.violations:
            break
        left = judge.left(ENGINES * options.width)
        share = options.instances * work.LINES * left / (options.kills - counted.total())
        if not trial.work_on(1 + int(trial.random.random() * 2 * share)):
            break
        asyncio.run(trial.look())
        size, kind = judge.side.size(), trial.random.choices(list(KINDS), list(KINDS.values()))[0]
        in_flight = len(judge.ledger.in_flight)
        trial.work_on(1)
        moved = judge.side.size() > size
        if trial.harm(kind) and moved and in_flight >= options.in_flight_min:
            counted[kind] += 1
        if tried % options.every == 0:
            figures = (counted.total(), judge.ledger.open, in_flight, len(judge.ledger.completed))
            print(f"kill {tried:>4} {kind:>10}: counted, open, in flight, completed {figures}", flush=True)
    return counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=6_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--width", type=int, default=20, help="how many instances each engine has under way")
    parser.add_argument("--slow", type=int, default=20, help="how much longer a step takes than 4 to 19 ms")
    parser.add_argument("--in-flight-min", type=int, default=10)
    parser.add_argument("--lease-ms", type=int, default=1_500)
    parser.add_argument("--every", type=int, default=1, help="show one of so many kills")
    parser.add_argument("--patience", type=float, default=120, help="seconds in which something must get on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work.slow = options.slow
    server = PrivateServer(settings={"max_connections": "60"})
    server.start()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        trial = Trial(server, Path(folder), options, Random(options.seed))
        try:
            counted = kill_all(trial)
            trial.finish()
            asyncio.run(trial.look(end=True))
        finally:
            for engine in trial.engines.values():
                engine.kill()
            server.remove()
        if counted.total() < options.kills:
            trial.judge.violations.append(f"only {counted.total()} of {options.kills} kills counted")
        trial.judge_takeovers()
        print(f"engines whose sessions were over after an outage, and that were started again: {trial.late}")
        kept = trial.judge.verdict(f"{counted.total()} kills {dict(counted)} and {options.instances} instances")
        print(f"{time.monotonic() - begin:.1f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
