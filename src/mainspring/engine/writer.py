"""Group commit: take all that is waiting, from all instances, commit once, then let the continuations go.

While one group is being made durable the next one gathers, so a commit's cost is shared by whatever came meanwhile. There
are two ways to go on from there. Large groups: the next one is handed over before the last one's continuations are let go,
and the store and we work at the same time. Small groups: that would leave two halves which wait for each other in turn, each
paying for a commit of its own; so the continuations go first, and what comes of them at once is in the next group too. Not so
where a server commits, whose work is done on another processor. The continuations first also where we only wait for the store
(a slow disk, a server far away), however large the groups are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mainspring.engine.live import Entry
from mainspring.journal.records import Committed, Lease, Write
from mainspring.journal.store import Store

IDLE_SECONDS_PER_TURN_MAX = 0.00005
"""Who waits longer for a commit than it takes to decide about its turns has nothing else to do."""

SMALL_GROUP_TURNS_MAX = 64
"""A group of so many turns costs less by itself than by its turns, where this process commits it. Measured with 50 and 200
chains in flight: on SQLite, together is 7 % quicker for the one, and 6 % slower for the other; on PostgreSQL, whose server
works meanwhile, it is 25 % slower for 50."""

SETTLING_ITERATIONS = 4
"""In so many iterations of the event loop a task that does nothing begins, ends, and leads to the next turn."""


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
        self.remote = store.remote
        self._small_turns_max = 0 if store.remote else SMALL_GROUP_TURNS_MAX
        self._waiting: list[Entry] = []
        self._idle: asyncio.Future[None] | None = None
        self._quiet = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._halted = False

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

    def halt(self) -> None:
        """Write nothing any more."""
        self._halted = True

    async def stop(self) -> None:
        """Stop at once. What is queued is lost, as in a crash."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._waiting = []
        self._quiet.set()  # whoever waits for that sees that the engine is no more

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
            if self._halted:
                self._quiet.set()
                return

    async def _write_groups(self) -> None:
        """Commit until nothing waits."""
        loop = asyncio.get_running_loop()
        group, pending = self._submit()
        while group:
            began = loop.time()
            try:
                committed = await pending if pending is not None else Committed(0)
            except Exception as error:
                # Whatever was decided on top of the lost turns is lost with them, so nothing queued may be kept.
                lost, self._waiting = group + self._waiting, []
                self._failed(lost, error)
                return
            idle = loop.time() - began
            small = len(group) <= self._small_turns_max
            if self._waiting and (small or idle > IDLE_SECONDS_PER_TURN_MAX * len(group)):
                self._committed(group, committed)
                for _ in range(SETTLING_ITERATIONS):
                    await asyncio.sleep(0)
                group, pending = self._submit()
                continue
            following = self._submit()
            if self._store.remote:
                await asyncio.sleep(0)  # it is on its way to the server before we begin with what may take long
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
