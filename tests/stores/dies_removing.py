"""Processes that are killed while they remove instances, one at each so-many-th line of a store's code.

`dies_removing.py sqlite|file FOLDER STEP`: says how many were killed, and how often the family was still there after that.
Whatever the line, a family is whole or gone, the others are as they were, and doing it again comes to the same end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from mainspring.journal.store import Store
from mainspring.stores.file import FileStore
from mainspring.stores.sqlite import SqliteStore
from mainspring.testing.store_contract.ground import NOW, TTL, begin, message, numbers_of
from mainspring.testing.store_contract.retention import whole

FAMILY = [2, 3, 4]


def opened(kind: str, place: Path) -> Store:
    place.mkdir(exist_ok=True)
    if kind == "sqlite":
        return SqliteStore(str(place / "store.db"), durability="normal", inline=True)
    return FileStore(str(place / "store"), durability="normal")


async def prepare(kind: str, place: Path) -> None:
    store = opened(kind, place)
    await store.open()
    lease = await store.acquire("first", NOW, TTL)
    for number in (1, *FAMILY, 5):
        for write in whole(number, parent="i-2" if number in (3, 4) else None):
            await store.commit(lease, [write])
    await store.commit(lease, [begin(6)])
    for number in (3, 6):
        await store.post(message(f"m{number}", number))
    await store.release(lease)
    await store.close()


async def remove(kind: str, place: Path) -> None:
    store = opened(kind, place)
    await store.open()
    lease = await store.acquire("killed", NOW, TTL)
    await store.remove(lease, [FAMILY])
    after: int | None = 0
    while after is not None:
        after = await store.compact(lease, after, 4)
    await store.release(lease)
    await store.close()


async def look(kind: str, place: Path) -> bool:
    """Whether the family is there. Fails where part of it is, or where others were touched."""
    store = opened(kind, place)
    await store.open()
    await store.acquire("later", NOW + TTL, TTL)
    numbers = await numbers_of(store)
    there = FAMILY[0] in numbers
    assert numbers == ([6, 5, 4, 3, 2, 1] if there else [6, 5, 1]), numbers
    for number in numbers:
        loaded = await store.turns(f"i-{number}")
        assert loaded is not None
        assert [row.seq for row in loaded.rows] == ([1] if number == 6 else [1, 2, 3]), number
        assert len(loaded.blobs) == (number != 6)
    followed = [position.instance for position, _ in await store.follow(0, 100)]
    assert sorted(followed) == sorted([number for number in numbers for _ in range(1 if number == 6 else 3)])
    sleeper = await store.load("i-6")
    assert sleeper is not None
    assert [one.id for one in sleeper.inbox] == ["m6"]
    await store.close()
    return there


class Lines:
    """Counts the lines of the store's code, and ends the process at one of them (0: at none)."""

    def __init__(self, kind: str, last: int) -> None:
        self.count = 0
        self._last = last
        self._folders = (f"stores/{kind}/", "stores/contents.py")

    def begin(self) -> None:
        threading.settrace(self._called)
        sys.settrace(self._called)

    def _called(self, frame: Any, event: str, arg: Any) -> Any:
        return self._line if any(one in frame.f_code.co_filename for one in self._folders) else None

    def _line(self, frame: Any, event: str, arg: Any) -> Any:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._line


def in_child(kind: str, place: Path, last: int) -> int:
    """Remove in a process of its own, which is killed at that line; gives the lines that there were, or 0."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        lines = Lines(kind, last)
        lines.begin()
        asyncio.run(remove(kind, place))
        os.write(write, str(lines.count).encode())
        os._exit(0)
    os.close(write)
    told = os.read(read, 100)
    os.close(read)
    os.waitpid(child, 0)
    return int(told or 0)


def main(kind: str, folder: Path, step: int) -> None:
    template = folder / "template"
    asyncio.run(prepare(kind, template))
    shutil.copytree(template, folder / "counted")
    lines = in_child(kind, folder / "counted", 0)
    assert not asyncio.run(look(kind, folder / "counted"))
    killed = there = 0
    for last in range(1, lines, step):
        place = folder / f"killed-{last}"
        shutil.copytree(template, place)
        killed += in_child(kind, place, last) == 0
        there += asyncio.run(look(kind, place))
        again = in_child(kind, place, 0)
        assert again, f"after line {last} it cannot be done again"
        assert not asyncio.run(look(kind, place))
        shutil.rmtree(place)
    print(f"killed {killed} of {len(range(1, lines, step))}, there {there}")


main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
