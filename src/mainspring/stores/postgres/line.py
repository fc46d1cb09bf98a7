"""One connection, used by one caller after another, in the order in which they came. It is made anew when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mainspring.stores.postgres.address import Address
from mainspring.stores.postgres.connection import LOST, Connection, explained, is_ours

T = TypeVar("T")

CLOSE_SECONDS_MAX = 5.0
"""How long a server may take to say goodbye."""


class Line:
    """`connect` makes the connection when it is first needed, and again after it was lost."""

    def __init__(self, address: Address, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._address = address
        self._connect = connect
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    def run(self, work: Callable[[Connection], Awaitable[T]]) -> asyncio.Future[T]:
        """Have `work` done with the connection. It is queued at once, not when awaited.

        Errors of the server come out as a StoreError. A caller that is cancelled stops waiting; the work itself is done to
        its end: to break it off would leave open whether it was done.
        """
        task = asyncio.get_running_loop().create_task(self._do(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return asyncio.shield(task)

    async def close(self) -> None:
        """Finish what is queued, then close the connection."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection is not None:
            await goodbye(connection)

    async def _do(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._turn:
            try:
                connection = self._connection
                if connection is None or connection.is_closed():
                    connection = self._connection = await self._connect()
                return await work(connection)
            except Exception as error:
                if not is_ours(error):
                    raise
                if isinstance(error, LOST):
                    self._drop()
                raise explained(self._address, error) from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


async def goodbye(connection: Connection) -> None:
    """Close in good order, or at once where the server does not answer."""
    try:
        await connection.close(timeout=CLOSE_SECONDS_MAX)
    except LOST:
        connection.terminate()
