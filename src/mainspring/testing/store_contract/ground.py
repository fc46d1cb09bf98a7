"""What the contract's parts stand on: how a store is made, and records to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from zlib import crc32

import pytest
import pytest_asyncio

from mainspring.journal.records import (
    BlobRow,
    Change,
    InboxMessage,
    InstanceRecord,
    Lease,
    OutboxRow,
    SnapshotRow,
    TurnRow,
    Write,
)
from mainspring.journal.store import Store

NOW = 1_000_000
"""When the tests begin (UTC milliseconds)."""

TTL = 10_000
"""How long a lease lives in the tests."""


@pytest.mark.asyncio
class Ground:
    """Where a store comes from. `durable`: what it keeps outlives its being closed."""

    durable = True

    @pytest.fixture
    def new_store(self) -> Callable[[], Store]:
        """Gives a new, empty, unopened store at each call."""
        raise NotImplementedError("a contract's subclass says how its store is made: override the fixture `new_store`")

    def again(self, store: Store) -> Store:
        """Another handle, unopened, on what `store` keeps."""
        return store

    @pytest_asyncio.fixture
    async def store(self, new_store: Callable[[], Store]) -> AsyncIterator[Store]:
        """An empty store, open."""
        store = new_store()
        await store.open()
        yield store
        await store.close()

    @pytest_asyncio.fixture
    async def lease(self, store: Store) -> Lease:
        """The session that the test works under, from NOW on."""
        return await store.acquire("first", NOW, TTL)


def row(instance: int, seq: int, text: str = "") -> TurnRow:
    """A row that can be told from all others."""
    body = f"row {seq} of {instance}{text}".encode()
    return TurnRow(instance, seq, body, crc32(body))


def blob(instance: int, seq: int, ordinal: int = 0) -> BlobRow:
    """A value that stands beside its row."""
    body = f"blob {ordinal} of row {seq} of {instance}".encode() * 100
    return BlobRow(instance, seq, ordinal, body, crc32(body))


def snapshot(instance: int, seq: int, *, damaged: bool = False) -> SnapshotRow:
    """A state. `damaged`: its checksum does not fit its body, as after a fault of the medium."""
    body = f"state after row {seq} of {instance}".encode()
    return SnapshotRow(instance, seq, body, crc32(body) ^ damaged)


def record(number: int, **fields: Any) -> InstanceRecord:
    """An open instance that nobody owns, unless `fields` say otherwise."""
    given: dict[str, Any] = {"workflow": "orders", "version": "v1", "status": "running", "created_at": NOW, **fields}
    return InstanceRecord(number=number, id=given.pop("id", f"i-{number}"), **given)


def begin(number: int, owner: int = 0, **fields: Any) -> Write:
    """The first turn of an instance."""
    return Write(number, rows=(row(number, 1),), created=record(number, owner=owner, **fields))


def more(number: int, *seqs: int, **rest: Any) -> Write:
    """Further rows of an instance."""
    return Write(number, rows=tuple(row(number, seq) for seq in seqs), **rest)


def asleep(wake_at: int | None = None) -> Change:
    """It leaves memory and waits for a time, or for mail."""
    return Change(status="running", open=True, owner=0, wake_at=wake_at)


def ended(status: str = "completed", at: int = NOW) -> Change:
    """It is final."""
    return Change(status=status, open=False, ended_at=at, reason="because")


def message(id: str, instance: int, at: int = NOW) -> InboxMessage:
    """Something from outside."""
    return InboxMessage(id, instance, f"body of {id}".encode(), at)


def order(id: str, instance: int, at: int = NOW) -> OutboxRow:
    """Something that leaves."""
    return OutboxRow(id, instance, "event", f"body of {id}".encode(), at)


async def numbers_of(store: Store) -> list[int]:
    """Every instance in the store, newest first."""
    return [found.number for found in await store.instances(limit=10_000)]
