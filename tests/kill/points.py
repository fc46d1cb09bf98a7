"""Processes that are killed at named points: `python -m tests.kill.points`.

For each point (`fatal.py`), on SQLite and on PostgreSQL: a process that has a parent, a child, timers, a retry and a signal
under way kills itself when it comes there for the first time; in a trial of its own for the second time, and so on, as often
as it comes there. The next process kills itself at the same point, if its recovery comes there; a third one goes on to the
end. Each point must have been hit. What must hold is in `judge.py`. Exit 1 on a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import Node, Retry, Workflow
from mainspring.errors import CommandRefused, NotOwner
from mainspring.testing.postgres_server import drop, fresh_url
from tests.kill.fatal import POINTS, VARIABLE, fatal
from tests.kill.judge import Judge
from tests.kill.victim import Victim
from tests.kill.work import Load, tell

AT_ONCE = 12
"""So many trials go on side by side: mostly they wait."""

LIVES_MAX = 8
"""A process that was too slow to keep its session ends too, and another one goes on."""

NOT_OWNER = 3


@ms.task(name="point_step")
async def step(ctx: ms.TaskContext, n: int) -> int:
    """One more."""
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    return n + 1


@ms.task(name="point_flaky")
async def flaky(ctx: ms.TaskContext, n: int) -> int:
    """One more, at the second attempt."""
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    if ctx.attempt == 1:
        raise ConnectionError("the first attempt fails")
    return n + 1


def _of(node: str) -> dict[str, str]:
    return {"n": f"${{ nodes.{node}.output }}"}


def _step(id: str, before: str = "", handler: str = "point_step", retry: Retry | None = None) -> Node:
    after = (before,) if before else ()
    given = _of(before) if before else {"n": "${ input.n }"}
    return Node(id=id, type="function", config={"handler": handler}, depends_on=after, input=given, retry=retry)


CHILD = Workflow(id="point-child", nodes=(_step("k"),))
PARENT = Workflow(
    id="point",
    nodes=(
        _step("a"),
        _step("f", "a", "point_flaky", retry=Retry(max_attempts=3, initial_delay=5)),
        Node(id="d", type="delay", config={"duration": "300ms"}, depends_on=("f",)),
        Node(id="w", type="wait", config={"signal": "go"}, depends_on=("d",)),
        _step("b", "w"),
        Node(id="wc", type="subflow", config={"workflow": "point-child"}, depends_on=("b",), input=_of("b")),
        Node(id="d2", type="delay", config={"duration": "100ms"}, depends_on=("wc",)),
        Node(id="z", type="function", config={"handler": "point_step"}, depends_on=("d2",), input=_of("b")),
    ),
)
LOAD = Load(["point:1"], 8, lambda number: 102, lambda number: ("go",))


@dataclass
class Trial:
    """One store, and the processes that die on it."""

    folder: Path
    kind: str
    point: str
    time: int
    violations: list[str] = field(default_factory=list)
    victim: Victim | None = None
    lives: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.judge = Judge(self.folder / "side", LOAD)
        self.url = fresh_url() if self.kind == "postgres" else f"sqlite:///{self.folder}/store.db"

    def begin(self) -> None:
        """Start the next process: the first is killed at the point, the second when it comes there at all."""
        os.environ[VARIABLE] = (f"{self.point}:{self.time}", f"{self.point}:1", "")[min(self.lives, 2)]
        self.lives += 1
        self.victim = Victim(self.judge.path, self._main)

    async def _main(self) -> None:
        engine = ms.Engine(fatal(open_store(self.url)), settings=ms.EngineSettings(lease_ms=600))
        try:
            await engine.__aenter__()
            engine.register(CHILD)
            run = await engine.start(PARENT, input={"n": 1}, key="1")
            tell(f"S {run.id}")
            with suppress(CommandRefused):
                await run.signal("go", 100, key="go")
                tell(f"G {run.id}/go")
            result = await run.result()
            tell(f"E {run.id} {result.status}")
            await engine.idle()
        except NotOwner:
            os._exit(NOT_OWNER)
        await engine.__aexit__()

    def over(self) -> bool:
        """Whether the last process has come to its end; else another one is started where there is none."""
        if self.victim is None:
            self.begin()
        assert self.victim is not None
        if not self.victim.over():
            return False
        if self.victim.code == 0:
            return True
        self.deaths += self.victim.code == -signal.SIGKILL
        if self.victim.code not in (-signal.SIGKILL, NOT_OWNER) or self.lives == LIVES_MAX:
            self.judge.violations.append(f"life {self.lives} ended with {self.victim.code}")
            return True
        asyncio.run(self._look(False))
        self.begin()
        return False

    async def _look(self, end: bool) -> None:
        store = open_store(self.url)
        await store.open()
        try:
            await (self.judge.end(store) if end else self.judge.look(store))
        finally:
            await store.close()

    async def end(self) -> None:
        """Judge it."""
        await self._look(True)
        self.violations = [f"{self.kind}, {self.point}, time {self.time}: {what}" for what in self.judge.violations]
        if self.kind == "postgres":
            await drop(self.url)


def go_through(folder: Path, kinds: list[str], times_max: int, patience: float) -> tuple[dict[str, int], list[str]]:
    """All points at all times of coming there. Gives how often each was hit, and what was violated."""
    hits = {f"{kind}: {point}": 0 for kind in kinds for point in POINTS}
    todo = [(kind, point, 1) for kind in kinds for point in POINTS]
    under_way: list[Trial] = []
    violations: list[str] = []
    end = time.monotonic() + patience
    while todo or under_way:
        while todo and len(under_way) < AT_ONCE:
            kind, point, nth = todo.pop(0)
            under_way.append(Trial(folder / f"{kind}-{point}-{nth}".replace(" ", "-"), kind, point, nth))
        for trial in [one for one in under_way if one.over()]:
            under_way.remove(trial)
            asyncio.run(trial.end())
            violations += trial.violations
            if trial.deaths:
                hits[f"{trial.kind}: {trial.point}"] += trial.deaths
                if trial.time < times_max:
                    todo.append((trial.kind, trial.point, trial.time + 1))
        if time.monotonic() > end:
            stuck = [f"{one.kind}, {one.point}, time {one.time}: stuck" for one in under_way]
            return hits, violations + stuck
        time.sleep(0.002)
    return hits, violations


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument(
        "--times", type=int, default=1_000, help="a process is killed at the first so many times it is there"
    )
    parser.add_argument("--patience", type=float, default=600, help="seconds in which all must be done")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        hits, violations = go_through(Path(folder), options.stores, options.times, options.patience)
    for name, count in hits.items():
        print(f"{count:>4} deaths  {name}")
        if not count:
            violations.append(f"{name} was never hit")
    for violation in violations:
        print(f"VIOLATION: {violation}")
    print("verdict: " + ("violated" if violations else f"kept, over {sum(hits.values())} deaths at {len(hits)} points"))
    print(f"{time.monotonic() - begin:.1f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
