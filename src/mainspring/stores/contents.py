"""What a store holds, in the memory of one process: the verbs of `mainspring.journal.store.Store`, without any waiting.

The memory store is this and nothing more. The file store is this and a log: what is decided here is written there before
it is done here. So deciding and doing are apart: `check`, `refuse_broken`, `is_new`, `due` and `expendable` only look.
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
from mainspring.stores.agenda import Agenda


@dataclass(slots=True)
class Kept:
    """Everything about one instance."""

    record: InstanceRecord
    rows: list[TurnRow] = field(default_factory=list)
    blobs: list[BlobRow] = field(default_factory=list)
    snapshots: list[SnapshotRow] = field(default_factory=list)
    inbox: dict[str, tuple[int, InboxMessage]] = field(default_factory=dict)  # with the number of its arrival
    messages: set[str] = field(default_factory=set)  # the ids of all that ever came

    def copy(self) -> Kept:
        return Kept(
            self.record, list(self.rows), list(self.blobs), list(self.snapshots), dict(self.inbox), set(self.messages)
        )


class Contents:
    """Everything, by number, id or key. `lease` is the session that lives, `epoch` the highest there has been."""

    def __init__(self) -> None:
        self.kept: dict[int, Kept] = {}
        self._agenda = Agenda()
        self.by_id: dict[str, int] = {}
        self.defined: dict[str, DefinitionRecord] = {}
        self.known_messages: set[str] = set()
        self.arrived = 0
        self.outgoing: dict[str, OutboxRow] = {}
        self.cache: dict[bytes, CacheRow] = {}  # the oldest first
        self.letters: dict[str, DeadLetter] = {}
        self.limits: dict[str, bytes] = {}
        self.groups: list[Sequence[tuple[int, int]]] = []
        self.lease: Lease | None = None
        self.epoch = 0
        self.next_number = 1

    def copy_to(self, other: Contents) -> None:
        """Give others, which are new, all that these hold, and no session: what a process that died leaves."""
        for kept in self.kept.values():
            other.keep(kept.copy())
        other.defined = dict(self.defined)
        other.known_messages = set(self.known_messages)
        other.arrived = self.arrived
        other.outgoing = dict(self.outgoing)
        other.cache = dict(self.cache)
        other.letters = dict(self.letters)
        other.limits = dict(self.limits)
        other.groups = list(self.groups)
        other.epoch = self.epoch
        other.next_number = self.next_number

    # ownership

    def refuse_held(self, now: int) -> None:
        """Raise StoreHeld while a lease lives."""
        if self.lease is not None and self.lease.expires_at > now:
            left = self.lease.expires_at - now
            raise StoreHeld(f"{self.lease.holder} holds this store (its lease runs for another {left} ms)")

    def hold(self, lease: Lease | None) -> None:
        """This session lives now; with None, none does any more."""
        self.lease = lease
        self.epoch = self.epoch if lease is None else lease.epoch

    def is_current(self, lease: Lease) -> bool:
        """Whether it is this session that lives."""
        return self.lease is not None and self.lease.epoch == lease.epoch

    def check(self, lease: Lease) -> None:
        """Refuse a session that is over."""
        if not self.is_current(lease):
            raise NotOwner(f"epoch {lease.epoch} is over: the store is at epoch {self.epoch}")

    # writing

    def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition; the folder is that of its last use."""
        known = self.defined.get(definition.version, definition)
        self.defined[definition.version] = msgspec.structs.replace(known, folder=definition.folder)

    def commit(self, writes: Sequence[Write]) -> Committed:
        """Do all of it. What could be wrong was looked at before, by `refuse_broken`."""
        entries: list[tuple[int, int]] = []
        for write in writes:
            self.apply(write)
            for row in write.rows:
                entries.append((row.instance, row.seq))
        self.groups.append(entries)
        return Committed(len(self.groups))

    def refuse_broken(self, writes: Sequence[Write]) -> None:
        """Raise StoreError where a write of a group cannot be done."""
        ends: dict[int, int] = {}
        new: set[str] = set()
        for write in writes:
            number, created = write.instance, write.created
            if created is not None or write.change is not None:
                _refuse_unended(write)
            end = ends.get(number)
            if created is not None:
                if created.id in self.by_id or created.id in new or number in self.kept or end is not None:
                    raise StoreError(f"instance {created.id!r} exists already")
                new.add(created.id)
                end = 0
            elif end is None:
                kept = self.kept.get(number)
                if kept is None:
                    raise StoreError(f"there is no instance with number {number}")
                end = kept.rows[-1].seq if kept.rows else 0
            for row in write.rows:
                end += 1
                if row.seq != end:
                    raise StoreError(f"row {row.seq} of instance {row.instance} does not follow row {end - 1}")
            ends[number] = end

    def keep(self, kept: Kept) -> None:
        """One more instance."""
        self.kept[kept.record.number] = kept
        self.by_id[kept.record.id] = kept.record.number
        self._agenda.put(kept.record, bool(kept.inbox))

    def apply(self, write: Write) -> None:
        """Do what one write says."""
        if write.created is not None:
            self.keep(Kept(write.created))
        kept = self.kept[write.instance]
        kept.rows.extend(write.rows)
        if write.blobs:
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
        if write.change is not None or write.consumed:
            self._agenda.put(kept.record, bool(kept.inbox))
        if write.outbox or write.cached or write.raised or write.buried:
            self.apply_rest(write)

    def apply_rest(self, write: Write) -> None:
        """Do what it says of other things than its instance."""
        for row in write.outbox:
            self.outgoing.setdefault(row.id, row)
        for entry in write.cached:
            self.cache.pop(entry.key, None)
            self.cache[entry.key] = entry
        for id in write.raised:
            self.letters.pop(id, None)
        for letter in write.buried:
            self.letters.setdefault(letter.id, letter)

    def is_new(self, message: InboxMessage) -> bool:
        """False where its id is known. Raises UnknownInstance."""
        if message.instance not in self.kept:
            raise UnknownInstance(f"there is no instance with number {message.instance}")
        return message.id not in self.known_messages

    def post(self, message: InboxMessage) -> None:
        """Keep a new message."""
        self.arrived += 1
        self.known_messages.add(message.id)
        kept = self.kept[message.instance]
        kept.messages.add(message.id)
        kept.inbox[message.id] = (self.arrived, message)
        if len(kept.inbox) == 1:
            self._agenda.put(kept.record, True)

    def forget_sent(self, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        for id in ids:
            self.outgoing.pop(id, None)

    # the result cache

    def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        found = self.cache.get(key)
        return found if found is not None and found.expires_at > now and crc32(found.body) == found.crc else None

    def expendable(self, now: int, entries_max: int, limit: int) -> list[bytes]:
        """The keys of up to `limit` results that may go: those whose time is over, then the oldest above the bound."""
        over = [key for key, entry in self.cache.items() if entry.expires_at <= now][:limit]
        gone = set(over)
        surplus = min(max(len(self.cache) - len(over) - entries_max, 0), limit - len(over))
        return over + [key for key in self.cache if key not in gone][:surplus] if surplus else over

    def forget_cached(self, keys: Sequence[bytes]) -> None:
        """Let go of these results."""
        for key in keys:
            self.cache.pop(key, None)

    # retention

    def expendable_of(self, families: Sequence[Sequence[int]]) -> list[int]:
        """The numbers of those that may go."""
        sending = {row.instance for row in self.outgoing.values()}
        needed = sending | {one.instance for one in self.letters.values()}
        going: list[int] = []
        for family in families:
            there = [number for number in family if number in self.kept]
            if not any(number in needed or self._is_alive(self.kept[number].record, sending) for number in there):
                going += there
        return going

    def _is_alive(self, record: InstanceRecord, sending: set[int]) -> bool:
        parent = None if record.parent is None else self.by_id.get(record.parent)
        return record.open or (parent is not None and (self.kept[parent].record.open or parent in sending))

    def remove(self, numbers: Sequence[int]) -> None:
        """Lose these. The groups that they were committed in name them until `compact`."""
        for number in numbers:
            kept = self.kept.pop(number)
            del self.by_id[kept.record.id]
            self._agenda.drop(number)
            self.known_messages -= kept.messages

    def has_row(self, number: int, seq: int) -> bool:
        """Whether a row is there (still)."""
        kept = self.kept.get(number)
        return kept is not None and seq <= len(kept.rows)

    def compact(self, after: int, limit: int) -> int | None:
        """Have some groups name no more rows than there are; where to go on."""
        named = 0
        for place, group in enumerate(self.groups[after : after + limit], start=after):
            if not all(self.has_row(number, seq) for number, seq in group):
                self.groups[place] = tuple(entry for entry in group if self.has_row(*entry))
            named += len(group) or 1
            if named >= limit:
                return place + 1
        return None

    # dead letters, and what limits have to remember

    def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        ids = list(self.letters)
        if after is not None:
            ids = ids[ids.index(after) + 1 :] if after in self.letters else []
        return [self.letters[id] for id in ids[:limit]]

    def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return self.letters.get(id)

    def purge(self, ids: Sequence[str]) -> int:
        """Lose these for good."""
        return sum([self.letters.pop(id, None) is not None for id in ids])

    def keep_limits(self, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key."""
        self.limits.update(states)
        for key in [key for key, state in states.items() if not state]:
            del self.limits[key]

    def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return dict(self.limits)

    # due work

    def due(self, epoch: int, now: int, limit: int, among: Sequence[str] | None) -> list[int]:
        """The numbers of up to `limit` instances that a session may take."""
        return self._agenda.due(epoch, now, limit, self._wanted(among))

    def _wanted(self, among: Sequence[str] | None) -> Callable[[int], bool]:
        return lambda number: _is_among(self.kept[number].record.id, among)

    def take(self, epoch: int, numbers: Sequence[int]) -> list[Loaded]:
        """Give these instances to a session."""
        for number in numbers:
            kept = self.kept[number]
            kept.record = msgspec.structs.replace(kept.record, owner=epoch, wake_at=None)
            self._agenda.put(kept.record, bool(kept.inbox))
        return self.loaded(numbers)

    def loaded(self, numbers: Sequence[int]) -> list[Loaded]:
        """All that is needed to have these in memory."""
        return [_loaded(self.kept[number]) for number in numbers]

    def mail(self, epoch: int, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        owned = (self.kept[number] for number in self._agenda.mailed(epoch))
        return [message for _, message in sorted(entry for kept in owned for entry in kept.inbox.values())[:limit]]

    def next_wake(self, among: Sequence[str] | None) -> int | None:
        """The earliest sleeper's time."""
        return self._agenda.next_wake(None if among is None else self._wanted(among))

    def outbox(self, limit: int) -> list[OutboxRow]:
        """What is still to be sent."""
        return list(self.outgoing.values())[:limit]

    # reading

    def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return self.defined.get(version)

    def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        found = [one for one in self.defined.values() if one.workflow == workflow]
        return sorted(found, key=lambda one: (-one.created_at, one.version))[:limit]

    def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        number = self.by_id.get(id)
        return None if number is None else self.kept[number].record

    def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end, or gone."""
        return [id for id in ids if id not in self.by_id or not self.kept[self.by_id[id]].record.open]

    def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        number = self.by_id.get(id)
        return None if number is None else _loaded(self.kept[number], until)

    def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        found = []
        for number in sorted(self.kept, reverse=True):
            record = self.kept[number].record
            if (before is None or number < before) and status in (None, record.status):
                if workflow in (None, record.workflow):
                    found.append(record)
                if len(found) == limit:
                    break
        return found

    def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        number = self.by_id.get(id)
        if number is None:
            return None
        kept = self.kept[number]
        rows = tuple(kept.rows[after : after + limit])
        last = rows[-1].seq if rows else after
        blobs = tuple(blob for blob in kept.blobs if after < blob.seq <= last)
        return Loaded(kept.record, None, rows, blobs, ())

    def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        found: list[tuple[Position, TurnRow]] = []
        for number, entries in enumerate(self.groups[group:], start=group + 1):
            if found and len(found) + len(entries) > limit:
                break
            for index, (instance, seq) in enumerate(entries):
                if self.has_row(instance, seq):
                    found.append((Position(number, index, instance, seq), self.kept[instance].rows[seq - 1]))
        return found

    def facts(self, url: str) -> StoreFacts:
        """Counts and sizes."""
        kept = list(self.kept.values())
        return StoreFacts(
            url=url,
            instances=len(kept),
            open=sum(one.record.open for one in kept),
            turns=sum(len(one.rows) for one in kept),
            bytes=sum(len(row.body) for one in kept for row in one.rows),
            schema=1,
            lease=self.lease,
        )


def _refuse_unended(write: Write) -> None:
    for record in (write.created, write.change):
        if record is not None and record.open != (record.ended_at is None):
            raise StoreError(f"instance {write.instance} is {record.status}: final is what has an end")


def _is_among(id: str, among: Sequence[str] | None) -> bool:
    return among is None or any(id.startswith(one) if one.endswith("/") else id == one for one in among)


def _loaded(kept: Kept, until: int | None = None) -> Loaded:
    last = len(kept.rows) if until is None else until
    snapshots = [one for one in kept.snapshots if one.seq <= last and crc32(one.body) == one.crc]
    snapshot = snapshots[-1] if snapshots else None
    after = 0 if snapshot is None else snapshot.seq
    blobs = tuple(blob for blob in kept.blobs if after < blob.seq <= last)
    inbox = tuple(message for _, message in kept.inbox.values())
    return Loaded(kept.record, snapshot, tuple(kept.rows[after:last]), blobs, inbox)
