"""Instances that another session has, and somebody here waits for: the store is asked whether they have ended.

Asked when there is news (a hint of the store's, or a tick), and only then. However much news there is, a question takes
in all that came meanwhile, and questions are some way apart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from mainspring.errors import StoreError
from mainspring.journal.store import Store

logger = logging.getLogger("mainspring.engine")

ASKED_AT_ONCE_MAX = 1_000
"""How many instances one question names."""

APART_SECONDS = 0.02
"""How far apart questions are at least."""


class Elsewhere:
    """`waited` gives the ids that somebody waits for and that are not in memory here; `ended` is told which have ended."""

    def __init__(self, store: Store, waited: Callable[[], Sequence[str]], ended: Callable[[str], None]) -> None:
        self._store = store
        self._waited = waited
        self._ended = ended
        self._news = False
        self._task: asyncio.Task[None] | None = None

    def news(self) -> None:
        """Something may have ended."""
        self._news = True
        if (self._task is None or self._task.done()) and self._waited():
            self._task = asyncio.get_running_loop().create_task(self._ask(), name="mainspring-elsewhere")

    async def stop(self) -> None:
        """Stop at once."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(self) -> None:
        while self._news:
            self._news = False
            ids = self._waited()
            try:
                for place in range(0, len(ids), ASKED_AT_ONCE_MAX):
                    for id in await self._store.ended(ids[place : place + ASKED_AT_ONCE_MAX]):
                        self._ended(id)
            except StoreError as error:
                logger.warning("whether instances have ended elsewhere is asked again later: %s", error)
            await asyncio.sleep(APART_SECONDS)
