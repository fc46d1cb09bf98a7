"""One seed, one run: `simulate(seed)` plays it and says what came of it. The same seed gives byte-equal journals."""

from __future__ import annotations

import gc
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from mainspring.machine.nodes import bodies, fallback
from mainspring.machine.policies import saga
from mainspring.testing.simulation.profile import Profile
from mainspring.testing.simulation.world import World

STORY_LINES = 40


class Outcome(Struct, frozen=True):
    """What came of a run. `invariant` is "" where all held; `story` is what was done and what happened, in order."""

    seed: int
    invariant: str
    text: str
    digest: str
    hits: dict[str, int]
    instances: int
    rows: int
    attempts: int
    seconds: float
    iterations: int
    story: list[str]

    @property
    def ok(self) -> bool:
        """Whether every invariant held."""
        return not self.invariant

    def report(self, lines: int = STORY_LINES) -> str:
        """For a person: what failed, and the last of the story."""
        head = f"seed {self.seed}: {self.invariant}: {self.text}" if self.invariant else f"seed {self.seed}: ok"
        return "\n".join([head, *self.story[-lines:]] if lines else [head])


def simulate(seed: int, *, recording: bool = False) -> Outcome:
    """Play one seed. `recording` keeps the story."""
    with _quiet():
        world = World(seed, recording=recording)
        with _bounds(world.profile):
            try:
                world.run()
            finally:
                world.close()
    failure = world.failure
    rows = [row for number in sorted(world.audit.rows) for row in world.audit.rows[number]]
    digest = hashlib.sha256()
    for row in rows:
        digest.update(b"%d %d " % (row.instance, row.seq) + row.body)
    return Outcome(
        seed,
        "" if failure is None else failure.invariant,
        "" if failure is None else failure.text,
        digest.hexdigest()[:32],
        {name: hits for name, hits in world.points.hits.items() if hits},
        len(world.audit.instances),
        len(rows),
        sum(len(begins) for begins in world.audit.ledger.values()),
        world.scheduler.now,
        world.scheduler.iterations,
        world.story,
    )


def replay(seed: int) -> Outcome:
    """The same run again, with its story."""
    return simulate(seed, recording=True)


@contextmanager
def _bounds(profile: Profile) -> Iterator[None]:
    """Bounds of the machine that nobody can set, as small as the run wants them."""
    bounds = (
        (bodies, "BODIES_PER_TURN_MAX", profile.bodies_per_turn),
        (fallback, "BODIES_PER_TURN_MAX", profile.bodies_per_turn),
        (saga, "LEFT_MAX", profile.left_max),
    )
    before = [getattr(owner, name) for owner, name, _ in bounds]
    try:
        for owner, name, bound in bounds:
            setattr(owner, name, bound)
        yield
    finally:
        for (owner, name, _), bound in zip(bounds, before, strict=True):
            setattr(owner, name, bound)


@contextmanager
def _quiet() -> Iterator[None]:
    """The engine's log is about real trouble; here trouble is the point. Collecting garbage in the middle only costs."""
    logger = logging.getLogger("mainspring")
    level, collecting = logger.level, gc.isenabled()
    logger.setLevel(logging.CRITICAL + 1)
    gc.disable()
    try:
        yield
    finally:
        logger.setLevel(level)
        if collecting:
            gc.enable()
