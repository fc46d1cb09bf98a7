"""What SqliteStore promises of its file: settings, size, room, and clear words where it cannot be opened."""

# ruff: noqa: ASYNC230, ASYNC240 (the files are what is tested, and nobody else waits for this loop)

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from mainspring.errors import StoreCorrupt, StoreError, StoreTooNew
from mainspring.journal.records import CacheRow, Lease, Write
from mainspring.stores.migration_files import checksum, text_of
from mainspring.stores.sqlite import SqliteStore, migrations, writing
from mainspring.stores.sqlite.connection import WAL_BYTES_MAX, WAL_PAGES
from mainspring.testing.store_contract.ground import NOW, TTL, begin, blob, message, more, numbers_of, order

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def lease(store: SqliteStore) -> Lease:
    return await store.acquire("tests", NOW, TTL)


def _size(path: str, suffix: str = "") -> int:
    file = Path(path + suffix)
    return file.stat().st_size if file.exists() else 0


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mainspring")]


# --- size -------------------------------------------------------------------------------------------------------------


async def steps_of_a_claim(path: str, sleepers: int) -> int:
    """Tens of steps of SQLite's machine to claim one that has mail and one whose time has come, beside so many who sleep."""
    store = SqliteStore(path)
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    await store.commit(lease, [begin(number, owner=0) for number in range(1, sleepers + 1)])
    await store.commit(lease, [begin(sleepers + 1, owner=0), begin(sleepers + 2, owner=0, wake_at=NOW - 1)])
    await store.post(message("wake", sleepers + 1))
    steps = [0]

    def count() -> None:
        steps[0] += 1

    connection = sqlite3.connect(path, isolation_level=None)
    connection.set_progress_handler(count, 10)
    taken = [one.record.number for one in writing.claim(connection, lease, NOW, 10)]
    connection.close()
    await store.close()
    assert taken == [sleepers + 2, sleepers + 1]
    return steps[0]


async def test_a_claim_costs_no_more_where_very_many_sleep(tmp_path: Path) -> None:
    """Each message that came had all sleepers looked at: 19 ms beside 30,000 of them."""
    few = await steps_of_a_claim(str(tmp_path / "few.db"), 100)
    many = await steps_of_a_claim(str(tmp_path / "many.db"), 5_000)
    assert many < 1.2 * few, (few, many)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_the_settings_are_those_that_are_promised(path: str, durability: Any, synchronous: int) -> None:
    store = SqliteStore(path, durability=durability)
    await store.open()
    writer = {
        name: await store._writer.run(lambda c, name=name: c.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("journal_mode", "synchronous", "auto_vacuum", "wal_autocheckpoint", "application_id")
    }
    (query_only,) = await store._reader.run(lambda c: c.execute("PRAGMA query_only").fetchone())
    await store.close()
    assert writer == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "auto_vacuum": 2,
        "wal_autocheckpoint": WAL_PAGES,
        "application_id": migrations.APPLICATION_ID,
    }
    assert query_only == 1


async def test_closing_leaves_one_whole_file_and_no_thread(path: str) -> None:
    store = SqliteStore(path)
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    await store.commit(lease, [begin(1)])
    await store.find("i-1")
    await store.close()
    assert not _threads()
    assert not Path(path + "-wal").exists()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_two_stores_in_one_process(tmp_path: Path) -> None:
    stores = [SqliteStore(str(tmp_path / f"{name}.db")) for name in "ab"]
    for store in stores:
        await store.open()
    leases = [await store.acquire("tests", NOW, TTL) for store in stores]
    await asyncio.gather(
        *[
            store.commit(lease, [begin(number)])
            for number in range(1, 30)
            for store, lease in zip(stores, leases, strict=True)
        ]
    )
    for store in stores:
        assert len(await numbers_of(store)) == 29
        await store.close()


# --- size -------------------------------------------------------------------------------------------------------------


async def test_the_log_stays_small_while_much_is_written(store: SqliteStore, lease: Lease, path: str) -> None:
    largest = 0
    for number in range(1, 61):
        await store.commit(lease, [begin(number), more(number, 2, blobs=_megabyte(number))])
        largest = max(largest, _size(path, "-wal"))
    assert _size(path) + largest > 50 << 20
    assert largest < 3 * WAL_PAGES * PAGE


def _megabyte(number: int) -> tuple[Any, ...]:
    part = blob(number, 2)
    return tuple(part.__class__(number, 2, n, b"x" * (256 << 10), 0) for n in range(4))


async def test_the_log_is_cut_back_once_a_long_reader_is_gone(store: SqliteStore, lease: Lease, path: str) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turn").fetchall()
    for number in range(1, 81):
        await store.commit(lease, [begin(number), more(number, 2, blobs=_megabyte(number))])
    assert _size(path, "-wal") > WAL_BYTES_MAX, "a reader that stays holds the log; else this test shows nothing"
    reader.close()
    for number in range(81, 84):
        await store.commit(lease, [begin(number), more(number, 2, blobs=_megabyte(number))])
    await asyncio.gather(*[store.commit(lease, [begin(number)]) for number in range(84, 90)])
    assert _size(path, "-wal") <= WAL_BYTES_MAX


async def test_the_file_shrinks_after_deletes(store: SqliteStore, lease: Lease, path: str) -> None:
    large = [order(f"o{number}", 1).__class__(f"o{number}", 1, "event", b"x" * 20_000, NOW) for number in range(400)]
    await store.commit(lease, [begin(1), Write(1, outbox=tuple(large))])
    full = (await store.facts()).bytes
    await store.sent(lease, [row.id for row in large])
    for _ in range(12):
        lease = await store.renew(lease, NOW, TTL)
    assert (await store.facts()).bytes < full / 4
    await store.close()
    assert _size(path) < full / 4


# --- room -------------------------------------------------------------------------------------------------------------


async def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (512 << 10))
    store = SqliteStore(str(small_disk / "store.db"))
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    kept = 0
    with pytest.raises(StoreError, match="disk is full"):
        for number in range(1, 100):
            await store.commit(lease, [begin(number), more(number, 2, blobs=_megabyte(number)[:1])])
            kept = number
    assert 0 < kept < 99
    for _ in range(3):
        with pytest.raises(StoreError, match="disk is full"):
            await store.commit(lease, [begin(99), more(99, 2, blobs=_megabyte(99)[:3])])
    assert sorted(await numbers_of(store)) == list(range(1, kept + 1)), "reading goes on"
    ballast.unlink()
    await store.commit(lease, [begin(98), more(98, 2)])
    await store.close()
    again = SqliteStore(str(small_disk / "store.db"))
    await again.open()
    assert sorted(await numbers_of(again)) == [*range(1, kept + 1), 98]
    assert await again._writer.run(lambda c: c.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
    await again.close()


async def test_a_bound_on_pages_is_like_a_full_disk(store: SqliteStore, lease: Lease) -> None:
    await store.commit(lease, [begin(1)])
    await store._writer.run(lambda c: c.execute("PRAGMA max_page_count = 60").fetchall())
    with pytest.raises(StoreError, match=r"the disk is full.*Nothing was lost"):
        await store.commit(lease, [begin(2), more(2, 2, blobs=_megabyte(2))])
    assert await numbers_of(store) == [1]
    await store._writer.run(lambda c: c.execute("PRAGMA max_page_count = 1073741823").fetchall())
    await store.commit(lease, [begin(2), more(2, 2, blobs=_megabyte(2))])
    assert await numbers_of(store) == [2, 1]


# --- opening ----------------------------------------------------------------------------------------------------------


async def _refused(store: SqliteStore, kind: type[StoreError], *words: str) -> None:
    with pytest.raises(kind) as refused:
        await store.open()
    assert type(refused.value) is kind
    for word in (Path(store.path).name, *words):
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not _threads(), "an open that fails leaves no thread behind"


async def test_what_is_no_database(path: str) -> None:
    Path(path).write_text("nodes: []\n" * 1_000)
    await _refused(SqliteStore(path), StoreCorrupt, "Is it a mainspring store?")
    assert Path(path).read_text() == "nodes: []\n" * 1_000


async def test_another_applications_database(path: str) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    other.close()
    await _refused(SqliteStore(path), StoreCorrupt, "not one of mainspring's")
    await _refused(SqliteStore(path, read_only=True), StoreCorrupt, "not one of mainspring's")
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 7")
        other.execute("PRAGMA user_version = 1")
    other.close()
    await _refused(SqliteStore(path), StoreCorrupt, "not one of mainspring's")


async def _made(path: str, *statements: str) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as other:
        for statement in statements:
            other.execute(statement)
    other.close()


async def test_a_newer_schema(path: str) -> None:
    await _made(path, "PRAGMA user_version = 99")
    await _refused(SqliteStore(path), StoreTooNew, "schema 99", "newer")
    await _refused(SqliteStore(path, read_only=True), StoreTooNew, "schema 99")


def _of_the_first_schema(path: str) -> None:
    """A file as the first version of mainspring made it, before there was a result cache."""
    (text,) = [text_of(migrations.PACKAGE, name) for name in migrations.MIGRATIONS[:1]]
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.executescript(text)
        other.execute("CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT, checksum TEXT)")
        row = (1, migrations.MIGRATIONS[0], checksum(text))
        other.execute("INSERT INTO migration VALUES (?, ?, ?)", row)
        other.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        other.execute("PRAGMA user_version = 1")
    other.close()


async def test_a_file_of_the_first_schema_is_migrated(path: str) -> None:
    _of_the_first_schema(path)
    store = SqliteStore(path)
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    row = CacheRow(b"key", NOW + 1, b"body", crc32(b"body"))
    await store.commit(lease, [begin(1), Write(1, cached=(row,))])
    assert await store.cached(b"key", NOW) == row
    assert (await store.facts()).schema == len(migrations.MIGRATIONS)
    await store.close()


async def test_whoever_only_looks_reads_the_first_schema_and_leaves_it(path: str) -> None:
    _of_the_first_schema(path)
    store = SqliteStore(path, read_only=True)
    await store.open()
    assert await store.instances() == []
    assert (await store.facts()).schema == 1
    await store.close()


async def test_an_edited_migration(path: str) -> None:
    await _made(path, "UPDATE migration SET checksum = 'other'")
    await _refused(SqliteStore(path), StoreCorrupt, migrations.MIGRATIONS[0])


async def test_a_folder(path: str) -> None:
    Path(path).mkdir()
    await _refused(SqliteStore(path), StoreError, "it is a folder")
    await _refused(SqliteStore(path, read_only=True), StoreError, "it is a folder")


async def test_a_missing_folder(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "store.db")
    await _refused(SqliteStore(path), StoreError, "there is no folder", "nowhere")
    assert not (tmp_path / "nowhere").exists()


async def test_looking_at_what_is_not_there_makes_nothing(path: str) -> None:
    await _refused(SqliteStore(path, read_only=True), StoreError, "does it exist")
    assert not Path(path).exists()
    Path(path).touch()
    await _refused(SqliteStore(path, read_only=True), StoreError, "is empty")
    assert _size(path) == 0


async def test_a_read_only_store_refuses_to_write(path: str) -> None:
    await _made(path)
    store = SqliteStore(path, read_only=True)
    await store.open()
    with pytest.raises(StoreError, match="read only"):
        await store.acquire("tests", NOW, TTL)
    assert await store.instances() == []
    await store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become a user who may not write")
async def test_a_file_that_we_may_not_write() -> None:
    place = tempfile.mkdtemp()
    os.chmod(place, 0o755)
    await _made(f"{place}/store.db")
    os.chmod(f"{place}/store.db", 0o444)
    store = SqliteStore(f"{place}/store.db", inline=True)
    os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match=r"store\.db"):
            await store.open()
    finally:
        os.seteuid(0)
        shutil.rmtree(place)


async def test_a_page_damaged_in_the_middle_is_corrupt_and_not_an_sqlite_error(path: str) -> None:
    store = SqliteStore(path)
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    for number in range(1, 400):
        await store.commit(lease, [begin(number), more(number, *range(2, 12))])
    await store.close()
    size = _size(path)
    with open(path, "r+b") as file:
        for page in range(14, size // PAGE):
            file.seek(page * PAGE)
            file.write(b"\xff" * 64)
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(StoreCorrupt, match="backup"):
        for number in range(1, 400):
            await store.load(f"i-{number}")
    await store.close()


async def test_odd_names_of_files(tmp_path: Path) -> None:
    path = str(tmp_path / "a b?c#d%20é'.db")
    store = SqliteStore(path)
    await store.open()
    assert (await store.facts()).instances == 0
    await store.close()
    assert Path(path).is_file()
