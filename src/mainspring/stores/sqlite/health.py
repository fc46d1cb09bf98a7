"""How a store's file is, for `mainspring doctor`. It only looks: nothing is created, no lock is taken, nothing is written.

A reader of a WAL file that closes last folds the WAL into the file, and that is a write. So the file is opened with
`mode=ro`, and where there is no WAL (nobody has it open, the last one left in good order) with `immutable=1`, which leaves
no -wal and no -shm behind. Should somebody open the store meanwhile, the look is taken again.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from msgspec import Struct

from mainspring.errors import StoreCorrupt, StoreError
from mainspring.journal.records import Lease
from mainspring.stores.sqlite import migrations
from mainspring.stores.sqlite.connection import explained

FAULTS_MAX = 3
OPS_PER_LOOK_AT_THE_CLOCK = 10_000
BUSY_SECONDS = 1.0


class Health(Struct, frozen=True, kw_only=True):
    """What was seen. `checked` is False where the time was over before the whole file had been gone through.

    `unseen_wal`: there is a WAL that could not be read from here, so the newest commits are missing in all else.
    """

    schema: int
    bytes: int
    wal_bytes: int
    statuses: dict[str, int]
    open: int
    newest: int | None
    lease: Lease | None
    faults: tuple[str, ...]
    checked: bool
    unseen_wal: bool = False


def examine(path: str, seconds: float) -> Health:
    """Look for at most about so many seconds. Raises StoreError, StoreCorrupt, StoreTooNew; never creates the file."""
    place = Path(path).absolute()
    if place.is_dir():
        raise StoreError(f"cannot open {path}: it is a folder, not a file")
    if not place.is_file():
        raise StoreError(f"there is no store {path}")
    try:
        if _wal_bytes(path) == 0:
            seen = _look(path, "mode=ro&immutable=1", seconds)
            if _wal_bytes(path) == 0:
                return seen
        return _look_beside_a_wal(path, seconds)
    except sqlite3.Error as error:
        raise explained(path, error) from error


def _look_beside_a_wal(path: str, seconds: float) -> Health:
    try:
        return _look(path, "mode=ro", seconds)
    except sqlite3.OperationalError as error:
        # The index of the WAL cannot be made where we may not write: the file without it is better than nothing.
        if "unable to open" not in str(error) and "readonly" not in str(error):
            raise
        from msgspec.structs import replace

        return replace(_look(path, "mode=ro&immutable=1", seconds), unseen_wal=True)


def _look(path: str, how: str, seconds: float) -> Health:
    connection = sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    until = time.monotonic() + seconds
    try:
        connection.set_progress_handler(lambda: time.monotonic() > until, OPS_PER_LOOK_AT_THE_CLOCK)
        return _seen(connection, path)
    finally:
        connection.close()


def _seen(connection: sqlite3.Connection, path: str) -> Health:
    schema = migrations.check(connection, path)
    size = Path(path).stat().st_size
    if not schema:
        return Health(
            schema=0, bytes=size, wal_bytes=_wal_bytes(path), statuses={}, open=0, newest=None, lease=None, faults=(),
            checked=True,
        )  # fmt: skip
    _refuse_cut_off(connection, path, size)
    epoch, holder, expires_at = connection.execute("SELECT epoch, holder, expires_at FROM lease").fetchone()
    (newest,) = connection.execute("SELECT max(created_at) FROM instance WHERE number > "
                                   "(SELECT max(number) - 100 FROM instance)").fetchone()  # fmt: skip
    (still_open,) = connection.execute("SELECT count(*) FROM instance WHERE open").fetchone()
    statuses = _statuses(connection)
    faults, checked = _checked(connection)
    return Health(
        schema=schema,
        bytes=size,
        wal_bytes=_wal_bytes(path),
        statuses=statuses,
        open=still_open,
        newest=newest,
        lease=Lease(epoch, holder, expires_at) if holder else None,
        faults=faults,
        checked=checked,
    )


def _refuse_cut_off(connection: sqlite3.Connection, path: str, size: int) -> None:
    """A file that is shorter than it says of itself. With a WAL the rest may stand there."""
    pages, page = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if size < pages * page and not _wal_bytes(path):
        raise StoreCorrupt(f"{path} is cut off: {size:,} bytes of {pages * page:,}. Restore it from a backup.")


def _statuses(connection: sqlite3.Connection) -> dict[str, int]:
    """How many instances have each status; empty where the time did not suffice to count."""
    try:
        rows = connection.execute("SELECT status, count(*) FROM instance GROUP BY status ORDER BY count(*) DESC")
        return dict(rows.fetchall())
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return {}


def _checked(connection: sqlite3.Connection) -> tuple[tuple[str, ...], bool]:
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({FAULTS_MAX})")]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return (), False
    return () if found == ["ok"] else tuple(found), True


def _wal_bytes(path: str) -> int:
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0
