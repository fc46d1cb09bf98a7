"""Every store of ours keeps the public contract."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from mainspring.stores.sqlite import SqliteStore
from mainspring.testing.store_contract import StoreContract


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
