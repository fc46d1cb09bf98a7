"""Many instances for few places, through the production engine in virtual time: `python -m tests.limits.many --engine`.

Processes are killed at random, instances are cancelled, attempts fail and time out. By what is durable: never more at work
than there are places; a place that is given back is taken again before any time passes, while somebody waits; and when all is
over nobody holds one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from mainspring.definition.load import Definition
from mainspring.definition.model import Node, Retry, Workflow
from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.errors import MainspringError
from mainspring.journal.codec import decode_turn
from mainspring.journal.records import Committed, Lease, Write
from mainspring.machine import events as ev
from mainspring.machine.inputs import TaskFault
from mainspring.messaging.task import TaskCall
from mainspring.stores.memory import MemoryStore
from mainspring.testing.virtual import Scheduler, VirtualClock, VirtualLoop

KILLS = 20
CANCELLED = 0.08
LEASE_MS = 900
SUSPECT_CRASHES = 2
STARTED_AT_ONCE = 200

WORK = Node(
    id="work",
    type="function",
    pool="places",
    timeout=300,
    retry=Retry(strategy="fixed", max_attempts=2, initial_delay=50, jitter=0),
)


class Account:
    """Who has a place and who waits for one, by what is durable."""

    def __init__(self, many: Many) -> None:
        self.many = many
        self.held: set[int] = set()
        self.waits: set[int] = set()
        self.open: set[int] = set()
        self.crashes: Counter[int] = Counter()
        self.changed_at = 0.0
        self.most = 0
        self.seen: Counter[str] = Counter()

    def committed(self, writes: Sequence[Write]) -> None:
        """A group is durable."""
        self.look()
        for write in writes:
            for row in write.rows:
                for event in decode_turn(row, write.blobs).events:
                    self._take(write.instance, event)
        assert len(self.held) <= self.many.places, f"{len(self.held)} at once, {self.many.places} places"
        self.most = max(self.most, len(self.held))

    def _take(self, number: int, event: ev.Event) -> None:
        name = type(event).__name__
        self.seen[name] += 1
        if name == "InstanceStarted":
            self.open.add(number)
        elif name in ("InstanceCompleted", "InstanceFailed", "InstanceCancelled"):
            self.open.discard(number)
        elif name == "NodeStarted":
            self.waits.discard(number)
            self.held.add(number)
        elif name == "NodeReady":
            self._waits(number)
        elif isinstance(event, ev.NodesRequeued):
            self.crashes[number] += event.crashed
            self.held.discard(number)
            self._waits(number)
        elif name in ("NodeCompleted", "NodeFailed", "NodeRetrying", "NodesCancelled", "NodesSkipped"):
            if isinstance(event, ev.NodeFailed) and event.error.type == "NodeTimeout":
                self.seen["timed out"] += 1
            self.held.discard(number)
            self.waits.discard(number)
            self.changed_at = self.many.scheduler.now

    def _waits(self, number: int) -> None:
        if self.crashes[number] < SUSPECT_CRASHES:  # suspects wait for one another
            self.waits.add(number)
        self.changed_at = self.many.scheduler.now

    def look(self) -> None:
        """Time has passed since the last change: nobody may wait while a place is free."""
        process = self.many.process
        if process is None or not process.up or max(self.changed_at, process.up_at) >= self.many.scheduler.now:
            return
        free = self.many.places - len(self.held)
        assert not self.waits or free <= 0, f"at {self.many.scheduler.now} {free} are free, {len(self.waits)} wait"


class Seen:
    """A store whose commits are shown to the account."""

    def __init__(self, inner: MemoryStore, many: Many) -> None:
        self._inner = inner
        self._many = many

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        done = await self._inner.commit(lease, writes)
        try:
            self._many.account.committed(writes)
        except AssertionError as error:
            self._many.fail(error)
        return done


class Working:
    """The work: it takes its time, fails, or takes too long, as the seed has it."""

    def __init__(self, many: Many) -> None:
        self._many = many

    def prepare(self, node: Node, folder: str) -> Working:
        """All nodes work alike."""
        return self

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        """One attempt."""
        return self._do(Random(f"{self._many.seed}/{call.instance}/{call.attempt}"))

    async def _do(self, random: Random) -> str:
        await asyncio.sleep(random.choice((20, 40, 100, 200, 10_000)) / 1000)
        if random.random() < 0.2:
            raise RuntimeError("it failed")
        return "done"

    def close(self) -> None:
        """Nothing is held."""


class Process:
    """A process, until it is killed."""

    def __init__(self, many: Many, number: int) -> None:
        self.many = many
        self.up = False
        self.up_at = 0.0
        self.loop = VirtualLoop(many.scheduler, f"p{number}", many.complain)  # type: ignore[abstract]
        settings = EngineSettings(lease_ms=LEASE_MS, pools={"places": many.places}, sleep_after_ms=10**9)
        store: Any = Seen(many.store, many)
        clock = VirtualClock(many.scheduler, f"{many.seed}/{number}", 0)
        kinds = {"function": Working(many)}
        self.engine = Engine(store, kinds, _describe, clock=clock, settings=settings, wait=True)
        self.loop.create_task(self._serve(), name="process")

    async def _serve(self) -> None:
        await self.engine.__aenter__()
        self.up, self.up_at = True, self.many.scheduler.now
        while self.many.to_start:
            some = [self.many.to_start.pop() for _ in range(min(STARTED_AT_ONCE, len(self.many.to_start)))]
            self.many.starting = some
            await asyncio.gather(*(self.engine.start(self.many.flow, key=f"k{one}") for one in some))
            self.many.starting = []
            await asyncio.sleep(0.01)

    async def cancel(self, id: str) -> None:
        """Have an instance ended, if it is not at its end."""
        with suppress(MainspringError):
            await self.engine.cancel(id)


def _describe(error: BaseException) -> TaskFault:
    return TaskFault(type(error).__name__, str(error), (type(error).__name__,))


class Many:
    """One play."""

    def __init__(self, instances: int, places: int, seed: int) -> None:
        self.places = places
        self.seed = seed
        self.random = Random(seed)
        self.scheduler = Scheduler(seed, iterations_max=10**9)
        self.store = MemoryStore()
        self.flow = Definition(Workflow(id="many", nodes=(WORK,)))
        self.account = Account(self)
        self.to_start = list(range(instances))
        self.starting: list[int] = []
        self.process: Process | None = None
        self.failure: Exception | None = None
        self.kills = 0
        self._instances = instances
        self._latest = 60 + 10 * instances * 0.12 / places

    def play(self) -> dict[str, int]:
        """How much happened. AssertionError where something is not as it must be."""
        at, draw = self.scheduler.at, self.random.random
        lasts = self._instances * 0.12 / self.places
        self._launch()
        for _ in range(KILLS):
            at(draw() * lasts * 2, self._kill)
        for _ in range(round(self._instances * CANCELLED)):
            at(draw() * lasts * 2, self._cancel)
        at(0.25, self._watch)
        self.scheduler.run()
        if self.failure is not None:
            raise self.failure
        seen, account = self.account.seen, self.account
        assert account.seen["InstanceStarted"] == self._instances and not account.held, "somebody was forgotten"
        return {
            "instances": seen["InstanceStarted"],
            "most at once": account.most,
            "attempts": seen["NodeStarted"],
            "completed": seen["InstanceCompleted"],
            "failed": seen["InstanceFailed"],
            "timed out": seen["timed out"],
            "cancelled": seen["InstanceCancelled"],
            "kills": self.kills,
            "requeued": seen["NodesRequeued"],
            "virtual s": round(self.scheduler.now),
        }

    def _launch(self) -> None:
        self.process = Process(self, self.kills)

    def _kill(self) -> None:
        """With all that it holds. What it was about to start is started again, with the same keys."""
        process = self.process
        if process is None or not process.up:
            self.scheduler.at(self.scheduler.now + 0.2, self._kill)
            return
        self.kills += 1
        process.loop.dispose()
        self.to_start += self.starting
        self.starting = []
        self.account.held.clear()
        self._launch()

    def _cancel(self) -> None:
        process = self.process
        if process is not None and process.up and process.engine.host.by_id:
            some = list(process.engine.host.by_id)
            if self.account.held and self.random.random() < 0.5:  # in the middle of its work
                some = [process.engine.host.lives[one].id for one in sorted(self.account.held)]
            id = self.random.choice(some)
            process.loop.create_task(process.cancel(id), name="cancel")

    def _watch(self) -> None:
        process = self.process
        if self.scheduler.now > self._latest:
            self.fail(AssertionError(f"after {self.scheduler.now:.0f} s {len(self.account.open)} are open"))
        over = process is not None and process.up and not (self.to_start or self.starting or self.account.open)
        if over and process is not None:
            left = [one for one in process.engine.host.limits.standings() if one.active or one.queued]
            if left:
                self.fail(AssertionError(f"all is over, and a place is held or waited for: {left}"))
            process.loop.dispose()
            self.scheduler.stop()
        else:
            try:
                self.account.look()
            except AssertionError as error:
                self.fail(error)
            self.scheduler.at(self.scheduler.now + 0.005, self._watch)

    def fail(self, error: Exception) -> None:
        """Something is not as it must be."""
        self.failure = self.failure or error
        self.scheduler.stop()

    def complain(self, context: dict[str, Any]) -> None:
        """An error that nobody took."""
        self.fail(AssertionError(str(context)))


def play(instances: int, places: int, seed: int) -> dict[str, int]:
    """See the module's text."""
    return Many(instances, places, seed).play()
