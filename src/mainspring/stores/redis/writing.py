"""A group as the arguments of verbs.lua's `commit`: lists, each with its length before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

import msgspec

from mainspring.errors import StoreError
from mainspring.journal.records import (
    CacheRow,
    Change,
    Committed,
    DeadLetter,
    InstanceRecord,
    Lease,
    SnapshotRow,
    Write,
)
from mainspring.stores.redis.server import Argument, Server

CUTS_MAX = 10
"""How often a group is tried anew without the instances that turned out to be another session's."""

CRC = Struct(">I")
"""A body is kept with its checksum before it."""

pack = msgspec.msgpack.Encoder().encode
"""A row that the server never looks into."""


async def commit(server: Server, lease: Lease, writes: Sequence[Write]) -> Committed:
    """Make a group durable, without the instances of it that are another session's."""
    refused: set[int] = set()
    for _ in range(CUTS_MAX):
        place, cut = await server.verb("commit", lease.epoch, *arguments(writes))
        if not cut:
            return Committed(place, frozenset(refused))
        refused.update(map(int, cut))
        writes = [write for write in writes if write.instance not in refused]
    raise StoreError(f"a group was still not to be written after {CUTS_MAX} attempts: others keep taking its instances")


def arguments(writes: Sequence[Write]) -> list[Argument]:
    """A group, in the order in which `commit` takes it."""
    created: list[tuple[Argument, ...]] = []
    turns: list[tuple[Argument, ...]] = []
    changes: dict[int, Change] = {}
    new: set[int] = set()
    known: dict[int, None] = {}
    for write in writes:
        if write.created is not None:
            created.append(columns(write.created))
            new.add(write.instance)
        elif write.instance not in new:
            known[write.instance] = None
        turns += [(row.instance, row.seq, sealed(row.crc, row.body)) for row in write.rows]
        if write.change is not None:  # only the last one of an instance counts, so only it is written
            changes[write.instance] = write.change
    return [
        *listed([(number,) for number in known]),
        *listed(created),
        *listed(turns),
        *listed(
            [
                (number, one.status, int(one.open), maybe(one.ended_at), one.reason, one.owner, maybe(one.wake_at))
                for number, one in changes.items()
            ]
        ),
        *_rest(writes),
    ]


def _rest(writes: Iterable[Write]) -> list[Argument]:
    """What few turns have. Of what can come several times in a group, the last one stays."""
    consumed: list[tuple[Argument, ...]] = []
    outbox: list[tuple[Argument, ...]] = []
    blobs: list[tuple[Argument, ...]] = []
    snapshots: dict[tuple[int, int], SnapshotRow] = {}
    results: dict[bytes, CacheRow] = {}
    raised: dict[str, None] = {}
    buried: dict[str, DeadLetter] = {}
    for write in writes:
        consumed += [(write.instance, id) for id in write.consumed]
        outbox += [(row.id, pack(row), row.instance) for row in write.outbox]
        blobs += [(one.instance, f"{one.seq}:{one.ordinal}", sealed(one.crc, one.body)) for one in write.blobs]
        if write.snapshot is not None:
            snapshots[write.snapshot.instance, write.snapshot.seq] = write.snapshot
        for entry in write.cached:
            results.pop(entry.key, None)  # the place of the later one counts
            results[entry.key] = entry
        for id in write.raised:
            buried.pop(id, None)
            raised[id] = None
        for letter in write.buried:
            buried.setdefault(letter.id, letter)
    return [
        *listed(consumed),
        *listed(outbox),
        *listed(blobs),
        *listed([(one.instance, one.seq, sealed(one.crc, one.body)) for one in snapshots.values()]),
        *listed([(one.key, one.expires_at, pack(one)) for one in results.values()]),
        *listed([(id,) for id in raised]),
        *listed([(one.id, pack(one), one.instance) for one in buried.values()]),
    ]


def listed(rows: Sequence[tuple[Argument, ...]]) -> list[Argument]:
    """How many, then all of them."""
    return [len(rows), *[value for row in rows for value in row]]


def sealed(crc: int, body: bytes) -> bytes:
    """A body with its checksum."""
    return CRC.pack(crc) + body


def maybe(value: int | None) -> Argument:
    """A number, or that there is none."""
    return "" if value is None else value


def _text(value: str | None) -> str:
    """A text or that there is none: an empty one is not none."""
    return "" if value is None else f"={value}"


def columns(record: InstanceRecord) -> tuple[Argument, ...]:
    """In the order of verbs.lua's RECORD."""
    return (
        record.number,
        record.id,
        record.workflow,
        record.version,
        record.status,
        int(record.open),
        record.created_at,
        maybe(record.ended_at),
        _text(record.key),
        _text(record.parent),
        record.reason,
        record.owner,
        maybe(record.wake_at),
    )
