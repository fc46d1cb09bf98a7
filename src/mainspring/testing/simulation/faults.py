"""A process's way to the store, on which the process can die, be stopped, or be told lies."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, TypeVar

from mainspring.errors import StoreError
from mainspring.journal.records import (
    CacheRow,
    Committed,
    DeadLetter,
    DefinitionRecord,
    InboxMessage,
    InstanceRecord,
    Lease,
    Loaded,
    OutboxRow,
    Position,
    StoreFacts,
    TurnRow,
    Write,
)
from mainspring.journal.store import Store
from mainspring.testing.simulation.points import FAILING, VERBS

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process

T = TypeVar("T")
STORE_TASK = "store"
"""The name of what stands for the store's own thread: it is no task of the engine's."""

SLOW_READ_MAX = 0.3
"""Seconds that a slow read takes at most."""

_WEIGHTS = {
    "post": 40.0,
    "load": 4.0,
    "define": 4.0,
    "numbers": 4.0,
    "find": 1.5,
    "acquire": 0.5,
    "definition": 4.0,
    "turns": 4.0,
}
"""Some verbs are rarely called: they fail more often, so that the way there is seen too."""

_SLOW = frozenset(("claim", "mail", "load", "definition", "turns"))
_VERBS = frozenset(VERBS)
_FAILING = frozenset(FAILING)


class FaultyStore:
    """The Store protocol, for one process. What reaches the real store is shown to the world's auditor at once."""

    def __init__(self, inner: Store, process: Process) -> None:
        self.url = inner.url
        self.shared = inner.shared
        self.remote = (
            Random(f"{process.world.seed}/remote").random() < 0.5
        )  # the engine groups its turns differently then
        self.control = inner.control
        self.inner = inner
        self._process = process
        self._world = process.world
        self._random = process.world.faults_random

    async def _call(
        self,
        verb: str,
        work: Callable[[], Awaitable[T]],
        saw: Callable[[T], None] | None = None,
        weight: float = 1.0,
    ) -> T:
        """One call, and what becomes of it: its fate is one draw, cut into bands."""
        await self._alive()
        harm = self._world.harm * weight * _WEIGHTS.get(verb, 1.0) if verb in _VERBS else 0.0
        fate = self._random.random() / harm if harm else 1.0
        if fate < 0.006:
            await self._process.die(f"crash before {verb}")
        elif 0.012 <= fate < 0.022 and verb in _FAILING:
            self._hit(f"{verb} fails", 0.1)
            raise StoreError(f"simulated: {verb} failed")
        elif verb == "commit":
            await self._before_commit(fate)
        elif 0.05 <= fate < 0.08 and verb in _SLOW:
            late = SLOW_READ_MAX * self._random.random()
            self._hit("read is slow", late)
            await asyncio.sleep(late)
        await self._dawdle()
        result = await work()
        if saw is not None:
            self._show(verb, result, saw)
        if 0.006 <= fate < 0.012:
            await self._process.die(f"crash after {verb}")
        elif 0.03 <= fate < 0.05 and verb == "commit":
            self._hit("commit fails though written", 0.3)
            self._world.audit.doubt()
            self._world.audit.windows.doubt()
            raise StoreError("simulated: nobody knows whether the commit was made")
        await self._dawdle()
        return result

    def _show(self, verb: str, result: T, saw: Callable[[T], None]) -> None:
        """Let the auditor see it. A fault of its own is none of the store's, with which the engine would live."""
        try:
            saw(result)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._world.fail("the auditor can judge", f"{verb}: {error!r} in {where.name}, line {where.lineno}")

    async def _before_commit(self, fate: float) -> None:
        late = 0.0
        if 0.05 <= fate < 0.07:
            late = 1.5 * self._random.random() ** 3
            self._hit("commit is slow", late)
            await asyncio.sleep(late)
        # Turns pile up behind a slow commit, so much is lost when it fails.
        if 0.012 <= fate < 0.03 or (late and self._random.random() < 0.4):
            self._hit("commit fails unwritten", 0.3)
            self._world.audit.windows.doubt()
            raise StoreError("simulated: the commit failed")

    async def _dawdle(self) -> None:
        """Some calls take a moment, in which others go on."""
        if self._random.random() < self._world.latency:
            await asyncio.sleep(self._random.random() * 0.004)
        await self._alive()

    async def _alive(self) -> None:
        """A dead process gets no answer."""
        if self._process.gone:
            await asyncio.get_running_loop().create_future()

    def _hit(self, point: str, for_seconds: float) -> None:
        self._world.points.hit(point)
        self._world.tell(f"{self._process.name}: {point}")
        self._process.disturb(for_seconds + self._process.allowance)

    # --- ownership ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        return await self._call(
            "acquire",
            lambda: self.inner.acquire(self._process.name, now, ttl),
            lambda lease: self._world.acquired(self._process, lease),
        )

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        return await self._call(
            "renew", lambda: self.inner.renew(lease, now, ttl), lambda _: self._world.audit.epoch(lease, "renew")
        )

    async def release(self, lease: Lease) -> None:
        await self._call("release", lambda: self.inner.release(lease))

    # --- writing ------------------------------------------------------------------------------------------------------

    async def numbers(self, lease: Lease, count: int) -> int:
        return await self._call("numbers", lambda: self.inner.numbers(lease, count))

    async def define(self, definition: DefinitionRecord) -> None:
        await self._call("define", lambda: self.inner.define(definition))

    def commit(self, lease: Lease, writes: Sequence[Write]) -> Awaitable[Committed]:
        """Begins when it is called, as with a store that has a thread: whoever stops waiting for it does not stop it."""
        task = asyncio.get_running_loop().create_task(self._commit(lease, writes), name=STORE_TASK)
        return asyncio.shield(task)

    async def _commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        return await self._call(
            "commit",
            lambda: self._inner_commit(lease, writes),
            lambda done: self._world.audit.committed(
                self._process, lease, [write for write in writes if write.instance not in done.refused]
            ),
            15.0 if any(write.consumed for write in writes) else 1.0,  # few commits have mail in them
        )

    async def _inner_commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        return await self.inner.commit(lease, writes)

    async def post(self, message: InboxMessage) -> bool:
        return await self._call(
            "post", lambda: self.inner.post(message), lambda new: self._world.posted(message, new, self._process)
        )

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        await self._call("sent", lambda: self.inner.sent(lease, ids))

    # --- the result cache ---------------------------------------------------------------------------------------------

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        return await self._call("cached", lambda: self.inner.cached(key, now))

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        return await self._call("trim", lambda: self.inner.trim(lease, now, entries_max, limit))

    # --- dead letters, and what limits have to remember ---------------------------------------------------------------

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        return await self.inner.dead_letters(after=after, limit=limit)

    async def dead_letter(self, id: str) -> DeadLetter | None:
        return await self._call("dead_letter", lambda: self.inner.dead_letter(id))

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        return await self._call(
            "purge",
            lambda: self.inner.purge(lease, ids),
            lambda count: self._world.audit.letters.purged(ids, count),
        )

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        return await self._call(
            "remove",
            lambda: self.inner.remove(lease, families),
            lambda gone: self._world.leaving.removed(self._process, lease, gone),
        )

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        return await self._call("compact", lambda: self.inner.compact(lease, after, limit))

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        await self._call(
            "keep_limits",
            lambda: self.inner.keep_limits(lease, states),
            lambda _: self._world.audit.windows.written(self._process, dict(states)),
        )

    async def kept_limits(self) -> dict[str, bytes]:
        return await self._call("kept_limits", lambda: self.inner.kept_limits())

    # --- due work -----------------------------------------------------------------------------------------------------

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        return await self._call(
            "claim",
            lambda: self.inner.claim(lease, now, limit, among),
            lambda claimed: self._world.audit.claimed(lease, claimed),
        )

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        found = await self._call("mail", lambda: self.inner.mail(lease, limit))
        self._world.audit.read(found)
        return found

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        return await self._call("next_wake", lambda: self.inner.next_wake(lease, among))

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        return await self._call("outbox", lambda: self.inner.outbox(lease, limit))

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Some wake-ups do not arrive: they are hints, and the engine must do without."""

        def maybe() -> None:
            if self._random.random() < 0.1 * self._world.harm:
                self._hit("wake-up lost", 0.0)
            else:
                wake()

        return self.inner.listen(maybe, news)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def definition(self, version: str) -> DefinitionRecord | None:
        return await self._call("definition", lambda: self.inner.definition(version))

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        return await self._call("definitions", lambda: self.inner.definitions(workflow, limit))

    async def find(self, id: str) -> InstanceRecord | None:
        return await self._call("find", lambda: self.inner.find(id))

    async def ended(self, ids: Sequence[str]) -> list[str]:
        return await self.inner.ended(ids)

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        return await self._call("load", lambda: self.inner.load(id, until=until))

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        return await self.inner.instances(status=status, workflow=workflow, before=before, limit=limit)

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        return await self._call("turns", lambda: self.inner.turns(id, after=after, limit=limit))

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        return await self.inner.follow(group, limit)

    async def facts(self) -> StoreFacts:
        return await self.inner.facts()
