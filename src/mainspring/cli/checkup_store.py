"""What `mainspring doctor` says of a store and of the folder in which it stands."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli import places
from mainspring.cli.checkup import Check
from mainspring.cli.words import clean, count, duration, now_ms
from mainspring.errors import NothingYet, StoreError, StoreTooNew

if TYPE_CHECKING:
    from mainspring.journal.records import Lease, StoreFacts
    from mainspring.stores.sqlite.health import Health

LOOK_SECONDS_MAX = 5.0
"""For the whole store: what takes longer is left, and said to be."""

QUESTIONS = 5
ANSWER_MS_MANY = 20.0
"""A server that is so far away makes each commit, and so each step of a chain, that long at least."""

FSYNCS = 5
FSYNC_MS_MIN = 0.02
"""No disk that keeps what it is given is as quick as this."""

FREE_BYTES_MIN = 100 * 1024 * 1024
WAL_BYTES_MANY = 256 * 1024 * 1024
AHEAD_MS_MAX = 60_000
"""A store whose newest instance began so much later than now was written by another clock."""

NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "9p", "fuse.sshfs", "fuse.glusterfs",
     "vboxsf", "prl_fs", "drvfs", "virtiofs", "fuse.s3fs", "fuse.rclone", "beegfs", "gpfs")
)  # fmt: skip
MEMORY = frozenset(("tmpfs", "ramfs"))


def store(url: str) -> Iterator[Check]:
    """The folder first, then the file. Nothing is created but, for a moment, one file to try the disk with."""
    if url == "memory:":
        yield Check("store", "store", "ok", "memory: is gone with its process; there is nothing to look at")
        return
    if url.startswith(("postgresql:", "postgres:", "redis:", "rediss:", "unix:")):
        yield from server(url)
        return
    if url.startswith("file:"):
        yield from files(url)
        return
    from mainspring.assembly import store_path

    try:
        path = Path(store_path(url)).absolute()
    except StoreError as error:
        yield Check("store", "store", "problem", str(error))
        return
    folder = _folder(path)
    if folder is None:
        yield Check("store", "folder", "problem", f"there is no folder {clean(str(path.parent))}", _mkdir(path.parent))
        return
    yield from _disk(folder)
    yield from _file(url, path)


def server(url: str) -> Iterator[Check]:
    """A store on a server: whether it lets us in, how far away it is, what is in it. Nothing is created."""
    try:
        facts, took, cautions = asyncio.run(asyncio.wait_for(_asked(url), LOOK_SECONDS_MAX))
    except StoreTooNew as error:
        yield Check("store", "store", "problem", clean(str(error)), "pip install --upgrade mainspring")
        return
    except NothingYet as error:
        yield Check("store", "store", "ok", clean(str(error)))
        return
    except (StoreError, TimeoutError) as error:
        yield Check("store", "store", "problem", clean(str(error)) or f"no answer in {LOOK_SECONDS_MAX:.0f} s")
        return
    yield Check("store", "store", "ok", f"{clean(facts.url)}, schema {facts.schema}, {size_in_words(facts.bytes)}")
    if took > ANSWER_MS_MANY:
        hint = "each commit waits for it: run the engines nearer to the server"
        yield Check("store", "answer", "warning", f"a question takes {took:.0f} ms", hint)
    else:
        yield Check("store", "answer", "ok", f"a question takes {took:.1f} ms")
    for caution in cautions:
        yield Check("store", "durability", "warning", clean(caution))
    yield Check("store", "instances", "ok", f"{facts.instances:,}, {facts.open:,} of them open")
    if facts.lease is None:
        yield Check("store", "engines", "ok", "none runs on it")
    else:
        yield Check("store", "engines", "ok", f"the latest is {clean(facts.lease.holder)}, session {facts.lease.epoch}")


async def _asked(url: str) -> tuple[StoreFacts, float, list[str]]:
    from mainspring.assembly import cautions_of, open_store

    store = open_store(url, read_only=True)
    try:
        await store.open()
        times = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            await store.find("")
            times.append((time.perf_counter() - began) * 1000)
        return await store.facts(), sorted(times)[QUESTIONS // 2], await cautions_of(store)
    finally:
        await store.close()


def files(url: str) -> Iterator[Check]:
    """A store that is a folder of JSON. All of its log is read, and nothing in it is changed."""
    from mainspring.assembly import store_path

    try:
        folder = Path(store_path(url)).absolute()
    except StoreError as error:
        yield Check("store", "store", "problem", str(error))
        return
    if not folder.parent.is_dir():
        yield Check(
            "store", "folder", "problem", f"there is no folder {clean(str(folder.parent))}", _mkdir(folder.parent)
        )
        return
    yield from _disk(folder if folder.is_dir() else folder.parent)
    try:
        facts, _, _ = asyncio.run(asyncio.wait_for(_asked(url), LOOK_SECONDS_MAX))
    except NothingYet:
        yield Check("store", "store", "ok", f"there is none at {clean(str(folder))} yet: the first run makes it")
        return
    except StoreTooNew as error:
        yield Check("store", "store", "problem", clean(str(error)), "pip install --upgrade mainspring")
        return
    except (StoreError, TimeoutError) as error:
        hint = "keep a copy of the folder, then restore it from a backup"
        told = clean(str(error)) or f"its log is not read in {LOOK_SECONDS_MAX:.0f} s"
        yield Check("store", "store", "problem", told, hint)
        return
    yield Check(
        "store", "store", "ok", f"{clean(str(folder))}, schema {facts.schema}, {size_in_words(facts.bytes)} of log"
    )
    yield Check("store", "instances", "ok", f"{facts.instances:,}, {facts.open:,} of them open")
    yield _owner(facts.lease)


def _folder(path: Path) -> Path | None:
    """Where the file is or will be; the default's own folder is made by the first run."""
    if path.parent.is_dir():
        return path.parent
    above = path.parent.parent
    return above if path.parent.name == places.DEFAULT_FOLDER and above.is_dir() else None


def _mkdir(folder: Path) -> str:
    import shlex

    return f"mkdir -p {shlex.quote(clean(str(folder)))}"


def _disk(folder: Path) -> Iterator[Check]:
    shown = clean(str(folder))
    kind = _file_system(folder)
    yield _file_system_check(kind, shown)
    try:
        took = _fsync_ms(folder)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "let this user write there, or name another store with --store"
        yield Check("store", "folder", "problem", f"cannot write in {shown}: {why}", hint)
        return
    if took < FSYNC_MS_MIN and kind not in MEMORY:
        hint = "durability `full` is no more than `normal` here: a power loss may take the last commits"
        yield Check("store", "fsync", "warning", f"{took:.3f} ms: nothing waits for a disk", hint)
    else:
        yield Check("store", "fsync", "ok", f"{took:.2f} ms: about what a commit of `durability: full` costs at least")
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        yield Check(
            "store", "disk", "warning", f"{size_in_words(free)} left", "a full disk stops all runs (nothing is lost)"
        )
    else:
        yield Check("store", "disk", "ok", f"{size_in_words(free)} left")


def _file_system_check(kind: str, shown: str) -> Check:
    if kind in NETWORK:
        hint = (
            "SQLite's write-ahead log needs memory that all share, and locks that hold: put the store on a local disk"
        )
        return Check("store", "file system", "warning", f"{shown} is on {kind}, a network file system", hint)
    if kind in MEMORY:
        hint = "it is gone when the machine goes down: put the store on a disk"
        return Check("store", "file system", "warning", f"{shown} is on {kind}, in memory", hint)
    return Check("store", "file system", "ok", f"{shown} is on {kind}" if kind else f"{shown} (of a kind not known)")


def _file_system(folder: Path) -> str:
    """Its kind, as Linux tells it; "" elsewhere."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    wanted = str(folder.resolve())
    found, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        place = left.split()[4].replace("\\040", " ")
        if len(place) >= found and (wanted == place or wanted.startswith(place.rstrip("/") + "/")):
            found, kind = len(place), right.split()[0]
    return kind


def _fsync_ms(folder: Path) -> float:
    """The median of some. Raises OSError where we cannot write."""
    times = []
    with tempfile.TemporaryFile(dir=folder, prefix=".mainspring-doctor-") as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[FSYNCS // 2] * 1000


def _file(url: str, path: Path) -> Iterator[Check]:
    if not os.path.lexists(path):
        yield Check("store", "store", "ok", f"there is none at {clean(str(path))} yet: the first run makes it")
        return
    from mainspring.assembly import examine_store

    try:
        seen = examine_store(url, LOOK_SECONDS_MAX)
    except StoreTooNew as error:
        yield Check("store", "store", "problem", clean(str(error)), "pip install --upgrade mainspring")
        return
    except (StoreError, OSError) as error:
        yield Check("store", "store", "problem", clean(str(error)))
        return
    yield from _health(url, path, seen)


def _health(url: str, path: Path, seen: Health) -> Iterator[Check]:
    size = f"{size_in_words(seen.bytes)} and {size_in_words(seen.wal_bytes)} in its log"
    yield Check("store", "store", "ok", f"{clean(str(path))}, schema {seen.schema}, {size}")
    if not seen.schema:
        yield Check("store", "contents", "ok", "empty: the first run begins it")
        return
    if seen.unseen_wal:
        hint = "run this as the user who runs the store"
        yield Check(
            "store", "log", "warning", "the log cannot be read from here: the newest commits are missing below", hint
        )
    elif seen.wal_bytes > WAL_BYTES_MANY:
        hint = "somebody reads without an end, so it cannot be folded in: end what holds the file open"
        yield Check("store", "log", "warning", f"the log has grown to {size_in_words(seen.wal_bytes)}", hint)
    yield _integrity(seen)
    yield _instances(url, seen)
    yield _owner(seen.lease)
    if seen.newest is not None and seen.newest > now_ms() + AHEAD_MS_MAX:
        ahead = duration(seen.newest - now_ms())
        hint = "set the clock: timers and leases of the store go by it"
        yield Check("store", "clock", "warning", f"its newest instance began {ahead} from now", hint)


def _integrity(seen: Health) -> Check:
    if seen.faults:
        hint = "keep a copy of the file and its -wal, then restore it from a backup"
        return Check("store", "integrity", "problem", "; ".join(clean(one) for one in seen.faults), hint)
    if not seen.checked:
        text = f"no fault found in {LOOK_SECONDS_MAX:.0f} s; not all of it was looked at"
        return Check("store", "integrity", "ok", text)
    return Check("store", "integrity", "ok", "no fault found (quick_check)")


def _instances(url: str, seen: Health) -> Check:
    statuses = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in seen.statuses.items())
    if not seen.statuses:
        statuses = "none" if seen.checked else "too many to count here"
    parked = seen.statuses.get("parked", 0)
    if parked:
        hint = f"{places.command('list', '--status', 'parked', store=url)} says why"
        return Check("store", "instances", "warning", statuses, hint)
    hint = f"{places.command('list', store=url)} shows them; run --resume ID goes on with one" if seen.open else ""
    return Check("store", "instances", "ok", statuses, hint)


def _owner(lease: Lease | None) -> Check:
    """Whether whoever holds the store lives. Its process is asked for, its lock is not touched: a look must not hinder it."""
    if lease is None:
        return Check("store", "owner", "ok", "nobody holds it")
    holder, left = clean(lease.holder), lease.expires_at - now_ms()
    alive = _alive(lease.holder)
    if alive is None:
        if left > 0:
            return Check("store", "owner", "ok", f"{holder} (another machine) holds it, lease {lease.epoch}")
        hint = "the next engine takes over"
        return Check("store", "owner", "ok", f"{holder} (another machine) let its lease run out {_ago(left)}", hint)
    if not alive:
        return Check("store", "owner", "ok", f"{holder} is gone: the next engine takes over at once")
    if left > 0:
        return Check(
            "store", "owner", "ok", f"{holder} is alive and holds it, lease {lease.epoch}, {duration(left)} more"
        )
    hint = "is it stopped (Ctrl-Z), or too busy to renew it? the next engine takes over"
    return Check("store", "owner", "warning", f"{holder} is there, but its lease ran out {_ago(left)}", hint)


def _ago(left: int) -> str:
    return f"{duration(-left)} ago"


def _alive(holder: str) -> bool | None:
    """None where it cannot be told from here."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit() or os.name == "nt":
        return None
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def size_in_words(number: int) -> str:
    """Bytes, as `1.2 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return count(number, "byte")
