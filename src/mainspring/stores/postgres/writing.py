"""What is written: each function calls one of those in 0002_verbs.sql, which is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from mainspring.errors import StoreError, UnknownInstance
from mainspring.journal.records import (
    CacheRow,
    Change,
    Committed,
    DeadLetter,
    InboxMessage,
    InstanceRecord,
    Lease,
    SnapshotRow,
    Write,
)
from mainspring.stores.postgres.connection import Connection

CUTS_MAX = 10
"""How often a group is tried anew without the instances that turned out to be another session's."""

_USUAL = "N NTTTTONNTTTNN NINB NTONTNN".replace(" ", "")
_REST = "T TNTBN NIIBN NIBN BNBN T TNTTNTITB".replace(" ", "")
"""The parameters of `commit_writes` after the first, table by table: what every group has, and what few have. N: BIGINT[],
I: INTEGER[], T: TEXT[], B: BYTEA[], O: BOOLEAN[]."""

_CASTS = {"N": "::TEXT::BIGINT[]", "I": "::TEXT::INTEGER[]"}
"""Numbers go as text: asyncpg asks each element of an array by two abstract base classes whether it is an array itself. For
the numbers of a chain's turns that is a twentieth of all CPU time."""


def _statement(kinds: str, absent: str = "") -> str:
    """The call, with empty arrays for what is absent."""
    given = [f"${place}{_CASTS.get(kind, '')}" for place, kind in enumerate(kinds, 2)]
    return f"SELECT * FROM commit_writes($1, {', '.join([*given, *(repr('{}') for _ in absent)])})"


_COMMIT_USUAL = _statement(_USUAL, absent=_REST)
_COMMIT = _statement(_USUAL + _REST)


async def commit(connection: Connection, lease: Lease, writes: Sequence[Write]) -> Committed:
    """Make a group durable, without the instances of it that are another session's.

    One that somebody else is just about to start under the same id can be seen only after the attempt: so that is made twice.
    """
    refused: set[int] = set()
    collided = False
    for _ in range(CUTS_MAX):
        try:
            given = arguments(writes)
            statement = _COMMIT_USUAL if len(given) == len(_USUAL) else _COMMIT
            place, cut = await connection.fetchrow(statement, lease.epoch, *given)
        except asyncpg.UniqueViolationError as error:
            if collided or error.constraint_name != "instance_id":
                raise
            collided = True
            continue
        if not cut:
            return Committed(place, frozenset(refused))
        refused.update(cut)
        writes = [write for write in writes if write.instance not in refused]
    raise StoreError(f"a group was still not to be written after {CUTS_MAX} attempts: others keep taking its instances")


def arguments(writes: Sequence[Write]) -> list[Any]:
    """A group as columns, in the order of `commit_writes`'s parameters after the first: the usual ones, or all."""
    created: list[tuple[Any, ...]] = []
    turns: list[tuple[Any, ...]] = []
    changes: dict[int, Change] = {}
    new: set[int] = set()
    known: dict[int, None] = {}
    others: list[Write] = []
    for write in writes:
        number = write.instance
        if write.created is not None:
            created.append(_columns(write.created))
            new.add(number)
        elif number not in new:
            known[number] = None
        for row in write.rows:
            turns.append((row.instance, row.seq, row.crc, row.body))
        if write.change is not None:  # only the last one of an instance counts, so only it is written
            changes[number] = write.change
        if (
            write.consumed or write.outbox or write.blobs or write.snapshot is not None or write.cached
            or write.buried or write.raised
        ):  # fmt: skip
            others.append(write)
    changed = [
        (number, one.status, one.open, one.ended_at, one.reason, one.owner, one.wake_at)
        for number, one in changes.items()
    ]
    usual = [list(known), *_transposed(created, 13), *_transposed(turns, 4), *_transposed(changed, 7)]
    if not others:
        return _as_given(usual, _USUAL)
    return _as_given([*usual, *_rest(others)], _USUAL + _REST)


def _as_given(columns: list[Any], kinds: str) -> list[Any]:
    for place, kind in enumerate(kinds):
        if kind in _CASTS:
            columns[place] = "{" + ",".join(map(str, columns[place])).replace("None", "NULL") + "}"
    return columns


def _rest(writes: Iterable[Write]) -> list[list[Any]]:
    """What few turns have. Of what can come several times in a group, the last one stays."""
    consumed: list[str] = []
    outbox: list[tuple[Any, ...]] = []
    blobs: list[tuple[Any, ...]] = []
    snapshots: dict[tuple[int, int], SnapshotRow] = {}
    results: dict[bytes, CacheRow] = {}
    raised: dict[str, None] = {}
    buried: dict[str, DeadLetter] = {}
    for write in writes:
        consumed += write.consumed
        outbox += [(row.id, row.instance, row.kind, row.body, row.created_at) for row in write.outbox]
        blobs += [(one.instance, one.seq, one.ordinal, one.body, one.crc) for one in write.blobs]
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
        consumed,
        *_transposed(outbox, 5),
        *_transposed(blobs, 5),
        *_transposed([(one.instance, one.seq, one.body, one.crc) for one in snapshots.values()], 4),
        *_transposed([(one.key, one.expires_at, one.body, one.crc) for one in results.values()], 4),
        list(raised),
        *_transposed(
            [
                (one.id, one.instance, one.kind, one.reason, one.created_at, one.path, one.run, one.subject, one.body)
                for one in buried.values()
            ],
            9,
        ),
    ]


def _transposed(rows: list[tuple[Any, ...]], width: int) -> list[Any]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _columns(record: InstanceRecord) -> tuple[Any, ...]:
    return (
        record.number,
        record.id,
        record.workflow,
        record.version,
        record.status,
        record.open,
        record.created_at,
        record.ended_at,
        record.key,
        record.parent,
        record.reason,
        record.owner,
        record.wake_at,
    )


async def post(connection: Connection, messages: Sequence[InboxMessage]) -> list[bool | UnknownInstance]:
    """Keep each message once, all of them in one transaction; what became of each."""
    ends = await connection.fetchval(
        "SELECT post_messages($1, $2, $3, $4)",
        [one.id for one in messages],
        [one.instance for one in messages],
        [one.body for one in messages],
        [one.created_at for one in messages],
    )
    return [
        UnknownInstance(f"there is no instance with number {message.instance}") if end < 0 else end == 1
        for message, end in zip(messages, ends, strict=True)
    ]
