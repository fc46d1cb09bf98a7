"""What a saga has to undo is read back from the store, page by page: the journal is the only list of what was done."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from mainspring.engine.live import Live
from mainspring.errors import StoreCorrupt, StoreError, StoreTooNew
from mainspring.journal.backwards import Page
from mainspring.journal.codec import decode_turn
from mainspring.machine.effects import ReadBack
from mainspring.machine.inputs import ParkInstance, RunsRead

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")

ROWS_AT_ONCE = 100
"""How many rows are in memory at a time while a page is put together."""


class Reader:
    """One reading for an instance at a time. What the machine no longer waits for when it comes is ignored there."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tasks: dict[tuple[int, int, int], asyncio.Task[None]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is being read."""
        return not self._tasks

    def busy(self) -> set[int]:
        """The numbers of the instances that something is read for: asleep they would not be told of it."""
        return {number for number, _, _ in self._tasks}

    async def stop(self) -> None:
        """Stop at once: whoever loads the instance asks again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def ask(self, live: Live, order: ReadBack) -> None:
        """Read a page, and tell the instance of it."""
        key = (live.number, order.row, order.index)
        if key not in self._tasks and self._host.loss is None:
            task = asyncio.get_running_loop().create_task(self._answer(live, order), name="mainspring-read-back")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _answer(self, live: Live, order: ReadBack) -> None:
        host = self._host
        failures = 0
        while host.loss is None:
            try:
                page = await self._read(live, order)
                break
            except (StoreCorrupt, StoreTooNew) as error:
                logger.error("%s: what is to be undone cannot be read: %s", live.id, error)
                reason = f"what is to be undone cannot be read: {error}"
                host.loop.post(live, ParkInstance(reason=reason, seed=host.clock.seed()))
                return
            except StoreError as error:
                logger.warning(
                    "%s: what is to be undone could not be read, and will be tried again: %s", live.id, error
                )
                failures += 1
                await asyncio.sleep(min(10 * 2 ** min(failures, 12), host.settings.store_retry_ms_max) / 1000)
        else:
            return
        present = host.by_id.get(live.id)
        if present is not None:
            host.loop.post(present, msgspec.structs.replace(page, seed=host.clock.seed()))

    async def _read(self, live: Live, order: ReadBack) -> RunsRead:
        page = Page(live.instance, order.row, order.index, self._host.settings.compensation_page)
        end = order.row or live.seq
        while end > 0:
            begin = max(0, end - ROWS_AT_ONCE)
            loaded = await self._host.store.turns(live.id, after=begin, limit=end - begin)
            rows = () if loaded is None else loaded.rows
            blobs = () if loaded is None else loaded.blobs
            for row in reversed(rows):
                if row.seq <= end:
                    full = page.add(row.seq, decode_turn(row, blobs))
                    if full is not None:
                        return full
            end = begin
        return page.done()
