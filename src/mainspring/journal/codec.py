"""A turn as bytes, and back. The format has a version, each row a checksum, and no value is encoded twice.

A body is a JSON array `[version, at, message, events, blobs]`: a person can read it with any SQLite shell. An event is an
array too, its name first and its fields in order, so that fields can be appended: an old row gives the new ones their
defaults. Values inside events are raw JSON. `blobs` lists which field of which event stands in a blob row instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from mainspring.errors import StoreCorrupt, StoreTooNew
from mainspring.journal.records import BlobRow, SnapshotRow, TurnRow
from mainspring.machine.capturing import InstanceState
from mainspring.machine.events import AnyEvent, ErrorRecord, Event

VERSION = 6
BLOB_BYTES_MIN = 32 * 1024
ROW_BYTES_MAX = 1024 * 1024
ROOM_PER_EVENT = 64  # for its comma and the places of its blobs
ROOM_PER_ROW = 1024  # for version, time and message

_Slim = tuple[Event, list[tuple[str, bytes]]]


class Body(Struct, frozen=True, array_like=True, gc=False):
    """A row's content. `blobs` has a pair (event's index, field's name) for each blob row, in their order."""

    version: int
    at: int
    message: str
    events: list[AnyEvent]
    blobs: tuple[tuple[int, str], ...] = ()


class _Writing(Struct, array_like=True, gc=False):
    """The same as Body, for writing: an encoder needs no union."""

    version: int
    at: int
    message: str
    events: Sequence[Event]
    blobs: tuple[tuple[int, str], ...] = ()


class _SnapshotBody(Struct, array_like=True):
    """`errors` has the nodes' errors by path, as JSON: they hold raw JSON, which cannot stand amid MessagePack."""

    version: int
    state: InstanceState
    errors: dict[str, bytes] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Body).decode
_encode_snapshot = msgspec.msgpack.Encoder().encode
_decode_error = msgspec.json.Decoder(ErrorRecord).decode
_decode_snapshot = msgspec.msgpack.Decoder(_SnapshotBody).decode


def encode_turn(
    instance: int, seq: int, at: int, message: str, events: Sequence[Event]
) -> tuple[tuple[TurnRow, ...], tuple[BlobRow, ...]]:
    """The rows of a turn, the first of which has number `seq`, and the blobs that belong to them."""
    body = _encode(_Writing(VERSION, at, message, events))
    if len(body) <= BLOB_BYTES_MIN:
        return (TurnRow(instance, seq, body, crc32(body)),), ()
    return _encode_large(instance, seq, at, message, events)


def _encode_large(
    instance: int, seq: int, at: int, message: str, events: Sequence[Event]
) -> tuple[tuple[TurnRow, ...], tuple[BlobRow, ...]]:
    rows: list[TurnRow] = []
    blobs: list[BlobRow] = []
    parts = list(_parts([_slim(event) for event in events]))
    for part in parts:
        number = seq + len(rows)
        places: list[tuple[int, str]] = []
        for index, (_, large) in enumerate(part):
            for name, raw in large:
                blobs.append(BlobRow(instance, number, len(places), raw, crc32(raw)))
                places.append((index, name))
        # The message is consumed once, by the whole of the turn: its last row says so.
        taken = message if part is parts[-1] else ""
        body = _encode(_Writing(VERSION, at, taken, [event for event, _ in part], tuple(places)))
        rows.append(TurnRow(instance, number, body, crc32(body)))
    return tuple(rows), tuple(blobs)


def _slim(event: Event) -> _Slim:
    """The event without its large values, and these with the names of their fields."""
    large: list[tuple[str, bytes]] = []
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, Raw) and len(bytes(value)) > BLOB_BYTES_MIN:
            large.append((name, bytes(value)))
    if large:
        event = msgspec.structs.replace(event, **{name: Raw(b"null") for name, _ in large})
    return event, large


def _parts(events: Sequence[_Slim]) -> Iterator[list[_Slim]]:
    """The events in runs that each fit a row. Only an event that is too large alone makes a row that is."""
    part: list[_Slim] = []
    size = 0
    for event in events:
        length = len(_encode(event[0])) + ROOM_PER_EVENT
        if part and size + length > ROW_BYTES_MAX - ROOM_PER_ROW:
            yield part
            part, size = [], 0
        part.append(event)
        size += length
    yield part


def decode_turn(row: TurnRow, blobs: Sequence[BlobRow] = ()) -> Body:
    """A row's content. Raises StoreCorrupt where the checksum or the form is wrong, StoreTooNew for a later format."""
    body = decode_bare(row)
    return with_blobs(row, body, blobs) if body.blobs else body


def decode_bare(row: TurnRow) -> Body:
    """A row's content, where it has `blobs` still without them. Raises as `decode_turn`."""
    if not isinstance(row.body, bytes) or crc32(row.body) != row.crc:
        raise StoreCorrupt(f"the checksum of row {row.seq} of instance {row.instance} is wrong")
    try:
        body = _decode(row.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(row, error) from None
    if body.version > VERSION:
        raise StoreTooNew(f"row {row.seq} of instance {row.instance} has format {body.version}; this reads {VERSION}")
    return body


def _unreadable(row: TurnRow, error: Exception) -> Exception:
    try:
        version = msgspec.json.decode(row.body)[0]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        version = VERSION
    place = f"row {row.seq} of instance {row.instance}"
    if isinstance(version, int) and version > VERSION:
        return StoreTooNew(f"{place} has format {version}; this mainspring reads up to {VERSION}")
    return StoreCorrupt(f"{place} cannot be read: {error}")


def with_blobs(row: TurnRow, body: Body, blobs: Sequence[BlobRow]) -> Body:
    """A row's content with its blobs in their places. Raises StoreCorrupt where one is missing or damaged."""
    mine = {blob.ordinal: blob for blob in blobs if blob.seq == row.seq}
    events = list(body.events)
    for ordinal, (index, name) in enumerate(body.blobs):
        blob = mine.get(ordinal)
        if blob is None or crc32(blob.body) != blob.crc:
            raise StoreCorrupt(f"blob {ordinal} of row {row.seq} of instance {row.instance} is missing or damaged")
        events[index] = msgspec.structs.replace(events[index], **{name: Raw(blob.body)})
    return msgspec.structs.replace(body, events=events, blobs=())


def encode_snapshot(instance: int, seq: int, state: InstanceState) -> SnapshotRow:
    """The state after row `seq`."""
    errors = {path: _encode(node.error) for path, node in state.nodes.items() if node.error is not None}
    if errors:
        nodes = {
            path: node if node.error is None else msgspec.structs.replace(node, error=None)
            for path, node in state.nodes.items()
        }
        state = msgspec.structs.replace(state, nodes=nodes)
    body = _encode_snapshot(_SnapshotBody(VERSION, state, errors))
    return SnapshotRow(instance, seq, body, crc32(body))


def decode_snapshot(row: SnapshotRow) -> InstanceState:
    """Raises StoreCorrupt, StoreTooNew. A snapshot that cannot be read costs only time: the rows before it remain."""
    if crc32(row.body) != row.crc:
        raise StoreCorrupt(f"the checksum of the snapshot after row {row.seq} of instance {row.instance} is wrong")
    try:
        body = _decode_snapshot(row.body)
        for path, raw in body.errors.items():
            body.state.nodes[path].error = _decode_error(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError) as error:
        raise _unreadable_snapshot(row, error) from None
    if body.version > VERSION:
        raise StoreTooNew(f"a snapshot of instance {row.instance} has format {body.version}; this reads {VERSION}")
    return body.state


def _unreadable_snapshot(row: SnapshotRow, error: Exception) -> Exception:
    try:
        version = msgspec.msgpack.decode(row.body)[0]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        version = VERSION
    if isinstance(version, int) and version > VERSION:
        return StoreTooNew(f"a snapshot of instance {row.instance} has format {version}; this reads up to {VERSION}")
    return StoreCorrupt(f"the snapshot after row {row.seq} of instance {row.instance} is damaged: {error}")
