"""The Store protocol on one SQLite file: one writing thread, one reading thread, group commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

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
from mainspring.messaging.control import socket_of
from mainspring.stores.liveness import OwnerLock
from mainspring.stores.sqlite import migrations, reading, removing, writing
from mainspring.stores.sqlite.connection import Durability, connect_reader, connect_writer, explained
from mainspring.stores.worker import Worker

T = TypeVar("T")


class _Posting:
    """A message on its way into its inbox, and what became of it (None: nothing yet)."""

    __slots__ = ("end", "message")

    def __init__(self, message: InboxMessage) -> None:
        self.message = message
        self.end: bool | Exception | None = None


class SqliteStore:
    """See `mainspring.journal.store.Store` for what each verb means.

    `durability="full"` (default) survives a power loss, "normal" a killed process. `read_only` is for those who only look:
    the file must exist, and is never changed.
    """

    shared = False
    remote = False

    def __init__(
        self, path: str, *, durability: Durability = "full", read_only: bool = False, inline: bool = False
    ) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.control: str | None = socket_of(path)
        self._read_only = read_only
        explain = (sqlite3.Error, partial(explained, path))
        self._writer = Worker(partial(connect_writer, path, durability), *explain, "mainspring-writer", inline=inline)
        self._reader = Worker(partial(connect_reader, path), *explain, "mainspring-reader", inline=inline)
        self._lock = OwnerLock(path)
        self._epoch = 0
        self._listeners: list[Callable[[], None]] = []
        self._postings: deque[_Posting] = deque()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        if self._read_only:
            raise StoreError(f"{self.path} was opened to be read only")
        return self._writer.run(work)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        return self._reader.run(work)

    async def open(self) -> None:
        """Create or migrate the file; a read-only store only checks it."""
        try:
            if self._read_only:
                await self._read(lambda connection: migrations.check_begun(connection, self.path))
            else:
                await self._write(lambda connection: migrations.migrate(connection, self.path))
        except BaseException:
            await self.close()  # what cannot be opened leaves no thread and no connection behind
            raise

    async def close(self) -> None:
        """Close both connections; the last one to close folds the WAL into the file."""
        await self._reader.close()
        await self._writer.close()
        self._lock.give_back()

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session. Where the operating system says that the owner is gone, its lease is not waited for."""
        if self._lock.held:  # a session of this very store had it before: that proves nothing
            lease = await self._write(lambda c: writing.acquire(c, holder, now, ttl, False))
        else:
            locked = self._lock.take()
            try:
                lease = await self._write(lambda c: writing.acquire(c, holder, now, ttl, locked))
            except BaseException:
                self._lock.give_back()
                raise
        self._epoch = lease.epoch
        return lease

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        locked = self._lock.take()  # after a takeover by expiry, the stopped owner may have let go of it by now
        renewed = await self._write(lambda c: writing.renew(c, lease, now + ttl, locked))
        await self._write(writing.vacuum)
        return renewed

    async def release(self, lease: Lease) -> None:
        """End the session."""
        await self._write(lambda c: writing.release(c, lease))
        if lease.epoch == self._epoch:  # else a later session of this very store has the lock
            self._lock.give_back()

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""
        return await self._write(lambda c: writing.numbers(c, lease, count))

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition."""
        await self._write(lambda c: writing.define(c, definition))

    def commit(self, lease: Lease, writes: Sequence[Write]) -> asyncio.Future[Committed]:
        """Make a group durable. The writing thread begins at once, while the caller does what else there is to do."""
        return self._write(lambda c: writing.commit(c, lease, writes))

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""
        posting = _Posting(message)
        self._postings.append(posting)
        try:
            new = await self._write(partial(self._post, posting))
        except StoreError:
            if posting in self._postings:  # nothing was tried, and nobody may do it later
                self._postings.remove(posting)
            raise
        for wake in tuple(self._listeners):
            wake()
        return new

    def _post(self, posting: _Posting, connection: sqlite3.Connection) -> bool:
        """In the writing thread: post what waits there by now, all at once, unless somebody before has."""
        if posting.end is None:
            batch = [self._postings.popleft() for _ in range(len(self._postings))]
            ends: Sequence[bool | Exception]
            try:
                ends = writing.post(connection, [one.message for one in batch])
            except Exception as error:
                ends = [error] * len(batch)
            for one, end in zip(batch, ends, strict=True):
                one.end = end
        if isinstance(posting.end, Exception):
            raise posting.end
        return bool(posting.end)

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        await self._write(lambda c: writing.sent(c, lease, ids))

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        return await self._read(lambda c: reading.cached(c, key, now))

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""
        return await self._write(lambda c: writing.trim(c, lease, now, entries_max, limit))

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose what may go."""
        return await self._write(lambda c: removing.remove(c, lease, families))

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Let go of groups without rows, then of free pages; at the end the file is as short as it can be."""
        return await self._write(lambda c: removing.compact(c, lease, after, limit))

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        return await self._read(lambda c: reading.dead_letters(c, after, limit))

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return await self._read(lambda c: reading.dead_letter(c, id))

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""
        return await self._write(lambda c: writing.purge(c, lease, ids))

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key."""
        await self._write(lambda c: writing.keep_limits(c, lease, states))

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return await self._read(reading.kept_limits)

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due."""
        return await self._write(lambda c: writing.claim(c, lease, now, limit, among))

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        return await self._read(lambda c: reading.mail(c, lease.epoch, limit))

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        return await self._read(lambda c: reading.next_wake(c, among))

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What is still to be sent."""
        return await self._read(lambda c: reading.outbox(c, limit))

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post` in this process; no other one writes to the file."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return await self._read(lambda c: reading.definition(c, version))

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        return await self._read(lambda c: reading.definitions(c, workflow, limit))

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        return await self._read(lambda c: reading.find(c, id))

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end."""
        return await self._read(lambda c: reading.ended(c, ids))

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        return await self._read(lambda c: reading.load(c, id, until))

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        return await self._read(lambda c: reading.instances(c, status, workflow, before, limit))

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        return await self._read(lambda c: reading.turns(c, id, after, limit))

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        return await self._read(lambda c: reading.follow(c, group, limit))

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        return await self._read(lambda c: reading.facts(c, self.url))
