"""What a store keeps: rows, not events. A store can carry, order, fence and find these; it never looks inside a body."""

from __future__ import annotations

from msgspec import Struct


class TurnRow(Struct, frozen=True, gc=False):
    """One turn of one instance, or a part of one that is too large for a row. `seq` numbers an instance's rows from 1."""

    instance: int
    seq: int
    body: bytes
    crc: int


class BlobRow(Struct, frozen=True, gc=False):
    """A value too large to stand in its row. `ordinal` counts the blobs of one row from 0."""

    instance: int
    seq: int
    ordinal: int
    body: bytes
    crc: int


class SnapshotRow(Struct, frozen=True, gc=False):
    """The state after row `seq`."""

    instance: int
    seq: int
    body: bytes
    crc: int


class InstanceRecord(Struct, frozen=True, kw_only=True, gc=False):
    """What can be asked of an instance without folding it. Times are UTC milliseconds.

    `owner` is the epoch of the session that has it in memory (0: nobody). `wake_at` is when an instance that sleeps has
    something to do again (None: it waits for no time).
    """

    number: int
    id: str
    workflow: str
    version: str
    status: str
    created_at: int
    open: bool = True
    ended_at: int | None = None
    key: str | None = None
    parent: str | None = None
    reason: str = ""
    owner: int = 0
    wake_at: int | None = None


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """A new value for what an instance's record says. Written at most once a group (SEMANTICS 2)."""

    status: str
    open: bool
    ended_at: int | None = None
    reason: str = ""
    owner: int = 0
    wake_at: int | None = None


class OutboxRow(Struct, frozen=True, gc=False):
    """Something that leaves the instance, with the id by which its receiver knows it again."""

    id: str
    instance: int
    kind: str
    body: bytes
    created_at: int


class InboxMessage(Struct, frozen=True, gc=False):
    """Something that comes into an instance from outside. `id` makes it known again: the second of the same id is none."""

    id: str
    instance: int
    body: bytes
    created_at: int


class CacheRow(Struct, frozen=True, gc=False):
    """A result that may be used again until `expires_at` (UTC milliseconds). `key` is a digest of all that it depends on."""

    key: bytes
    expires_at: int
    body: bytes
    crc: int


class DeadLetter(Struct, frozen=True, gc=False):
    """What was given up, kept until somebody decides about it. `kind` says what it is and what `body` holds.

    `node`: the node at `path`, in its run `run`, which the process ended in too often. `child`: an outbox row's body, whose
    child could not be started. `outbox`, `inbox`: the body of a message that nobody can read. `subject` is the row's id.
    """

    id: str
    instance: int
    kind: str
    reason: str
    created_at: int
    path: str = ""
    run: int = 0
    subject: str = ""
    body: bytes = b""


class Write(Struct, gc=False):
    """All that one turn changes. It is committed as a whole or not at all.

    `buried` are new dead letters, `raised` the ids of those that are put back to work by what else is written.
    """

    instance: int
    rows: tuple[TurnRow, ...] = ()
    created: InstanceRecord | None = None
    change: Change | None = None
    consumed: tuple[str, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    blobs: tuple[BlobRow, ...] = ()
    snapshot: SnapshotRow | None = None
    cached: tuple[CacheRow, ...] = ()
    buried: tuple[DeadLetter, ...] = ()
    raised: tuple[str, ...] = ()


class Committed(Struct, frozen=True):
    """A group is durable. `position` orders it among all groups; `refused` lists instances that the session does not own."""

    position: int
    refused: frozenset[int] = frozenset()


class Lease(Struct, frozen=True):
    """The right to write, until `expires_at` (UTC milliseconds). A later epoch fences off all earlier ones."""

    epoch: int
    holder: str
    expires_at: int


class DefinitionRecord(Struct, frozen=True):
    """A definition as instances are pinned to it. `folder` is where its file lay, for scripts and imports."""

    version: str
    workflow: str
    body: bytes
    folder: str
    created_at: int


class Loaded(Struct, frozen=True):
    """All that is needed to have an instance in memory: its record, the newest sound snapshot, the rows after it."""

    record: InstanceRecord
    snapshot: SnapshotRow | None
    rows: tuple[TurnRow, ...]
    blobs: tuple[BlobRow, ...]
    inbox: tuple[InboxMessage, ...]


class Position(Struct, frozen=True, gc=False):
    """Where a row stands among the rows of all instances, in the order of their commits."""

    group: int
    index: int
    instance: int
    seq: int


class StoreFacts(Struct, frozen=True, kw_only=True):
    """What a store says of itself."""

    url: str
    instances: int
    open: int
    turns: int
    bytes: int
    schema: int
    lease: Lease | None
