"""What the auditor says to the events of a saga: what is undone, how often, in which order, and what is told of it."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation.watched import FINAL, Watched
from mainspring.testing.simulation.watched_saga import Done, WatchedSaga, failed_nodes, to_undo
from mainspring.testing.simulation.watched_scope import WatchedScope, error_value

NAMED_MAX = 5


def must_undo(watched: Watched, ends: str) -> bool:
    """Whether an instance that would end so undoes something before that (65)."""
    asked = ends == "failed" or (ends == "cancelled" and watched.graph.workflow.compensate_on_cancel)
    return asked and watched.saga is None and bool(to_undo(watched)[0])


def note(scope: WatchedScope, id: str, run: int, how: str, output: Any) -> None:
    """A run has ended: a saga will have to undo it, if it can be undone."""
    undo = scope.graph.undo.get(id)
    if undo is None or (how == "failed" and not undo.failed) or (how == "cancelled" and not undo.in_doubt):
        return
    whole = scope.whole
    whole.done.append(Done(scope.path(id), run, how, output, whole.seq, whole.place, undo.graph))


def started(watched: Watched, event: ev.CompensationStarted) -> None:
    if event.again:
        _again(watched, event)
        watched.resumed_at = watched.audit.world.scheduler.now
    else:
        _started(watched, event)
    saga = watched.saga_now
    saga.since = watched.audit.world.scheduler.now
    watched.status = "compensating"
    watched.must(event.order == (), "a saga undoes the last first", f"it lists {event.order}")


def _started(watched: Watched, event: ev.CompensationStarted) -> None:
    must = watched.must
    ends = watched.natural_end()
    must(watched.saga is None, "a saga begins once", "it has had one")
    must(event.ends == ends, "the end is right", f"it is to end {event.ends}, not {ends}")
    must(must_undo(watched, ends), "a saga has something to undo", f"it ends {ends}")
    busy = [scope.path(id) for scope, id, node in watched.nodes() if node.status not in FINAL]
    must(not busy and len(watched.scopes) == 1, "a saga begins when nothing is under way", f"{busy}")
    order, nodes = to_undo(watched)
    must(frozenset(event.nodes) == nodes, "what is undone is right", f"nodes {event.nodes}, not {sorted(nodes)}")
    scope = watched.graph.workflow.compensation_scope or "workflow"
    must(event.scope == scope, "what is undone is right", f"{event.scope}, not {scope}")
    error = _because_of(watched, event)
    output = watched.own.leaf_outputs()
    told = msgspec.json.decode(event.output)
    must(told == output, "outputs are right", f"it is to end with {told}, not {output}")
    watched.saga = WatchedSaga(event.ends, event.reason, event.failed, error, order, output)
    if nodes:
        watched.audit.world.points.hit("a branch is undone")
    if ends == "cancelled":
        watched.audit.world.points.hit("undone after a cancel")


def _because_of(watched: Watched, event: ev.CompensationStarted) -> Any:
    """The error of the node because of which: of one that failed before all others."""
    failed = failed_nodes(watched) if event.ends == "failed" else []
    if not failed:
        watched.must(not event.failed, "errors name their node", f"it is because of {event.failed}, which did not fail")
        return None
    first = watched.own.nodes[failed[0]].ended_at
    right = event.failed in failed and watched.own.nodes[event.failed].ended_at == first
    watched.must(right, "errors name their node", f"it is because of {event.failed!r}, not of {failed}")
    error = None if event.error is None else error_value(event.error)
    if right:
        wanted = watched.own.nodes[event.failed].error
        watched.must(error == wanted, "errors name their node", f"{error}, not {wanted}")
    return error


def _again(watched: Watched, event: ev.CompensationStarted) -> None:
    asked = bool(watched.audit.world.compensations.get(watched.id))
    saga = watched.saga_now
    watched.must(asked, "a saga goes on for a cause", "nobody asked for it")
    watched.must(saga.over and not watched.open, "a saga goes on for a cause", f"it is {watched.status}")
    watched.must(bool(saga.left or saga.untried), "a saga has something to undo", "nothing was left")
    watched.must((event.ends, event.failed) == (saga.ends, saga.failed), "the end is right", f"{event}")
    saga.again()
    watched.ended_at = 0
    watched.audit.ends.pop(watched.id, None)
    watched.audit.world.points.hit("a saga goes on by hand")


def planned(watched: Watched, event: ev.CompensationPlanned) -> None:
    """The next page of what is to be undone, with the outputs, as the journal has them."""
    saga, must = watched.saga_now, watched.must
    must(saga.doing is None and saga.taken == saga.planned, "a saga undoes one at a time", "a page comes too early")
    must(not saga.all_read, "a saga undoes each run once", "a page comes after the last")
    got = [(one.path, one.run, one.how, one.row, one.index) for one in event.runs]
    wanted = saga.order[saga.planned : saga.planned + len(got)]
    told = [(one.path, one.run, one.how, one.row, one.index) for one in wanted]
    must(got == told, "a saga undoes the last first", f"next are {got}, not {told}")
    outputs = msgspec.json.decode(event.outputs)
    must(outputs == [one.output for one in wanted], "inputs are right", f"the outputs {outputs} are undone")
    saga.planned += len(got)
    saga.all_read = not event.row
    if saga.all_read:
        rest = saga.order[saga.planned :]
        must(not rest, "all that completed is undone", f"the last page comes, and lacks {rest}")
    else:
        watched.audit.world.points.hit("a saga has pages")
    saga.since = watched.audit.world.scheduler.now


def compensating(watched: Watched, event: ev.NodeCompensating) -> None:
    """The next run is undone, in a scope of its own."""
    saga = watched.saga_now
    watched.must(watched.status == "compensating", "nothing new starts", f"it undoes, and is {watched.status}")
    watched.must(saga.doing is None, "a saga undoes one at a time", f"{event.path} is undone beside another")
    if saga.taken >= saga.planned:
        watched.must(False, "a saga undoes each run once", f"{event.path} run {event.run} is undone: one too many")
        return
    done = saga.order[saga.taken]
    right = (event.path, event.run) == (done.path, done.run)
    watched.must(right, "a saga undoes the last first", f"{event.path} run {event.run}, not {done}")
    watched.must(event.attempt == saga.round, "a saga undoes each run once", f"round {event.attempt}, not {saga.round}")
    saga.taken += 1
    scope = WatchedScope(watched, done.undo, undoes=done)
    scope.input = done.output
    saga.doing = watched.scopes[scope.address] = scope
    for address in [one for one in watched.gone if one.startswith(scope.address)]:
        del watched.gone[address]
    watched.rounds[scope.address] = saga.round
    if done.path in watched.own.nodes:
        watched.move(watched.own.nodes[done.path], "compensating")
    else:
        watched.audit.world.points.hit("a run in a body is undone")


def compensated(watched: Watched, event: ev.NodeCompensated) -> None:
    scope = _over(watched, event, "compensated")
    failed = [id for id, node in scope.nodes.items() if node.status != "completed"]
    scope.must(not failed, "what is undone is told", f"it is undone, and {failed} did not complete")
    watched.saga_now.undone += 1


def not_compensated(watched: Watched, event: ev.NodeCompensationFailed) -> None:
    scope = _over(watched, event, "compensation_failed")
    scope.must(scope.unhandled > 0, "what is undone is told", "it is not undone, and nothing failed")
    error = error_value(event.error)
    scope.must(error == scope.error, "what is undone is told", f"{error}, not {scope.error}")
    assert scope.undoes is not None, "it undoes something"
    watched.saga_now.left.append(scope.undoes)
    watched.audit.world.points.hit("undoing fails for good")


def _over(watched: Watched, event: ev.NodeCompensated | ev.NodeCompensationFailed, status: str) -> WatchedScope:
    """The undoing of a run ends: nothing of it is under way."""
    saga = watched.saga_now
    scope = saga.doing
    if scope is None or scope.undoes is None:
        watched.must(False, "a saga undoes one at a time", f"{event.path} is {status}, and nothing was being undone")
        raise AssertionError
    done = scope.undoes
    right = (event.path, event.run) == (done.path, done.run)
    scope.must(right, "a saga undoes one at a time", f"{event.path} is {status}")
    busy = [id for id, node in scope.nodes.items() if node.status not in FINAL]
    scope.must(not busy and not scope.blocks, "nothing goes on in a body that has ended", f"{busy}")
    going = watched.status == "compensating"
    scope.must(going, "no body ends while all stands still", f"it ends, and the instance is {watched.status}")
    watched.own.variables.update(scope.variables)
    del watched.scopes[scope.address]
    saga.since = watched.gone[scope.address] = watched.audit.world.scheduler.now
    if done.path in watched.own.nodes:
        watched.move(watched.own.nodes[done.path], status)
    saga.doing = None
    return scope


def ended(watched: Watched, event: ev.CompensationEnded) -> None:
    """The saga is through: it says what it could not undo."""
    saga, must = watched.saga_now, watched.must
    must(saga.doing is None, "a saga undoes one at a time", "it ends in the middle of one")
    gave_up = len(saga.left) >= watched.audit.world.profile.left_max
    must(gave_up or not saga.untried, "all that completed is undone", f"it ends, and did not try {saga.untried}")
    left = [(one.path, one.run) for one in saga.left]
    told = [(one.path, one.run) for one in event.left]
    must(told == left, "what is undone is told", f"it leaves {told}, not {left}")
    counts = (event.undone, event.untried)
    wanted = (saga.undone, len(saga.untried))
    must(counts == wanted, "what is undone is told", f"undone and untried are {counts}, not {wanted}")
    if saga.untried:
        watched.audit.world.points.hit("a saga gives up")
    saga.over = True


def end_told(watched: Watched, reason: str) -> None:
    """The reason of the end says what was undone, and what was not."""
    saga = watched.saga_now
    total = saga.undone + len(saga.left) + len(saga.untried)
    said = [f"undone: {saga.undone} of {total} run", *([saga.reason] if saga.reason else [])]
    said += [one.path for one in saga.left[:NAMED_MAX]]
    said += [f"not tried: {len(saga.untried)}"] if saga.untried else []
    lacks = [text for text in said if text not in reason]
    watched.must(not lacks, "what is undone is told", f"the reason {reason!r} lacks {lacks}")
    if saga.left or saga.untried:
        watched.audit.world.left_over(watched)


def after_row(watched: Watched) -> None:
    """What must hold of a saga when a turn is over."""
    saga = watched.saga
    if saga is None or watched.status != "compensating":
        return
    watched.must(not saga.over, "the end is seen", "the saga is through, and the instance is not at its end")
    idle = saga.doing is None and saga.taken < saga.planned
    watched.must(not idle, "the end is seen", f"{len(saga.untried)} are to be undone, and nothing is under way")
    scope = saga.doing
    if scope is not None:
        busy = any(node.status not in FINAL for node in scope.nodes.values())
        scope.must(busy, "the end is seen", "nothing is under way in it, and it is open")
