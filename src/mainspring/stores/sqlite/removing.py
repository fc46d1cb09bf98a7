"""Retention: instances at their end are taken out, and the file gives back the room that they had.

What is taken out leaves free pages within the file. They are moved to its end and cut off a few at a time
(`incremental_vacuum`), each time in a commit of its own, so that nobody who commits waits long; the file itself becomes
shorter when the write-ahead log is folded into it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mainspring.journal.records import Lease
from mainspring.stores.sqlite.connection import BUSY_MS
from mainspring.stores.sqlite.writing import fence, transaction

FREED_PAGES_MAX = 256
"""How many free pages one call gives back (1 MiB)."""

INCREMENTAL = 2
"""What `PRAGMA auto_vacuum` says of a file that can give pages back. All that mainspring begins can."""

_STAYS = """SELECT 1 FROM instance AS one WHERE number = ?1 AND (
    open
    OR EXISTS (SELECT 1 FROM outbox WHERE instance = one.number)
    OR EXISTS (SELECT 1 FROM dead_letter WHERE instance = one.number)
    OR EXISTS (
        SELECT 1 FROM instance AS parent WHERE parent.id = one.parent
        AND (parent.open OR EXISTS (SELECT 1 FROM outbox WHERE instance = parent.number))
    )
)"""


def remove(connection: sqlite3.Connection, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
    """Lose those families of which nobody is needed; gives the numbers that went."""
    gone: list[int] = []
    with transaction(connection):
        fence(connection, lease)
        for family in families:
            if not any(connection.execute(_STAYS, (number,)).fetchone() for number in family):
                gone += [number for number in family if _removed(connection, number)]
    return gone


def _removed(connection: sqlite3.Connection, number: int) -> bool:
    for table in ("turn", "blob", "snapshot", "inbox"):
        connection.execute(f"DELETE FROM {table} WHERE instance = ?", (number,))
    return connection.execute("DELETE FROM instance WHERE number = ?", (number,)).rowcount == 1


def compact(connection: sqlite3.Connection, lease: Lease, after: int, limit: int) -> int | None:
    """Some of the groups without rows, and behind the last group some of the free pages. Where to go on."""
    with transaction(connection):
        fence(connection, lease)
        groups, whole = _page(connection, after, limit)
        (last,) = connection.execute("SELECT max(position) FROM commit_group").fetchone()
        # The last one stays: its position is what tells the next one's.
        empty = [(position,) for position, turns in groups if position != last and not _has_rows(connection, turns)]
        connection.executemany("DELETE FROM commit_group WHERE position = ?", empty)
    if whole:
        return groups[-1][0]
    # What is committed meanwhile makes new groups all the time, and they have their rows.
    return after if _freed(connection) else None


def _page(connection: sqlite3.Connection, after: int, limit: int) -> tuple[list[tuple[int, str]], bool]:
    """Groups after a position that name up to about `limit` rows, and whether there may be more."""
    groups: list[tuple[int, str]] = []
    rows = 0
    for group in connection.execute(
        "SELECT position, turns FROM commit_group WHERE position > ? ORDER BY position", (after,)
    ):
        groups.append(group)
        rows += group[1].count(",") + 1
        if rows >= limit:
            return groups, True
    return groups, False


def _has_rows(connection: sqlite3.Connection, turns: str) -> bool:
    entries = (entry.split(":") for entry in turns.split(",")) if turns else ()
    found = "SELECT 1 FROM turn WHERE instance = ? AND seq = ?"
    return any(connection.execute(found, (int(number), int(seq))).fetchone() for number, seq in entries)


def _freed(connection: sqlite3.Connection) -> bool:
    """Give some free pages back. False where there are none left, and then the file is cut."""
    before = _pragma(connection, "freelist_count")
    if before and _pragma(connection, "auto_vacuum") == INCREMENTAL:
        # Not `execute`: the statement gives no rows, so that would step it once, and each step frees one page only.
        connection.executescript(f"PRAGMA incremental_vacuum({FREED_PAGES_MAX})")
        if _pragma(connection, "freelist_count") < before:
            return True
    # Whoever reads just now keeps the log from being folded: that is not waited for, a later checkpoint does it.
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return False


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
