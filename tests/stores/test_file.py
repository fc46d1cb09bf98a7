"""What the file store's folder stands: kill -9, a log cut off anywhere, damage, a full disk, other processes beside it."""

# ruff: noqa: ASYNC240 (small files, read in a test)

from __future__ import annotations

import json
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import NothingYet, NotOwner, StoreCorrupt, StoreError, StoreHeld, StoreTooNew
from mainspring.journal.records import DefinitionRecord, Lease, Write
from mainspring.stores.file import FileStore, books, lines, log
from mainspring.testing.store_contract.cache import result
from mainspring.testing.store_contract.ground import (
    NOW,
    TTL,
    asleep,
    begin,
    blob,
    ended,
    message,
    more,
    order,
    row,
    snapshot,
)
from mainspring.testing.store_contract.letters import letter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


async def opened(folder: Path, **given: Any) -> FileStore:
    store = FileStore(str(folder), **given)
    await store.open()
    return store


async def everything(store: FileStore, lease: Lease) -> list[object]:
    """All that can be read."""
    found = await store.instances(limit=1_000)
    return [
        found,
        [await store.load(one.id) for one in found],
        await store.follow(0, 10_000),
        await store.outbox(lease, 100),
        await store.mail(lease, 100),
        await store.dead_letters(),
        await store.kept_limits(),
        [await store.cached(key, NOW) for key in (b"a", b"b")],
        await store.definition("v1"),
        (await store.facts()).lease,
    ]


async def fill(store: FileStore, lease: Lease) -> None:
    """Some of everything, much of it overwritten later."""
    await store.define(DefinitionRecord("v1", "orders", b'{"id": "orders"}', "/here", NOW))
    await store.commit(lease, [begin(1, lease.epoch), more(1, 2, blobs=(blob(1, 2),)), begin(2), begin(3)])
    await store.commit(lease, [more(1, 3, snapshot=snapshot(1, 3)), more(1, 4, outbox=(order("o", 1), order("p", 1)))])
    await store.commit(lease, [Write(2, change=asleep(NOW + 50)), Write(3, change=ended())])
    await store.commit(lease, [])
    for id, number in (("m", 1), ("n", 2), ("l", 1)):
        await store.post(message(id, number))
    await store.commit(lease, [more(1, 5, consumed=("m",), cached=(result("a"), result("b")))])
    await store.commit(lease, [Write(1, buried=(letter("d"), letter("e")))])
    await store.sent(lease, ["o"])
    await store.purge(lease, ["d"])
    await store.keep_limits(lease, {"k": b"\x00", "l": b"1"})
    await store.keep_limits(lease, {"l": b""})
    await store.numbers(lease, 10)


# --- a crash at any place


@pytest.mark.apart
async def test_cut_off_at_every_byte_of_its_last_lines(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the last write left: all that was there before is, and the store goes on."""
    caplog.set_level(logging.WARNING)
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    path = folder / books.LOG
    await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch)])
    sizes = [path.stat().st_size]
    wholes = [await store.follow(0, 100)]
    for seq in (2, 3):
        await store.commit(lease, [more(1, seq), more(2, seq)])
        sizes.append(path.stat().st_size)
        wholes.append(await store.follow(0, 100))
    await store.close()
    content = path.read_bytes()
    for length in range(sizes[0], sizes[2] + 1):
        place = tmp_path / f"cut-{length}"
        place.mkdir()
        (place / books.LOG).write_bytes(content[:length])
        caplog.clear()
        # Whoever only looks sees what is whole, and changes nothing.
        looking = await opened(place, read_only=True)
        whole = max(index for index, size in enumerate(sizes) if size <= length)
        assert await looking.follow(0, 100) == wholes[whole]
        await looking.close()
        assert (place / books.LOG).stat().st_size == length
        store = await opened(place, durability="normal")
        assert await store.follow(0, 100) == wholes[whole]
        torn = length not in sizes
        assert [record.message for record in caplog.records if "is cut off" in record.message] != [] if torn else True
        assert (place / "cut-off.txt").exists() == torn
        heir = await store.acquire("heir", NOW + TTL, TTL)
        assert heir.epoch > lease.epoch
        seq = whole + 2
        await store.commit(heir, [more(1, seq), more(2, seq)])
        await store.close()
        again = await opened(place, read_only=True)
        assert [found.seq for _, found in await again.follow(0, 100)][-2:] == [seq, seq]
        await again.close()


async def test_a_last_line_that_was_damaged_is_cut_off_too(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As when the power went after the file had grown and before the content was there."""
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    await store.commit(lease, [more(1, 2)])
    await store.close()
    path = folder / books.LOG
    *before, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(before) + b"\0" * (len(last) - 1) + b"\n")
    store = await opened(folder)
    assert [found for _, found in await store.follow(0, 10)] == [row(1, 1)]
    assert "its checksum is wrong" in caplog.text
    assert f"line {len(before) + 1}" in caplog.text
    await store.close()


@pytest.mark.apart
async def test_killed_at_any_time_it_loses_nothing_that_was_acknowledged(
    folder: Path, others: Any, now: Callable[[], int]
) -> None:
    chance = random.Random(7)
    acknowledged: dict[int, int] = {}
    for _ in range(8):
        owner = others.start("other_writer.py", f"file:{folder}")
        number = int((await others.says(owner, "owns")).split()[1])
        await others.says(owner, "wrote 10")
        time.sleep(chance.random() * 0.05)  # noqa: ASYNC251 (what is between two lines is hit by chance alone)
        owner.kill()
        said = owner.stdout.read()  # `communicate` passes over what `says` has read ahead
        owner.communicate()
        told = [line.split()[1] for line in said.splitlines() if line.startswith("wrote ") and line[6:].isdecimal()]
        acknowledged[number] = max([10, *map(int, told)])
    store = await opened(folder)
    lease = await store.acquire("heir", now(), 60_000)
    claimed = {one.record.number: one for one in await store.claim(lease, now(), 100)}
    for number, seq in acknowledged.items():
        rows = claimed[number].rows
        assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
        assert seq <= len(rows) <= seq + 1, "an acknowledged row is lost"
        beside = claimed[number + 1].rows
        assert len(beside) == len(rows), "a group was written by half"
    await store.close()
    for number in acknowledged:
        (shown,) = (folder / "instances").glob(f"{number:06} *")
        assert len((shown / "turns.jsonl").read_text().splitlines()) == len(claimed[number].rows)
        assert json.loads((shown / "record.json").read_text())["owner"] == lease.epoch


# --- damage


async def test_damage_before_the_last_line_is_told_by_its_place_and_changes_nothing(folder: Path) -> None:
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    await fill(store, lease)
    await store.close()
    path = folder / books.LOG
    whole = path.read_bytes()
    texts = whole.splitlines(keepends=True)
    for index in range(len(texts) - 1):
        spoilt = bytearray(texts[index])
        spoilt[len(spoilt) // 2] ^= 1
        missing, swapped = texts[:index] + texts[index + 1 :], [*texts]
        swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
        for damaged in ([*texts[:index], bytes(spoilt), *texts[index + 1 :]], missing, swapped):
            if damaged[-1] != texts[-1] or len(damaged) - index < 2:
                continue  # nothing whole comes after it
            path.write_bytes(b"".join(damaged))
            with pytest.raises(StoreCorrupt, match=rf"groups.jsonl, line {index + 1}: its checksum is wrong"):
                await opened(folder)
            with pytest.raises(StoreCorrupt):
                await opened(folder, read_only=True)
            assert path.read_bytes() == b"".join(damaged)
    path.write_bytes(whole)
    await (await opened(folder)).close()


@pytest.mark.parametrize("line", [b'"do":"format","version":2,"log":"x"}', b'"do":"unheard of"}'])
async def test_a_log_of_a_newer_mainspring_is_refused(folder: Path, line: bytes) -> None:
    folder.mkdir()
    crc = lines.crc32(line)
    (folder / books.LOG).write_bytes(b'{"crc":"%08x",%b\n' % (crc, line))
    with pytest.raises(StoreTooNew, match="line 1"):
        await opened(folder)


async def test_a_folder_with_something_else_in_it_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "letter.txt").write_text("dear ann")
    with pytest.raises(StoreError, match=r"is no store, and not empty \(letter.txt\)"):
        await opened(folder)
    assert [one.name for one in folder.iterdir()] == ["letter.txt"]
    with pytest.raises(StoreError, match="nowhere"):
        await opened(folder.parent / "nowhere" / "store")


async def test_who_only_looks_makes_nothing_and_writes_nothing(folder: Path) -> None:
    with pytest.raises(NothingYet):
        await opened(folder, read_only=True)
    assert not folder.exists()
    await (await opened(folder)).close()
    store = await opened(folder, read_only=True)
    with pytest.raises(StoreError, match="read only"):
        await store.define(DefinitionRecord("v1", "orders", b"", "/here", NOW))
    await store.close()


async def test_a_full_disk_takes_nothing_and_the_store_goes_on(small_disk: Path) -> None:
    store = await opened(small_disk / "store")
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    seq = 1
    with pytest.raises(StoreError, match="No space left"):
        while True:
            await store.commit(lease, [more(1, seq + 1, blobs=(blob(1, seq + 1),) * 20)])
            seq += 1
    assert [found.seq for _, found in await store.follow(0, 10_000)] == list(range(1, seq + 1))
    beside = await opened(small_disk / "store", read_only=True)
    assert len(await beside.follow(0, 10_000)) == seq
    for name in ("instances", "definitions"):
        for one in (small_disk / "store" / name).glob("*/*"):
            one.unlink()
    await store.commit(lease, [more(1, seq + 1)])
    assert len(await beside.follow(0, 10_000)) == seq + 1
    await beside.close()
    await store.close()


async def test_a_write_that_is_not_durable_is_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had seen it reads all anew, and never takes another's line, which stands there now, for damage."""
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    reader = books.Books(folder, durable=True, read_only=True)
    writer = books.Books(folder, durable=True, read_only=False)

    def seen() -> list[int]:
        return [len(one.now().kept[1].rows) for one in (reader, writer)]

    for longer in (False, True):
        there = seen()[0]

        def failing(file: int, there: int = there) -> None:
            assert seen() == [there + 2] * 2, "it can be seen, but nobody acknowledged it"
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(log, "_sync", failing)
            with pytest.raises(StoreError, match="Input/output error"):
                await store.commit(lease, [more(1, there + 1), more(1, there + 2)])
        await store.commit(lease, [more(1, there + 1, blobs=(blob(1, there + 1),) * longer)])
        with writer.writing() as contents:
            assert len(contents.kept[1].rows) == there + 1
        assert seen() == [there + 1] * 2
    assert not (folder / "cut-off.txt").exists()
    reader.close()
    writer.close()
    await store.close()


# --- a log anew


async def test_a_log_that_is_rewritten_comes_to_the_same(folder: Path) -> None:
    store, beside = await opened(folder), await opened(folder, read_only=True)
    lease = await store.acquire("first", NOW, TTL)
    await fill(store, lease)
    for seq in range(6, 40):
        await store.commit(lease, [more(1, seq, snapshot=snapshot(1, seq), cached=(result("a"),))])
    lease = await store.renew(lease, NOW + 1, TTL)
    before = await everything(store, lease)
    assert await everything(beside, lease) == before
    size = (folder / books.LOG).stat().st_size

    def rewrite(found: books.Books) -> None:
        with found.writing():
            found.rewrite()

    await store._worker.run(rewrite)
    assert (folder / books.LOG).stat().st_size < size
    assert await everything(store, lease) == before
    assert await everything(beside, lease) == before
    assert not await store.post(message("m", 1)), "a consumed message's id is still known"
    with pytest.raises(StoreHeld):
        await store.acquire("second", NOW + 2, TTL)
    await store.commit(lease, [more(1, 40)])
    assert (await beside.follow(0, 1_000))[-1][1] == row(1, 40)
    first = await store.numbers(lease, 1)
    assert first >= 11
    await store.close()
    await beside.close()
    again = await opened(folder)
    assert (await again.load("i-1")).rows[-1] == row(1, 40)  # type: ignore[union-attr]
    await again.close()


async def test_a_log_that_grows_is_rewritten_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "REWRITE_BYTES_MIN", 20_000)
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch)])
    sizes = []
    for turn in range(400):
        await store.keep_limits(lease, {"k": b"x" * 1_000 + str(turn).encode()})
        if turn % 10 == 0:
            lease = await store.renew(lease, NOW + turn, TTL)
            sizes.append((folder / books.LOG).stat().st_size)
    assert max(sizes) < 60_000, "what was overwritten is let go"
    await store.close()


# --- what a person reads


async def test_what_is_shown_is_json_and_follows_the_log(folder: Path) -> None:
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    body = b'[4,1700000000000,"",[["NodeCompleted","a",1]]]'
    rows = (row(7, 1).__class__(7, 1, body, 5),)
    await store.commit(lease, [Write(7, rows, created=begin(7, lease.epoch, id="a/b c").created)])
    await fill(store, lease)
    await store.release(lease)
    shown = folder / "instances" / "000007 a_b_c"
    assert (shown / "turns.jsonl").read_text() == '{"seq":1,"crc":5,"body":' + body.decode() + "}\n"
    assert json.loads((shown / "record.json").read_text())["id"] == "a/b c"
    assert json.loads((folder / "definitions" / "v1.json").read_text())["body"] == {"id": "orders"}
    assert [one["id"] for one in json.loads((folder / "outbox.json").read_text())] == ["p"]
    assert [one["id"] for one in json.loads((folder / "letters.json").read_text())] == ["e"]
    assert list(json.loads((folder / "limits.json").read_text())) == ["k"]
    assert len(json.loads((folder / "cache.json").read_text())) == 2
    first = folder / "instances" / "000001 i-1"
    assert [one["id"] for one in json.loads((first / "inbox.json").read_text())] == ["l"]
    assert len((first / "blobs.jsonl").read_text().splitlines()) == 1
    assert [one["seq"] for one in json.loads((first / "snapshots.json").read_text())] == [3]
    for line in (folder / books.LOG).read_text().splitlines():
        json.loads(line)
    await store.close()


async def test_what_a_dead_owner_did_not_show_the_next_one_does(folder: Path) -> None:
    store = await opened(folder)
    lease = await store.acquire("first", NOW, TTL)
    await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch)])
    await store.release(lease)
    old = (folder / "instances" / "000002 i-2" / "record.json").stat().st_mtime_ns
    lease = await store.acquire("second", NOW, TTL)
    await store.commit(lease, [more(1, 2)])
    store._lock.give_back()  # as if it was killed: it shows nothing any more
    await store.close()
    turns = folder / "instances" / "000001 i-1" / "turns.jsonl"
    assert len(turns.read_text().splitlines()) == 1
    turns.write_text("scribbled")
    heir = await opened(folder)
    await heir.release(await heir.acquire("heir", NOW + TTL, TTL))
    assert [json.loads(line)["seq"] for line in turns.read_text().splitlines()] == [1, 2]
    assert (folder / "instances" / "000002 i-2" / "record.json").stat().st_mtime_ns == old, "nothing new there"
    await heir.close()


# --- several processes


async def test_a_killed_owner_is_not_waited_for(folder: Path, others: Any, now: Callable[[], int]) -> None:
    owner = others.start("other_owner.py", f"file:{folder}", "600000")
    await others.says(owner, "writes")
    store = await opened(folder)
    with pytest.raises(StoreHeld, match="other"):
        await store.acquire("heir", now(), 600_000)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    lease = await store.acquire("heir", now(), 600_000)
    (claimed,) = await store.claim(lease, now(), 10)
    assert len(claimed.rows) >= 20
    await store.close()


async def test_a_stopped_owner_is_waited_for_and_then_fenced_off(
    folder: Path, others: Any, now: Callable[[], int]
) -> None:
    owner = others.start("other_owner.py", f"file:{folder}", "600000", "stop")
    await others.says(owner, "writes")
    os.waitid(os.P_PID, owner.pid, os.WSTOPPED)  # noqa: ASYNC222
    store = await opened(folder)
    with pytest.raises(StoreHeld):
        await store.acquire("heir", now(), 600_000)
    lease = await store.acquire("heir", now() + 600_000, 600_000)
    (claimed,) = await store.claim(lease, now(), 10)
    owner.send_signal(signal.SIGCONT)
    assert await others.says(owner, "refused") == "refused NotOwner"
    await others.says(owner, "closed")
    loaded = await store.load(claimed.record.id)
    assert loaded is not None
    assert loaded.rows == claimed.rows
    await store.close()


async def test_a_process_stopped_in_the_middle_of_a_write_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "BUSY_SECONDS_MAX", 0.02)
    store = await opened(folder)
    stopped = books.Books(folder, durable=True, read_only=False)
    with stopped.writing(), pytest.raises(StoreHeld, match="in the middle of a write"):
        await store.acquire("first", NOW, TTL)
    lease = await store.acquire("first", NOW, TTL)
    stopped.close()
    await store.release(lease)
    with pytest.raises(NotOwner):
        await store.commit(lease, [begin(1)])
    await store.close()
