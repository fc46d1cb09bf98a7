"""What people do about instances at their end: have a saga go on that had to leave something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.testing.simulation.watched import Watched

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World

TIMES_MAX = 2
"""So often somebody has the saga of an instance go on at most."""

TRIED_AGAIN_SECONDS = 0.4


def left_over(world: World, watched: Watched) -> None:
    """An instance has ended and left something that was not undone: mostly somebody asks for that later."""
    asked = world.compensations.get(watched.id, 0)
    if asked >= TIMES_MAX or world.hand_random.random() < 0.3:
        return
    world.to_do.add(watched.id)
    world.later(0.02 + 2 * world.hand_random.random(), lambda: _compensate(world, watched.id))


def _compensate(world: World, id: str) -> None:
    process = world.serving()
    if world.closing or world.failure is not None:
        return
    if process is None:
        world.later(TRIED_AGAIN_SECONDS, lambda: _compensate(world, id))
        return
    world.compensations[id] = world.compensations.get(id, 0) + 1
    world.to_do.discard(id)
    world.tell(f"{process.name}: {id} is to be compensated by hand")
    process.do(process.compensate(id), "client compensate")
    if world.hand_random.random() < 0.2:
        world.points.hit("compensated twice at once")
        process.do(process.compensate(id), "client compensate")
