"""Group commit: take all that is waiting, from all instances, commit once, then let the continuations go.

While one group is being made durable the next one gathers, so a commit's cost is shared by whatever came meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mainspring.engine.live import Entry
from mainspring.journal.records import Committed, Lease, Write
from mainspring.journal.store import Store


class Writer:
    """`committed` is told of each durable group, `failed` of all that was lost with a group that could not be written.

    `broke` is told where these two themselves failed: nothing is written after that.
    """

    def __init__(
        self,
        store: Store,
        lease: Callable[[], Lease],
        committed: Callable[[list[Entry], Committed], None],
        failed: Callable[[list[Entry], Exception], None],
        broke: Callable[[Exception], None],
        group_max: int,
    ) -> None:
        self._store = store
        self._lease = lease
        self._committed = committed
        self._failed = failed
        self._broke = broke
        self._group_max = group_max
        self._waiting: list[Entry] = []
        self._idle: asyncio.Future[None] | None = None
        self._quiet = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name="mainspring-writer")

    def add(self, entry: Entry) -> None:
        """Queue a turn. Turns become durable in the order in which they were added."""
        self._waiting.append(entry)
        idle = self._idle
        if idle is not None and not idle.done():
            idle.set_result(None)
            self._quiet.clear()

    @property
    def quiet(self) -> bool:
        """Whether nothing is queued or under way."""
        return self._quiet.is_set() and not self._waiting

    async def drained(self) -> None:
        """Wait until nothing is queued or under way."""
        await self._quiet.wait()

    async def stop(self) -> None:
        """Stop at once. What is queued is lost, as in a crash."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._waiting:
                self._quiet.set()
                self._idle = loop.create_future()
                await self._idle
                self._idle = None
            try:
                await self._write_groups()
            except Exception as error:
                self._broke(error)
                return

    async def _write_groups(self) -> None:
        """Commit until nothing waits. The next commit begins before the last one's continuations are let go."""
        group, pending = self._submit()
        while group:
            try:
                committed = await pending if pending is not None else Committed(0)
            except Exception as error:
                # Whatever was decided on top of the lost turns is lost with them, so nothing queued may be kept.
                lost, self._waiting = group + self._waiting, []
                self._failed(lost, error)
                return
            following = self._submit()
            self._committed(group, committed)
            group, pending = following

    def _submit(self) -> tuple[list[Entry], Awaitable[Committed] | None]:
        """Hand the next group to the store ([] where nothing waits, and None where there is nothing to write)."""
        group = self._waiting[: self._group_max]
        self._waiting = self._waiting[self._group_max :]
        writes = [entry.write for entry in group if entry.write is not None]
        return group, self._commit(writes) if writes else None

    def _commit(self, writes: list[Write]) -> Awaitable[Committed]:
        try:
            return self._store.commit(self._lease(), writes)
        except Exception as error:
            return _failure(error)


async def _failure(error: Exception) -> Committed:
    raise error
