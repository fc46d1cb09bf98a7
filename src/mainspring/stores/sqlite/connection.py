"""How the file is opened: as its one writer, or as one of many readers.

There is exactly one writing connection in a process, and the lease keeps other processes from writing: SQLite before
3.51.3 can lose a WAL frame when two connections write and reset the WAL at once.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from mainspring.errors import StoreCorrupt, StoreError, StoreHeld

Durability = Literal["full", "normal"]

BUSY_MS = 10_000
"""How long a connection waits for another's short lock (a checkpoint, a takeover) before it is an error."""

WAL_PAGES = 2_000
"""A checkpoint is due when the WAL has so many pages (8 MiB)."""

WAL_BYTES_MAX = 64 * 1024 * 1024
"""The WAL file is cut back to this size after a checkpoint; a reader that stays long can make it grow beyond."""


CACHE_KIB = 8 * 1024
"""The writer's page cache. It appends and rarely looks back, so more would only be memory."""


def connect_writer(path: str, durability: Durability) -> sqlite3.Connection:
    """The writing connection. Raises StoreError, StoreCorrupt."""
    try:
        connection = _connect(path)
        # auto_vacuum can only be chosen before the first table exists.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{path}: this file system cannot do SQLite's write-ahead log (mode is {mode})")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.DatabaseError as error:
        raise explained(path, error) from error
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """A connection that cannot write. It never waits for the writer, nor the writer for it."""
    try:
        connection = _connect(path, create=False)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        raise explained(path, error) from error
    return connection


def _connect(path: str, *, create: bool = True) -> sqlite3.Connection:
    place = Path(path).absolute()
    if not place.parent.is_dir():
        raise StoreError(f"cannot open {path}: there is no folder {place.parent}")
    if place.is_dir():
        raise StoreError(f"cannot open {path}: it is a folder, not a file")
    return sqlite3.connect(
        f"{place.as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )


def explained(path: str, error: sqlite3.Error) -> StoreError:
    """SQLite's error in words that say which file and what to do."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return StoreCorrupt(f"{path}: {text}. Is it a mainspring store? If it was one, restore it from a backup.")
    if "locked" in text:
        return StoreHeld(
            f"{path}: another process has been in the middle of a write for {BUSY_MS // 1000} s. It may be stopped: let it"
            " go on, or kill it."
        )
    if "full" in text:
        return StoreError(f"{path}: the disk is full ({text}). Nothing was lost; free some space and go on.")
    if "unable to open" in text:
        return StoreError(f"cannot open {path}: {text} (does it exist, and may this user write there?)")
    return StoreError(f"{path}: {text}")
