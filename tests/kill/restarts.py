"""PostgreSQL is restarted under load: `python -m tests.kill.restarts --instances 5000 --seconds 480 --seed 0`.

Three engines, each a process, start instances, and send each two signals and an event (`mail.py`), so that it takes about
`--seconds`. Meanwhile their private server is stopped (fast, as by a crash, or by SIGKILL to all of it, drawn by `--seed`)
and started again every 5 to 40 seconds, times `--scale`. Nobody kills an engine.

What must hold: nothing lost and nothing doubled (`judge.py`); each signal and event that was acknowledged stands in its
inbox, and was taken out of it exactly once, or is there still because its instance ended before. Exit 1 on a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import asyncpg

import mainspring as ms
from mainspring.stores.postgres import PostgresStore
from mainspring.testing.postgres_server import PrivateServer
from tests.kill import mail
from tests.kill.judge import Judge
from tests.kill.victim import Victim, insist

ENGINES = 3
UP_SECONDS = (5.0, 40.0)
NOT_OWNER = 3
MODES = ("fast", "immediate", "kill")


class Trial:
    """One store, its server, and the engines on it."""

    def __init__(self, server: PrivateServer, folder: Path, options: argparse.Namespace) -> None:
        self.server, self.options = server, options
        self.url = f"{server.url}?schema=mail"
        self.judge = Judge(folder / "side", mail.mail(options.instances))
        self.late = 0
        self.engines = [self._start(place) for place in range(ENGINES)]

    def _start(self, place: int) -> Victim:
        settings = ms.EngineSettings(lease_ms=self.options.lease_ms, store_retry_ms_max=500)
        ids, ended = self.judge.load.ids, self.judge.known.ended
        mine = [number for number in range(place, self.options.instances, ENGINES) if ids[number] not in ended]

        async def main() -> None:
            engine = ms.Engine(self.url, settings=settings)
            await insist(engine.__aenter__)
            try:
                await mail.send_and_wait(engine, mine, self.options.width)
                await asyncio.Event().wait()  # its share is done, but not that of an engine whose session may end
            except* ms.NotOwner:
                os._exit(NOT_OWNER)

        return Victim(self.judge.path, main)

    def look(self, end: bool = False) -> None:
        """Hold the journal to what the steps wrote."""
        asyncio.run(self._look(end))

    async def _look(self, end: bool) -> None:
        store = PostgresStore(self.url, read_only=True)
        await insist(store.open)
        try:
            await insist(lambda: self.judge.end(store) if end else self.judge.look(store))
            if end:
                await self._look_into_inboxes()
        finally:
            await store.close()

    async def _look_into_inboxes(self) -> None:
        connection = await asyncpg.connect(self.server.url)
        rows = await connection.fetch(
            "SELECT inbox.id, instance.id AS receiver, consumed FROM mail.inbox JOIN mail.instance ON number = instance"
        )
        await connection.close()
        judge = self.judge
        judge.blame("acknowledged, and in no inbox", sorted(judge.known.signalled - {row["id"] for row in rows}))
        consumed = Counter(row["receiver"] for row in rows if row["consumed"])
        had = judge.ledger.messages
        # One that comes as its receiver ends is refused, which has no row: an event that was published for another instance.
        foreign = Counter(
            row["receiver"] for row in rows if row["consumed"] and not _is_for(row["id"], row["receiver"])
        )
        wrong = [
            (id, consumed[id], had[id])
            for id in judge.load.ids
            if not had[id] <= consumed[id] <= had[id] + foreign[id] or had[id] < len(judge.load.signals(0))
        ]
        judge.blame("messages taken out of inboxes, and had by instances", list(wrong))
        left, refused = len(rows) - consumed.total(), consumed.total() - had.total()
        print(
            f"{len(judge.known.signalled)} acknowledged signals and events gave {len(rows)} messages; {left} are left and"
        )
        print(f"{refused} were refused, since they came as their receivers ended, or after that")

    def over(self) -> bool:
        """Whether all is told. An engine whose session was over after an outage is started again."""
        self.judge.hear()
        for place, engine in enumerate(self.engines):
            if engine.over():
                self.late += 1
                if engine.code != NOT_OWNER:
                    self.judge.violations.append(f"an engine ended with {engine.code}")
                self.engines[place] = self._start(place)
        return bool(self.judge.violations) or len(self.judge.known.ended) == self.options.instances

    def wait(self, seconds: float) -> bool:
        """Whether all was told within so many seconds."""
        end = time.monotonic() + seconds
        while not self.over():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


def _is_for(message: str, receiver: str) -> bool:
    """Whether it was sent for this instance, and not to all whose workflow waits for such an event."""
    return message.startswith((f"{receiver}/", f"event/{receiver.partition(':')[2]}/"))


def restart_all(trial: Trial, random: Random) -> Counter[str]:
    """Until all is told: gives how often the server was stopped, and how."""
    options, stops = trial.options, Counter[str]()
    end = time.monotonic() + options.seconds + options.patience
    while not trial.wait(random.uniform(*UP_SECONDS) * options.scale):
        if time.monotonic() > end:
            trial.judge.violations.append("stuck: not all came to their ends")
            break
        mode, began = random.choice(MODES), time.monotonic()
        if mode == "kill":
            trial.server.kill()
        else:
            trial.server.stop(mode)
        trial.server.start_again()
        stops[mode] += 1
        away = time.monotonic() - began
        trial.look()
        figures = f"{len(trial.judge.known.ended)} ended, {trial.judge.ledger.open} open"
        print(f"{mode}: away for {away:.1f} s; {figures}", flush=True)
    return stops


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=480, help="about how long it is to take")
    parser.add_argument("--scale", type=float, default=1.0, help="of the time between two restarts")
    parser.add_argument("--width", type=int, default=40, help="how many instances each engine has under way")
    parser.add_argument("--lease-ms", type=int, default=5_000)
    parser.add_argument("--patience", type=float, default=120, help="how many seconds longer it may take")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    mail.seconds = options.seconds * ENGINES * options.width / (mail.STEPS * options.instances)
    server = PrivateServer(settings={"max_connections": "60"})
    server.start()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        trial = Trial(server, Path(folder), options)
        try:
            stops = restart_all(trial, Random(options.seed))
            for engine in trial.engines:
                engine.kill()
            trial.look(end=True)
        finally:
            for engine in trial.engines:
                engine.kill()
            server.remove()
        print(f"engines whose sessions were over after an outage, and that were started again: {trial.late}")
        kept = trial.judge.verdict(f"{stops.total()} restarts {dict(stops)} and {options.instances} instances")
        print(f"{time.monotonic() - begin:.1f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
