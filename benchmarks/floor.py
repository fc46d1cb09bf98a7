"""What the same journaled rows cost without an engine: a bare asyncio loop, the same encoder, one writer thread.

No machine, no graph, no leases, no recovery: a coroutine calls the step, encodes the row that mainspring would write,
hands it to a thread that commits in groups, and goes on when the group is durable.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from queue import SimpleQueue
from typing import Any, Protocol
from zlib import crc32

import msgspec
from msgspec import Raw

from benchmarks.workflows import noop
from mainspring.machine import events as ev

Row = tuple[int, int, int, bytes]
_encode = msgspec.json.Encoder().encode


class Adds(Protocol):
    """What makes rows durable."""

    def add(self, row: Row) -> asyncio.Future[None]:
        """A future that is done when the row is."""
        ...


class BareWriter:
    """Group commit and nothing else."""

    def __init__(self, path: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._busy = False
        self._groups: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def add(self, row: Row) -> asyncio.Future[None]:
        """A future that is done when the row is durable."""
        future = self._loop.create_future()
        self._waiting.append((row, future))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._send)
        return future

    def close(self) -> None:
        """End the thread."""
        self._groups.put(None)
        self._thread.join()

    def _send(self) -> None:
        group, self._waiting = self._waiting, []
        self._groups.put(group)

    def _durable(self, group: list[tuple[Row, asyncio.Future[None]]]) -> None:
        for _, future in group:
            future.set_result(None)
        if self._waiting:
            self._loop.call_soon(self._send)
        else:
            self._busy = False

    def _serve(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute(
            "CREATE TABLE turn (instance INTEGER NOT NULL, seq INTEGER NOT NULL, crc INTEGER NOT NULL,"
            " body BLOB NOT NULL, PRIMARY KEY (instance, seq)) WITHOUT ROWID"
        )
        while (group := self._groups.get()) is not None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO turn VALUES (?, ?, ?, ?)", [row for row, _ in group])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._durable, group)
        connection.close()


async def one_chain(writer: Adds, instance: int, length: int) -> float:
    """A chain's rows, each durable before the next step is called; seconds."""
    began = time.perf_counter()
    for seq in range(1, length + 2):
        output = _encode(await noop(n=1))
        events = [ev.NodeCompleted(f"n{seq}", 1, 1, Raw(output), (seq,)), ev.NodeStarted(f"n{seq + 1}", 1, 1)]
        body = _encode((1, 1_700_000_000_000, "", events, ()))
        await writer.add((instance, seq, crc32(body), body))
    return time.perf_counter() - began


async def chains(path: str, count: int, in_flight: int, length: int) -> tuple[float, list[float]]:
    """`count` chains, `in_flight` at a time: seconds in all, and of each."""
    writer = BareWriter(path)
    gate = asyncio.Semaphore(in_flight)

    async def one(instance: int) -> float:
        async with gate:
            return await one_chain(writer, instance, length)

    try:
        began = time.perf_counter()
        each = await asyncio.gather(*(one(instance) for instance in range(count)))
        return time.perf_counter() - began, list(each)
    finally:
        writer.close()


async def steps(path: str, count: int, in_flight: int = 1_000) -> float:
    """`count` independent steps, each a row: seconds. The floor of a graph, without the graph's order."""
    writer = BareWriter(path)
    gate = asyncio.Semaphore(in_flight)

    async def one(instance: int) -> None:
        async with gate:
            await one_chain(writer, instance, 0)

    try:
        began = time.perf_counter()
        await asyncio.gather(*(one(instance) for instance in range(count)))
        return time.perf_counter() - began
    finally:
        writer.close()
