"""Inputs on which the machine fails: the instance is thrown away and parked (SEMANTICS 3), and goes on when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.engine.live import Live
from mainspring.journal.messages import Resume, encode
from mainspring.journal.records import InboxMessage
from mainspring.machine.inputs import Input, TaskFinished
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.virtual import BEGINNING, at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World

TRIED_AGAIN_SECONDS = 0.4
ASKED_AGAIN_SECONDS = 3.0
"""Whoever asked for an instance to go on asks again after this time, when all is to come to its end."""


class Poison(Input, frozen=True, kw_only=True):
    """An input that no rule of the machine knows."""


def poison(world: World) -> None:
    """Give one instance an input that the machine cannot take."""
    process = world.serving()
    lives = [] if process is None else list(process.engine.host.lives.values())
    lives = [live for live in lives if live.started is None and live.id in world.audit.by_id]
    busy = [live for live in lives if live.tasks]
    if process is None or not lives:
        if not world.healing:
            world.later(TRIED_AGAIN_SECONDS, lambda: poison(world))
        return
    live = world.random.choice(busy or lives)
    spoilt = _half_way(live) if world.random.random() < 0.7 else None
    point = "the machine fails" if spoilt is None else "the machine fails half-way"
    world.points.hit(point)
    world.tell(f"{process.name}: {point}: {live.id}")
    world.poisoned[live.id] = world.poisoned.get(live.id, 0) + 1
    world.audit.windows.doubt()
    process.engine.host.loop.post(live, spoilt or Poison())
    world.later(0.05 + 3 * world.random.random(), lambda: resume_parked(world, live.id))


def _half_way(live: Live) -> Input | None:
    """A result that sets a variable before it shows to be no result: what was changed by then must not stay."""
    for scope in live.instance.scopes:
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True):
            if state is None or state.status != "running" or node.machine_kind:
                continue
            nothing: Any = 7
            path = scope.path(node)
            return TaskFinished(
                path=path, run=state.run, attempt=state.attempt, output=nothing, variables=b'{"poison":1}'
            )
    return None


def resume_parked(world: World, id: str) -> None:
    """Have the instance go on, if it is parked or paused."""
    target = world.audit.by_id[id]
    if not target.stands:
        return
    world.resumes[id] = world.scheduler.now
    process = world.serving()
    if process is not None and world.random.random() < 0.5:
        world.points.hit("resume by engine")
        process.do(process.resume(id), "client resume")
        return
    world.points.hit("resume by inbox")
    world.messages += 1
    message = InboxMessage(f"m{world.messages}", target.number, encode(Resume(by="tool")), BEGINNING)
    world.posted(message, at_once(_post(world, message)))


async def _post(world: World, message: InboxMessage) -> bool:
    return await world.tool.post(message)


def ask_again(world: World, watched: Watched) -> None:
    """At the end nothing may stay parked or paused: somebody asks until it goes on."""
    if watched.stands and world.scheduler.now > world.resumes.get(watched.id, 0) + ASKED_AGAIN_SECONDS:
        resume_parked(world, watched.id)
