"""The Store protocol on a folder of JSON: one log that is the truth, and readable files that are made from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

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
from mainspring.stores.contents import Contents
from mainspring.stores.file import lines
from mainspring.stores.file.books import Books
from mainspring.stores.file.showing import Showing
from mainspring.stores.liveness import OwnerLock
from mainspring.stores.worker import Worker

T = TypeVar("T")

SHOW_SECONDS = 0.2
"""How long after a commit the readable files follow."""


class FileStore:
    """See `mainspring.journal.store.Store` for what each verb means.

    `durability="full"` (default) survives a power loss, "normal" a killed process. `read_only` is for those who only look:
    the folder must be a store, and nothing in it is changed.
    """

    shared = False
    remote = False

    def __init__(self, folder: str, *, durability: Literal["full", "normal"] = "full", read_only: bool = False) -> None:
        self.folder = folder
        self.url = f"file:{folder}"
        place = Path(folder)
        self.control: str | None = socket_of(str(place / "store"))
        self._read_only = read_only
        self._showing = Showing(place)
        connect = partial(self._connect, place, durability == "full")
        self._worker: Worker[Books, OSError] = Worker(connect, OSError, self._explained, "mainspring-files")
        self._lock = OwnerLock(str(place / "store"))
        self._epoch = 0
        self._listeners: list[Callable[[], None]] = []
        self._to_show: asyncio.TimerHandle | None = None

    def _connect(self, folder: Path, durable: bool) -> Books:
        books = Books(folder, durable=durable, read_only=self._read_only)
        books.shown_until = self._showing.mark()
        return books

    def _explained(self, error: OSError) -> StoreError:
        return StoreError(f"{self.folder}: {error}")

    def _write(self, work: Callable[[Books, Contents], T]) -> asyncio.Future[T]:
        """Have `work` done by whoever has the right to write."""
        if self._read_only:
            raise StoreError(f"{self.folder} was opened to be read only")

        def alone(books: Books) -> T:
            with books.writing() as contents:
                return work(books, contents)

        self._show_soon()
        return self._worker.run(alone)

    def _read(self, work: Callable[[Contents], T]) -> asyncio.Future[T]:
        return self._worker.run(lambda books: work(books.now()))

    async def open(self) -> None:
        """Read the log, or begin one; a read-only store must have one."""
        try:
            if self._read_only:
                await self._read(lambda contents: None)
            else:
                await self._write(lambda books, contents: None)
        except BaseException:
            await self.close()  # what cannot be opened leaves no thread and no file behind
            raise

    async def close(self) -> None:
        """Show what is still to be shown, and give everything back."""
        if self._to_show is not None:
            self._to_show.cancel()
            self._to_show = None
        if self._lock.held:
            try:
                while await self._worker.run(self._showing.some):
                    pass
            except StoreError:
                pass  # it is shown by the next owner
        await self._worker.close()
        self._lock.give_back()

    def _show_soon(self) -> None:
        if self._to_show is None and self._lock.held:
            self._to_show = asyncio.get_running_loop().call_later(SHOW_SECONDS, self._show)

    def _show(self) -> None:
        self._to_show = None
        self._worker.run(self._showing.some).add_done_callback(self._shown)

    def _shown(self, done: asyncio.Future[bool]) -> None:
        if done.cancelled() or done.exception() is not None:
            return  # a disk that is full, most likely: the next commit says so, and the next time it is tried again
        if done.result() and self._to_show is None and self._lock.held:
            self._show()

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session. Where the operating system says that the owner is gone, its lease is not waited for."""
        had = self._lock.held  # a session of this very store had it before: that proves nothing
        locked = not had and self._lock.take()

        def begin(books: Books, contents: Contents) -> Lease:
            if not (locked and books.locked):
                contents.refuse_held(now)
            lease = Lease(contents.epoch + 1, holder, now + ttl)
            books.write(lines.Session(lease.epoch, holder, lease.expires_at, locked))
            books.rewrite_if_long()
            return lease

        try:
            lease = await self._write(begin)
        except BaseException:
            if not had:
                self._lock.give_back()
            raise
        self._epoch = lease.epoch
        return lease

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        locked = self._lock.take()  # after a takeover by expiry, the stopped owner may have let go of it by now

        def again(books: Books, contents: Contents) -> Lease:
            contents.check(lease)
            books.write(lines.Session(lease.epoch, lease.holder, now + ttl, locked))
            books.rewrite_if_long()
            return Lease(lease.epoch, lease.holder, now + ttl)

        return await self._write(again)

    async def release(self, lease: Lease) -> None:
        """End the session."""

        def end(books: Books, contents: Contents) -> None:
            if contents.is_current(lease):
                books.write(lines.Session(lease.epoch))

        await self._write(end)
        if lease.epoch == self._epoch:  # else a later session of this very store has the lock
            while await self._worker.run(self._showing.some):
                pass
            self._lock.give_back()

    # writing

    def _owned(self, lease: Lease, work: Callable[[Books, Contents], T]) -> asyncio.Future[T]:
        def checked(books: Books, contents: Contents) -> T:
            contents.check(lease)
            return work(books, contents)

        return self._write(checked)

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""

        def reserve(books: Books, contents: Contents) -> int:
            first = contents.next_number
            books.write(lines.Numbers(first + count))
            return first

        return await self._owned(lease, reserve)

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition."""

        def keep(books: Books, contents: Contents) -> None:
            known = contents.defined.get(definition.version)
            if known is None or known.folder != definition.folder:
                books.write(lines.define(definition))

        await self._write(keep)

    def commit(self, lease: Lease, writes: Sequence[Write]) -> asyncio.Future[Committed]:
        """Make a group durable: one line. The thread begins at once, while the caller does what else there is to do."""

        def together(books: Books, contents: Contents) -> Committed:
            contents.refuse_broken(writes)
            books.write(lines.group(writes))
            return Committed(len(contents.groups))

        return self._owned(lease, together)

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""

        def keep(books: Books, contents: Contents) -> bool:
            new = contents.is_new(message)
            if new:
                books.write(lines.Post(lines.item(message)))
            return new

        new = await self._write(keep)
        for wake in tuple(self._listeners):
            wake()
        return new

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""

        def forget(books: Books, contents: Contents) -> None:
            known = tuple([id for id in ids if id in contents.outgoing])
            if known:
                books.write(lines.Sent(known))

        await self._owned(lease, forget)

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        return await self._read(lambda contents: contents.cached(key, now))

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""

        def let_go(books: Books, contents: Contents) -> int:
            keys = contents.expendable(now, entries_max, limit)
            if keys:
                books.write(lines.Trim(tuple(keys)))
            return len(keys)

        return await self._owned(lease, let_go)

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose what may go."""

        def lose(books: Books, contents: Contents) -> list[int]:
            going = contents.expendable_of(families)
            if going:
                books.write(lines.Removed(tuple(going)))
            return going

        return await self._owned(lease, lose)

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Let go of groups without rows; at the end the log is rewritten without what was removed."""

        def let_go(books: Books, contents: Contents) -> int | None:
            place = contents.compact(after, limit)
            if place is None and books.spare:
                books.rewrite()
            return place

        return await self._owned(lease, let_go)

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        return await self._read(lambda contents: contents.dead_letters(after=after, limit=limit))

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return await self._read(lambda contents: contents.dead_letter(id))

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""

        def lose(books: Books, contents: Contents) -> int:
            known = tuple(dict.fromkeys([id for id in ids if id in contents.letters]))
            if known:
                books.write(lines.Purge(known))
            return len(known)

        return await self._owned(lease, lose)

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key."""

        def keep(books: Books, contents: Contents) -> None:
            if states:
                books.write(lines.Limits(dict(states)))

        await self._owned(lease, keep)

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return await self._read(lambda contents: contents.kept_limits())

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due."""

        def take(books: Books, contents: Contents) -> list[Loaded]:
            due = contents.due(lease.epoch, now, limit, among)
            if due:
                books.write(lines.Claim(lease.epoch, tuple(due)))
            return contents.loaded(due)

        return await self._owned(lease, take)

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        return await self._read(lambda contents: contents.mail(lease.epoch, limit))

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        return await self._read(lambda contents: contents.next_wake(among))

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What is still to be sent."""
        return await self._read(lambda contents: contents.outbox(limit))

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post` in this process; others ask the engine that holds the folder."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return await self._read(lambda contents: contents.defined.get(version))

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        return await self._read(lambda contents: contents.definitions(workflow, limit))

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        return await self._read(lambda contents: contents.find(id))

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end."""
        return await self._read(lambda contents: contents.ended(ids))

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        return await self._read(lambda contents: contents.load(id, until=until))

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        return await self._read(
            lambda contents: contents.instances(status=status, workflow=workflow, before=before, limit=limit)
        )

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        return await self._read(lambda contents: contents.turns(id, after=after, limit=limit))

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        return await self._read(lambda contents: contents.follow(group, limit))

    async def facts(self) -> StoreFacts:
        """Counts and sizes. The size is the log's: what is shown of it is not counted."""
        found = await self._worker.run(lambda books: (books.now().facts(self.url), books.end))
        return msgspec.structs.replace(found[0], bytes=found[1])
