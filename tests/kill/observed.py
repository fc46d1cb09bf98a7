"""What the store and the side file say after a kill.

The store is read from a copy: a reader that is the last to close would fold the WAL into the file, and the next process
would no longer find what a kill leaves.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.engine.program import Program
from mainspring.engine.result import InstanceResult
from mainspring.journal.history import rebuild
from mainspring.stores.sqlite import SqliteStore
from tests.kill import chains

Place = tuple[str, str]  # instance, node


@dataclass
class Seen:
    """The store as it durably stands."""

    open: int = 0
    known: set[str] = field(default_factory=set)
    ended: dict[str, tuple[str, Any]] = field(default_factory=dict)
    completed: set[Place] = field(default_factory=set)
    in_flight: set[Place] = field(default_factory=set)
    waiting: set[Place] = field(default_factory=set)
    dead_lettered: set[Place] = field(default_factory=set)
    crashes: dict[Place, int] = field(default_factory=dict)


async def see(path: Path, count: int) -> Seen:
    """Fold every instance of a copy of the store."""
    with tempfile.TemporaryDirectory() as folder:
        _copy(path, folder)
        store = SqliteStore(f"{folder}/copy.db", read_only=True, inline=True)
        await store.open()
        try:
            return await _fold(store, count)
        finally:
            await store.close()


def _copy(path: Path, folder: str) -> None:
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copyfile(f"{path}{suffix}", f"{folder}/copy.db{suffix}")


async def _fold(store: SqliteStore, count: int) -> Seen:
    seen = Seen()
    programs: dict[str, Program] = {}
    for record in await store.instances(limit=count + 1):
        if record.version not in programs:
            definition = await store.definition(record.version)
            assert definition is not None
            workflow = chains.chain()
            programs[record.version] = Program(workflow, definition.body, definition.folder, {})
        loaded = await store.load(record.id)
        assert loaded is not None
        instance, _ = rebuild(programs[record.version].plan, loaded)
        result = InstanceResult(instance)
        assert result.status == record.status, f"{record.id}: record {record.status}, rows {result.status}"
        seen.known.add(record.id)
        if record.open:
            seen.open += 1
        else:
            seen.ended[record.id] = (result.status, result.output)
        for node in result.nodes.values():
            place = (record.id, node.path)
            if node.status == "completed":
                seen.completed.add(place)
            elif node.status == "running":
                seen.in_flight.add(place)
            elif node.status == "ready":
                seen.waiting.add(place)
            if node.error is not None and node.error.type == "CrashLimit":
                seen.dead_lettered.add(place)
            if node.crashes:
                seen.crashes[place] = node.crashes
    return seen


class Side:
    """The side file, read on from where it was read to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        path.touch()

    def size(self) -> int:
        """Bytes written by now."""
        return self._path.stat().st_size

    def news(self) -> tuple[list[Place], set[str], dict[str, str]]:
        """What came since: executions, acknowledged starts, acknowledged ends with their status."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            text = file.read()
        self._at += len(text)
        ran: list[Place] = []
        started: set[str] = set()
        ended: dict[str, str] = {}
        for line in text.decode().splitlines():
            kind, id, *rest = line.split()
            if kind == "X":
                ran.append((id, rest[0]))
            elif kind == "S":
                started.add(id)
            else:
                ended[id] = rest[0]
        return ran, started, ended
