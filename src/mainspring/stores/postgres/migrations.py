"""The schema's versions, each a .sql file with a checksum. A database of a later version is refused, never touched."""

from __future__ import annotations

from mainspring.errors import NothingYet, StoreError
from mainspring.stores.migration_files import checksum, text_of, verify
from mainspring.stores.postgres.address import Address
from mainspring.stores.postgres.connection import Connection

PACKAGE = "mainspring.stores.postgres"

MIGRATIONS = (
    "0001_begin.sql",
    "0002_verbs.sql",
    "0003_retention.sql",
    "0004_late_renewals.sql",
    "0005_posts_hold.sql",
)


async def migrate(connection: Connection, address: Address) -> None:
    """Bring the schema to this version's, in one transaction, alone. Raises StoreTooNew, StoreCorrupt."""
    if await version_of(connection, address) == len(MIGRATIONS):
        return
    async with connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"mainspring:{address.schema}"
        )
        done = await version_of(connection, address)
        if not done:
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {address.schema}")
            await connection.execute("CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT, checksum TEXT)")
        for version, name in enumerate(MIGRATIONS, start=1):
            if version > done:
                text = text_of(PACKAGE, name)
                await connection.execute(text)
                await connection.execute("INSERT INTO migration VALUES ($1, $2, $3)", version, name, checksum(text))


async def version_of(connection: Connection, address: Address) -> int:
    """The schema's version, 0 where there is none. Raises StoreTooNew, StoreCorrupt."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{address.schema}.migration") is None:
        return 0
    rows = await connection.fetch("SELECT version, name, checksum FROM migration ORDER BY version")
    return verify(PACKAGE, MIGRATIONS, [tuple(row) for row in rows], address.shown)


async def check_begun(connection: Connection, address: Address) -> None:
    """The same for whoever only looks. Raises NothingYet, and StoreError where the schema is too old."""
    version = await version_of(connection, address)
    if not version:
        raise NothingYet(f"{address.shown}: there is no store yet: run something there first")
    if version < len(MIGRATIONS):
        raise StoreError(
            f"{address.shown} has schema {version}; this mainspring reads {len(MIGRATIONS)}: run something there first"
        )
