"""What the writing connection does: functions of a connection, each one transaction. No transaction outlives its call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mainspring.errors import NotOwner, StoreError, StoreHeld, UnknownInstance
from mainspring.journal.records import (
    Committed,
    DefinitionRecord,
    InboxMessage,
    InstanceRecord,
    Lease,
    Loaded,
    Write,
)
from mainspring.stores.sqlite import reading

VACUUM_PAGES = 256
"""Free pages given back to the file system at a time."""

_INSERT_TURNS = [
    (size, f"INSERT INTO turn (instance, seq, crc, body) VALUES {', '.join(['(?, ?, ?, ?)'] * size)}")
    for size in (128, 64, 32, 16, 8, 4, 2, 1)
]
_INSERT_INSTANCE = f"INSERT INTO instance ({reading.INSTANCE_COLUMNS}) VALUES ({', '.join('?' * 13)})"
_UPDATE_INSTANCE = (
    "UPDATE instance SET status = ?, open = ?, ended_at = ?, reason = ?, owner = ?, wake_at = ? WHERE number = ?"
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def acquire(connection: sqlite3.Connection, holder: str, now: int, ttl: int, locked: bool) -> Lease:
    """Raise the epoch, unless a lease lives whose owner may live too.

    `locked`: we hold the file lock, so whoever held it is gone. That says nothing of an owner that never had the lock
    (it took over from a stopped process, which kept it).
    """
    with transaction(connection):
        epoch, current, expires_at, was_locked = connection.execute(
            "SELECT epoch, holder, expires_at, locked FROM lease"
        ).fetchone()
        if expires_at > now and not (locked and was_locked):
            raise StoreHeld(f"{current} holds this store (its lease runs for another {expires_at - now} ms)")
        lease = Lease(epoch + 1, holder, now + ttl)
        connection.execute(
            "UPDATE lease SET epoch = ?, holder = ?, expires_at = ?, locked = ?",
            (lease.epoch, holder, lease.expires_at, locked),
        )
    return lease


def fence(connection: sqlite3.Connection, lease: Lease) -> None:
    """Inside a transaction: refuse a session that is over."""
    epoch, expires_at = connection.execute("SELECT epoch, expires_at FROM lease").fetchone()
    if epoch != lease.epoch or not expires_at:
        raise NotOwner(f"this session (epoch {lease.epoch}) is over: the store is at epoch {epoch}")


def renew(connection: sqlite3.Connection, lease: Lease, expires_at: int, locked: bool) -> Lease:
    """The same epoch, for longer."""
    with transaction(connection):
        fence(connection, lease)
        connection.execute("UPDATE lease SET expires_at = ?, locked = ?", (expires_at, locked))
    return Lease(lease.epoch, lease.holder, expires_at)


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """End the session, if it is still ours."""
    with transaction(connection):
        connection.execute("UPDATE lease SET holder = '', expires_at = 0, locked = 0 WHERE epoch = ?", (lease.epoch,))


def numbers(connection: sqlite3.Connection, lease: Lease, count: int) -> int:
    """Reserve instance numbers."""
    with transaction(connection):
        fence(connection, lease)
        (first,) = connection.execute("SELECT value FROM counter WHERE name = 'instance'").fetchone()
        connection.execute("UPDATE counter SET value = ? WHERE name = 'instance'", (first + count,))
    return int(first)


def define(connection: sqlite3.Connection, record: DefinitionRecord) -> None:
    """Keep a definition; the folder is that of its last use."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO definition (version, workflow, body, folder, created_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (version) DO UPDATE SET folder = excluded.folder",
            (record.version, record.workflow, record.body, record.folder, record.created_at),
        )


def commit(connection: sqlite3.Connection, lease: Lease, writes: Sequence[Write]) -> Committed:
    """Make a group durable."""
    try:
        with transaction(connection):
            fence(connection, lease)
            position = _apply(connection, writes)
    except sqlite3.IntegrityError as error:
        raise StoreError(f"a group breaks the store's rules: {error}") from error
    return Committed(position)


def _apply(connection: sqlite3.Connection, writes: Sequence[Write]) -> int:
    turns: list[object] = []
    places: list[str] = []
    for write in writes:
        for row in write.rows:
            turns += (row.instance, row.seq, row.crc, row.body)
            places.append(f"{row.instance}:{row.seq}")
    created = [_columns(write.created) for write in writes if write.created is not None]
    if created:
        connection.executemany(_INSERT_INSTANCE, created)
    if turns:
        _insert_turns(connection, turns)
    # Only the last change of an instance in this group counts, so only it is written.
    changes = {write.instance: write.change for write in writes if write.change is not None}
    if changes:
        connection.executemany(
            _UPDATE_INSTANCE,
            [(c.status, c.open, c.ended_at, c.reason, c.owner, c.wake_at, number) for number, c in changes.items()],
        )
    for write in writes:
        if write.consumed or write.outbox or write.blobs or write.cached or write.snapshot is not None:
            _apply_rest(connection, write)
        if write.buried or write.raised:
            _apply_letters(connection, write)
    cursor = connection.execute("INSERT INTO commit_group (turns) VALUES (?)", (",".join(places),))
    return int(cursor.lastrowid or 0)


def _insert_turns(connection: sqlite3.Connection, turns: list[object]) -> None:
    """Many rows with few statements: `executemany` gives up and takes back the interpreter's lock at each row, and then
    waits for the event loop's thread each time. Few sizes, so that each statement is prepared once."""
    begin, end = 0, len(turns)
    for size, statement in _INSERT_TURNS:
        while end - begin >= 4 * size:
            connection.execute(statement, turns[begin : begin + 4 * size])
            begin += 4 * size


def _apply_rest(connection: sqlite3.Connection, write: Write) -> None:
    connection.executemany("UPDATE inbox SET consumed = 1 WHERE id = ?", [(id,) for id in write.consumed])
    connection.executemany(
        "INSERT OR IGNORE INTO outbox (id, instance, kind, body, created_at) VALUES (?, ?, ?, ?, ?)",
        [(row.id, row.instance, row.kind, row.body, row.created_at) for row in write.outbox],
    )
    connection.executemany(
        "INSERT INTO blob (instance, seq, ordinal, crc, body) VALUES (?, ?, ?, ?, ?)",
        [(blob.instance, blob.seq, blob.ordinal, blob.crc, blob.body) for blob in write.blobs],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO cache (key, expires_at, crc, body) VALUES (?, ?, ?, ?)",
        [(row.key, row.expires_at, row.crc, row.body) for row in write.cached],
    )
    if write.snapshot is not None:
        taken = write.snapshot
        connection.execute(
            "INSERT OR REPLACE INTO snapshot (instance, seq, crc, body) VALUES (?, ?, ?, ?)",
            (taken.instance, taken.seq, taken.crc, taken.body),
        )
        # Two are kept: when the newest turns out to be damaged, the one before it is used.
        connection.execute(
            "DELETE FROM snapshot WHERE instance = ? AND seq NOT IN"
            " (SELECT seq FROM snapshot WHERE instance = ? ORDER BY seq DESC LIMIT 2)",
            (taken.instance, taken.instance),
        )


def _apply_letters(connection: sqlite3.Connection, write: Write) -> None:
    connection.executemany("DELETE FROM dead_letter WHERE id = ?", [(id,) for id in write.raised])
    connection.executemany(
        "INSERT OR IGNORE INTO dead_letter (id, instance, kind, reason, created_at, path, run, subject, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.id, one.instance, one.kind, one.reason, one.created_at, one.path, one.run, one.subject, one.body)
            for one in write.buried
        ],
    )


def purge(connection: sqlite3.Connection, lease: Lease, ids: Sequence[str]) -> int:
    """Lose dead letters for good."""
    with transaction(connection):
        fence(connection, lease)
        return sum(connection.execute("DELETE FROM dead_letter WHERE id = ?", (id,)).rowcount for id in ids)


def keep_limits(connection: sqlite3.Connection, lease: Lease, states: Mapping[str, bytes]) -> None:
    """Keep a state by each key."""
    with transaction(connection):
        fence(connection, lease)
        connection.executemany(
            "INSERT OR REPLACE INTO limit_state (key, state) VALUES (?, ?)", [one for one in states.items() if one[1]]
        )
        connection.executemany(
            "DELETE FROM limit_state WHERE key = ?", [(key,) for key, state in states.items() if not state]
        )


def _columns(record: InstanceRecord) -> tuple[object, ...]:
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


def post(connection: sqlite3.Connection, messages: Sequence[InboxMessage]) -> list[bool | UnknownInstance]:
    """Keep each message once, all of them in one transaction; what became of each."""
    posted: list[bool | UnknownInstance] = []
    with transaction(connection):
        for message in messages:
            if connection.execute("SELECT 1 FROM instance WHERE number = ?", (message.instance,)).fetchone() is None:
                posted.append(UnknownInstance(f"there is no instance with number {message.instance}"))
                continue
            cursor = connection.execute(
                "INSERT OR IGNORE INTO inbox (id, instance, body, created_at) VALUES (?, ?, ?, ?)",
                (message.id, message.instance, message.body, message.created_at),
            )
            posted.append(cursor.rowcount == 1)
    return posted


def sent(connection: sqlite3.Connection, lease: Lease, ids: Sequence[str]) -> None:
    """Forget what has arrived."""
    with transaction(connection):
        fence(connection, lease)
        connection.executemany("DELETE FROM outbox WHERE id = ?", [(id,) for id in ids])


def trim(connection: sqlite3.Connection, lease: Lease, now: int, entries_max: int, limit: int) -> int:
    """Let go of cached results: those that are over, then the oldest."""
    with transaction(connection):
        fence(connection, lease)
        over = connection.execute(
            "DELETE FROM cache WHERE place IN (SELECT place FROM cache WHERE expires_at <= ? LIMIT ?)", (now, limit)
        ).rowcount
        (count,) = connection.execute("SELECT count(*) FROM cache").fetchone()
        surplus = min(max(count - entries_max, 0), limit - over)
        if surplus:
            connection.execute(
                "DELETE FROM cache WHERE place IN (SELECT place FROM cache ORDER BY place LIMIT ?)", (surplus,)
            )
    return int(over + surplus)


def claim(
    connection: sqlite3.Connection, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None
) -> list[Loaded]:
    """Take what is due. This file has one session at a time, so every other owner is a dead one."""
    within, names = reading.among(among)
    with transaction(connection):
        fence(connection, lease)
        rows = connection.execute(
            f"SELECT {reading.INSTANCE_COLUMNS} FROM instance WHERE open AND owner > 0 AND owner < ?{within} LIMIT ?",
            (lease.epoch, *names, limit),
        ).fetchall()
        if len(rows) < limit:
            rows += connection.execute(
                f"SELECT {reading.INSTANCE_COLUMNS} FROM instance WHERE open AND owner = 0 AND wake_at <= ?{within} LIMIT ?",
                (now, *names, limit - len(rows)),
            ).fetchall()
        if len(rows) < limit:
            # Beginning with the mail (the `+` keeps the index of who sleeps out of it): there may be very many who sleep, and
            # few of them have some.
            rows += connection.execute(
                f"SELECT {reading.INSTANCE_COLUMNS} FROM instance"
                " WHERE number IN (SELECT instance FROM inbox WHERE NOT consumed)"
                f" AND open AND +owner = 0 AND (+wake_at IS NULL OR +wake_at > ?){within} LIMIT ?",
                (now, *names, limit - len(rows)),
            ).fetchall()
        taken = [(lease.epoch, row[0]) for row in rows]
        connection.executemany("UPDATE instance SET owner = ?, wake_at = NULL WHERE number = ?", taken)
        return [reading.loaded(connection, reading.record((*row[:11], lease.epoch, None))) for row in rows]


def vacuum(connection: sqlite3.Connection) -> None:
    """Give some free pages back to the file system."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > VACUUM_PAGES:
        # Not `execute`: the statement gives no rows, so that would step it once, and each step frees one page only.
        connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
