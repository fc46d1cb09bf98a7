"""Random graphs through real engines on every store: the same results and the same histories, to the byte.

`python -m tests.stores.differ --graphs 2000`. Each graph runs on memory, on SQLite, on a folder, on PostgreSQL and on Redis,
the last two with one engine and with three that share them. What could differ between two right runs is taken away: one thing
happens at a time (a task reports, or the clock goes to the next timer), drawn by the graph's seed from what can happen, and
nobody else moves the clock. Of three engines all start the graph with the same key; whichever gets it has it, and another one
waits for its result.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from mainspring.assembly import open_store
from mainspring.definition.load import Definition
from mainspring.definition.model import Node, Workflow
from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.graph.plan import Plan
from mainspring.journal.store import Store
from mainspring.messaging.task import Output, PreparedTask, TaskCall
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.testing import redis_server
from mainspring.testing.postgres_server import drop, fresh_url
from tests.machine.compare import Draw
from tests.machine.naive import Graph, all_nodes, work
from tests.machine.random_graphs import document_of
from tests.machine.world import by_names

BEGINNING = 1_700_000_000_000
LONG_MS = 10**12
STEPS_MAX = 5_000
STUCK_SECONDS = 30.0

SETUPS = {
    "memory": 1, "sqlite": 1, "file": 1, "postgres": 1, "postgres by three": 3, "redis": 1, "redis by three": 3
}  # fmt: skip

_number = re.compile(r"\[(undo:)?\d+\]")

Key = tuple[str, str, int, int]


class StandingClock:
    """What time it is, until it is set. The seeds are all the same: there is nothing that chance decides."""

    steady = False

    def __init__(self) -> None:
        self.time = BEGINNING

    def now(self) -> int:
        return self.time

    def seed(self) -> int:
        return 7


class A(Exception):
    """How a task can fail."""


class B(Exception):
    """How else."""


class Hand:
    """The kind of task whose attempts end when they are told to. It is every function node's."""

    def __init__(self) -> None:
        self.held: dict[Key, tuple[TaskCall, asyncio.Future[Any]]] = {}
        self.nodes: dict[tuple[str, ...], dict[str, Any]] = {}

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        return self

    def close(self) -> None: ...

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        return self._hold(call)

    async def _hold(self, call: TaskCall) -> Any:
        key = (call.instance, call.path, call.run, call.attempt)
        end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.held[key] = call, end
        try:
            return await end
        finally:
            del self.held[key]

    def outcome(self, key: Key) -> dict[str, Any]:
        """What the graph says of an attempt."""
        _, path, run, attempt = key
        outcomes: list[dict[str, Any]] = self.nodes[tuple(_number.sub("", path).split("."))]["outcomes"]
        return outcomes[min(attempt - 1 + run - 1, len(outcomes) - 1)]

    def end(self, key: Key) -> None:
        """Have an attempt end as the graph says."""
        call, end = self.held[key]
        outcome = self.outcome(key)
        if outcome["kind"] == "ok":
            output = work(outcome["base"], msgspec.json.decode(call.input))
            if outcome.get("sets"):
                call.variables_set = dict.fromkeys(outcome["sets"], output["v"])
            end.set_result(Output(output, outcome["port"]))
        else:
            error = {"A": A, "B": B}[outcome["type"]]("as told")
            error.fatal = outcome["fatal"]  # type: ignore[attr-defined]
            end.set_exception(error)


class Setup:
    """Some engines on one store, in lockstep."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.clock = StandingClock()
        self.hands = [Hand() for _ in stores]
        settings = EngineSettings(lease_ms=LONG_MS, sleep_after_ms=LONG_MS)
        self.engines = [
            Engine(store, task_kinds({"function": hand}), describe, clock=self.clock, settings=settings)
            for store, hand in zip(stores, self.hands, strict=True)
        ]

    async def run(self, workflow: Workflow, graph: Graph, seed: int) -> tuple[Any, ...]:
        """Everything that can be told of a graph's run: how it ended, and what its journal says."""
        definition = Definition(workflow)  # as if it was checked: what is drawn need not make sense to a person
        random = Random(f"{seed}/order")
        self.clock.time = BEGINNING
        for hand in self.hands:
            hand.nodes = by_names(graph)
        async with asyncio.timeout(STUCK_SECONDS):
            starts = [engine.start(definition, input=graph["input"], key="one") for engine in self.engines]
            runs = await asyncio.gather(*starts)
            result = asyncio.ensure_future(runs[seed % len(runs)].result())
            for _ in range(STEPS_MAX):
                await self._rest()
                if not any(engine.host.lives for engine in self.engines):
                    break
                self._something(random)
            found = await result
        page = await self.engines[-1].host.store.turns(runs[0].id, limit=100_000)
        assert page is not None
        record = msgspec.structs.replace(page.record, number=0)
        rows = [(row.seq, row.crc, row.body.replace(f":{page.record.number}:".encode(), b"")) for row in page.rows]
        return found.status, found.output, [str(error) for error in found.errors], record, rows

    async def _rest(self) -> None:
        """Until nothing moves by itself any more, in any of the engines."""
        quiet = 0
        while quiet < 3:
            for engine in self.engines:
                await engine.host.writer.drained()
            await asyncio.sleep(0)
            quiet = quiet + 1 if all(map(self._is_quiet, self.engines, self.hands)) else 0
            if not quiet:
                await asyncio.sleep(0.0002)

    def _is_quiet(self, engine: Engine, hand: Hand) -> bool:
        host = engine.host
        at_rest = host.loop.empty and host.writer.quiet and host.outbox.idle and host.reader.idle
        return at_rest and sum(len(live.tasks) for live in host.lives.values()) == len(hand.held)

    def _something(self, random: Random) -> None:
        """A report, or the next timer."""
        timers = [(first[1].due, engine) for engine in self.engines if (first := engine.host.timers.first())]
        held = sorted([(key, hand) for hand in self.hands for key in hand.held], key=lambda one: one[0])
        # One that hangs is ended by its timeout, or where it has none, when nothing else is left.
        tasks = [one for one in held if one[1].outcome(one[0])["kind"] != "hang"] or ([] if timers else held)
        if tasks and (not timers or random.random() < 0.7):
            key, hand = random.choice(tasks)
            hand.end(key)
        else:
            due, engine = min(timers, key=lambda one: one[0])
            self.clock.time = max(self.clock.time, due)
            engine.host.timers._ring()


def drawn(seed: int) -> tuple[Graph, Workflow] | None:
    """The graph of a seed. None where it may wait for somebody: from outside, or (locks within locks) for itself."""
    graph, _, _ = Draw(None, failures=None).graph_of(seed)
    if any(node["type"] in ("wait", "subflow", "mutex") or node.get("until") is not None for node in all_nodes(graph)):
        return None
    workflow = msgspec.convert({**document_of(graph), "id": f"w{seed}"}, Workflow)
    Plan(workflow, "v1")
    return graph, workflow


async def differing(seeds: Sequence[int], folder: Path, say: Any = print) -> tuple[int, list[str]]:
    """How many graphs ran, and what differed."""
    urls = [fresh_url(), fresh_url()]
    keys = [redis_server.fresh_url(), redis_server.fresh_url()]
    ran, found = 0, []
    try:
        async with AsyncExitStack() as stack:
            places = [
                ["memory:"],
                [f"sqlite:///{folder}/store.db"],
                [f"file:{folder}/store"],
                [urls[0]],
                [urls[1]] * 3,
                [keys[0]],
                [keys[1]] * 3,
            ]
            setups = {
                name: Setup([open_store(url, durability="normal") for url in place])
                for name, place in zip(SETUPS, places, strict=True)
            }
            for setup in setups.values():
                for engine in setup.engines:
                    await stack.enter_async_context(engine)
            for seed in seeds:
                made = drawn(seed)
                if made is None:
                    continue
                ran += 1
                told = await asyncio.gather(
                    *[setup.run(made[1], made[0], seed) for setup in setups.values()], return_exceptions=True
                )
                found += [f"seed {seed}: {words}" for words in _differences(dict(zip(setups, told, strict=True)))]
                if ran % 250 == 0:
                    say(f"{ran} graphs, {len(found)} differences", flush=True)
    finally:
        for url in urls:
            await drop(url)
        for key in keys:
            redis_server.drop(key)
    return ran, found


def _differences(told: dict[str, Any]) -> list[str]:
    words = [f"{name}: {type(one).__name__}: {one}" for name, one in told.items() if isinstance(one, BaseException)]
    if words:
        return words
    first = told["memory"]
    for name, one in told.items():
        for what, mine, other in zip(("status", "output", "errors", "record", "rows"), first, one, strict=True):
            if what == "record":
                mine, other = (msgspec.structs.replace(record, owner=0, version="") for record in (mine, other))
            if mine != other:
                words.append(f"{name} has another {what} than memory: {_apart(mine, other)}")
                break
    return words


def _apart(mine: Any, other: Any) -> str:
    if isinstance(mine, list) and isinstance(other, list):
        pairs = [(a, b) for a, b in zip(mine, other, strict=False) if a != b]
        return f"{pairs[0][0]} / {pairs[0][1]}" if pairs else f"{len(mine)} and {len(other)} of them"
    return f"{mine} / {other}"


def main() -> None:
    """Graph after graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seeds: list[int] = []
    seed = arguments.seed
    while len(seeds) < arguments.graphs:
        if drawn(seed) is not None:
            seeds.append(seed)
        seed += 1
    with tempfile.TemporaryDirectory(prefix="mainspring-differ-") as folder:
        ran, found = asyncio.run(differing(seeds, Path(folder)))
    print(*found[:20], sep="\n")
    print(f"{ran} graphs on {', '.join(SETUPS)}: {len(found)} differences")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
