"""What is done to the processes from outside: crashes, kills, stops, pauses, clocks that jump, and instances cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.errors import UnknownInstance
from mainspring.journal.messages import Cancel, encode
from mainspring.journal.records import InboxMessage
from mainspring.testing.simulation.poison import poison
from mainspring.testing.virtual import BEGINNING, at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

CLOCK_NOTICED_SECONDS = 11.0
"""The engine looks at the wall clock at least every CLOCK_CHECK_MS, so a jump may go unnoticed for so long."""


def _cancel(world: World) -> None:
    open_ = [watched for watched in world.audit.instances.values() if watched.open]
    if not open_:
        return
    target = world.random.choice(open_)
    world.cancels[target.id] = world.cancels.get(target.id, 0) + 1
    process = world.serving()
    if process is not None and world.random.random() < 0.5:
        world.points.hit("cancel by engine")
        process.do(process.cancel(target.id), "client cancel")
        return
    world.points.hit("cancel by inbox")
    world.messages += 1
    message = InboxMessage(f"m{world.messages}", target.number, encode(Cancel(by="tool")), BEGINNING)
    world.posted(message, at_once(_post(world, message)))
    if world.random.random() < 0.5:
        world.points.hit("message posted twice")
        world.later(world.random.random(), lambda: _again(world, message))


def _again(world: World, message: InboxMessage) -> None:
    """The same message comes a second time."""
    try:
        world.posted(message, at_once(_post(world, message)))
    except UnknownInstance:
        if message.instance not in world.leaving.gone:
            raise
        world.tell(f"{message.id} comes again, and its instance has gone")


async def _post(world: World, message: InboxMessage) -> bool:
    return await world.tool.post(message)


def strike(world: World) -> None:
    """One thing happens to one of them, from outside."""
    what = world.random.random()
    if what < 0.22:
        _cancel(world)
        return
    if what < 0.36:
        poison(world)
        return
    process = world.owner() if world.random.random() < 0.8 else None
    process = process or next(iter(world.processes.values()), None)
    if process is None:
        return
    if what < 0.48:
        _hit(world, process, "crash at any time")
        process.finish("crash")
    elif what < 0.56:
        if process.up:
            _hit(world, process, "kill at any time")
            process.stop("kill")
    elif what < 0.66:
        if process.up:
            _hit(world, process, "orderly restart")
            process.stop("orderly")
    elif what < 0.87 or not world.profile.jumps:
        _pause(world, process, long=what < 0.77)
    else:
        _jump(world, process)


def _hit(world: World, process: Process, point: str) -> None:
    world.points.hit(point)
    world.tell(f"{process.name}: {point}")


def _pause(world: World, process: Process, long: bool) -> None:
    if process.loop.paused or world.healing:
        return
    lease = world.settings.lease_ms / 1000
    seconds = lease * (1 + 2 * world.random.random()) if long else lease * world.random.random()
    _hit(world, process, "pause past the lease" if long else "short pause")
    process.loop.paused = True
    process.disturb(seconds + process.allowance)
    world.later(seconds, lambda: resume(world, process))


def resume(world: World, process: Process) -> None:
    if process.loop.paused:
        process.loop.paused = False
        world.tell(f"{process.name}: goes on")


def _jump(world: World, process: Process) -> None:
    forward = world.random.random() < 0.5
    by = round(world.random.choice((200, 1_000, 5_000)) * world.random.random()) + 1
    _hit(world, process, "clock jumps forward" if forward else "clock jumps back")
    process.clock.offset += by if forward else -by
    process.disturb(CLOCK_NOTICED_SECONDS)
