"""What each store of ours does with the room that removed instances had, and that no crash leaves half of one.

All lines, not only some: `python tests/stores/dies_removing.py sqlite|file FOLDER 1` (one and ten minutes).
"""

# ruff: noqa: ASYNC240

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.journal.records import Lease
from mainspring.journal.store import Store
from mainspring.stores.file import FileStore
from mainspring.stores.file.books import LOG
from mainspring.stores.memory import MemoryStore
from mainspring.stores.sqlite import SqliteStore, removing
from mainspring.testing.store_contract.ground import NOW, TTL, begin, message, numbers_of
from mainspring.testing.store_contract.letters import burying, letter
from mainspring.testing.store_contract.retention import compacted, whole

DIES = Path(__file__).parent / "dies_removing.py"


@pytest.mark.parametrize(("kind", "step"), [("sqlite", 83), ("file", 487)])
def test_killed_at_any_line_no_family_is_in_part(kind: str, step: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DIES, kind, tmp_path, str(step)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    killed, there = int(done.stdout.split()[1]), int(done.stdout.split()[-1])
    assert killed >= 8
    assert 0 < there < killed, "it is killed before as well as after the family went"


async def filled(store: Store, count: int) -> Lease:
    await store.open()
    lease = await store.acquire("tests", NOW, TTL)
    for number in range(1, count + 1):
        await store.commit(lease, whole(number))
    return lease


async def test_the_sqlite_file_shrinks_a_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "FREED_PAGES_MAX", 50)
    path = tmp_path / "store.db"
    store = SqliteStore(str(path), durability="normal")
    lease = await filled(store, 300)
    before = (await store.facts()).bytes
    assert len(await store.remove(lease, [[number] for number in range(1, 300)])) == 299
    sizes = [(await store.facts()).bytes]
    place: int | None = 0
    while place is not None:
        place = await store.compact(lease, place, 100)
        sizes.append((await store.facts()).bytes)
    assert max(one - next for one, next in itertools.pairwise(sizes)) == 50 * 4_096
    assert path.stat().st_size == sizes[-1] < before / 5
    assert Path(f"{path}-wal").stat().st_size == 0
    await store.close()


async def test_whoever_reads_for_long_does_not_hold_it_up(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(str(path), durability="normal")
    lease = await filled(store, 20)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turn").fetchone()
    await store.remove(lease, [[number] for number in range(1, 20)])
    await compacted(store, lease)
    assert reader.execute("SELECT count(*) FROM instance").fetchone() == (20,)
    reader.close()
    await compacted(store, lease)
    assert path.stat().st_size == (await store.facts()).bytes
    await store.close()


async def test_a_file_that_cannot_give_pages_back_uses_them_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(str(path), durability="normal")
    await filled(store, 50)
    await store.close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("PRAGMA auto_vacuum = NONE")
        other.execute("VACUUM")
    other.close()
    store = SqliteStore(str(path), durability="normal")
    await store.open()
    lease = await store.acquire("again", NOW + TTL, TTL)
    before = (await store.facts()).bytes
    await store.remove(lease, [[number] for number in range(1, 50)])
    await compacted(store, lease)
    for number in range(51, 90):
        await store.commit(lease, whole(number))
    assert (await store.facts()).bytes <= before
    await store.close()


async def test_a_folder_loses_the_log_and_the_readable_files(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = FileStore(str(folder), durability="normal")
    lease = await filled(store, 12)
    await store.close()  # all is shown
    assert len(list((folder / "instances").iterdir())) == 12
    before = (folder / LOG).stat().st_size
    store = FileStore(str(folder), durability="normal")
    await store.open()
    lease = await store.acquire("again", NOW + TTL, TTL)
    await store.remove(lease, [[number] for number in range(1, 12)])
    await compacted(store, lease)
    assert (folder / LOG).stat().st_size < before / 5
    await store.release(lease)
    await store.close()
    assert [one.name for one in (folder / "instances").iterdir()] == ["000012 i-12"]


async def test_readable_files_that_a_crash_left_are_taken_away_by_the_next_owner(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = FileStore(str(folder), durability="normal")
    await filled(store, 3)
    await store.close()
    (folder / "instances" / "000077 i-77").mkdir()  # removed, and the log rewritten, by one that was killed then
    (folder / "instances" / "notes").mkdir()  # somebody's own
    store = FileStore(str(folder), durability="normal")
    await store.open()
    lease = await store.acquire("again", NOW + TTL, TTL)
    await store.commit(lease, [begin(4)])
    await store.release(lease)
    await store.close()
    names = sorted(one.name for one in (folder / "instances").iterdir())
    assert names == ["000001 i-1", "000002 i-2", "000003 i-3", "000004 i-4", "notes"]


async def test_a_copy_of_a_memory_store_has_all_of_it() -> None:
    store, copy = MemoryStore(), MemoryStore()
    lease = await filled(store, 2)
    await store.post(message("m", 1))
    await store.commit(lease, [burying("a"), begin(3), begin(4)])
    await store.keep_limits(lease, {"x": b"state"})
    store.copy_to(copy)
    later = await copy.acquire("later", NOW, TTL)
    assert await copy.dead_letters() == [letter("a")]
    assert await copy.kept_limits() == {"x": b"state"}
    assert await numbers_of(copy) == [4, 3, 2, 1]
    assert not await copy.post(message("m", 1))
    assert await copy.follow(0, 100) == await store.follow(0, 100)
    await copy.purge(later, ["a"])
    await copy.keep_limits(later, {"x": b""})
    assert (await store.dead_letters(), await store.kept_limits()) == ([letter("a")], {"x": b"state"})
    assert await copy.remove(later, [[1]]) == [1]
    assert await numbers_of(store) == [4, 3, 2, 1]
