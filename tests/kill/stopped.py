"""An engine that is stopped (SIGSTOP) past its lease, and goes on late (SIGCONT): `python -m tests.kill.stopped --rounds 20`.

In each round an engine works off instances, and a second one works beside it (PostgreSQL) or waits for the store (SQLite,
a folder of JSON). The first is stopped in the midst of it. Once the second has what that had, and all is at its end, the
first goes on: what it writes must be refused, its tasks cancelled, and it must end in its own words: not the owner. No node
completes twice (`judge.py`). An attempt that was durably started before the stop may begin after it: that is forgiven.

Exit 1 on a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import Node, Workflow
from mainspring.testing.postgres_server import drop, fresh_url
from tests.kill.judge import Judge
from tests.kill.victim import Victim, insist
from tests.kill.work import Load, tell

STORES = ("sqlite", "file", "postgres")
NOT_OWNER = 3
STEPS = 12
HELD_SECONDS = 60.0
"""How long a task takes that only the end of its engine ends."""


@ms.task(name="stopped_step")
async def step(ctx: ms.TaskContext, n: int) -> int:
    """One more."""
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    await asyncio.sleep(0.01)
    return n + 1


@ms.task(name="stopped_hold")
async def hold(ctx: ms.TaskContext, n: int) -> int:
    """One more. The first attempt takes for ever, and says so where it is cancelled."""
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    if ctx.attempt == 1:
        try:
            await asyncio.sleep(HELD_SECONDS)
        except asyncio.CancelledError:
            tell(f"P cancelled {ctx.idempotency_key}")
            raise
    return n + 1


def chain(holds: bool) -> Workflow:
    """A chain, which may begin with a step that holds it up."""
    handlers = ["stopped_hold" if holds else "stopped_step", *["stopped_step"] * STEPS]
    nodes = [
        Node(id=f"n{i}", type="function", config={"handler": handler}, depends_on=(f"n{i - 1}",) if i else (),
             input={"n": f"${{ nodes.n{i - 1}.output }}" if i else "${ input.n }"})
        for i, handler in enumerate(handlers)
    ]  # fmt: skip
    return Workflow(id="held" if holds else "free", nodes=tuple(nodes))


class Round:
    """One store, and two engines."""

    def __init__(self, kind: str, folder: Path, options: argparse.Namespace) -> None:
        folder.mkdir()
        self.kind, self.options = kind, options
        self.url = {"sqlite": f"sqlite:///{folder}/store.db", "file": f"file:{folder}/store"}.get(kind) or fresh_url()
        ids = [f"{name}:{number}" for number in range(options.instances) for name in ("free", "held")]
        self.judge = Judge(folder / "side", Load(ids, STEPS + 1, lambda place: place // 2 + STEPS + 1, lambda _: ()))

    def engine(self) -> Victim:
        """One that starts all instances, or finds them there, and waits for all their ends."""

        async def main() -> None:
            engine = ms.Engine(self.url, settings=ms.EngineSettings(lease_ms=self.options.lease_ms))
            await insist(engine.__aenter__)
            tell(f"B {engine.host.ownership.epoch()} {os.getpid()}")
            try:
                await asyncio.gather(*(self._one(engine, number) for number in range(self.options.instances)))
            except ms.NotOwner:
                await engine.__aexit__()
                os._exit(NOT_OWNER)
            await engine.__aexit__()

        return Victim(self.judge.path, main)

    async def _one(self, engine: ms.Engine, number: int) -> None:
        for holds in (True, False):
            run = await insist(
                lambda holds=holds: engine.start(chain(holds), input={"n": number}, key=str(number))  # type: ignore[misc]
            )
            tell(f"S {run.id}")
        for name in ("free", "held"):
            result = await engine.wait(f"{name}:{number}")
            tell(f"E {name}:{number} {result.status}")

    def go(self) -> bool:
        """Whether the store changed hands; where the first engine was stopped in the middle of a write it could not."""
        judge = self.judge
        first = self.engine()
        self._until(lambda: judge.side.size() > self.options.instances * 60, "the first engine works")
        second = self.engine()
        self._until(lambda: self.kind != "postgres" or len(judge.known.sessions) == 2, "the second engine is up")
        os.kill(first.pid, signal.SIGSTOP)
        self._look()
        judge.forgiven |= judge.ledger.started
        free = self._until(lambda: second.over(), "")
        os.kill(first.pid, signal.SIGCONT)
        if not free:
            self._until(lambda: first.over() and second.over(), "both come to their ends")
        began = time.monotonic()
        self._until(first.over, "the late engine ends")
        if free:
            judge.blame(
                "the late engine did not say that it is not the owner", [first.code] * (first.code != NOT_OWNER)
            )
            judge.blame("the second engine ended badly", [second.code] * bool(second.code))
            judge.hear()
            cancelled = {point.split(" ")[1].split("/")[0] for point in judge.known.points}
            mine = {id for id, path, run, attempt in judge.forgiven if id.startswith("held") and attempt == 1}
            if not cancelled or not cancelled <= mine:
                judge.violations.append(f"cancelled: {sorted(cancelled)} of {sorted(mine)}")
            print(
                f"{self.kind}: the late engine had {len(cancelled)} tasks cancelled, and ended after "
                f"{time.monotonic() - began:.2f} s"
            )
        for engine in (first, second):
            engine.kill()
        self._look(end=True)
        return free

    def _until(self, so: object, what: str) -> bool:
        end = time.monotonic() + (self.options.patience if what else self.options.patience / 3)
        while not so():  # type: ignore[operator]
            self.judge.hear()
            if time.monotonic() > end:
                if what:
                    self.judge.violations.append(f"stuck: it did not come to it that {what}")
                return False
            time.sleep(0.002)
        return True

    def _look(self, end: bool = False) -> None:
        asyncio.run(self._look_into(end))

    async def _look_into(self, end: bool) -> None:
        store = open_store(self.url, read_only=True)
        await store.open()
        try:
            await (self.judge.end(store) if end else self.judge.look(store))
        finally:
            await store.close()
        if end and self.kind == "postgres":
            await drop(self.url)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="*", default=STORES)
    parser.add_argument("--rounds", type=int, default=20, help="on each store")
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--lease-ms", type=int, default=700)
    parser.add_argument("--patience", type=float, default=30)
    options = parser.parse_args()
    rounds, violations = 0, []
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        for kind in options.stores:
            done = tried = 0
            while done < options.rounds and tried < 3 * options.rounds and not violations:
                tried += 1
                one = Round(kind, Path(folder, f"{kind}-{tried}"), options)
                done += one.go()
                violations += [f"{kind}: {what}" for what in one.judge.violations]
            rounds += done
            if done < options.rounds:
                violations.append(f"{kind}: {done} of {options.rounds} rounds")
    for violation in violations:
        print(f"VIOLATION: {violation}")
    print(
        "verdict: " + ("violated" if violations else f"kept, over {rounds} engines that were stopped past their lease")
    )
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
