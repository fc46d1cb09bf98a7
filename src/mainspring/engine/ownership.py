"""The session: a lease with an epoch, renewed while we live. Without it nothing may be written."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from mainspring.engine.clock import Clock
from mainspring.engine.settings import EngineSettings
from mainspring.errors import NotOwner, StoreError, StoreHeld
from mainspring.journal.records import Lease
from mainspring.journal.store import Store

logger = logging.getLogger("mainspring.engine")

TRIES_PER_RENEWAL = 10
"""After a renewal that failed, how many are tried in the time that is usually between two."""


class Ownership:
    """`lost` is told when somebody else owns the store; `ticked` after each renewal, for whatever should happen as often."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: EngineSettings,
        lost: Callable[[Exception], None],
        ticked: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ttl = settings.lease_ms
        self._lost = lost
        self._ticked = ticked
        self._lease: Lease | None = None
        self._task: asyncio.Task[None] | None = None

    def lease(self) -> Lease:
        """The lease we write under. Raises NotOwner where there is none."""
        if self._lease is None:
            raise NotOwner("this engine has no session")
        return self._lease

    def epoch(self) -> int:
        """The number of our session."""
        return self.lease().epoch

    async def begin(self, wait: bool, waiting: Callable[[str], None] | None = None) -> None:
        """Take the store. Where another engine holds it: wait for its lease to end, or raise StoreHeld.

        `waiting` is told once, in words, that and for whom we wait.
        """
        holder = f"{socket.gethostname()}:{os.getpid()}"
        told = False
        wall = _Wall(self._clock, self._ttl)
        while True:
            if wall.was_set_forward():
                await asyncio.sleep(self._ttl / 1000)
                continue
            try:
                self._lease = await self._store.acquire(holder, self._clock.now(), self._ttl)
                break
            except StoreHeld as held:
                if not wait:
                    raise
                if not told and waiting is not None:
                    waiting(str(held))
                told = True
                await asyncio.sleep(min(0.5, self._ttl / 3000))
        self._task = asyncio.create_task(self._keep(), name="mainspring-lease")

    async def _keep(self) -> None:
        pause = usual = self._ttl / 3000
        while True:
            await asyncio.sleep(pause)
            try:
                self._lease = await self._store.renew(self.lease(), self._clock.now(), self._ttl)
            except NotOwner as error:
                self._lost(error)
                return
            except StoreError as error:
                logger.warning("the lease could not be renewed, and will be tried again: %s", error)
                pause = usual / TRIES_PER_RENEWAL  # soon: others may think that we are gone
                continue
            pause = usual
            self._ticked()

    async def end(self, release: bool) -> None:
        """Stop renewing; give the store back if it is still ours."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if release and self._lease is not None:
            try:
                await self._store.release(self._lease)
            except StoreError as error:
                logger.warning("the store could not be given back; its lease will end by itself: %s", error)
        self._lease = None


class _Wall:
    """Tells where the wall clock was set forward (or the machine slept) while we waited.

    Then a lease looks expired whose owner lives, and has had no time to renew it: it is given a whole one for that.
    """

    def __init__(self, clock: Clock, ttl: int) -> None:
        self._clock = clock
        self._least = ttl / 3  # an owner has more than that left whenever it renews in time
        self._ahead = self._measure()

    def was_set_forward(self) -> bool:
        """Whether it was since this was asked last."""
        before, self._ahead = self._ahead, self._measure()
        return self._ahead - before > self._least

    def _measure(self) -> float:
        return self._clock.now() - asyncio.get_running_loop().time() * 1000
