"""What is read: functions of a connection that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

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
from mainspring.stores.postgres.connection import Connection

INSTANCE = "number, id, workflow, version, status, open, created_at, ended_at, key, parent, reason, owner, wake_at"
LETTER = "id, instance, kind, reason, created_at, path, run, subject, body"
DEFINITION = "version, workflow, body, folder, created_at"

SEQ_MAX = 2**31 - 1
NUMBER_MAX = 2**62


def record(row: Any) -> InstanceRecord:
    """A row with at least INSTANCE's columns."""
    return InstanceRecord(
        number=row["number"],
        id=row["id"],
        workflow=row["workflow"],
        version=row["version"],
        status=row["status"],
        open=row["open"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        key=row["key"],
        parent=row["parent"],
        reason=row["reason"],
        owner=row["owner"],
        wake_at=row["wake_at"],
    )


async def find(connection: Connection, id: str) -> InstanceRecord | None:
    """A record by its public id."""
    row = await connection.fetchrow(f"SELECT {INSTANCE} FROM instance WHERE id = $1", id)
    return None if row is None else record(row)


async def load(connection: Connection, id: str, until: int | None) -> Loaded | None:
    """An instance, without taking it. One read transaction, so that the parts agree."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await find(connection, id)
        return None if found is None else (await loaded(connection, [found], until))[0]


async def loaded(connection: Connection, found: Sequence[InstanceRecord], until: int | None = None) -> list[Loaded]:
    """Of each: the newest snapshot that is sound, the rows after it, the waiting mail. Few round trips for all of them."""
    numbers = [one.number for one in found]
    last = SEQ_MAX if until is None else min(until, SEQ_MAX)
    snapshots: dict[int, SnapshotRow] = {}
    for row in await connection.fetch(
        "SELECT instance, seq, body, crc FROM snapshot WHERE instance = ANY ($1) AND seq <= $2 ORDER BY seq",
        numbers,
        last,
    ):
        taken = SnapshotRow(*row)
        if crc32(taken.body) == taken.crc:
            snapshots[taken.instance] = taken
    after = [snapshots[number].seq if number in snapshots else 0 for number in numbers]
    turns: dict[int, list[TurnRow]] = {}
    for row in await connection.fetch(
        "SELECT turn.instance, seq, body, crc FROM unnest($1::BIGINT[], $2::INTEGER[]) AS given (instance, after)"
        " JOIN turn ON turn.instance = given.instance AND seq > after AND seq <= $3 ORDER BY turn.instance, seq",
        numbers, after, last,
    ):  # fmt: skip
        turns.setdefault(row[0], []).append(TurnRow(*row))
    blobs: dict[int, list[BlobRow]] = {}
    for row in await connection.fetch(
        "SELECT blob.instance, seq, ordinal, body, crc FROM unnest($1::BIGINT[], $2::INTEGER[]) AS given (instance, after)"
        " JOIN blob ON blob.instance = given.instance AND seq > after AND seq <= $3",
        numbers, after, last,
    ):  # fmt: skip
        blobs.setdefault(row[0], []).append(BlobRow(*row))
    inbox: dict[int, list[InboxMessage]] = {}
    for row in await connection.fetch(
        "SELECT id, instance, body, created_at FROM inbox WHERE NOT consumed AND instance = ANY ($1) ORDER BY arrival",
        numbers,
    ):
        inbox.setdefault(row[1], []).append(InboxMessage(*row))
    return [
        Loaded(
            one,
            snapshots.get(one.number),
            tuple(turns.get(one.number, ())),
            tuple(blobs.get(one.number, ())),
            tuple(inbox.get(one.number, ())),
        )
        for one in found
    ]


async def turns(connection: Connection, id: str, after: int, limit: int) -> Loaded | None:
    """A page of rows with their blobs."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await find(connection, id)
        if found is None:
            return None
        last = min(after + limit, SEQ_MAX)
        given = (found.number, after, last)
        within = "WHERE instance = $1 AND seq > $2 AND seq <= $3 ORDER BY seq"
        rows = await connection.fetch(f"SELECT instance, seq, body, crc FROM turn {within}", *given)
        blobs = await connection.fetch(f"SELECT instance, seq, ordinal, body, crc FROM blob {within}", *given)
        return Loaded(found, None, tuple(TurnRow(*row) for row in rows), tuple(BlobRow(*row) for row in blobs), ())


async def instances(
    connection: Connection, status: str | None, workflow: str | None, before: int | None, limit: int
) -> list[InstanceRecord]:
    """Records, newest first."""
    rows = await connection.fetch(
        f"SELECT {INSTANCE} FROM instance WHERE number < $1 AND ($2::TEXT IS NULL OR status = $2)"
        " AND ($3::TEXT IS NULL OR workflow = $3) ORDER BY number DESC LIMIT $4",
        NUMBER_MAX if before is None else before, status, workflow, limit,
    )  # fmt: skip
    return [record(row) for row in rows]


async def definition(connection: Connection, version: str) -> DefinitionRecord | None:
    """A definition by its content hash."""
    row = await connection.fetchrow(f"SELECT {DEFINITION} FROM definition WHERE version = $1", version)
    return None if row is None else DefinitionRecord(*row)


async def definitions(connection: Connection, workflow: str, limit: int) -> list[DefinitionRecord]:
    """The definitions of a workflow, the latest first."""
    rows = await connection.fetch(
        f"SELECT {DEFINITION} FROM definition WHERE workflow = $1"
        ' ORDER BY created_at DESC, version COLLATE "C" LIMIT $2',
        workflow, limit,
    )  # fmt: skip
    return [DefinitionRecord(*row) for row in rows]


async def cached(connection: Connection, key: bytes, now: int) -> CacheRow | None:
    """What may be used again. A damaged one is as good as none."""
    row = await connection.fetchrow(
        "SELECT key, expires_at, body, crc FROM cache WHERE key = $1 AND expires_at > $2", key, now
    )
    found = None if row is None else CacheRow(*row)
    return found if found is not None and crc32(found.body) == found.crc else None


async def dead_letters(connection: Connection, after: str | None, limit: int) -> list[DeadLetter]:
    """A page of them, the oldest first."""
    rows = await connection.fetch(
        f"SELECT {LETTER} FROM dead_letter WHERE $2::TEXT IS NULL"
        " OR place > (SELECT place FROM dead_letter WHERE id = $2) ORDER BY place LIMIT $1",
        limit, after,
    )  # fmt: skip
    return [DeadLetter(*row) for row in rows]


async def dead_letter(connection: Connection, id: str) -> DeadLetter | None:
    """One of them."""
    row = await connection.fetchrow(f"SELECT {LETTER} FROM dead_letter WHERE id = $1", id)
    return None if row is None else DeadLetter(*row)


async def kept_limits(connection: Connection) -> dict[str, bytes]:
    """All that limits remember."""
    return {row[0]: row[1] for row in await connection.fetch("SELECT key, state FROM limit_state")}


async def mail(connection: Connection, epoch: int, limit: int) -> list[InboxMessage]:
    """Unconsumed messages for instances in memory."""
    rows = await connection.fetch(
        "SELECT inbox.id, instance, body, inbox.created_at FROM inbox JOIN instance ON number = instance"
        " WHERE NOT consumed AND owner = $1 ORDER BY arrival LIMIT $2",
        epoch, limit,
    )  # fmt: skip
    return [InboxMessage(*row) for row in rows]


async def next_wake(connection: Connection, among: Sequence[str] | None) -> int | None:
    """The earliest sleeper's time."""
    query = "SELECT min(wake_at) FROM instance WHERE open AND owner = 0"
    found: int | None = await (
        connection.fetchval(query) if among is None else connection.fetchval(f"{query} AND is_among(id, $1)", among)
    )
    return found


async def outbox(connection: Connection, epoch: int, limit: int) -> list[OutboxRow]:
    """What this session has to send, and what those have left that are over."""
    rows = await connection.fetch(
        "SELECT id, instance, kind, body, created_at FROM outbox WHERE session = $1"
        " OR NOT EXISTS (SELECT 1 FROM session WHERE epoch = outbox.session AND NOT over) ORDER BY place LIMIT $2",
        epoch, limit,
    )  # fmt: skip
    return [OutboxRow(*row) for row in rows]


async def follow(connection: Connection, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
    """Rows in commit order, whole groups only."""
    found: list[tuple[Position, TurnRow]] = []
    while not found:
        groups = await connection.fetch(
            "SELECT position, instances, seqs FROM commit_group WHERE position > $1 ORDER BY position LIMIT $2",
            group, max(limit, 1),
        )  # fmt: skip
        if not groups:
            break
        places: list[Position] = []
        for position, numbers, seqs in groups:
            if places and len(places) + len(numbers) > limit:
                break
            group = position
            places += [Position(position, index, *row) for index, row in enumerate(zip(numbers, seqs, strict=True))]
        found = await _rows_at(connection, places)
    return found


async def _rows_at(connection: Connection, places: Sequence[Position]) -> list[tuple[Position, TurnRow]]:
    rows = await connection.fetch(
        "SELECT place, turn.instance, turn.seq, body, crc FROM unnest($1::BIGINT[], $2::INTEGER[])"
        " WITH ORDINALITY AS given (instance, seq, place) JOIN turn USING (instance, seq) ORDER BY place",
        [place.instance for place in places], [place.seq for place in places],
    )  # fmt: skip
    # One that is not there any more was taken away by retention.
    return [(places[row[0] - 1], TurnRow(*row[1:])) for row in rows]


async def facts(connection: Connection, url: str, schema: int) -> StoreFacts:
    """Counts and sizes. Of several sessions the latest is told of."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM instance), (SELECT count(*) FROM instance WHERE open), (SELECT count(*) FROM turn),"
        " (SELECT sum(pg_total_relation_size(oid))::BIGINT FROM pg_class"
        "  WHERE relnamespace = current_schema()::REGNAMESPACE AND relkind = 'r')"
    )
    session = await connection.fetchrow(
        "SELECT epoch, holder, expires_at FROM session WHERE NOT over ORDER BY epoch DESC LIMIT 1"
    )
    return StoreFacts(
        url=url,
        instances=row[0],
        open=row[1],
        turns=row[2],
        bytes=row[3],
        schema=schema,
        lease=None if session is None else Lease(*session),
    )
