"""Chains on PostgreSQL, and their floor: the same rows by a bare asyncpg `executemany`, in groups, without an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

import mainspring as ms
from benchmarks import workflows
from benchmarks.floor import Row, one_chain
from mainspring.stores.postgres.address import address_of
from mainspring.testing.postgres_server import drop, fresh_url


class BareWriter:
    """Group commit and nothing else: one connection, `executemany`, which is one transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def add(self, row: Row) -> asyncio.Future[None]:
        """A future that is done when the row is durable."""
        future = self._loop.create_future()
        self._waiting.append((row, future))
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._write())
        return future

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await self._connection.executemany("INSERT INTO turn VALUES ($1, $2, $3, $4)", [row for row, _ in group])
            for _, future in group:
                future.set_result(None)


@asynccontextmanager
async def _schema() -> AsyncIterator[str]:
    """A schema of its own on the server for tests, gone afterwards."""
    url = fresh_url()
    try:
        yield url
    finally:
        await drop(url)


async def chains(count: int, in_flight: int, length: int) -> tuple[float, list[float]]:
    """`count` chains by an engine, `in_flight` at a time: seconds in all, and of each."""
    workflow = workflows.chain(length)
    async with _schema() as url, ms.Engine(url) as engine:
        gate = asyncio.Semaphore(in_flight)

        async def one(number: int) -> float:
            async with gate:
                began = time.perf_counter()
                result = await (await engine.start(workflow, input={"n": number})).result()
                assert result.status == "completed", result
                return time.perf_counter() - began

        await one(0)
        began = time.perf_counter()
        each = await asyncio.gather(*(one(number) for number in range(count)))
        return time.perf_counter() - began, list(each)


async def bare_chains(count: int, in_flight: int, length: int) -> tuple[float, list[float]]:
    """The same rows without an engine."""
    async with _schema() as url:
        address = address_of(url)
        connection = await asyncpg.connect(address.dsn, server_settings={"search_path": address.schema})
        try:
            await connection.execute(f"CREATE SCHEMA {address.schema}")
            await connection.execute(
                "CREATE TABLE turn (instance BIGINT NOT NULL, seq INTEGER NOT NULL, crc BIGINT NOT NULL,"
                " body BYTEA NOT NULL, PRIMARY KEY (instance, seq))"
            )
            writer = BareWriter(connection)
            gate = asyncio.Semaphore(in_flight)

            async def one(instance: int) -> float:
                async with gate:
                    return await one_chain(writer, instance, length)

            await one(count)
            began = time.perf_counter()
            each = await asyncio.gather(*(one(instance) for instance in range(count)))
            return time.perf_counter() - began, list(each)
        finally:
            await connection.close()
