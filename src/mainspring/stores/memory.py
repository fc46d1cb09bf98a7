"""The store that keeps everything in this process. Fast, fenced like the others, and gone when the process is.

Several engines may share one `MemoryStore` object; the simulator does that to play two processes on one store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from mainspring.errors import NotOwner, StoreError, StoreHeld, UnknownInstance
from mainspring.journal.records import (
    BlobRow,
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
    SnapshotRow,
    StoreFacts,
    TurnRow,
    Write,
)


@dataclass(slots=True)
class _Kept:
    """Everything about one instance."""

    record: InstanceRecord
    rows: list[TurnRow] = field(default_factory=list)
    blobs: list[BlobRow] = field(default_factory=list)
    snapshots: list[SnapshotRow] = field(default_factory=list)
    inbox: dict[str, tuple[int, InboxMessage]] = field(default_factory=dict)  # with the number of its arrival

    def copy(self) -> _Kept:
        return _Kept(self.record, list(self.rows), list(self.blobs), list(self.snapshots), dict(self.inbox))


class MemoryStore:
    """See `mainspring.journal.store.Store` for what each verb means."""

    url = "memory:"
    shared = False
    control: str | None = None

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._by_id: dict[str, int] = {}
        self._definitions: dict[str, DefinitionRecord] = {}
        self._known_messages: set[str] = set()
        self._arrived = 0
        self._outbox: dict[str, OutboxRow] = {}
        self._cache: dict[bytes, CacheRow] = {}  # the oldest first
        self._letters: dict[str, DeadLetter] = {}
        self._limits: dict[str, bytes] = {}
        self._groups: list[list[tuple[int, int]]] = []
        self._lease: Lease | None = None
        self._epoch = 0
        self._next = 1
        self._listeners: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do: what is kept lives as long as this object."""

    def copy_to(self, other: MemoryStore) -> None:
        """Give another store, which is new, all that this one holds, and no session: what a process that died leaves."""
        other._kept = {number: kept.copy() for number, kept in self._kept.items()}
        other._by_id = dict(self._by_id)
        other._definitions = dict(self._definitions)
        other._known_messages = set(self._known_messages)
        other._arrived = self._arrived
        other._outbox = dict(self._outbox)
        other._cache = dict(self._cache)
        other._groups = list(self._groups)
        other._epoch = self._epoch
        other._next = self._next

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session."""
        if self._lease is not None and self._lease.expires_at > now:
            left = self._lease.expires_at - now
            raise StoreHeld(f"{self._lease.holder} holds this store (its lease runs for another {left} ms)")
        self._epoch += 1
        self._lease = Lease(self._epoch, holder, now + ttl)
        return self._lease

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        self._check(lease)
        self._lease = Lease(lease.epoch, lease.holder, now + ttl)
        return self._lease

    async def release(self, lease: Lease) -> None:
        """End the session."""
        if self._lease is not None and self._lease.epoch == lease.epoch:
            self._lease = None

    def _check(self, lease: Lease) -> None:
        if self._lease is None or self._lease.epoch != lease.epoch:
            raise NotOwner(f"epoch {lease.epoch} is over: the store is at epoch {self._epoch}")

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""
        self._check(lease)
        first = self._next
        self._next += count
        return first

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition."""
        known = self._definitions.get(definition.version, definition)
        self._definitions[definition.version] = msgspec.structs.replace(known, folder=definition.folder)

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        """All or nothing: what could be wrong with a write is looked at before the first one is applied."""
        self._check(lease)
        self._refuse_broken(writes)
        entries: list[tuple[int, int]] = []
        for write in writes:
            self._apply(write)
            entries.extend((row.instance, row.seq) for row in write.rows)
        self._groups.append(entries)
        return Committed(len(self._groups))

    def _refuse_broken(self, writes: Sequence[Write]) -> None:
        ends: dict[int, int] = {}
        new: set[str] = set()
        for write in writes:
            for record in (write.created, write.change):
                if record is not None and record.open != (record.ended_at is None):
                    raise StoreError(f"instance {write.instance} is {record.status}: final is what has an end")
            if write.created is not None:
                id = write.created.id
                if id in self._by_id or id in new or write.instance in self._kept or write.instance in ends:
                    raise StoreError(f"instance {id!r} exists already")
                new.add(id)
                ends[write.instance] = 0
            elif write.instance not in ends:
                kept = self._kept.get(write.instance)
                if kept is None:
                    raise StoreError(f"there is no instance with number {write.instance}")
                ends[write.instance] = kept.rows[-1].seq if kept.rows else 0
            for row in write.rows:
                if row.seq != ends[write.instance] + 1:
                    raise StoreError(f"row {row.seq} of instance {row.instance} does not follow row {row.seq - 1}")
                ends[write.instance] = row.seq

    def _apply(self, write: Write) -> None:
        if write.created is not None:
            self._kept[write.instance] = _Kept(write.created)
            self._by_id[write.created.id] = write.instance
        kept = self._kept[write.instance]
        kept.rows.extend(write.rows)
        kept.blobs.extend(write.blobs)
        if write.snapshot is not None:
            others = [one for one in kept.snapshots if one.seq != write.snapshot.seq]
            # Two are kept: when the newest turns out to be damaged, the one before it is used.
            kept.snapshots = sorted([*others, write.snapshot], key=lambda one: one.seq)[-2:]
        if write.change is not None:
            change = msgspec.structs.asdict(write.change)
            kept.record = msgspec.structs.replace(kept.record, **change)
        for id in write.consumed:
            kept.inbox.pop(id, None)
        for row in write.outbox:
            self._outbox.setdefault(row.id, row)
        for entry in write.cached:
            self._cache.pop(entry.key, None)
            self._cache[entry.key] = entry
        for id in write.raised:
            self._letters.pop(id, None)
        for letter in write.buried:
            self._letters.setdefault(letter.id, letter)

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""
        if message.instance not in self._kept:
            raise UnknownInstance(f"there is no instance with number {message.instance}")
        if message.id in self._known_messages:
            return False
        self._arrived += 1
        self._known_messages.add(message.id)
        self._kept[message.instance].inbox[message.id] = (self._arrived, message)
        for wake in tuple(self._listeners):
            wake()
        return True

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        self._check(lease)
        for id in ids:
            self._outbox.pop(id, None)

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        found = self._cache.get(key)
        return found if found is not None and found.expires_at > now and crc32(found.body) == found.crc else None

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""
        self._check(lease)
        going = [key for key, entry in self._cache.items() if entry.expires_at <= now][:limit]
        for key in going:
            del self._cache[key]
        surplus = list(self._cache)[: min(max(len(self._cache) - entries_max, 0), limit - len(going))]
        for key in surplus:
            del self._cache[key]
        return len(going) + len(surplus)

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        ids = list(self._letters)
        if after is not None:
            ids = ids[ids.index(after) + 1 :] if after in self._letters else []
        return [self._letters[id] for id in ids[:limit]]

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return self._letters.get(id)

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""
        self._check(lease)
        return sum([self._letters.pop(id, None) is not None for id in ids])

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key."""
        self._check(lease)
        self._limits.update(states)
        for key in [key for key, state in states.items() if not state]:
            del self._limits[key]

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return dict(self._limits)

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due."""
        self._check(lease)
        claimed: list[Loaded] = []
        for kept in self._kept.values():
            if len(claimed) == limit:
                break
            if _due(kept, lease.epoch, now) and _is_among(kept.record.id, among):
                kept.record = msgspec.structs.replace(kept.record, owner=lease.epoch, wake_at=None)
                claimed.append(_loaded(kept))
        return claimed

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        owned = (kept for kept in self._kept.values() if kept.inbox and kept.record.owner == lease.epoch)
        return [message for _, message in sorted(entry for kept in owned for entry in kept.inbox.values())[:limit]]

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        records = (kept.record for kept in self._kept.values())
        sleepers = (one for one in records if one.open and one.owner == 0 and _is_among(one.id, among))
        return min((one.wake_at for one in sleepers if one.wake_at is not None), default=None)

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What is still to be sent."""
        return list(self._outbox.values())[:limit]

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post`."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return self._definitions.get(version)

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        found = [one for one in self._definitions.values() if one.workflow == workflow]
        return sorted(found, key=lambda one: (-one.created_at, one.version))[:limit]

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        number = self._by_id.get(id)
        return None if number is None else self._kept[number].record

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end."""
        return [id for id in ids if id in self._by_id and not self._kept[self._by_id[id]].record.open]

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        number = self._by_id.get(id)
        return None if number is None else _loaded(self._kept[number], until)

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        found = []
        for number in sorted(self._kept, reverse=True):
            record = self._kept[number].record
            if (before is None or number < before) and status in (None, record.status):
                if workflow in (None, record.workflow):
                    found.append(record)
                if len(found) == limit:
                    break
        return found

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        number = self._by_id.get(id)
        if number is None:
            return None
        kept = self._kept[number]
        rows = tuple(kept.rows[after : after + limit])
        last = rows[-1].seq if rows else after
        blobs = tuple(blob for blob in kept.blobs if after < blob.seq <= last)
        return Loaded(kept.record, None, rows, blobs, ())

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        found: list[tuple[Position, TurnRow]] = []
        for number, entries in enumerate(self._groups[group:], start=group + 1):
            if found and len(found) + len(entries) > limit:
                break
            for index, (instance, seq) in enumerate(entries):
                found.append((Position(number, index, instance, seq), self._kept[instance].rows[seq - 1]))
        return found

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        kept = list(self._kept.values())
        return StoreFacts(
            url=self.url,
            instances=len(kept),
            open=sum(one.record.open for one in kept),
            turns=sum(len(one.rows) for one in kept),
            bytes=sum(len(row.body) for one in kept for row in one.rows),
            schema=1,
            lease=self._lease,
        )


def _due(kept: _Kept, epoch: int, now: int) -> bool:
    record = kept.record
    if not record.open or record.owner == epoch:
        return False
    if record.owner != 0:  # its session is over: there is only one, and it is ours
        return True
    return bool(kept.inbox) or (record.wake_at is not None and record.wake_at <= now)


def _is_among(id: str, among: Sequence[str] | None) -> bool:
    return among is None or any(id.startswith(one) if one.endswith("/") else id == one for one in among)


def _loaded(kept: _Kept, until: int | None = None) -> Loaded:
    last = len(kept.rows) if until is None else until
    snapshots = [one for one in kept.snapshots if one.seq <= last and crc32(one.body) == one.crc]
    snapshot = snapshots[-1] if snapshots else None
    after = 0 if snapshot is None else snapshot.seq
    blobs = tuple(blob for blob in kept.blobs if after < blob.seq <= last)
    inbox = tuple(message for _, message in kept.inbox.values())
    return Loaded(kept.record, snapshot, tuple(kept.rows[after:last]), blobs, inbox)
