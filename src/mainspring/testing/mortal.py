"""A process that dies at a chosen write, and what it leaves: a store, from which the next one goes on.

The engine, the machine and the tasks are the production ones, in virtual time (`running`). What dies is the process: it
writes nothing more, its tasks are stopped, its memory is gone. Time stands still between a death and the next life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from mainspring.definition.model import Node
from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.journal.records import Committed, InboxMessage, Lease, Write
from mainspring.messaging.task import PreparedTask, TaskCall, TaskKind
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import TaskKinds, task_kinds
from mainspring.tasks.pinning import pinned
from mainspring.testing.running import LONG_MS, _Clock, _Counted, _Loop, _Outside
from mainspring.testing.tracing import Ends
from mainspring.testing.virtual import Stalled

T = TypeVar("T")


class Moment(Enum):
    """When, around a write, a process dies."""

    UNWRITTEN = "before it is written"
    """The turn was decided, and the work that led to it was done: both are lost."""
    WRITTEN = "once it is written, before its effects"
    """The turn is durable; no task was ordered, no timer armed."""
    ORDERED = "once its effects are ordered"
    """Tasks are ordered and timers armed; the work has hardly begun."""


class MortalStore(MemoryStore):
    """A store that outlives its processes. `fatal` is the write (counted from 1) and the moment at which one dies.

    A write is a commit, a message put into an inbox, a message taken out of the outbox. Of the processes that follow it, so
    many die at their first write that there are `deaths` in all. What is written while `spared` is written by somebody else.
    """

    def __init__(self, fatal: tuple[int, Moment] | None = None, deaths: int = 1) -> None:
        super().__init__()
        self.ends = Ends()
        self.writes = 0
        self.spared = False
        self.dead = asyncio.Event()
        self._fatal = fatal
        self._deaths_left = 0 if fatal is None else deaths
        self._holder: Lease | None = None

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session. The one before is over: everybody can see that its process is gone."""
        if self._holder is not None:
            await super().release(self._holder)
        self._holder = await super().acquire(holder, now, ttl)
        return self._holder

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        """As any store, unless this is the last thing that the process does."""

        async def write() -> Committed:
            committed = await MemoryStore.commit(self, lease, writes)
            self.ends.read(writes)
            return committed

        return await self._write(write)

    async def post(self, message: InboxMessage) -> bool:
        """Likewise."""
        return await self._write(lambda: MemoryStore.post(self, message))

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Likewise."""
        await self._write(lambda: MemoryStore.sent(self, lease, ids))

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Likewise."""
        return await self._write(lambda: MemoryStore.purge(self, lease, ids))

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Likewise."""
        return await self._write(lambda: MemoryStore.remove(self, lease, families))

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Likewise."""
        await self._write(lambda: MemoryStore.keep_limits(self, lease, states))

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        if self.dead.is_set():  # what goes on in these last iterations of its loop is never written
            await asyncio.get_running_loop().create_future()
        moment = None if self.spared else self._fate()
        if moment is Moment.UNWRITTEN:
            await self._die()
        written = await write()
        if moment is Moment.WRITTEN:
            await self._die()
        if moment is Moment.ORDERED:  # what follows goes its way before the loop gets to this
            asyncio.get_running_loop().call_soon(self.dead.set)
        return written

    def _fate(self) -> Moment | None:
        self.writes += 1
        if self._fatal is None or self.writes < self._fatal[0] or not self._deaths_left:
            return None
        self._deaths_left -= 1
        return self._fatal[1]

    async def _die(self) -> None:
        self.dead.set()
        await asyncio.get_running_loop().create_future()


class _Watched:
    """A kind of task whose attempts are held to what is durable when they begin."""

    def __init__(self, kind: TaskKind, see: Callable[[TaskCall], None]) -> None:
        self._kind = kind
        self._see = see

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        return _WatchedTask(self._kind.prepare(node, folder), self._see)

    def close(self) -> None:
        self._kind.close()


class _WatchedTask:
    def __init__(self, prepared: PreparedTask, see: Callable[[TaskCall], None]) -> None:
        self._prepared = prepared
        self._see = see

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        self._see(call)
        return self._prepared.invoke(call)


class Lives:
    """One process after the other on one store, until `work` is done in one of them.

    `broken` has, in words, each promise that was seen not to be kept.
    """

    def __init__(self, store: MortalStore, seed: int, days_max: int) -> None:
        self.store = store
        self.deaths = 0
        self.broken: list[str] = []
        self._seed = seed
        self._seconds_max = days_max * 86_400
        self._now = 0.0

    def until(self, work: Callable[[Engine], Awaitable[Any]]) -> Any:
        """What `work` gives. It is done anew in each life. Raises Stalled where nothing comes any more."""
        while True:
            outside = _Outside()
            outside.now = self._now
            with asyncio.Runner(loop_factory=lambda outside=outside: _Loop(outside)) as runner:  # type: ignore[misc]
                self.store.dead = asyncio.Event()
                survived, value = runner.run(self._live(outside, work))
            self._now = outside.now
            if survived:
                return value
            self.deaths += 1

    async def _live(self, outside: _Outside, work: Callable[[Engine], Awaitable[Any]]) -> tuple[bool, Any]:
        kinds = TaskKinds({name: _Watched(_Counted(kind, outside), self._see) for name, kind in task_kinds().items()})
        # Snapshots at almost every turn: what a life goes on from is one as often as it is rows.
        settings = EngineSettings(lease_ms=LONG_MS, sleep_after_ms=LONG_MS, snapshot_turns_min=2)
        clock = _Clock(outside, self._seed * 1_000_003 + self.deaths)  # a second life draws other ids
        engine = Engine(self.store, kinds, describe, clock=clock, settings=settings, pin=pinned)
        life = asyncio.ensure_future(_lived(engine, work))
        death = asyncio.ensure_future(self.store.dead.wait())
        try:
            await asyncio.wait((life, death), timeout=self._seconds_max, return_when=asyncio.FIRST_COMPLETED)
            if not life.done() and not death.done():
                waiting = ", ".join(self.store.ends.under_way()) or "nothing"
                raise Stalled(f"no time brings what the instance waits for; under way: {waiting}")
            return (True, life.result()) if life.done() else (False, None)
        finally:
            # A dead process complains to nobody: what fails in it now has no other to hear it.
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            life.cancel()
            death.cancel()
            await asyncio.gather(life, death, return_exceptions=True)
            await engine.host.kill()
            for kind in kinds.values():
                kind.close()

    def _see(self, call: TaskCall) -> None:
        who = f"{call.path} (run {call.run}, attempt {call.attempt})"
        if self.store.ends.has(call.instance, call.path, call.run):
            self.broken.append(f"{who} ran again though its end was durable")
        if (call.instance, call.path, call.run, call.attempt) not in self.store.ends.started:
            self.broken.append(f"{who} began before its start was durable")


async def _lived(engine: Engine, work: Callable[[Engine], Awaitable[Any]]) -> Any:
    await engine.__aenter__()  # and no `async with`: a process that dies leaves nothing in good order
    return await work(engine)
