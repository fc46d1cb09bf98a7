"""Wake-ups from other engines, by PUBLISH and SUBSCRIBE. They are hints: a lost one costs time until the next tick only.

What is told is the epoch of the session that has new mail, or 0 for all sessions, or `news` and the epoch of the session
that has committed something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from mainspring.stores.redis.server import Server, explained, is_ours

logger = logging.getLogger("mainspring.stores")

RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX = 0.1, 5.0
"""After a lost connection a new one is tried at growing intervals between these."""

QUIET_SECONDS_MAX = 30.0
"""After so long without a word the server is asked whether it is still there."""


CANCEL_SECONDS = 0.1
"""How long a cancellation may take to have an effect."""


class Ear:
    """Keeps one connection that listens, as long as it is open. `heard` gets what is told; None: there may be a gap."""

    def __init__(self, server: Server, heard: Callable[[str | None], None]) -> None:
        self._server = server
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen, unless we do."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="mainspring-ear")

    async def close(self) -> None:
        """Stop at once."""
        task, self._task = self._task, None
        while task is not None and not task.done():  # redis-py can lose a cancellation, see Server
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_SECONDS)

    async def _listen(self) -> None:
        pause = RECONNECT_SECONDS_MIN
        while True:
            try:
                async for told in self._told():
                    pause = RECONNECT_SECONDS_MIN
                    self._heard(told)
            except Exception as error:
                if not is_ours(error):
                    raise
                logger.warning("wake-ups are late: %s", explained(self._server.address, error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, RECONNECT_SECONDS_MAX)

    async def _told(self) -> AsyncIterator[str | None]:
        channel = self._server.client.pubsub()
        try:
            await channel.subscribe(f"{self._server.begin}wake")
            while True:
                said = await channel.get_message(timeout=QUIET_SECONDS_MAX)
                if said is None:
                    await channel.ping()
                elif said["type"] == "subscribe":
                    yield None
                elif said["type"] == "message":
                    yield said["data"].decode()
        finally:
            await channel.aclose()
