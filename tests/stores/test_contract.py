"""Every store of ours keeps the public contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from mainspring.journal.store import Store
from mainspring.stores.file import FileStore
from mainspring.stores.memory import MemoryStore
from mainspring.stores.postgres import PostgresStore
from mainspring.stores.redis import RedisStore
from mainspring.stores.sqlite import SqliteStore
from mainspring.testing import redis_server
from mainspring.testing.postgres_server import drop, fresh_url
from mainspring.testing.store_contract import SharedStoreContract, StoreContract


class TestMemory(StoreContract):
    durable = False

    @pytest.fixture
    def new_store(self) -> Callable[[], Store]:
        return MemoryStore


class TestSqliteInline(StoreContract):
    """In the caller's thread, as the simulator has it."""

    inline = True

    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], Store]:
        numbers = count()
        return lambda: SqliteStore(str(tmp_path / f"{next(numbers)}.db"), durability="normal", inline=self.inline)

    def again(self, store: Store) -> Store:
        assert isinstance(store, SqliteStore)
        return SqliteStore(store.path, durability="normal", inline=self.inline)


class TestSqlite(TestSqliteInline):
    """With threads, as engines have it."""

    inline = False


class TestFile(StoreContract):
    """A folder of JSON."""

    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], Store]:
        numbers = count()
        return lambda: FileStore(str(tmp_path / f"{next(numbers)}"), durability="normal")

    def again(self, store: Store) -> Store:
        assert isinstance(store, FileStore)
        return FileStore(store.folder, durability="normal")


class TestPostgres(SharedStoreContract):
    """On a server for tests, each store in a schema of its own."""

    @pytest.fixture
    def new_store(self) -> Iterator[Callable[[], Store]]:
        made: list[str] = []

        def new() -> Store:
            made.append(fresh_url())
            return PostgresStore(made[-1])

        async def drop_all() -> None:
            for url in made:
                await drop(url)

        yield new
        asyncio.run(drop_all())

    def again(self, store: Store) -> Store:
        assert isinstance(store, PostgresStore)
        return PostgresStore(store.dsn)


class TestRedis(SharedStoreContract):
    """On a server for tests, each store with keys of its own."""

    @pytest.fixture
    def new_store(self) -> Iterator[Callable[[], Store]]:
        made: list[str] = []

        def new() -> Store:
            made.append(redis_server.fresh_url())
            return RedisStore(made[-1], durability="normal")

        yield new
        for url in made:
            redis_server.drop(url)

    def again(self, store: Store) -> Store:
        assert isinstance(store, RedisStore)
        return RedisStore(store.dsn, durability="normal")
