"""What the log's lines say: each is something that was done, as one JSON object with `do` saying what.

    {"crc":"0a1b2c3d","do":"group","writes":[{"instance":1,"rows":[{"seq":2,"crc":77,"body":[4,1700000000000,"",[…]]}]}]}

`crc` is the checksum of the rest of the line, begun with that of the line before: one that is missing, or stands where
another stood, is noticed like one that is damaged. What is JSON already stands in the line as it is; other bytes stand as
`{"base64": …}`, and so does JSON that would look like that.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from mainspring.errors import StoreCorrupt, StoreTooNew
from mainspring.journal.records import (
    BlobRow,
    CacheRow,
    Change,
    DeadLetter,
    DefinitionRecord,
    InboxMessage,
    InstanceRecord,
    OutboxRow,
    SnapshotRow,
    TurnRow,
    Write,
)

VERSION = 1
"""The version of this format."""

_BASE64 = b'{"base64":'
_HEAD = len(b'{"crc":"00000000",')


class _Line(Struct, frozen=True, omit_defaults=True, gc=False, tag_field="do"):
    """One line, without its checksum."""


class Format(_Line, frozen=True, tag="format"):
    """The first line: the format's version, and which log this is (another one after it was rewritten)."""

    version: int
    log: str


class Session(_Line, frozen=True, tag="session"):
    """A session begins, is renewed, or (with `expires_at` 0) ends. `locked`: its process has the owner's lock."""

    epoch: int
    holder: str = ""
    expires_at: int = 0
    locked: bool = False


class Numbers(_Line, frozen=True, tag="numbers"):
    """All numbers below this one are given away."""

    next: int


class Row(Struct, frozen=True, gc=False):
    """A turn, a snapshot."""

    seq: int
    crc: int
    body: Raw


class Blob(Struct, frozen=True, gc=False):
    """A blob."""

    seq: int
    ordinal: int
    crc: int
    body: Raw


class Item(Struct, frozen=True, omit_defaults=True, gc=False):
    """A message into an instance, or out of it."""

    id: str
    instance: int
    created_at: int
    body: Raw
    kind: str = ""


class Letter(Struct, frozen=True, omit_defaults=True, gc=False):
    """A dead letter."""

    id: str
    instance: int
    kind: str
    reason: str
    created_at: int
    body: Raw
    path: str = ""
    run: int = 0
    subject: str = ""


class Result(Struct, frozen=True, gc=False):
    """A cached result. Its key is a digest, in base64."""

    key: bytes
    expires_at: int
    crc: int
    body: Raw


class Changes(Struct, omit_defaults=True, gc=False):
    """What one turn changes: a `Write`."""

    instance: int
    rows: tuple[Row, ...] = ()
    created: InstanceRecord | None = None
    change: Change | None = None
    consumed: tuple[str, ...] = ()
    outbox: tuple[Item, ...] = ()
    blobs: tuple[Blob, ...] = ()
    snapshot: Row | None = None
    cached: tuple[Result, ...] = ()
    buried: tuple[Letter, ...] = ()
    raised: tuple[str, ...] = ()


class Group(_Line, frozen=True, tag="group"):
    """A group was committed. All of them, counted from 1 (with those that were skipped), are the positions of `follow`."""

    writes: tuple[Changes, ...] = ()


class Define(_Line, frozen=True, tag="define"):
    """A definition is kept, or its folder is another one."""

    version: str
    workflow: str
    folder: str
    created_at: int
    body: Raw


class Claim(_Line, frozen=True, tag="claim"):
    """A session took these instances."""

    epoch: int
    instances: tuple[int, ...]


class Post(_Line, frozen=True, tag="post"):
    """A message came in."""

    message: Item


class Sent(_Line, frozen=True, tag="sent"):
    """These outbox rows have arrived."""

    ids: tuple[str, ...]


class Trim(_Line, frozen=True, tag="trim"):
    """These cached results went."""

    keys: tuple[bytes, ...]


class Purge(_Line, frozen=True, tag="purge"):
    """These dead letters were lost for good."""

    ids: tuple[str, ...]


class Limits(_Line, frozen=True, tag="limits"):
    """What limits have to remember, by key."""

    states: dict[str, bytes]


class Kept(_Line, frozen=True, tag="instance"):
    """An instance as it stood when the log was rewritten. Its rows follow, in the groups that they were committed in."""

    record: InstanceRecord
    snapshots: tuple[Row, ...] = ()


class Known(_Line, frozen=True, tag="known"):
    """Ids of messages that one instance had consumed before the log was rewritten."""

    ids: tuple[str, ...]
    instance: int = 0


class Removed(_Line, frozen=True, tag="removed"):
    """These instances were removed, with all that was kept of them."""

    instances: tuple[int, ...]


class Skipped(_Line, frozen=True, tag="skipped"):
    """So many groups stood here whose instances are all removed: the positions of those that follow stay as they were."""

    groups: int


class Rest(_Line, frozen=True, tag="rest"):
    """What else there was when the log was rewritten: the outbox, the cache, the dead letters. No group, so no position."""

    changes: Changes


class Rewritten(_Line, frozen=True, tag="rewritten"):
    """Here ends what was there when the log was rewritten."""


Line = (
    Format
    | Session
    | Numbers
    | Group
    | Define
    | Claim
    | Post
    | Sent
    | Trim
    | Purge
    | Limits
    | Kept
    | Known
    | Removed
    | Skipped
    | Rest
    | Rewritten
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def encode(line: Line, before: int) -> tuple[bytes, int]:
    """The line with its line break, and its checksum. `before` is the checksum of the line before it."""
    rest = _encode(line)[1:]
    crc = crc32(rest, before)
    return b'{"crc":"%08x",%b\n' % (crc, rest), crc


def decode(text: bytes, before: int) -> tuple[Line, int]:
    """What a line (without its line break) says, and its checksum. Raises ValueError where it is none, or another's.

    Raises StoreTooNew where a later mainspring wrote it.
    """
    crc = crc32(text[_HEAD:], before)
    if text[:_HEAD] != b'{"crc":"%08x",' % crc:
        raise ValueError("its checksum is wrong")
    rest = b"{" + text[_HEAD:]
    try:
        line = _decode(rest)
    except msgspec.MsgspecError as error:
        # It is whole, so somebody wrote it like that: one who knows of more than we do.
        raise StoreTooNew(f"a line of it cannot be read by this mainspring: {error}") from None
    if isinstance(line, Format) and line.version > VERSION:
        raise StoreTooNew(f"it has format {line.version}; this mainspring reads up to {VERSION}")
    return line, crc


def raw(body: bytes) -> Raw:
    """Bytes as they stand in a line."""
    if body[:1] in b'[{"tfn-0123456789' and b"\n" not in body and not body.startswith(_BASE64):
        try:
            msgspec.json.decode(body)
            if body == body.strip() and body:
                return Raw(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return Raw(_BASE64 + b'"' + b64encode(body) + b'"}')


def body(raw: Raw) -> bytes:
    """The same back. Raises StoreCorrupt."""
    found = bytes(raw)
    if not found.startswith(_BASE64):
        return found
    try:
        return b64decode(found[len(_BASE64) + 1 : -2], validate=True)
    except ValueError:
        raise StoreCorrupt("what should be base64 is not") from None


def row(one: TurnRow | SnapshotRow) -> Row:
    """A turn or a snapshot."""
    return Row(one.seq, one.crc, raw(one.body))


def blob(one: BlobRow) -> Blob:
    """A blob."""
    return Blob(one.seq, one.ordinal, one.crc, raw(one.body))


def snapshot(instance: int, one: Row) -> SnapshotRow:
    """A snapshot back."""
    return SnapshotRow(instance, one.seq, body(one.body), one.crc)


def item(one: InboxMessage | OutboxRow) -> Item:
    """A message."""
    kind = one.kind if isinstance(one, OutboxRow) else ""
    return Item(one.id, one.instance, one.created_at, raw(one.body), kind)


def message(one: Item) -> InboxMessage:
    """One that came in, back."""
    return InboxMessage(one.id, one.instance, body(one.body), one.created_at)


def letter(one: DeadLetter) -> Letter:
    """A dead letter."""
    return Letter(
        one.id, one.instance, one.kind, one.reason, one.created_at, raw(one.body), one.path, one.run, one.subject
    )


def define(one: DefinitionRecord) -> Define:
    """A definition."""
    return Define(one.version, one.workflow, one.folder, one.created_at, raw(one.body))


def group(writes: Iterable[Write]) -> Group:
    """A group."""
    return Group(tuple([changes(write) for write in writes]))


def changes(write: Write) -> Changes:
    """A write."""
    return Changes(
        write.instance,
        tuple([row(one) for one in write.rows]),
        write.created,
        write.change,
        write.consumed,
        tuple([item(one) for one in write.outbox]),
        tuple([blob(one) for one in write.blobs]),
        None if write.snapshot is None else row(write.snapshot),
        tuple([Result(one.key, one.expires_at, one.crc, raw(one.body)) for one in write.cached]),
        tuple([letter(one) for one in write.buried]),
        write.raised,
    )


def writes(group: Group) -> list[Write]:
    """A group back."""
    return [write(one) for one in group.writes]


def write(one: Changes) -> Write:
    """A write back."""
    number = one.instance
    return Write(
        number,
        tuple([TurnRow(number, row.seq, body(row.body), row.crc) for row in one.rows]),
        one.created,
        one.change,
        one.consumed,
        tuple([OutboxRow(row.id, row.instance, row.kind, body(row.body), row.created_at) for row in one.outbox]),
        tuple([BlobRow(number, row.seq, row.ordinal, body(row.body), row.crc) for row in one.blobs]),
        None if one.snapshot is None else snapshot(number, one.snapshot),
        tuple([CacheRow(row.key, row.expires_at, body(row.body), row.crc) for row in one.cached]),
        tuple([_letter(row) for row in one.buried]),
        one.raised,
    )


def _letter(one: Letter) -> DeadLetter:
    return DeadLetter(
        one.id, one.instance, one.kind, one.reason, one.created_at, one.path, one.run, one.subject, body(one.body)
    )
