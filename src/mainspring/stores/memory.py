"""The store that keeps everything in this process. Fast, fenced like the others, and gone when the process is.

Several engines may share one `MemoryStore` object; the simulator does that to play two processes on one store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
from mainspring.stores.contents import Contents


class MemoryStore:
    """See `mainspring.journal.store.Store` for what each verb means."""

    url = "memory:"
    shared = False
    remote = False
    control: str | None = None

    def __init__(self) -> None:
        self._contents = Contents()
        self._listeners: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do: what is kept lives as long as this object."""

    def copy_to(self, other: MemoryStore) -> None:
        """Give another store, which is new, all that this one holds, and no session: what a process that died leaves."""
        self._contents.copy_to(other._contents)

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session."""
        self._contents.refuse_held(now)
        lease = Lease(self._contents.epoch + 1, holder, now + ttl)
        self._contents.hold(lease)
        return lease

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        self._contents.check(lease)
        renewed = Lease(lease.epoch, lease.holder, now + ttl)
        self._contents.hold(renewed)
        return renewed

    async def release(self, lease: Lease) -> None:
        """End the session."""
        if self._contents.is_current(lease):
            self._contents.hold(None)

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""
        self._contents.check(lease)
        first = self._contents.next_number
        self._contents.next_number += count
        return first

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition."""
        self._contents.define(definition)

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        """All or nothing: what could be wrong with a write is looked at before the first one is applied."""
        self._contents.check(lease)
        self._contents.refuse_broken(writes)
        return self._contents.commit(writes)

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""
        if not self._contents.is_new(message):
            return False
        self._contents.post(message)
        for wake in tuple(self._listeners):
            wake()
        return True

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        self._contents.check(lease)
        self._contents.forget_sent(ids)

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        return self._contents.cached(key, now)

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""
        self._contents.check(lease)
        going = self._contents.expendable(now, entries_max, limit)
        self._contents.forget_cached(going)
        return len(going)

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose what may go."""
        self._contents.check(lease)
        going = self._contents.expendable_of(families)
        self._contents.remove(going)
        return going

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Let go of groups without rows."""
        self._contents.check(lease)
        return self._contents.compact(after, limit)

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        return self._contents.dead_letters(after=after, limit=limit)

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return self._contents.dead_letter(id)

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""
        self._contents.check(lease)
        return self._contents.purge(ids)

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key."""
        self._contents.check(lease)
        self._contents.keep_limits(states)

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return self._contents.kept_limits()

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due."""
        self._contents.check(lease)
        return self._contents.take(lease.epoch, self._contents.due(lease.epoch, now, limit, among))

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        return self._contents.mail(lease.epoch, limit)

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        return self._contents.next_wake(among)

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What is still to be sent."""
        return self._contents.outbox(limit)

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post`."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return self._contents.defined.get(version)

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        return self._contents.definitions(workflow, limit)

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        return self._contents.find(id)

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end."""
        return self._contents.ended(ids)

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        return self._contents.load(id, until=until)

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        return self._contents.instances(status=status, workflow=workflow, before=before, limit=limit)

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        return self._contents.turns(id, after=after, limit=limit)

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        return self._contents.follow(group, limit)

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        return self._contents.facts(self.url)
