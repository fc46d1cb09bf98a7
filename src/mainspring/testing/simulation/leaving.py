"""Instances at their end that somebody lets go (retention): only those that may go, and then all of them.

What may go is worked out a second time from the rows: it is at its end, as long as was said, so many that were started
later have ended too, and no letter waits for somebody. What has gone is found nowhere any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from mainspring.errors import MainspringError
from mainspring.journal.records import Lease
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.virtual import at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

SHARE = 0.2
"""In so many of the seeds somebody cleans up."""

CLOCK_MARGIN_MS = 10
"""What is seen to go was chosen a moment before."""


class Leaving:
    """What somebody lets go in one run, always by the same rule. `gone` are the numbers of those that went."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gone: set[int] = set()
        draw = self._random = Random(f"{world.seed}/leaving")
        self.drawn = draw.random() < SHARE
        self.older_than = draw.choice((None, 100, 1_000))
        self.keep = draw.choice((0, 1, 2)) if self.older_than is None or draw.random() < 0.3 else None

    def plan(self) -> None:
        """Draw when somebody cleans up."""
        if self.drawn:
            for _ in range(self._random.choice((1, 2, 4))):
                self.world.scheduler.at(self._random.random() * self.world.faults_until, self._clean_up)

    def _clean_up(self) -> None:
        process = self.world.serving()
        if process is not None and not self.world.closing:
            self.world.tell(f"{process.name}: who is older than {self.older_than} goes, all but {self.keep}")
            process.do(self._collect(process), "client gc")

    async def _collect(self, process: Process) -> None:
        try:
            told = await process.engine.gc(older_than_ms=self.older_than, keep=self.keep)
        except MainspringError as error:
            self.world.tell(f"{process.name}: cleaning up: {error}")
        else:
            if told.kept.get("open"):
                self.world.points.hit("what is open stays")

    # --- what the auditor says to it ----------------------------------------------------------------------------------

    def removed(self, process: Process, lease: Lease, numbers: Sequence[int]) -> None:
        """These are in the store no longer."""
        self.world.audit.epoch(lease, "remove")
        for number in sorted(numbers, reverse=True):  # who started last is kept for its own sake
            watched = self.world.audit.instances.get(number)
            if watched is None or number in self.gone:
                self.world.fail("only what may go goes", f"number {number} goes, and is not there")
                return
            self._may_go(process, watched)
        for number in numbers:
            self.gone.add(number)
            self.world.points.hit("an instance goes")
            self.world.tell(f"{self.world.audit.instances[number].id} has gone")

    def _may_go(self, process: Process, watched: Watched) -> None:
        must = watched.must
        invariant = "only what may go goes"
        must(not watched.open, invariant, f"it goes, and is {watched.status}")
        must(watched.number not in self.world.audit.letters.reopened, invariant, "it goes, and was opened for an order")
        kept = [letter.id for letter in self.world.audit.letters.kept.values() if letter.instance == watched.id]
        must(not kept, invariant, f"it goes, and has {kept}")
        if self.older_than is not None and not self.world.profile.jumps:
            young = watched.ended_at + self.older_than - process.clock.now()
            must(young <= CLOCK_MARGIN_MS, invariant, f"it goes {young} ms before its time")
        if self.keep is not None:
            later = [
                one.id
                for one in self.world.audit.instances.values()
                if one.number > watched.number
                and one.graph.workflow.id == watched.graph.workflow.id
                and one.number not in self.gone
                and (not one.open or one.reopenings or one.saga is not None)
            ]
            must(len(later) >= self.keep, invariant, f"it goes, and later ones that ended are {later}")

    def left_at_the_end(self) -> None:
        """Of what has gone nothing is left."""
        for number in self.gone:
            id = self.world.audit.instances[number].id
            found = at_once(self.world.tool.find(id))
            if found is not None and found.number == number:
                self.world.fail("what has gone is gone", f"{id} has gone, and there is {found}")
