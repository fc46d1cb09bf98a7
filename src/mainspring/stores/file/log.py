"""The log: a file of lines to which one process at a time appends, and from which any number reads.

A line is durable when `append` returns. One that was only begun (its process was killed, the power went, the disk was full)
is the last, and is cut off by whoever next has the right to write. What is wrong before the last line was acknowledged once:
that is damage, and refused by its place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mainspring.errors import StoreCorrupt, StoreError, StoreTooNew
from mainspring.stores.file import lines
from mainspring.stores.file.lines import Line

logger = logging.getLogger("mainspring.stores")

CHUNK_BYTES = 4 * 1024 * 1024
"""How much is read at a time."""

_sync = getattr(os, "fdatasync", os.fsync)


class Replaced(Exception):
    """What was read is not what is there any more: the log was rewritten, or cut. Begin again."""


class Log:
    """One reading of the log at `path`, and its end, where the next line goes."""

    def __init__(self, path: Path, *, durable: bool = True, read_only: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._file = os.open(path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
        self._identity = _identity(os.fstat(self._file))
        self.end = 0
        self._crc = 0
        self._count = 0

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def new(self, *, repair: bool) -> Iterator[tuple[int, Line]]:
        """Each line that was appended since the last look, with its place.

        `repair` is for whoever holds the right to write: a line that was only begun is cut off. Others leave it alone, since
        it may just be on its way. Raises Replaced, StoreCorrupt, StoreTooNew.
        """
        from_the_start = not self.end
        now = self.path.stat()
        if _identity(now) != self._identity or now.st_size < self.end:
            raise Replaced
        rest = b""
        while self.end + len(rest) < now.st_size:
            chunk = os.pread(self._file, CHUNK_BYTES, self.end + len(rest))
            if not chunk:
                break
            *texts, rest = (rest + chunk).split(b"\n")
            for index, text in enumerate(texts):
                try:
                    line, crc = lines.decode(text, self._crc)
                except ValueError as error:
                    last = index == len(texts) - 1 and not rest and self.end + len(text) + 1 >= now.st_size
                    self._refuse(last, repair, error, from_the_start)
                    return
                except StoreTooNew as error:
                    raise StoreTooNew(f"{self._place()}: {error}") from None
                place = self.end
                self.end, self._crc, self._count = place + len(text) + 1, crc, self._count + 1
                yield place, line
        if rest and repair:
            self._refuse(True, repair, ValueError("it was only begun"), from_the_start)

    def _place(self) -> str:
        return f"{self.path}, line {self._count + 1}"

    def _refuse(self, last: bool, repair: bool, error: Exception, from_the_start: bool) -> None:
        if not from_the_start:
            # Perhaps what we read before is not there any more: a line whose fsync failed was taken back, and another one
            # stands there now. Only who has read it all may judge.
            raise Replaced
        if not last:
            raise StoreCorrupt(f"{self._place()}: {error}, and there are lines after it. Nothing was changed")
        if repair:
            self._cut(str(error))

    def _cut(self, why: str) -> None:
        """Take away what stands behind the last whole line. It is kept beside the log, for whoever wants to look."""
        size = os.fstat(self._file).st_size
        lost = os.pread(self._file, size - self.end, self.end)
        beside = self.path.with_name("cut-off.txt")
        with suppress(OSError):
            beside.write_bytes(lost)
        logger.warning(
            "%s: the last line is cut off, %d bytes (%s): it was never acknowledged. It is in %s",
            self._place(), len(lost), why, beside.name,
        )  # fmt: skip
        os.ftruncate(self._file, self.end)
        os.fsync(self._file)

    def append(self, line: Line) -> None:
        """Write a line at the end, and have it durable. Raises OSError, and then it is not there."""
        text, crc = lines.encode(line, self._crc)
        try:
            _write_all(self._file, text, self.end)
            if self._durable:
                _sync(self._file)
        except OSError:
            with suppress(OSError):  # where even that fails, whoever writes next finds a line that was only begun
                os.ftruncate(self._file, self.end)
            raise
        self.end, self._crc, self._count = self.end + len(text), crc, self._count + 1


def write_whole(path: Path, all_lines: Iterator[Line], *, durable: bool) -> None:
    """Put a log there, in the place of the one that is: the one or the other, whatever happens."""
    beside = path.with_name(f"{path.name}.new")
    crc = 0
    with beside.open("wb") as file:
        for line in all_lines:
            text, crc = lines.encode(line, crc)
            file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    beside.replace(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _write_all(file: int, text: bytes, place: int) -> None:
    view = memoryview(text)
    while view:
        written = os.pwrite(file, view, place)
        if not written:
            raise StoreError("the file takes nothing more")
        view, place = view[written:], place + written
