"""What the reading connection does: functions of a connection that change nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

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

LETTERS_SINCE = 3
"""The first schema with dead letters, and with what limits remember."""

INSTANCE_COLUMNS = (
    "number, id, workflow, version, status, open, created_at, ended_at, key, parent, reason, owner, wake_at"
)


def record(row: tuple[Any, ...]) -> InstanceRecord:
    """A row of INSTANCE_COLUMNS."""
    number, id, workflow, version, status, open_, created_at, ended_at, key, parent, reason, owner, wake_at = row
    return InstanceRecord(
        number=number,
        id=id,
        workflow=workflow,
        version=version,
        status=status,
        open=bool(open_),
        created_at=created_at,
        ended_at=ended_at,
        key=key,
        parent=parent,
        reason=reason,
        owner=owner,
        wake_at=wake_at,
    )


def find(connection: sqlite3.Connection, id: str) -> InstanceRecord | None:
    """A record by its public id."""
    row = connection.execute(f"SELECT {INSTANCE_COLUMNS} FROM instance WHERE id = ?", (id,)).fetchone()
    return None if row is None else record(row)


def load(connection: sqlite3.Connection, id: str, until: int | None) -> Loaded | None:
    """An instance, without taking it. One read transaction, so that the parts agree."""
    connection.execute("BEGIN")
    try:
        found = find(connection, id)
        return None if found is None else loaded(connection, found, until)
    finally:
        connection.execute("COMMIT")


def loaded(connection: sqlite3.Connection, found: InstanceRecord, until: int | None = None) -> Loaded:
    """The newest snapshot that is sound, the rows after it, the waiting mail."""
    number = found.number
    last = 2**62 if until is None else until
    snapshot = _snapshot(connection, number, last)
    after = 0 if snapshot is None else snapshot.seq
    return Loaded(
        found,
        snapshot,
        _turns(connection, number, after, last),
        _blobs(connection, number, after, last),
        _inbox(connection, number),
    )


def _snapshot(connection: sqlite3.Connection, number: int, last: int) -> SnapshotRow | None:
    from zlib import crc32

    rows = connection.execute(
        "SELECT seq, body, crc FROM snapshot WHERE instance = ? AND seq <= ? ORDER BY seq DESC", (number, last)
    )
    for seq, body, crc in rows:
        if crc32(body) == crc:
            return SnapshotRow(number, seq, body, crc)
    return None


def _turns(connection: sqlite3.Connection, number: int, after: int, last: int) -> tuple[TurnRow, ...]:
    rows = connection.execute(
        "SELECT seq, body, crc FROM turn WHERE instance = ? AND seq > ? AND seq <= ? ORDER BY seq",
        (number, after, last),
    )
    return tuple([TurnRow(number, seq, body, crc) for seq, body, crc in rows])


def _blobs(connection: sqlite3.Connection, number: int, after: int, last: int) -> tuple[BlobRow, ...]:
    rows = connection.execute(
        "SELECT seq, ordinal, body, crc FROM blob WHERE instance = ? AND seq > ? AND seq <= ?", (number, after, last)
    )
    return tuple([BlobRow(number, seq, ordinal, body, crc) for seq, ordinal, body, crc in rows])


def _inbox(connection: sqlite3.Connection, number: int) -> tuple[InboxMessage, ...]:
    rows = connection.execute(
        "SELECT id, body, created_at FROM inbox WHERE instance = ? AND NOT consumed ORDER BY arrival", (number,)
    )
    return tuple([InboxMessage(id, number, body, created_at) for id, body, created_at in rows])


def turns(connection: sqlite3.Connection, id: str, after: int, limit: int) -> Loaded | None:
    """A page of rows with their blobs."""
    connection.execute("BEGIN")
    try:
        found = find(connection, id)
        if found is None:
            return None
        last = after + limit
        page = _turns(connection, found.number, after, last)
        return Loaded(found, None, page, _blobs(connection, found.number, after, last), ())
    finally:
        connection.execute("COMMIT")


def instances(
    connection: sqlite3.Connection, status: str | None, workflow: str | None, before: int | None, limit: int
) -> list[InstanceRecord]:
    """Records, newest first."""
    rows = connection.execute(
        f"SELECT {INSTANCE_COLUMNS} FROM instance WHERE number < ? AND (?2 IS NULL OR status = ?2)"
        " AND (?3 IS NULL OR workflow = ?3) ORDER BY number DESC LIMIT ?4".replace("number < ?", "number < ?1"),
        (2**62 if before is None else before, status, workflow, limit),
    )
    return [record(row) for row in rows]


def definition(connection: sqlite3.Connection, version: str) -> DefinitionRecord | None:
    """A definition by its content hash."""
    row = connection.execute(
        "SELECT version, workflow, body, folder, created_at FROM definition WHERE version = ?", (version,)
    ).fetchone()
    return None if row is None else DefinitionRecord(*row)


def definitions(connection: sqlite3.Connection, workflow: str, limit: int) -> list[DefinitionRecord]:
    """The definitions of a workflow, the latest first. There are few workflows, and the table has one row for each."""
    rows = connection.execute(
        "SELECT version, workflow, body, folder, created_at FROM definition WHERE workflow = ?"
        " ORDER BY created_at DESC, version LIMIT ?",
        (workflow, limit),
    ).fetchall()
    return [DefinitionRecord(*row) for row in rows]


def cached(connection: sqlite3.Connection, key: bytes, now: int) -> CacheRow | None:
    """What may be used again. A damaged one is as good as none."""
    from zlib import crc32

    row = connection.execute(
        "SELECT key, expires_at, body, crc FROM cache WHERE key = ? AND expires_at > ?", (key, now)
    ).fetchone()
    found = None if row is None else CacheRow(*row)
    return found if found is not None and crc32(found.body) == found.crc else None


_LETTER = "id, instance, kind, reason, created_at, path, run, subject, body"


def dead_letters(connection: sqlite3.Connection, after: str | None, limit: int) -> list[DeadLetter]:
    """A page of them, the oldest first."""
    if not _has_letters(connection):
        return []
    since = "0" if after is None else "(SELECT place FROM dead_letter WHERE id = ?2)"
    rows = connection.execute(
        f"SELECT {_LETTER} FROM dead_letter WHERE place > {since} ORDER BY place LIMIT ?1",
        (limit,) if after is None else (limit, after),
    )
    return [DeadLetter(*row) for row in rows]


def dead_letter(connection: sqlite3.Connection, id: str) -> DeadLetter | None:
    """One of them."""
    if not _has_letters(connection):
        return None
    row = connection.execute(f"SELECT {_LETTER} FROM dead_letter WHERE id = ?", (id,)).fetchone()
    return None if row is None else DeadLetter(*row)


def kept_limits(connection: sqlite3.Connection) -> dict[str, bytes]:
    """All that limits remember."""
    return dict(connection.execute("SELECT key, state FROM limit_state")) if _has_letters(connection) else {}


def _has_letters(connection: sqlite3.Connection) -> bool:
    """Whoever only looks may look at a file that an older version wrote."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool(version >= LETTERS_SINCE)


def mail(connection: sqlite3.Connection, epoch: int, limit: int) -> list[InboxMessage]:
    """Unconsumed messages for instances in memory."""
    rows = connection.execute(
        # By the index of what waits: the table also holds whatever was consumed, ever.
        "SELECT inbox.id, instance, body, inbox.created_at FROM inbox INDEXED BY inbox_waiting"
        " JOIN instance ON number = instance WHERE NOT consumed AND owner = ? ORDER BY arrival LIMIT ?",
        (epoch, limit),
    )
    return [InboxMessage(*row) for row in rows]


def among(ids: Sequence[str] | None) -> tuple[str, list[str]]:
    """A condition that holds for these instances, and what it is given. An entry that ends with `/` is how ids begin."""
    if ids is None:
        return "", []
    each = ["instr(id, ?) = 1" if one.endswith("/") else "id = ?" for one in ids]
    return f" AND ({' OR '.join(each) or 'FALSE'})", list(ids)


def ended(connection: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
    """Those at their end, or gone."""
    asked = ((id, connection.execute("SELECT open FROM instance WHERE id = ?", (id,)).fetchone()) for id in ids)
    return [id for id, row in asked if row is None or not row[0]]


def next_wake(connection: sqlite3.Connection, ids: Sequence[str] | None = None) -> int | None:
    """The earliest sleeper's time."""
    within, names = among(ids)
    row = connection.execute(f"SELECT min(wake_at) FROM instance WHERE open AND owner = 0{within}", names).fetchone()
    return None if row[0] is None else int(row[0])


def outbox(connection: sqlite3.Connection, limit: int) -> list[OutboxRow]:
    """What is still to be sent."""
    rows = connection.execute(
        "SELECT id, instance, kind, body, created_at FROM outbox ORDER BY place LIMIT ?", (limit,)
    )
    return [OutboxRow(*row) for row in rows]


def follow(connection: sqlite3.Connection, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
    """Rows in commit order, whole groups only."""
    found: list[tuple[Position, TurnRow]] = []
    groups = connection.execute(
        "SELECT position, turns FROM commit_group WHERE position > ? ORDER BY position", (group,)
    )
    for position, text in groups:
        entries = [entry.split(":") for entry in text.split(",")] if text else []
        if found and len(found) + len(entries) > limit:
            break
        for index, (instance, seq) in enumerate(entries):
            row = connection.execute(
                "SELECT body, crc FROM turn WHERE instance = ? AND seq = ?", (int(instance), int(seq))
            ).fetchone()
            if row is not None:  # None: retention has taken it away
                turn = TurnRow(int(instance), int(seq), *row)
                found.append((Position(position, index, turn.instance, turn.seq), turn))
    return found


def facts(connection: sqlite3.Connection, url: str) -> StoreFacts:
    """Counts and sizes."""

    def one(sql: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = connection.execute(sql).fetchone()
        return found

    epoch, holder, expires_at = one("SELECT epoch, holder, expires_at FROM lease")
    return StoreFacts(
        url=url,
        instances=one("SELECT count(*) FROM instance")[0],
        open=one("SELECT count(*) FROM instance WHERE open")[0],
        turns=one("SELECT count(*) FROM turn")[0],
        bytes=one("PRAGMA page_count")[0] * one("PRAGMA page_size")[0],
        schema=one("PRAGMA user_version")[0],
        lease=Lease(epoch, holder, expires_at) if holder else None,
    )
