"""The schema's versions, each a .sql file with a checksum. A database of a later version is refused, never touched."""

from __future__ import annotations

import sqlite3

from mainspring.errors import StoreCorrupt, StoreError, StoreTooNew
from mainspring.stores.migration_files import checksum, text_of, verify

PACKAGE = "mainspring.stores.sqlite"

APPLICATION_ID = 0x6D737072  # "mspr": tells a mainspring store from any other SQLite file

MIGRATIONS = ("0001_begin.sql", "0002_result_cache.sql", "0003_dead_letters.sql", "0004_retention.sql")

READABLE_FROM = 1
"""The oldest schema that whoever only looks can read as it is. A table that came later is an empty one there."""


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to this version's schema, in one transaction. Raises StoreTooNew, StoreCorrupt."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection, path)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    done = check(connection, path)
    if not done:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT, checksum TEXT)")
    for version, name in enumerate(MIGRATIONS, start=1):
        if version > done:
            text = text_of(PACKAGE, name)
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?, ?)", (version, name, checksum(text)))
    if done < len(MIGRATIONS):
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def check(connection: sqlite3.Connection, path: str) -> int:
    """The file's schema version, 0 for a new file. Raises StoreTooNew, StoreCorrupt."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version == 0 and application == 0:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            raise StoreCorrupt(f"{path} is a database, but not one of mainspring's: choose another file")
        return 0
    if application != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is a database, but not one of mainspring's: choose another file")
    if version > len(MIGRATIONS):
        raise StoreTooNew(f"{path} has schema {version}; this mainspring knows {len(MIGRATIONS)}: use a newer one")
    rows = connection.execute("SELECT version, name, checksum FROM migration ORDER BY version").fetchall()
    verify(PACKAGE, MIGRATIONS, rows, path)
    return int(version)


def check_begun(connection: sqlite3.Connection, path: str) -> int:
    """The same for whoever only looks. Raises StoreError where there is nothing yet to look at, or too old a schema."""
    version = check(connection, path)
    if version < READABLE_FROM:
        state = f"has schema {version}; this mainspring reads {READABLE_FROM} and later" if version else "is empty"
        raise StoreError(f"{path} {state}: run something there first")
    return version


def _statements(text: str) -> list[str]:
    """The statements of a file. `executescript` would commit the transaction that we hold."""
    statements, current = [], ""
    for line in text.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
