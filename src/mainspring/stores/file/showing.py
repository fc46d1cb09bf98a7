"""The folder's readable side: a file for each thing, made from the log. Nothing here is ever read back.

It follows the log a moment later, and is made anew where a process ended before it could. Whoever changes a file here
changes nothing of the store.

    instances/000001 order:o-1/record.json     what `list` shows of it
                               turns.jsonl     its journal, a row a line; large values in blobs.jsonl
                               inbox.json      what came in and waits
                               snapshots.json
    definitions/VERSION.json, outbox.json, letters.json, limits.json, cache.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import msgspec

from mainspring.stores.contents import Contents, Kept
from mainspring.stores.file import lines
from mainspring.stores.file.books import Books

T = TypeVar("T")

AT_ONCE = 50
"""How many instances are shown between two commits that wait."""

MARK = "shown.json"


class Showing:
    """What of a folder's readable side is made, by whoever owns the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = ""
        self._rows: dict[int, int] = {}  # how many rows each file that is ours has
        self._blobs: dict[int, int] = {}

    def mark(self) -> tuple[str, int]:
        """The log, and the place in it, until which all is shown."""
        try:
            found = msgspec.json.decode((self._folder / MARK).read_bytes(), type=dict[str, Any])
            return str(found["log"]), int(found["end"])
        except (OSError, msgspec.MsgspecError, LookupError, ValueError):
            return "", 0

    def some(self, books: Books) -> bool:
        """Show some of what was touched. True where there is more."""
        contents = books.now()
        for _ in range(min(AT_ONCE, len(books.touched))):
            number = books.touched.pop()
            if number in contents.kept:
                self._show(contents.kept[number])
            else:
                self._remove(number)
        if books.touched:
            return True
        parts = {"definitions": self._definitions, **{name: self._part(name, of) for name, of in PARTS.items()}}
        while books.parts:
            parts[books.parts.pop()](contents)
        if books.id != self._swept:
            self._remove_strays(contents)  # of what was removed before the log was rewritten, that says nothing
            self._swept = books.id
        _put(self._folder / MARK, {"log": books.id, "end": books.end})
        return False

    def _remove(self, number: int) -> None:
        self._rows.pop(number, None)
        self._blobs.pop(number, None)
        for folder in (self._folder / "instances").glob(f"{number:06} *"):
            rmtree(folder)

    def _remove_strays(self, contents: Contents) -> None:
        folder = self._folder / "instances"
        for one in folder.iterdir() if folder.is_dir() else ():
            number = one.name.partition(" ")[0]
            if number.isdecimal() and int(number) not in contents.kept:
                rmtree(one)

    def _show(self, kept: Kept) -> None:
        number = kept.record.number
        folder = self._folder / "instances" / f"{number:06} {_safe(kept.record.id)}"
        folder.mkdir(parents=True, exist_ok=True)
        _extend(folder / "turns.jsonl", self._rows, number, kept.rows, lines.row)
        _extend(folder / "blobs.jsonl", self._blobs, number, kept.blobs, lines.blob)
        if kept.snapshots:
            _put(folder / "snapshots.json", [lines.row(one) for one in kept.snapshots])
        if kept.inbox or (folder / "inbox.json").exists():
            _put(folder / "inbox.json", [lines.item(message) for _, message in kept.inbox.values()])
        _put(folder / "record.json", kept.record)

    def _definitions(self, contents: Contents) -> None:
        folder = self._folder / "definitions"
        folder.mkdir(exist_ok=True)
        for one in contents.defined.values():
            _put(folder / f"{_safe(one.version)}.json", lines.define(one))

    def _part(self, name: str, of: Callable[[Contents], Any]) -> Callable[[Contents], None]:
        return lambda contents: _put(self._folder / f"{name}.json", of(contents))


PARTS: dict[str, Callable[[Contents], Any]] = {
    "outbox": lambda contents: [lines.item(one) for one in contents.outgoing.values()],
    "letters": lambda contents: [lines.letter(one) for one in contents.letters.values()],
    "limits": lambda contents: {key: lines.raw(state) for key, state in contents.limits.items()},
    "cache": lambda contents: [
        lines.Result(one.key, one.expires_at, one.crc, lines.raw(one.body)) for one in contents.cache.values()
    ],
}


def _extend(path: Path, known: dict[int, int], number: int, items: Sequence[T], shown: Callable[[T], Any]) -> None:
    """Have a file show all of the items, a line each. What is ours already is only added to."""
    there = known.get(number)
    if there is None:
        if items or path.exists():
            _write(path, _lines(items, shown))
    elif len(items) > there:
        with path.open("ab") as file:
            file.write(_lines(items[there:], shown))
    known[number] = len(items)


def _lines(items: Sequence[T], shown: Callable[[T], Any]) -> bytes:
    return b"".join([msgspec.json.encode(shown(one)) + b"\n" for one in items])


def _safe(id: str) -> str:
    """An id as a file's name. The number before it tells two apart that come out the same."""
    return re.sub(r"[^\w.:@+=,-]", "_", id)[:80]


def _put(path: Path, value: Any) -> None:
    _write(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
