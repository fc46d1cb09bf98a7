"""Messages on their way into inboxes: those that come while others are being posted go together, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mainspring.errors import UnknownInstance
from mainspring.journal.records import InboxMessage

POSTED_AT_ONCE_MAX = 500
"""How many messages one transaction posts."""

Post = Callable[[Sequence[InboxMessage]], Awaitable[Sequence[bool | UnknownInstance]]]


class Postings:
    """`post` keeps a batch, and says of each message what became of it."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._waiting: list[tuple[InboxMessage, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def post(self, message: InboxMessage) -> bool:
        """Have it kept. Raises what the batch's post raises, and UnknownInstance."""
        end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, end))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._post_all())
        return await end

    async def _post_all(self) -> None:
        while self._waiting:
            batch = self._waiting[:POSTED_AT_ONCE_MAX]
            del self._waiting[:POSTED_AT_ONCE_MAX]
            ends: Sequence[bool | Exception]
            try:
                ends = await self._post([message for message, _ in batch])
            except Exception as error:
                ends = [error] * len(batch)
            for (_, future), end in zip(batch, ends, strict=True):
                if future.done():
                    continue
                if isinstance(end, Exception):
                    future.set_exception(end)
                else:
                    future.set_result(end)
