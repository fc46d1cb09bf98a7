"""Is anything overdue? A lost wake-up shows as something that is due and is not taken while the engine is well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mainspring.testing.simulation.audit import Audit
from mainspring.testing.simulation.checks_blocks import holders
from mainspring.testing.simulation.watched import FINAL, SUSPECT_CRASHES, Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope, timeout_of

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

WAITING_FOR_OTHERS = FINAL | {"pending", "gathering", "compensating", "falling_back"}
TAKEN_WITHIN_SECONDS = 0.15
"""How long something that is due may lie, in an engine that nothing disturbs."""


def overdue(world: World, process: Process) -> Iterator[str]:
    """All that should have been taken by now."""
    if process.epoch != world.epoch:
        yield f"{process.name} serves with epoch {process.epoch}, and the store is at {world.epoch}"
        return
    audit = world.audit
    for watched in audit.instances.values():
        if watched.open:
            for text in _instance(world, process, audit, watched):
                yield f"{watched.id}: {text}"
    long_ago = world.scheduler.now - TAKEN_WITHIN_SECONDS
    for id, post in world.posts.items():
        if post.at < long_ago and not audit.is_consumed(id):
            target = audit.instances[post.instance]
            if (target.open and target.resumed_at < long_ago) or audit.letters.reopened.get(
                target.number, long_ago
            ) < long_ago:
                yield f"{target.id}: message {id} is not taken"
    for id, waiter in process.results:
        watched = audit.by_id[id]
        if not watched.open and watched.since < long_ago and not waiter.done():
            yield f"{id}: it is {watched.status}, and who waits for its result is not told"


def _instance(world: World, process: Process, audit: Audit, watched: Watched) -> Iterator[str]:
    late = process.clock.now() - int(TAKEN_WITHIN_SECONDS * 1000)
    long_ago = world.scheduler.now - TAKEN_WITHIN_SECONDS
    saga = watched.saga
    idle = saga is not None and watched.status == "compensating" and saga.doing is None
    if saga is not None and idle and saga.since < long_ago and watched.resumed_at < long_ago:
        yield "its saga does not go on"
    if watched.times_out_at < late and watched.status == "running" and watched.resumed_at < long_ago:
        yield f"its timeout was due at {watched.times_out_at}, and it is {process.clock.now()}"
    until = None if watched.pause is None or watched.status == "parked" else watched.pause[1]
    if until is not None and until < late:
        yield f"its pause was over at {until}, and it is {process.clock.now()}"
    if watched.ahead:
        return  # what is durable of its nodes may be long over
    for block in watched.blocks():
        if block.asked and block.may_begin() and block.since < long_ago and watched.going:
            yield f"{block.path} has room for another body, and waits for a turn of its own"
    for scope, id, node in watched.nodes():
        still = node.status != "running" and (watched.stands or watched.resumed_at >= long_ago)
        if node.since < long_ago and node.status not in WAITING_FOR_OTHERS and not still:
            text = _node(process, audit, scope, id, node, late, long_ago)
            if text:
                yield f"{scope.path(id)} {text}"


def _node(
    process: Process,
    audit: Audit,
    scope: WatchedScope,
    id: str,
    node: WatchedNode,
    late: int,
    long_ago: float,
) -> str:
    if node.status in ("retrying", "waiting"):
        if node.due is not None:
            return f"is {node.status} since {node.due}, and it is {process.clock.now()}" if node.due < late else ""
        clock = timeout_of(scope, id, node)
        if clock is not None and clock < late:
            return f"had its timeout at {clock}, and it is {process.clock.now()}"
        if node.waits_for in ("bodies", "milestone"):
            return ""
        if node.waits_for == "lock":
            moves = audit.freed.get(node.lock, 0) >= long_ago or holders(scope.whole, node.lock)
            return "" if moves else f"waits for the lock {node.lock}, which nobody holds"
        allowance = process.allowance
        return "waits for code that is there" if process.complete_at + allowance < long_ago else ""
    if node.status == "ready":
        waits = node.crashes >= SUSPECT_CRASHES and _suspects_move(audit, process, long_ago)
        waits = waits or audit.holdings.all_taken(scope, id, process, long_ago)
        return "" if waits else "is ready, and does not start"
    clock = timeout_of(scope, id, node)
    if node.epoch != process.epoch:
        return f"runs for epoch {node.epoch}, which is over"
    if clock is not None and clock < late:
        return f"had its timeout at {clock}, and it is {process.clock.now()}"
    begin = audit.latest(scope.key(id, node.run, node.attempt), process.epoch)
    if begin is None:
        return "has started, and its work has not begun"
    if begin.reported and begin.ended_at < long_ago:
        return f"still runs, and its work reported {begin.end} at {begin.ended_at:.3f}"
    return ""


def _suspects_move(audit: Audit, process: Process, long_ago: float) -> bool:
    """Whether one of them runs, or ended only just now, or has its turn and waits for its limits."""
    return audit.suspect_left >= long_ago or any(
        node.status == "running" or (node.status == "ready" and audit.holdings.all_taken(scope, id, process, long_ago))
        for watched in audit.instances.values()
        for scope, id, node in watched.nodes()
        if node.crashes >= SUSPECT_CRASHES
    )
