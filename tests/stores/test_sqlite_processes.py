"""Several processes on one file: readers never disturb, dead owners are found out at once, stopped ones only by time."""

# ruff: noqa: ASYNC222 (a process that says so stops at once)

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import NotOwner, StoreHeld
from mainspring.stores.sqlite import SqliteStore, connection
from mainspring.testing.store_contract.ground import NOW, begin, more


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


async def _opened(path: str) -> SqliteStore:
    store = SqliteStore(path)
    await store.open()
    return store


async def test_foreign_readers_under_hard_writing(path: str, others: Any) -> None:
    store = await _opened(path)
    lease = await store.acquire("tests", NOW, 60_000)
    await store.commit(lease, [begin(number) for number in range(1, 51)])
    readers = [others.start("other_reader.py", path, kind) for kind in ("list", "list", "hold")]
    for reader in readers:
        await others.says(reader, "looks")
    slowest, end, seq = 0.0, time.monotonic() + 1.5, 1
    while time.monotonic() < end:
        seq += 1
        begun = time.monotonic()
        await store.commit(lease, [more(number, seq) for number in range(1, 51)])
        slowest = max(slowest, time.monotonic() - begun)
    for reader in readers:
        reader.stdin.close()
        rounds = int((await others.says(reader, "rounds")).split()[1])
        assert rounds > 0
        assert reader.wait() == 0
        reader.stdin = None
    assert seq > 20
    assert slowest < 5
    await store.close()


async def test_a_killed_owner_is_not_waited_for(path: str, others: Any, now: Callable[[], int]) -> None:
    owner = others.start("other_owner.py", path, "600000")
    number = int((await others.says(owner, "owns")).split()[1])
    await others.says(owner, "writes")
    store = await _opened(path)
    with pytest.raises(StoreHeld, match="other"):
        await store.acquire("heir", now(), 600_000)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    lease = await store.acquire("heir", now(), 600_000)
    (claimed,) = await store.claim(lease, now(), 10)
    assert claimed.record.number == number
    assert [row.seq for row in claimed.rows] == list(range(1, len(claimed.rows) + 1))
    assert len(claimed.rows) >= 20
    assert await store.numbers(lease, 1) > number
    await store.close()


async def test_a_stopped_owner_is_waited_for_and_then_fenced_off(
    path: str, others: Any, now: Callable[[], int]
) -> None:
    owner = others.start("other_owner.py", path, "600000", "stop")
    await others.says(owner, "writes")
    os.waitid(os.P_PID, owner.pid, os.WSTOPPED)
    store = await _opened(path)
    with pytest.raises(StoreHeld):
        await store.acquire("heir", now(), 600_000)
    lease = await store.acquire("heir", now() + 600_000, 600_000)  # its time has come
    (claimed,) = await store.claim(lease, now(), 10)
    owner.send_signal(signal.SIGCONT)
    assert await others.says(owner, "refused") == "refused NotOwner"
    await others.says(owner, "closed")
    loaded = await store.load(claimed.record.id)
    assert loaded is not None
    assert loaded.rows == claimed.rows
    await store.close()


async def test_a_lock_that_a_stopped_owner_let_go_says_nothing_of_its_heir(
    path: str, others: Any, now: Callable[[], int]
) -> None:
    """A is stopped and keeps the lock; B takes over by expiry; A wakes, is refused and lets go. B lives: C must wait."""
    a = others.start("other_owner.py", path, "600000", "stop")
    await others.says(a, "writes")
    os.waitid(os.P_PID, a.pid, os.WSTOPPED)
    b = await _opened(path)
    lease = await b.acquire("b", now() + 600_000, 600_000)
    a.send_signal(signal.SIGCONT)
    await others.says(a, "closed")
    a.wait()
    c = await _opened(path)
    with pytest.raises(StoreHeld, match="b holds"):
        await c.acquire("c", now() + 600_001, 1_000)
    lease = await b.renew(lease, now() + 600_000, 600_000)  # now b has the lock as well
    with pytest.raises(StoreHeld):
        await c.acquire("c", now() + 600_002, 1_000)
    await b.close()  # as b's death would
    assert (await c.acquire("c", now() + 600_003, 1_000)).epoch > lease.epoch
    with pytest.raises(NotOwner):
        await b.renew(lease, now(), 1_000)
    await b.close()
    await c.close()


async def test_a_process_stopped_in_the_middle_of_a_commit_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own lock cannot be taken from a process that lives: all we can do is to say so, and to try again."""
    await (await _opened(path)).close()
    monkeypatch.setattr(connection, "BUSY_MS", 20)
    stopped = sqlite3.connect(path, isolation_level=None)
    stopped.execute("BEGIN IMMEDIATE")
    store = SqliteStore(path)
    with pytest.raises(StoreHeld, match="in the middle of a write"):
        await store.open()
    stopped.execute("ROLLBACK")
    stopped.close()
    await store.open()
    await store.close()


async def test_a_second_session_on_the_same_store_object_waits_too(path: str, now: Callable[[], int]) -> None:
    store = await _opened(path)
    lease = await store.acquire("first", now(), 60_000)
    with pytest.raises(StoreHeld, match="first"):
        await store.acquire("second", now(), 60_000)
    other = await _opened(path)
    with pytest.raises(StoreHeld, match="first"):
        await other.acquire("third", now(), 60_000)
    await store.commit(lease, [begin(1)])
    await other.close()
    await store.close()
