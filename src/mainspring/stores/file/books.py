"""The log and what it comes to: a folder's contents as one process has them in memory.

Every writer reads what others have appended before it decides, and holds the right to write until its own line is durable:
so all decide on the same contents, and a session that is over is refused whoever asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.errors import NothingYet, StoreError, StoreHeld
from mainspring.journal.records import DefinitionRecord, Lease
from mainspring.stores.contents import Contents, Kept
from mainspring.stores.file import lines, rewriting
from mainspring.stores.file.lines import Line
from mainspring.stores.file.log import Log, Replaced, write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOG = "groups.jsonl"
LOCK = "write-lock"
OURS = frozenset((LOG, f"{LOG}.new", LOCK, "store-owner"))
"""What may be in a folder in which the first log is still to be written."""

BUSY_SECONDS_MAX = 5.0
BUSY_LOOKED_AT_SECONDS = 0.002

REWRITE_BYTES_MIN = 16 * 1024 * 1024
"""A log is rewritten when it has grown by this, and to twice what it was after it was rewritten last."""


class Books:
    """Opened by `Books(...)`; everything here blocks, so a worker's thread does it."""

    def __init__(self, folder: Path, *, durable: bool, read_only: bool) -> None:
        self.folder = folder
        self._durable = durable
        self._read_only = read_only
        self._log: Log | None = None
        self._lock: int | None = None
        self._contents = Contents()
        self.locked = False
        self.id = ""
        self.touched: set[int] = set()
        """The instances that were written to, by us or by others, since somebody last emptied this."""
        self.parts: set[str] = set()
        """What else was: definitions, outbox, letters, limits, cache."""
        self.shown_until: tuple[str, int] = ("", 0)
        """The log, and the place in it, until which what is touched is of no interest."""
        self._base = 0
        self.spare = False
        """Whether the log still has instances that were removed."""
        if read_only:
            if not (folder / LOG).is_file():
                raise NothingYet(f"there is no store {folder}: nothing has been run there yet")
        else:
            self._lock = _lock_file(folder)

    def close(self) -> None:
        """Give the files back."""
        if self._log is not None:
            self._log.close()
        if self._lock is not None:
            os.close(self._lock)

    @property
    def end(self) -> int:
        """The place where the next line goes."""
        return 0 if self._log is None else self._log.end

    def now(self) -> Contents:
        """The contents as they stand, for whoever only reads."""
        self._catch_up(repair=False)
        return self._contents

    @contextmanager
    def writing(self) -> Iterator[Contents]:
        """Hold the right to write. Raises StoreHeld where another process does not let go of it."""
        if self._lock is None:
            raise StoreError(f"{self.folder} was opened to be read only")
        _take(self._lock, self.folder)
        try:
            if not (self.folder / LOG).exists():
                write_whole(self.folder / LOG, rewriting.nothing(), durable=True)
            self._catch_up(repair=True)
            yield self._contents
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def write(self, line: Line) -> None:
        """Within `writing`: have it durable, then done."""
        assert self._log is not None
        place = self._log.end
        self._log.append(line)
        self._apply(place, line)

    def rewrite_if_long(self) -> None:
        """Within `writing`: let go of what was overwritten since, where there may be much of it."""
        if self.end - self._base > max(REWRITE_BYTES_MIN, self._base):
            self.rewrite()

    def rewrite(self) -> None:
        """Within `writing`: put a log there that has only what still counts. Others notice, and begin again."""
        write_whole(self.folder / LOG, rewriting.whole(self._contents, locked=self.locked), durable=True)
        self._forget()
        self._catch_up(repair=True)

    def _forget(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log, self._contents, self._base, self.spare = None, Contents(), 0, False

    def _catch_up(self, *, repair: bool) -> None:
        try:
            self._read_new(repair)
        except Replaced:
            self._forget()
            self._read_new(repair)

    def _read_new(self, repair: bool) -> None:
        if self._log is None:
            self._log = Log(self.folder / LOG, durable=self._durable, read_only=self._read_only)
        try:
            for place, line in self._log.new(repair=repair):
                self._apply(place, line)
        except BaseException:
            self._forget()  # what was read up to an error is not what the store holds
            raise

    def _apply(self, place: int, line: Line) -> None:
        contents = self._contents
        match line:
            case lines.Group():
                contents.commit(lines.writes(line))
            case lines.Session():
                self._begin(line)
            case lines.Numbers():
                contents.next_number = line.next
            case lines.Define():
                body = lines.body(line.body)
                contents.define(DefinitionRecord(line.version, line.workflow, body, line.folder, line.created_at))
            case lines.Claim():
                contents.take(line.epoch, line.instances)
            case lines.Post():
                contents.post(lines.message(line.message))
            case lines.Sent():
                contents.forget_sent(line.ids)
            case lines.Trim():
                contents.forget_cached(line.keys)
            case lines.Purge():
                contents.purge(line.ids)
            case lines.Limits():
                contents.keep_limits(line.states)
            case lines.Kept():
                number = line.record.number
                snapshots = [lines.snapshot(number, one) for one in line.snapshots]
                contents.keep(Kept(line.record, snapshots=snapshots))
            case lines.Known():
                contents.known_messages.update(line.ids)
                if line.instance in contents.kept:
                    contents.kept[line.instance].messages.update(line.ids)
            case lines.Removed():
                contents.remove(line.instances)
                self.spare = True
            case lines.Skipped():
                contents.groups.extend([()] * line.groups)
            case lines.Rest():
                contents.apply_rest(lines.write(line.changes))
            case lines.Format():
                self.id = line.log
            case lines.Rewritten():
                self._base = self.end
        if self.shown_until[0] != self.id or place >= self.shown_until[1]:
            self._touch(line)

    def _begin(self, line: lines.Session) -> None:
        self._contents.hold(Lease(line.epoch, line.holder, line.expires_at))
        if not line.expires_at:
            self._contents.hold(None)
        self.locked = line.locked

    def _touch(self, line: Line) -> None:
        match line:
            case lines.Group():
                for one in line.writes:
                    self._touch_changed(one)
            case lines.Rest():
                self._touch_changed(line.changes)
            case lines.Removed():
                self.touched.update(line.instances)
            case lines.Claim():
                self.touched.update(line.instances)
            case lines.Post():
                self.touched.add(line.message.instance)
            case lines.Kept():
                self.touched.add(line.record.number)
            case lines.Sent():
                self.parts.add("outbox")
            case lines.Trim():
                self.parts.add("cache")
            case lines.Purge():
                self.parts.add("letters")
            case lines.Limits():
                self.parts.add("limits")
            case lines.Define():
                self.parts.add("definitions")
            case _:
                pass

    def _touch_changed(self, one: lines.Changes) -> None:
        self.touched.add(one.instance)
        if one.outbox:
            self.parts.add("outbox")
        if one.buried or one.raised:
            self.parts.add("letters")
        if one.cached:
            self.parts.add("cache")


def _lock_file(folder: Path) -> int:
    if fcntl is None:
        raise StoreError("a file store needs the file locks of Linux or macOS: use sqlite:///PATH here")
    folder.mkdir(exist_ok=True)
    if not (folder / LOG).exists() and (others := {one.name for one in folder.iterdir()} - OURS):
        raise StoreError(f"{folder} is no store, and not empty ({min(others)}): name a folder of its own")
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _take(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreHeld(f"another process is in the middle of a write to {folder}: is it stopped?") from None
            time.sleep(BUSY_LOOKED_AT_SECONDS)
        else:
            return
