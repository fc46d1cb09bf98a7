"""Instances that somebody pauses, and that go on when they are told to, or by themselves (SEMANTICS 86 to 92)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.journal.messages import Pause, encode
from mainspring.journal.records import InboxMessage
from mainspring.machine import events as ev
from mainspring.testing.simulation.poison import resume_parked
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.virtual import BEGINNING, at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World


def pause_one(world: World) -> None:
    """Somebody has an instance start nothing new. Its clocks stop."""
    open_ = [watched for watched in world.audit.instances.values() if watched.open]
    if not open_ or world.healing:
        return
    pause(world, world.pause_random.choice([one for one in open_ if one.status == "running"] or open_))


def pause(world: World, target: Watched) -> None:
    """Somebody has this one start nothing new."""
    draw = world.pause_random
    world.pauses[target.id] = world.pauses.get(target.id, 0) + 1
    for_ms = draw.randrange(0, 3_000) if draw.random() < 0.3 else None
    process = world.serving()
    if process is not None and draw.random() < 0.6:
        world.points.hit("pause by engine")
        process.do(process.pause(target.id, for_ms), "client pause")
    else:
        world.points.hit("pause by inbox")
        world.messages += 1
        until = None if for_ms is None else world.now_at_owner() + for_ms
        message = InboxMessage(f"m{world.messages}", target.number, encode(Pause(by="tool", until=until)), BEGINNING)
        world.posted(message, at_once(world.tool.post(message)))
    world.later(0.05 + 3 * draw.random(), lambda: resume_parked(world, target.id))


def pausing(watched: Watched, event: ev.InstancePauseRequested) -> None:
    """From here on nothing may start."""
    watched.must(watched.status == "running", "only what runs is paused", f"it is {watched.status}")
    watched.must(watched.id in watched.audit.world.pauses, "paused for a cause", "nobody asked for it")
    watched.status, watched.pause = "pausing", (watched.at, event.until)


def paused(watched: Watched, event: ev.InstancePaused) -> None:
    """Drained: nothing runs."""
    watched.must(watched.status == "pausing", "drained is said once", f"it is {watched.status}")
    running = [scope.path(id) for scope, id, node in watched.nodes() if node.status == "running"]
    watched.must(not running, "drained is drained", f"{running} run")
    watched.status = "paused"
    watched.audit.world.points.hit("drained")


def resumed(watched: Watched, event: ev.InstanceResumed) -> None:
    """For how long its clocks stood still, and by whom it goes on."""
    standing = watched.status in ("parked", "pausing", "paused")
    watched.must(standing, "only what stands still is resumed", f"it is {watched.status}")
    began, until = watched.pause or (watched.at, None)
    if event.by == "its time":
        right = until is not None and watched.at >= until and watched.status != "parked"
        watched.must(right, "resumed for a cause", f"at {watched.at}, and its pause lasts until {until}")
        watched.audit.world.points.hit("goes on by itself")
    else:
        watched.must(watched.id in watched.audit.world.resumes, "resumed for a cause", "nobody asked for it")
    stood = max(watched.at - began, 0)
    watched.must(event.stopped_for == stood, "clocks stop", f"they stood for {event.stopped_for} ms, not for {stood}")
    watched.pause = None
    if stood:
        watched.stood.append((watched.at - stood, watched.at))
        for _, _, node in watched.nodes():
            if node.due is not None and node.status in ("waiting", "retrying"):
                node.due += stood


def after_row(watched: Watched) -> None:
    """Drained is said in the row in which that comes to be so."""
    if watched.status == "pausing" and not any(node.status == "running" for _, _, node in watched.nodes()):
        watched.flag("drained is said", "nothing runs any more, and it is pausing")


def comes_first(watched: Watched) -> bool:
    """Whether the row pauses what a process has only just taken over: what had run before is counted as crashed after that,
    so that nothing of it is begun."""
    return any(isinstance(one, ev.InstancePauseRequested) for one in watched.events)
