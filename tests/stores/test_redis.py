"""What is Redis' own: addresses, what a server says that it survives, servers that are killed, answers that are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mainspring.assembly import open_store
from mainspring.errors import NothingYet, NotOwner, StoreCorrupt, StoreError, StoreTooNew
from mainspring.stores.redis import RedisStore
from mainspring.stores.redis.address import address_of
from mainspring.testing import redis_server
from mainspring.testing.redis_server import PrivateServer, drop, fresh_url
from mainspring.testing.store_contract.ground import NOW, TTL, begin, message, more, row


@pytest.fixture
def url() -> Iterator[str]:
    found = fresh_url()
    yield found
    drop(found)


@pytest.fixture
async def store(url: str) -> AsyncIterator[RedisStore]:
    found = RedisStore(url, durability="normal")
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    found = PrivateServer()
    found.start()
    yield found
    found.remove()


def test_addresses() -> None:
    found = address_of("redis://ann:secret@db:6380/2?prefix=orders&socket_timeout=5")
    assert found.prefix == "orders"
    assert found.dsn == "redis://ann:secret@db:6380/2?socket_timeout=5"
    assert found.shown == "redis://ann@db:6380/2?prefix=orders&socket_timeout=5"
    assert address_of("redis://db").prefix == "mainspring"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis:db", "names no server"),
        ("redis://db/orders", "is a number"),
        ("redis://db:x/0", "a port is a number"),
        ("redis://db/0?prefix=a{b", "cannot be"),
    ],
)
def test_addresses_that_cannot_be(url: str, why: str) -> None:
    with pytest.raises(StoreError, match=why):
        open_store(url)


async def test_nobody_there() -> None:
    with pytest.raises(StoreError, match="Does the server run"):
        await open_store("redis://127.0.0.1:1/0").open()
    with pytest.raises(StoreError, match="is not open"):
        await open_store("redis://127.0.0.1:1/0").find("x")


async def test_who_only_looks_makes_nothing(url: str) -> None:
    looking = open_store(url, read_only=True)
    with pytest.raises(NothingYet):
        await looking.open()
    store = open_store(url, durability="normal")
    await store.open()
    await looking.open()
    assert (await looking.facts()).instances == 0
    await looking.close()
    await store.close()


async def test_another_format_is_refused(url: str, store: RedisStore) -> None:
    for content, error in (("2", StoreTooNew), ("letters", StoreCorrupt)):
        await store._server.ask("SET", "format", content)
        with pytest.raises(error):
            await open_store(url).open()


async def test_it_says_what_the_server_may_lose(server: PrivateServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    url = fresh_url(server.url)

    async def told(name: str, value: str) -> str:
        store = RedisStore(url)
        await store.open()
        await store._server.client.config_set(name, value)
        caplog.clear()
        await store.close()
        again = RedisStore(url)
        await again.open()
        await again.close()
        return caplog.text

    assert await told("appendfsync", "always") == ""
    assert "a power loss takes the last second" in await told("appendfsync", "everysec")
    assert "keeps no append-only file" in await told("appendonly", "no")
    assert "maxmemory-policy is allkeys-lru" in await told("maxmemory-policy", "allkeys-lru")


async def test_a_killed_server_has_all_that_was_acknowledged(server: PrivateServer) -> None:
    store = RedisStore(fresh_url(server.url))
    await store.open()
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch)])
    acknowledged = 1

    async def write() -> None:
        nonlocal acknowledged
        while True:
            seq = acknowledged + 1
            await store.commit(lease, [more(1, seq), more(2, seq)])
            acknowledged = seq

    writing = asyncio.ensure_future(write())
    while acknowledged < 50:
        await asyncio.sleep(0)
    server.kill()
    with pytest.raises(StoreError):
        await writing
    with pytest.raises(StoreError, match="Does the server run"):
        await store.find("i-1")
    server.start_again()
    rows = [await store.load(f"i-{number}") for number in (1, 2)]
    lengths = [len(one.rows) for one in rows if one is not None]
    assert lengths[0] == lengths[1], "a group was written by half"
    assert acknowledged <= lengths[0] <= acknowledged + 1
    await store.commit(lease, [more(1, lengths[0] + 1)])
    await store.close()


async def test_a_claim_whose_answer_was_lost_is_given_again(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, wake_at=NOW), begin(2, wake_at=NOW)])
    real = store._server.verb

    async def losing(name: str, *given: Any) -> Any:
        await real(name, *given)
        raise StoreError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(store._server, "verb", losing)
        with pytest.raises(StoreError, match="was lost"):
            await store.claim(lease, NOW, 10)
    claimed = await store.claim(lease, NOW, 10)
    assert sorted(one.record.number for one in claimed) == [1, 2]
    assert claimed[0].rows == (row(claimed[0].record.number, 1),)
    assert await store.claim(lease, NOW, 10) == []


async def test_a_caller_that_is_cancelled_leaves_nothing_by_half(store: RedisStore) -> None:
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    for turn in range(200):
        asking = asyncio.ensure_future(store.post(message(f"m{turn}", 1)) if turn % 2 else store.outbox(lease, 5))
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await store.find("i-1") is not None


async def test_a_store_that_was_emptied_ends_all_sessions(url: str, store: RedisStore) -> None:
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    drop(url)
    with pytest.raises(NotOwner):
        await store.commit(lease, [more(1, 2)])
    assert (await store.acquire("second", NOW, TTL)).epoch > lease.epoch, "an epoch is never given twice"


def test_two_stores_on_one_server_are_two(url: str) -> None:
    other = redis_server.fresh_url()

    async def both() -> None:
        stores = [RedisStore(one, durability="normal") for one in (url, other)]
        for store in stores:
            await store.open()
            lease = await store.acquire("one", NOW, TTL)
            await store.commit(lease, [begin(1)])
        for store in stores:
            assert (await store.facts()).instances == 1
            await store.close()

    asyncio.run(both())
    drop(other)
