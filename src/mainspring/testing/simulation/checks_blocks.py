"""What the auditor says to the events of blocks and their bodies (docs/semantics-blocks.md)."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation.expressions import Raises, fill
from mainspring.testing.simulation.watched import FINAL, IDLE, Watched
from mainspring.testing.simulation.watched_block import End, WatchedBlock
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope, error_value


def lock_asked(scope: WatchedScope, id: str, event: ev.NodeWaiting) -> None:
    """A mutex asks for its lock."""
    name = WatchedBlock(scope, id).lock() if scope.graph.nodes[id].type == "mutex" else None
    scope.must(event.detail == name, "locks are named", f"{id} asks for {event.detail}, not {name}")
    scope.nodes[id].lock = event.detail
    if holders(scope.whole, event.detail):
        _hit(scope.whole, "lock is waited for")


def block_started(watched: Watched, event: ev.BlockStarted) -> None:
    """A block knows what to work on."""
    scope, id, node = watched.find(event.path)
    block = WatchedBlock(scope, id)
    instead = block.prepare()
    scope.must(instead is None, "failures have a cause", f"{id} starts, and should have failed: {instead}")
    came = ("waiting", "lock") if block.kind == "mutex" else ("running", "")
    is_at = (node.status, node.waits_for)
    scope.must(is_at == came, "a block starts once", f"{id} starts its bodies while it is {is_at}")
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}")
    scope.must(id not in scope.blocks, "a block starts once", f"{id} has begun already")
    scope.must(watched.going, "nothing new starts", f"{id} begins bodies in one that is {watched.status}")
    items, state = msgspec.json.decode(event.items), msgspec.json.decode(event.state)
    scope.must(items == block.items, "inputs are right", f"{id} goes through {items}, not {block.items}")
    scope.must(state == block.state, "inputs are right", f"{id} begins with {state}, not {block.state}")
    if block.kind == "mutex":
        others = holders(watched, node.lock)
        scope.must(not others, "a lock has one holder", f"{id} has {node.lock}, and so have {others}")
    scope.blocks[id] = block
    watched.touched.append(block)
    node.waits_for = "bodies"
    watched.move(node, "waiting")


def items_added(watched: Watched, event: ev.ItemsAdded) -> None:
    """A body had further items come."""
    block = _block(watched, event.path, event.run)
    items = msgspec.json.decode(event.items)
    text = f"{block.id} gets {items}, not {block.added}"
    block.scope.must(bool(items) and items == block.added, "items are added rightly", text)
    block.added = []


def scope_started(watched: Watched, event: ev.ScopeStarted) -> None:
    """A body begins: the next one, where there is room, and something to do."""
    block = _block(watched, event.path, event.run)
    scope, node = block.scope, block.scope.nodes[block.id]
    scope.must(watched.going, "nothing new starts", f"a body of {block.id}, and all is {watched.status}")
    wanted = block.first + block.begun
    right = event.number == wanted >= node.bodies
    scope.must(right, "an address is used once", f"body {event.number} of {block.id}, not {wanted} or {node.bodies}")
    full = f"{block.id} begins body {event.number}, {len(block.open)} are open of {block.bound}"
    scope.must(block.may_begin(), "bodies begin where there is room", full)
    must_end = block.next()
    scope.must(must_end is None, "a block ends when it must", f"{block.id} goes on, and should end: {must_end}")
    watched.begun += 1
    bound = watched.audit.world.profile.bodies_per_turn
    scope.must(
        watched.begun <= bound, "bodies in one turn are bounded", f"{watched.begun} begin, and the bound is {bound}"
    )
    if block.may_begin():
        body = block.begin()
        node.bodies = block.first + block.begun
        watched.scopes[body.address] = body
    if block not in watched.touched:
        watched.touched.append(block)


def holders(watched: Watched, lock: str) -> list[str]:
    """The mutexes that have the lock of this name, in all instances: from their bodies' beginning to their own end."""
    return [
        f"{other.id} {block.path}"
        for other in watched.audit.instances.values()
        if other.open
        for block in other.blocks()
        if block.kind == "mutex" and block.scope.nodes[block.id].lock == lock
    ]


def scope_ended(watched: Watched, event: ev.ScopeEnded) -> None:
    """A body ends: nothing is under way in it, and its end is what its nodes' ends say."""
    block = _block(watched, event.path, event.run)
    body = block.open.get(event.number - block.first)
    if body is None:
        block.scope.must(False, "a body ends once", f"body {event.number} of {block.id} is not open")
        return
    busy = [id for id, node in body.nodes.items() if node.status not in IDLE]
    body.must(not busy, "nothing goes on in a body that has ended", f"{busy}")
    body.must(not body.blocks, "nothing goes on in a body that has ended", f"blocks {list(body.blocks)}")
    output, error = None, None
    if event.status == "cancelled":
        lower = [index for index in block.open if index < body.index]
        body.must(not lower, "bodies are stopped in their order", f"{lower} are still open")
        block.stopping = True
        _hit(watched, "bodies are stopped")
    else:
        output, error = _ended_by_itself(watched, body, event)
    del watched.scopes[body.address]
    watched.gone[body.address] = watched.audit.world.scheduler.now
    block.close(body, event.status, output, error)
    watched.touched.append(block)


def _ended_by_itself(watched: Watched, body: WatchedScope, event: ev.ScopeEnded) -> tuple[Any, Any]:
    """The output, or the error."""
    left = [id for id, node in body.nodes.items() if node.status not in FINAL]
    body.must(not left, "all nodes are final at the end", f"{left}")
    text = f"it ends, and the instance is {watched.status}"
    body.must(watched.going, "no body ends while all stands still", text)
    body.must(body.block is not None and not body.block.stopping, "a block ends when it must", "it ends after a stop")
    error = None if event.error is None else error_value(event.error)
    wanted = _end_of(body)
    if isinstance(wanted, End) or body.unhandled:
        type, message = (body.error["type"], body.error["message"]) if body.unhandled else ("MappingError", None)
        right = event.status == "failed" and event.error is not None and event.error.type == type
        right = right and (message is None or (event.error is not None and event.error.message == message))
        body.must(
            right, "the end of a body is right", f"{event.status} with {error}, not failed with {type}: {message}"
        )
        return None, error
    body.must(event.status == "completed", "the end of a body is right", f"it ends {event.status}: {error}")
    mapped = body.graph.output is not None
    body.must(event.mapped == mapped, "outputs are right", f"mapped is {event.mapped}")
    got = msgspec.json.decode(event.output)
    body.must(got == (wanted if mapped else None), "outputs are right", f"the body gives {got}, not {wanted}")
    return wanted, None


def _end_of(body: WatchedScope) -> Any:
    """Its output; an End where that cannot be made."""
    if body.graph.output is None:
        return body.leaf_outputs()
    try:
        return fill(body.graph.output, body.look())
    except Raises:
        return End(error={"type": "MappingError"})


def conflicted(watched: Watched, event: ev.VariablesConflict) -> None:
    """Bodies that were open together gave a variable different values."""
    block = _block(watched, event.path, event.run)
    found = (event.number - block.first, frozenset(event.names))
    wanted = [(index, frozenset(names)) for index, names in block.conflicts]
    block.scope.must(found in wanted, "conflicts are told", f"{block.id}: {found}, not {wanted}")
    _hit(watched, "bodies disagree on a variable")
    block.conflicts = [one for one in block.conflicts if one[0] != found[0]]


def _block(watched: Watched, path: str, run: int) -> WatchedBlock:
    """The block under way at this path."""
    scope, id, node = watched.find(path)
    block = scope.blocks.get(id)
    if block is None:
        scope.must(False, "bodies belong to a block under way", f"{id} is {node.status}")
        block = WatchedBlock(scope, id)
    scope.must(block.run == run, "runs are counted", f"{id}: run {run}, and run {block.run} is under way")
    return block


def _hit(watched: Watched, point: str) -> None:
    watched.audit.world.points.hit(point)


# --- the end of a block -------------------------------------------------------------------------------------------------


def block_completed(scope: WatchedScope, id: str, node: WatchedNode, event: Any, output: Any) -> Any:
    """A block ended well, and with what: its output is not written where it is the list of its results."""
    block = scope.blocks.get(id)
    timed_out = event.port == "timeout" and scope.graph.nodes[id].timeout is not None
    if timed_out:
        _must_be_late(scope, id, node)
        wanted, stated = End(scope.input_of(id), "timeout"), scope.input_of(id)
    else:
        found = None if block is None else block.next()
        right = found is not None and found.error is None
        scope.must(right, "a block ends when it must", f"{id} completes, and should: {found}")
        wanted = found if found is not None else End()
        derived = block is not None and block.keeps and id not in scope.graph.undo
        stated = None if derived else wanted.output
    scope.must(event.port == wanted.port, "routing is right", f"{id} leaves by {event.port}, not {wanted.port}")
    scope.must(output == stated, "outputs are right", f"{id} gives {output}, not {stated}")
    _must_be_running(scope, id)
    block_gone(scope, id)
    return wanted.output


def block_failed(scope: WatchedScope, id: str, node: WatchedNode, event: Any) -> None:
    """A block failed: for what has become of it, or before it could begin."""
    block, error = scope.blocks.get(id), event.error
    wanted = _not_begun(scope, id) if block is None else block.next()
    right = _is_error(error, wanted)
    if not right and error.type == "NodeTimeout":
        _must_be_late(scope, id, node)
        by_port = any(edge.port == "timeout" for edge in scope.graph.outgoing[id])
        scope.must(not by_port, "routing is right", f"{id} fails for its timeout, and has a connection for that")
    else:
        scope.must(right, "a block ends when it must", f"{id} fails with {error}, not {wanted}")
    _must_be_running(scope, id)
    block_gone(scope, id)


def _not_begun(scope: WatchedScope, id: str) -> End | None:
    block = WatchedBlock(scope, id)
    if block.kind == "mutex":
        return End(error={"type": "MappingError"}) if block.lock() is None else None
    return block.prepare()


def _is_error(error: ev.ErrorRecord, wanted: End | None) -> bool:
    if wanted is None or wanted.error is None:
        return False
    got = error_value(error)
    return all(got[name] == value for name, value in wanted.error.items())


def _must_be_running(scope: WatchedScope, id: str) -> None:
    text = f"{id} ends while all is {scope.whole.status}"
    scope.must(scope.whole.going, "no body ends while all stands still", text)


def _must_be_late(scope: WatchedScope, id: str, node: WatchedNode) -> None:
    since = node.started_at + scope.whole.stood_still(node.started_at)
    late = scope.whole.at - since - (scope.graph.nodes[id].timeout or 2**62)
    scope.must(late >= 0, "timeouts last", f"{id} times out {-late} ms early")
    scope.must(node.status == "waiting", "timeouts last", f"{id} times out while it is {node.status}")
    _hit(scope.whole, "block times out")


def block_gone(scope: WatchedScope, id: str) -> None:
    """The block is no longer under way: nothing of it may be."""
    block = scope.blocks.pop(id, None)
    if block is not None:
        if block.kind == "mutex":
            audit = scope.whole.audit
            audit.freed[scope.nodes[id].lock] = audit.world.scheduler.now
        scope.must(
            not block.open, "nothing goes on in a body that has ended", f"{id} has ended before {list(block.open)}"
        )
        scope.must(not block.added, "items are added rightly", f"{id} has ended without {block.added}")
        scope.must(not block.conflicts, "conflicts are told", f"{id} does not tell of {block.conflicts}")


# --- between turns ------------------------------------------------------------------------------------------------------


def after_row(watched: Watched) -> None:
    """What must hold of blocks when a turn is over."""
    for scope in watched.suspended:
        gone = watched.scopes.get(scope.address) is not scope
        scope.must(gone, "cancelled for a cause", "nodes were stopped, and the body goes on")
    if not watched.going:
        return
    for scope in watched.scopes.values():
        if scope.block is not None:
            _body_goes_on(watched, scope)
    for block in watched.blocks():
        _block_goes_on(watched, block)


def _body_goes_on(watched: Watched, body: WatchedScope) -> None:
    busy = any(node.status not in IDLE for node in body.nodes.values())
    body.must(busy, "the end is seen", "nothing is under way in it, and it is open")
    body.must(not body.must_end, "fails fast where told", f"{body.must_end} failed, and the body goes on")


def _block_goes_on(watched: Watched, block: WatchedBlock) -> None:
    """It is not at its end, and has as many bodies as it may; else the turn had its fill, and it waits for another."""
    must = block.scope.must
    must(not block.stopping, "cancelled for a cause", f"{block.id} goes on, and bodies of it were stopped")
    must(block.end is None, "a block ends when it must", f"{block.id} goes on, and should end: {block.end}")
    must(not block.added, "items are added rightly", f"{block.id} goes on without {block.added}")
    must(not block.conflicts, "conflicts are told", f"{block.id} does not tell of {block.conflicts}")
    if not block.may_begin():
        if not block.open:
            must(False, "the end is seen", f"nothing is left to do for {block.id}, and it has not ended")
        return
    had_its_fill = watched.begun >= watched.audit.world.profile.bodies_per_turn
    if had_its_fill:
        _hit(watched, "turn has its fill of bodies")
    if watched.resumed or block in watched.touched:
        block.asked = had_its_fill
        block.asked_at = watched.at
        block.since = watched.audit.world.scheduler.now
    must(block.asked, "bodies begin where there is room", f"{block.id} has {len(block.open)} open of {block.bound}")
