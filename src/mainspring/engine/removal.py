"""Retention at work: what may go is taken out of the store in small batches, beside whatever runs.

Nothing of an instance is lost before it is decided that all of it may be: the store removes a batch in one transaction, in
which it looks again, so a crash leaves each family as it was or none of it. The bounds are named here, and between two
batches the store is left alone for as long as the last one took.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mainspring.engine.families import Family, find_families
from mainspring.engine.retention import Collected, RetentionRule
from mainspring.errors import NotOwner, StoreError

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")

BATCH_MIN = 10
BATCH_MAX = 500
"""How many instances one transaction removes: as many as `BATCH_SECONDS` allow. A larger family goes in several, its
children first."""

BATCH_SECONDS = 0.02

ROWS_AT_ONCE = 2_000
"""How many rows the groups of the journal name that are looked at together when room is given back."""

REST_SECONDS_MAX = 0.25
FIRST_SWEEP_MS_MAX = 60_000
NAMED_MAX = 100

Member = tuple[int, str]


class Removal:
    """Removes what a rule lets go, one clean-up at a time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._one = asyncio.Lock()
        self._going: frozenset[str] = frozenset()
        self._gone = asyncio.Event()
        self._held: Counter[str] = Counter()
        self._batch = BATCH_MIN
        self._place: int | None = None  # room is still to be given back, after this position
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def holding(self, id: str) -> AsyncIterator[None]:
        """While somebody looks at an instance at its end to open it again, it does not go."""
        while id in self._going:
            await self._gone.wait()
        self._held[id] += 1
        try:
            yield
        finally:
            self._held[id] -= 1
            if not self._held[id]:
                del self._held[id]

    # --- sweeping

    def start(self) -> None:
        """Begin to sweep, where the settings say so."""
        if self._host.settings.retention is not None:
            self._task = asyncio.create_task(self._serve(), name="mainspring-retention")

    async def stop(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _serve(self) -> None:
        retention = self._host.settings.retention
        assert retention is not None
        pause = min(retention.every_ms, FIRST_SWEEP_MS_MAX)
        while True:
            await asyncio.sleep(pause / 1000)
            pause = retention.every_ms
            try:
                done = await self.collect(lambda workflow: retention.workflows.get(workflow, retention))
                if done.removed:
                    logger.info("retention: %d instances were removed", done.removed)
            except NotOwner as error:
                self._host.lost(error)
                return
            except StoreError as error:
                logger.warning("what may go could not be removed, and is tried again later: %s", error)

    # --- a clean-up

    async def collect(
        self,
        rule_of: Callable[[str], RetentionRule],
        *,
        dry_run: bool = False,
        measured: bool = False,
        seconds_max: float | None = None,
    ) -> Collected:
        """Remove what may go by the rule of its workflow, and give back the room. Raises NotOwner, StoreError.

        `measured`: say what it comes to in bytes. After `seconds_max` it stops, and says that there is more.
        """
        async with self._one:
            store, host = self._host.store, self._host
            until = None if seconds_max is None else asyncio.get_running_loop().time() + seconds_max
            before = (await store.facts()).bytes if measured else None
            workflows: Counter[str] = Counter()
            ids: list[str] = []
            removed = 0
            while True:
                found = await find_families(store, rule_of, host.clock.now())
                if dry_run:
                    removed += sum(len(family.members) for family in found.families)
                went = found.families if dry_run else []
                async for family, count, whole in self._each_removed([] if dry_run else found.families, until):
                    removed += count
                    if whole:
                        went.append(family)
                workflows.update(family.workflow for family in went)
                ids += [family.id for family in went[: NAMED_MAX - len(ids)]]
                if dry_run or not found.more or not went or _over(until):
                    break
            stayed = len(found.families) - len(went)
            finished = dry_run or await self._give_back(until, wanted=measured or removed > 0)
            more = (stayed > 0 and _over(until)) or not finished or (dry_run and found.more)
            if stayed and not _over(until):
                found.kept["in use"] += stayed
            return Collected(
                removed=removed,
                workflows=dict(workflows.most_common()),
                ids=tuple(ids),
                kept=dict(found.kept),
                bytes_before=before,
                bytes_after=(await store.facts()).bytes if measured else None,
                more=more,
                dry_run=dry_run,
            )

    async def _each_removed(
        self, families: Sequence[Family], until: float | None
    ) -> AsyncIterator[tuple[Family, int, bool]]:
        """Remove them, the oldest first: each with how many of it went, and whether that was all."""
        waiting = list(families)
        while waiting and not _over(until):
            batch = list(_taken(waiting, self._batch))
            if len(batch[0].members) > BATCH_MAX:
                yield await self._remove_large(batch[0])
                continue
            gone = await self._remove([family.members for family in batch])
            for family in batch:
                count = sum(number in gone for number, _ in family.members)
                yield family, count, count > 0

    async def _remove_large(self, family: Family) -> tuple[Family, int, bool]:
        """The children first, then the one that has them: until then they are found by it, should this be broken off."""
        count, members = 0, family.members
        for place in range(0, len(members), BATCH_MAX):
            part = members[place : place + BATCH_MAX]
            gone = await self._remove([part])
            count += len(gone)
            if not gone:
                return family, count, False
        return family, count, True

    async def _remove(self, families: Sequence[Sequence[Member]]) -> set[int]:
        """One transaction. What is in memory here, or about to be, stays."""
        host = self._host
        free = [one for one in families if not any(id in host.by_id or id in self._held for _, id in one)]
        self._going = frozenset(id for family in free for _, id in family)
        began = asyncio.get_running_loop().time()
        try:
            numbers = [[number for number, _ in family] for family in free]
            gone = await host.store.remove(host.ownership.lease(), numbers) if free else []
        finally:
            self._going = frozenset()
            self._gone.set()
            self._gone = asyncio.Event()
        took = asyncio.get_running_loop().time() - began
        self._batch = min(self._batch * 2, BATCH_MAX) if took < BATCH_SECONDS / 2 else self._batch
        self._batch = max(self._batch // 2, BATCH_MIN) if took > BATCH_SECONDS else self._batch
        await _rest(took)
        return set(gone)

    async def _give_back(self, until: float | None, *, wanted: bool) -> bool:
        """Have the store give back the room. False where the time did not suffice: the next one goes on there."""
        if wanted and self._place is None:
            self._place = 0
        host = self._host
        while self._place is not None and not _over(until):
            began = asyncio.get_running_loop().time()
            self._place = await host.store.compact(host.ownership.lease(), self._place, ROWS_AT_ONCE)
            await _rest(asyncio.get_running_loop().time() - began)
        return self._place is None


def _taken(waiting: list[Family], room: int) -> Iterator[Family]:
    """Take the next ones that go together: at least one, and one that is too large for a batch alone."""
    taken = 0
    while waiting:
        size = len(waiting[-1].members)
        if taken and taken + size > room:
            return
        taken += size
        yield waiting.pop()


async def _rest(took: float) -> None:
    """Whoever commits meanwhile has the store for as long as we had it."""
    await asyncio.sleep(min(took, REST_SECONDS_MAX))


def _over(until: float | None) -> bool:
    return until is not None and asyncio.get_running_loop().time() >= until
