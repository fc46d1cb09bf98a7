"""What PostgresStore promises of its schema, its connections and its errors."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from mainspring.assembly import open_store
from mainspring.errors import NotOwner, StoreCorrupt, StoreError, StoreTooNew, UnknownInstance
from mainspring.journal.records import Lease, Write
from mainspring.stores.postgres import PostgresStore, migrations
from mainspring.stores.postgres.address import SCHEMA_CHARS_MAX, address_of
from mainspring.stores.postgres.connection import connect
from mainspring.stores.postgres.store import POOL_CONNECTIONS_MAX
from mainspring.testing.postgres_server import drop, fresh_url
from mainspring.testing.store_contract.ground import NOW, TTL, asleep, begin, message, more, numbers_of
from mainspring.testing.store_contract.retention import whole


@pytest.fixture
async def url() -> AsyncIterator[str]:
    found = fresh_url()
    yield found
    await drop(found)


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def lease(store: PostgresStore) -> Lease:
    return await store.acquire("tests", NOW, TTL)


@pytest.fixture
async def beside(url: str) -> AsyncIterator[Any]:
    """A connection that is not the store's, in its schema."""
    address = address_of(url)
    connection = await asyncpg.connect(address.dsn, server_settings={"search_path": address.schema})
    yield connection
    await connection.close()


# --- the URL ----------------------------------------------------------------------------------------------------------


def test_a_url_is_taken_apart() -> None:
    plain = address_of("postgresql://ada@db:5433/orders")
    assert (plain.dsn, plain.schema, plain.shown) == (
        "postgresql://ada@db:5433/orders", "mainspring", "postgresql://ada@db:5433/orders",
    )  # fmt: skip
    socket = address_of("postgresql:///orders?host=/var/run/postgresql&schema=test_1")
    assert (socket.dsn, socket.schema) == ("postgresql:///orders?host=/var/run/postgresql", "test_1")


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:secret@db/orders?schema=a", "postgres://db/orders?user=ada&password=secret&sslmode=require"],
)
def test_a_password_is_never_shown(url: str) -> None:
    address = address_of(url)
    assert "secret" in address.dsn
    assert "secret" not in address.shown
    assert "secret" not in PostgresStore(url).url


@pytest.mark.parametrize("schema", ["A", "a-b", "1a", "", "a" * (SCHEMA_CHARS_MAX + 1), "a;drop"])
def test_a_schema_that_cannot_be(schema: str) -> None:
    with pytest.raises(StoreError, match="schema="):
        open_store(f"postgresql://db/orders?schema={schema}")


@pytest.mark.parametrize("place", ["h:x", "a:b@h:x", "h1:1,h2:", "[::1]:x"])
def test_a_port_that_is_no_number(place: str) -> None:
    with pytest.raises(StoreError, match="a port is a number"):
        open_store(f"postgresql://{place}/orders")


def test_a_url_without_a_place() -> None:
    with pytest.raises(StoreError, match="postgresql://USER@HOST:PORT/DATABASE"):
        open_store("postgresql:orders")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("127.0.0.1:1/test", "Does the server run"),
        ("127.0.0.1/nowhere_at_all", "Create it first"),
    ],
)
async def test_a_server_that_does_not_let_us_in(url: str, place: str, words: str) -> None:
    port = address_of(url).dsn.rpartition("@")[2].partition("/")[0]
    user = address_of(url).dsn.split("//")[1].partition("@")[0]
    store = PostgresStore(f"postgresql://{user}@{place.replace('127.0.0.1/', port + '/')}")
    with pytest.raises(StoreError, match=words):
        await store.open()
    await store.close()


# --- the schema -------------------------------------------------------------------------------------------------------


async def test_looking_creates_nothing(url: str, beside: Any) -> None:
    store = open_store(url, read_only=True)
    with pytest.raises(StoreError, match="run something there first"):
        await store.open()
    await store.close()
    assert await beside.fetchval("SELECT to_regnamespace($1)", address_of(url).schema) is None


async def test_a_reader_sees_all_and_changes_nothing(url: str, store: PostgresStore, lease: Lease) -> None:
    await store.commit(lease, [begin(1)])
    reader = open_store(url, read_only=True)
    await reader.open()
    assert await numbers_of(reader) == [1]
    with pytest.raises(StoreError, match="read-only"):
        await reader.post(message("m", 1))
    with pytest.raises(StoreError, match="read-only"):
        await reader.commit(lease, [begin(2)])
    await reader.close()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_schema_is_refused(url: str, store: PostgresStore, beside: Any, read_only: bool) -> None:
    await beside.execute("INSERT INTO migration VALUES (99, '0099_later.sql', '')")
    with pytest.raises(StoreTooNew, match=r"schema 99.*use a newer one"):
        await open_store(url, read_only=read_only).open()


async def test_an_edited_migration_is_found_out(url: str, store: PostgresStore, beside: Any) -> None:
    await beside.execute("UPDATE migration SET checksum = 'x' WHERE version = 1")
    with pytest.raises(StoreCorrupt, match=r"0001_begin\.sql was applied with other contents"):
        await PostgresStore(url).open()


async def test_a_migration_that_fails_leaves_nothing(url: str, beside: Any) -> None:
    schema = address_of(url).schema
    await beside.execute(f"CREATE SCHEMA {schema}")
    await beside.execute("CREATE TABLE turn (mine INTEGER)")  # somebody else's
    with pytest.raises(StoreError, match="turn"):
        await PostgresStore(url).open()
    found = await beside.fetch("SELECT relname FROM pg_class WHERE relnamespace = $1::TEXT::REGNAMESPACE", schema)
    assert [row[0] for row in found] == ["turn"]


async def test_every_migration_is_a_file_that_is_listed() -> None:
    from importlib import resources

    files = sorted(one.name for one in resources.files(migrations.PACKAGE).iterdir() if one.name.endswith(".sql"))
    assert files == sorted(migrations.MIGRATIONS)


async def test_what_is_asked_often_is_asked_by_index(store: PostgresStore, lease: Lease) -> None:
    """A plan that read whole tables would be made while they are empty, and kept when they are not."""
    for number in range(1, 400):
        await store.commit(lease, [begin(number, lease.epoch)])
    async with store._pool.acquire() as connection:
        for query in (
            "SELECT min(wake_at) FROM instance WHERE open AND owner = 0",
            "SELECT number FROM instance WHERE open AND owner = 7 LIMIT 5",
            "SELECT count(*) FROM instance WHERE number = ANY ('{1,2,3}') AND owner = 7",
            "SELECT 1 FROM inbox JOIN instance ON number = instance WHERE NOT consumed AND owner = 7 ORDER BY arrival",
            "SELECT position FROM commit_group WHERE position > 5 ORDER BY position LIMIT 3",
        ):
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
            assert "Seq Scan" not in plan, f"{query}\n{plan}"


async def test_a_claim_looks_at_what_is_due_and_not_at_all_that_sleeps(store: PostgresStore, lease: Lease) -> None:
    """It is made at each message: thousands that sleep must not make it slow."""
    for first in range(1, 5_000, 1_000):
        numbers = range(first, first + 1_000)
        await store.commit(lease, [begin(number) for number in numbers])
        await store.commit(lease, [Write(number, change=asleep(NOW + 10 * TTL)) for number in numbers])
    gone = await store.acquire("gone", NOW, TTL)
    await store.commit(gone, [begin(number, gone.epoch) for number in range(10_001, 10_021)])
    await store.release(gone)
    await asyncio.gather(*[store.post(message(f"m{number}", number)) for number in range(1, 21)])
    touched = (
        "SELECT coalesce(seq_tup_read + idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relid = $1::REGCLASS"
    )
    async with store._pool.acquire() as connection, connection.transaction():
        claimed = await connection.fetch("SELECT * FROM claim_due($1, $2, 100, 1, NULL)", lease.epoch, NOW)
        assert len(claimed) == 40
        assert await connection.fetchval(touched, "instance") < 300


# --- connections ------------------------------------------------------------------------------------------------------


async def _pids(store: PostgresStore) -> list[int]:
    pids = [holder._con.get_server_pid() for holder in store._pool._holders if holder._con is not None]
    connection = store._writer._connection
    return [*pids, *([connection.get_server_pid()] if connection is not None else [])]


async def test_lost_connections_are_made_anew(store: PostgresStore, lease: Lease, beside: Any) -> None:
    await store.commit(lease, [begin(1, lease.epoch)])
    for seq in (2, 3):
        pids = await _pids(store)
        assert len(pids) >= 2
        for pid in pids:
            await beside.execute("SELECT pg_terminate_backend($1)", pid)
        await _tried_again(lambda: store.find("i-1"))
        await _tried_again(lambda seq=seq: store.commit(lease, [more(1, seq)]))
    assert await store.renew(lease, NOW, TTL)


async def _tried_again(verb: Any, times: int = 10) -> Any:
    """What whoever uses a store does: a StoreError is tried again, a moment later."""
    for _ in range(times):
        try:
            return await verb()
        except StoreError as error:
            assert not isinstance(error, NotOwner)
            assert "no connection" in str(error) or "no answer" in str(error)
            await asyncio.sleep(0.05)
    raise AssertionError("it never came back")


async def test_a_commit_whose_connection_is_lost_is_whole_or_not_there(
    url: str, store: PostgresStore, lease: Lease, beside: Any
) -> None:
    await store.commit(lease, [begin(1, lease.epoch)])
    pid = store._writer._connection.get_server_pid()
    await beside.execute("BEGIN")
    await beside.execute("LOCK TABLE commit_group IN EXCLUSIVE MODE")  # its last statement waits
    commit = store.commit(lease, [more(1, 2), begin(2, lease.epoch)])
    async with asyncio.timeout(10):
        while not await beside.fetchval("SELECT true FROM pg_locks WHERE pid = $1 AND NOT granted", pid):
            await asyncio.sleep(0.01)
    await beside.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(StoreError, match="no connection"):
        await commit
    await beside.execute("ROLLBACK")
    assert await numbers_of(store) == [1]
    await store.commit(lease, [more(1, 2), begin(2, lease.epoch)])
    assert await numbers_of(store) == [2, 1]


async def test_what_a_claim_took_whose_answer_was_lost_is_given_again(
    store: PostgresStore, lease: Lease, beside: Any
) -> None:
    await store.commit(lease, [begin(number, lease.epoch) for number in (1, 2, 3)])
    second = await store.acquire("second", NOW + TTL, TTL)
    await beside.execute("BEGIN")
    await beside.execute("LOCK TABLE snapshot IN ACCESS EXCLUSIVE MODE")  # it has claimed, and reads what it has
    claim = asyncio.ensure_future(store.claim(second, NOW + TTL, 2))
    find = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'snapshot'::REGCLASS"
    async with asyncio.timeout(10):
        while (pid := await beside.fetchval(find)) is None:
            await asyncio.sleep(0.01)
    await beside.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(StoreError):
        await claim
    await beside.execute("ROLLBACK")
    first = {one.record.number for one in await store.claim(second, NOW + TTL, 10)}
    rest = {one.record.number for one in await store.claim(second, NOW + TTL, 10)}
    assert (len(first), first | rest) == (2, {1, 2, 3})
    assert await store.claim(second, NOW + TTL, 10) == []


async def test_a_stopped_engine_is_not_waited_for(store: PostgresStore, lease: Lease, beside: Any) -> None:
    """Between its verbs a store holds no lock and no transaction open, whatever it has done before."""
    await store.commit(lease, [begin(1, lease.epoch)])
    await store.claim(lease, NOW, 10)
    await store.load("i-1")
    pids = await _pids(store)
    rows = await beside.fetch("SELECT state FROM pg_stat_activity WHERE pid = ANY ($1)", pids)
    assert {row[0] for row in rows} == {"idle"}
    assert await beside.fetchval("SELECT count(*) FROM pg_locks WHERE pid = ANY ($1)", pids) == 0


async def test_readers_do_not_wait_for_the_writer(store: PostgresStore, lease: Lease, beside: Any) -> None:
    await store.commit(lease, [begin(1, lease.epoch)])
    await beside.execute("BEGIN")
    await beside.execute("UPDATE counter SET value = value WHERE name = 'position'")
    commit = store.commit(lease, [more(1, 2)])
    assert not commit.done()
    async with asyncio.timeout(10):
        loaded = await store.load("i-1")
        assert loaded is not None
        assert [row.seq for row in loaded.rows] == [1]
        await store.post(message("m", 1))
        assert len(await store.follow(0, 10)) == 1
    await beside.execute("COMMIT")
    await commit


async def test_a_listener_hears_again_after_its_connection_was_lost(
    store: PostgresStore, lease: Lease, beside: Any
) -> None:
    woken = asyncio.Event()
    stop = store.listen(woken.set)
    await asyncio.wait_for(woken.wait(), 10)
    woken.clear()
    find = "SELECT pid FROM pg_stat_activity WHERE application_name = 'mainspring' AND query LIKE $1"
    (row,) = await beside.fetch(find, f"LISTEN%{address_of(store.dsn).schema}%")
    await beside.execute("SELECT pg_terminate_backend($1)", row[0])
    await asyncio.wait_for(woken.wait(), 10)  # there may have been something meanwhile
    woken.clear()
    await beside.execute("SELECT tell('0')")
    await asyncio.wait_for(woken.wait(), 10)
    stop()


async def test_as_many_connections_as_are_promised(store: PostgresStore, lease: Lease, beside: Any) -> None:
    await store.commit(lease, [begin(1, lease.epoch)])
    await asyncio.gather(*[store.load("i-1") for _ in range(50)], *[store.commit(lease, []) for _ in range(50)])
    assert len(await _pids(store)) <= POOL_CONNECTIONS_MAX + 1


async def test_a_store_that_is_closed_leaves_no_connection(url: str, beside: Any) -> None:
    store = PostgresStore(url)
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    store.listen(lambda: None)
    await store.commit(lease, [begin(1)])
    pids = await _pids(store)
    await store.close()
    async with asyncio.timeout(10):
        while await beside.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)", pids):
            await asyncio.sleep(0.01)
    with pytest.raises(StoreError, match="is not open"):
        await store.find("i-1")


async def test_who_stops_to_wait_for_a_connection_leaves_none(url: str) -> None:
    """However far it has come: an engine that stops as soon as it has begun stops its ear while that connects."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for iterations in range(0, 10_000, 2):
            connecting = asyncio.create_task(connect(address_of(url)))
            for _ in range(iterations):
                await asyncio.sleep(0)
            if connecting.done():
                await (await connecting).close()
                break
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        del connecting
        gc.collect()
    assert iterations
    assert not [str(one.message) for one in seen if issubclass(one.category, ResourceWarning)]


@pytest.mark.parametrize(("durability", "setting"), [("full", "on"), ("normal", "off")])
async def test_durability_is_what_was_asked_for(url: str, durability: Any, setting: str) -> None:
    store = PostgresStore(url, durability=durability)
    await store.open()
    found = await store._writer.run(lambda connection: connection.fetchval("SHOW synchronous_commit"))
    await store.close()
    assert found == setting


async def test_a_schema_that_is_dropped_while_it_is_in_use(store: PostgresStore, lease: Lease, url: str) -> None:
    await drop(url)
    with pytest.raises(StoreError, match="dropped"):
        await store.commit(lease, [begin(1)])
    with pytest.raises(StoreError, match="dropped"):
        await store.find("i-1")


# --- posting and removing at once -------------------------------------------------------------------------------------


POST = "SELECT post_messages($1, $2, $3, $4)"
REMOVE = "SELECT remove_instances($1, $2, $3)"


async def test_what_somebody_posts_to_is_not_removed_meanwhile(store: PostgresStore, lease: Lease, beside: Any) -> None:
    for write in whole(1):
        await store.commit(lease, [write])
    posting = beside.transaction()
    await posting.start()
    assert await beside.fetchval(POST, ["m"], [1], [b"late"], [NOW]) == [1]
    assert await store.remove(lease, [[1]]) == [], "it is left for the next time, and nobody waits"
    await posting.commit()
    assert await store.remove(lease, [[1]]) == [1]
    assert await beside.fetchval("SELECT count(*) FROM inbox") == 0


async def test_who_posts_to_what_is_being_removed_is_told_that_it_is_gone(
    store: PostgresStore, lease: Lease, beside: Any
) -> None:
    for write in whole(1):
        await store.commit(lease, [write])
    removing = beside.transaction()
    await removing.start()
    assert await beside.fetchval(REMOVE, lease.epoch, [1], [0]) == [1]
    posting = asyncio.ensure_future(store.post(message("m", 1)))
    while not await beside.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"):
        assert not posting.done(), "it did not wait to see what becomes of the instance"
    await removing.commit()
    with pytest.raises(UnknownInstance):
        await posting
    assert await beside.fetchval("SELECT count(*) FROM inbox") == 0
