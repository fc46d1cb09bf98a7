"""What is read: functions of a server that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

from mainspring.journal.records import (
    BlobRow,
    CacheRow,
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
)
from mainspring.stores.redis.server import VERSION, Server
from mainspring.stores.redis.writing import CRC, listed

SEQ_MAX = 2**31 - 1
NUMBER_MAX = 2**53

PAGE = 500
"""How many records one look goes through, however few of them are wanted: a script keeps all others waiting."""

GROUPS_AT_ONCE = 500

_outbox_row = msgspec.msgpack.Decoder(OutboxRow).decode
_message = msgspec.msgpack.Decoder(InboxMessage).decode
_result = msgspec.msgpack.Decoder(CacheRow).decode
_letter = msgspec.msgpack.Decoder(DeadLetter).decode


def record(flat: Sequence[bytes]) -> InstanceRecord:
    """A record's hash: names and values by turns."""
    found = {flat[index].decode(): flat[index + 1].decode() for index in range(0, len(flat), 2)}
    return InstanceRecord(
        number=int(found["number"]),
        id=found["id"],
        workflow=found["workflow"],
        version=found["version"],
        status=found["status"],
        open=found["open"] == "1",
        created_at=int(found["created_at"]),
        ended_at=_number(found["ended_at"]),
        key=_text(found["key"]),
        parent=_text(found["parent"]),
        reason=found["reason"],
        owner=int(found["owner"]),
        wake_at=_number(found["wake_at"]),
    )


def _number(value: str) -> int | None:
    return int(value) if value else None


def _text(value: str) -> str | None:
    return value[1:] if value else None


def _unsealed(value: bytes) -> tuple[bytes, int]:
    return value[CRC.size :], CRC.unpack_from(value)[0]


async def find(server: Server, id: str) -> InstanceRecord | None:
    """A record by its public id."""
    number = await number_of(server, id)
    flat = [] if number is None else await server.whole(f"i:{number}")
    return record(flat) if flat else None


async def number_of(server: Server, id: str) -> int | None:
    """An instance's number."""
    found = await server.ask("HGET", "ids", id)
    return None if found is None else int(found)


async def loaded(server: Server, number: int, until: int | None = None) -> Loaded | None:
    """An instance as it stands at one moment: the newest snapshot that is sound, the rows after it, the waiting mail."""
    last = SEQ_MAX if until is None else min(until, SEQ_MAX)
    unsound: list[tuple[str]] = []
    while True:
        told = await server.verb("load", number, last, 0, 0, *listed(unsound))
        if not told:
            return None
        found = _loaded(number, told)
        if found.snapshot is None or crc32(found.snapshot.body) == found.snapshot.crc:
            return found
        unsound.append((str(found.snapshot.seq),))


async def turns(server: Server, number: int, after: int, limit: int) -> Loaded | None:
    """A page of rows with their blobs."""
    told = await server.verb("load", number, min(after + limit, SEQ_MAX), 1, after, 0)
    return _loaded(number, told) if told else None


def _loaded(number: int, told: Any) -> Loaded:
    flat, taken, seqs, rows, places, blobs, inbox = told
    snapshot = SnapshotRow(number, int(taken[0]), *_unsealed(taken[1])) if taken else None
    return Loaded(
        record(flat),
        snapshot,
        tuple([TurnRow(number, int(seq), *_unsealed(row)) for seq, row in zip(seqs, rows, strict=True)]),
        tuple([_blob(number, place, row) for place, row in zip(places, blobs, strict=True)]),
        tuple([_message(one) for one in inbox]),
    )


def _blob(number: int, place: bytes, row: bytes) -> BlobRow:
    seq, ordinal = place.split(b":")
    return BlobRow(number, int(seq), int(ordinal), *_unsealed(row))


async def instances(
    server: Server, status: str | None, workflow: str | None, before: int | None, limit: int
) -> list[InstanceRecord]:
    """Records, newest first."""
    found: list[InstanceRecord] = []
    end = f"({NUMBER_MAX if before is None else before}"
    size = PAGE if status is not None or workflow is not None else min(PAGE, limit)
    while len(found) < limit:
        page, last = await server.verb("instances", end, size, status or "", workflow or "")
        found += [record(flat) for flat in page]
        if not last:
            break
        end = f"({int(last)}"
    return found[:limit]


async def ended(server: Server, ids: Sequence[str]) -> list[str]:
    """Those at their end, or gone."""
    if not ids:
        return []
    ((*numbers,),) = await server.hashes({"ids": ids})
    known = [(id, int(number)) for id, number in zip(ids, numbers, strict=True) if number is not None]
    seen = await server.hashes({f"i:{number}": ["open"] for _, number in known}) if known else []
    still = {id for (id, _), (open,) in zip(known, seen, strict=True) if open == b"1"}
    return [id for id in ids if id not in still]


async def definition(server: Server, version: str) -> DefinitionRecord | None:
    """A definition by its content hash."""
    ((*found,),) = await server.hashes({f"d:{version}": ["workflow", "body", "folder", "created_at"]})
    workflow, body, folder, created_at = found
    if workflow is None or body is None or folder is None or created_at is None:
        return None
    return DefinitionRecord(version, workflow.decode(), body, folder.decode(), int(created_at))


async def definitions(server: Server, workflow: str, limit: int) -> list[DefinitionRecord]:
    """The definitions of a workflow, the latest first."""
    versions = await server.ask("SMEMBERS", f"defs:{workflow}")
    found = [one for version in versions if (one := await definition(server, version.decode())) is not None]
    return sorted(found, key=lambda one: (-one.created_at, one.version))[:limit]


async def cached(server: Server, key: bytes, now: int) -> CacheRow | None:
    """What may be used again. A damaged one is as good as none."""
    packed = await server.ask("HGET", "cacherow", key)
    found = None if packed is None else _result(packed)
    return found if found is not None and found.expires_at > now and crc32(found.body) == found.crc else None


async def dead_letters(server: Server, after: str | None, limit: int) -> list[DeadLetter]:
    """A page of them, the oldest first."""
    first = 0
    if after is not None:
        place = await server.ask("ZRANK", "letterplace", after)
        if place is None:
            return []
        first = place + 1
    ids = await server.ask("ZRANGE", "letterplace", first, first + limit - 1) if limit > 0 else []
    if not ids:
        return []
    ((*rows,),) = await server.hashes({"letterrow": ids})
    return [_letter(row) for row in rows if row is not None]


async def dead_letter(server: Server, id: str) -> DeadLetter | None:
    """One of them."""
    packed = await server.ask("HGET", "letterrow", id)
    return None if packed is None else _letter(packed)


async def kept_limits(server: Server) -> dict[str, bytes]:
    """All that limits remember."""
    flat = await server.whole("limits")
    return {flat[index].decode(): flat[index + 1] for index in range(0, len(flat), 2)}


async def mail(server: Server, epoch: int, limit: int) -> list[InboxMessage]:
    """Unconsumed messages for instances in memory."""
    return [_message(one) for one in await server.verb("mail", epoch, limit)]


async def next_wake(server: Server, among: Sequence[str] | None) -> int | None:
    """The earliest sleeper's time."""
    given = (0,) if among is None else (1, *listed([(one,) for one in among]))
    found = await server.verb("next_wake", *given)
    return int(found) if found else None


async def outbox(server: Server, epoch: int, limit: int) -> list[OutboxRow]:
    """What this session has to send, and what those have left that are over."""
    return [_outbox_row(one) for one in await server.verb("outbox", epoch, limit)]


async def follow(server: Server, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
    """Rows in commit order, whole groups only."""
    while True:
        places, group, more = await _places(server, group, limit)
        found = await _rows_at(server, places)
        if found or not more:
            return found


async def _places(server: Server, group: int, limit: int) -> tuple[list[Position], int, bool]:
    """What some groups after this one have held, the last of them, and whether there may be more."""
    places: list[Position] = []
    while not places:
        groups = await server.ask("LRANGE", "groups", group, group + min(max(limit, 1), GROUPS_AT_ONCE) - 1)
        if not groups:
            return [], group, False
        for text in groups:
            entries = [entry.split(b":") for entry in text.split()]
            if places and len(places) + len(entries) > limit:
                break
            group += 1
            places += [Position(group, index, int(one), int(seq)) for index, (one, seq) in enumerate(entries)]
    return places, group, True


async def _rows_at(server: Server, places: Sequence[Position]) -> list[tuple[Position, TurnRow]]:
    if not places:
        return []
    wanted: dict[str, list[int]] = {}
    for place in places:
        wanted.setdefault(f"t:{place.instance}", []).append(place.seq)
    rows = {
        (key, seq): row
        for (key, seqs), found in zip(wanted.items(), await server.hashes(wanted), strict=True)
        for seq, row in zip(seqs, found, strict=True)
    }
    # One that is not there any more was taken away by retention.
    return [
        (place, TurnRow(place.instance, place.seq, *_unsealed(row)))
        for place in places
        if (row := rows[f"t:{place.instance}", place.seq]) is not None
    ]


async def facts(server: Server, url: str) -> StoreFacts:
    """Counts and sizes. Of several sessions the latest is told of."""
    instances, open, rows, size, lease = await server.verb("facts")
    return StoreFacts(
        url=url,
        instances=instances,
        open=open,
        turns=int(rows),
        bytes=int(size),
        schema=VERSION,
        lease=Lease(int(lease[0]), lease[1].decode(), int(lease[2])) if lease else None,
    )
