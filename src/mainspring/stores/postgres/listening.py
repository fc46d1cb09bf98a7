"""Wake-ups from other engines, by LISTEN and NOTIFY. They are hints: one that is lost costs time until the next tick only.

What is told is the epoch of the session that has new mail, or 0 for all sessions, or `news` and the epoch of the session
that has committed something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mainspring.stores.postgres.address import Address
from mainspring.stores.postgres.connection import Connection, explained, is_ours
from mainspring.stores.postgres.line import goodbye

logger = logging.getLogger("mainspring.stores")

RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX = 0.1, 5.0
"""After a lost connection a new one is tried at growing intervals between these."""


class Ear:
    """Keeps one connection that listens, as long as it is open. `heard` gets what is told; None: there may be a gap."""

    def __init__(
        self, address: Address, connect: Callable[[], Awaitable[Connection]], heard: Callable[[str | None], None]
    ) -> None:
        self._address = address
        self._connect = connect
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen, unless we do."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="mainspring-ear")

    async def close(self) -> None:
        """Stop at once."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        pause = RECONNECT_SECONDS_MIN
        while True:
            try:
                await self._until_lost()
                pause = RECONNECT_SECONDS_MIN
            except Exception as error:
                if not is_ours(error):
                    raise
                logger.warning("wake-ups are late: %s", explained(self._address, error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, RECONNECT_SECONDS_MAX)

    async def _until_lost(self) -> None:
        connection = await self._connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            channel = f"mainspring:{self._address.schema}"
            await connection.add_listener(channel, lambda _connection, _pid, _channel, told: self._heard(told))
            self._heard(None)
            await lost.wait()
        finally:
            await goodbye(connection)
