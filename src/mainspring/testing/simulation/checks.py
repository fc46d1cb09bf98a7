"""A row as the auditor takes it: event by event, and then what must hold between turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation import checks_blocks as blocks
from mainspring.testing.simulation import checks_by_hand as by_hand
from mainspring.testing.simulation import checks_ends as ends
from mainspring.testing.simulation import checks_nodes as nodes
from mainspring.testing.simulation import checks_policies as policies
from mainspring.testing.simulation import checks_resets as resets
from mainspring.testing.simulation import checks_runs as runs
from mainspring.testing.simulation import checks_saga as sagas
from mainspring.testing.simulation import checks_stops as stops
from mainspring.testing.simulation import pauses
from mainspring.testing.simulation.milestones import port_of
from mainspring.testing.simulation.standing import can_run, has_room, never_again
from mainspring.testing.simulation.watched import ENDS, FINAL, Unknown, Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope


def take_row(watched: Watched, seq: int, at: int, message: str, events: list[Any], epoch: int) -> None:
    """A row has become durable."""
    watched.must(seq == watched.seq + 1, "rows have no gaps", f"row {seq} follows row {watched.seq}")
    first = next((one for one in events if not isinstance(one, ev.Intervened)), None)
    reopens = isinstance(first, ev.InstanceReopened) or (isinstance(first, ev.CompensationStarted) and first.again)
    text = f"a row after the end: {[type(one).__name__ for one in events]}"
    watched.must(watched.open or reopens, "final is final", text)
    watched.seq, watched.at, watched.epoch, watched.resumed = seq, at, epoch, False
    watched.begun, watched.touched, watched.suspended = 0, [], []
    if message:
        watched.must(message not in watched.messages, "a message has effect once", f"{message} again")
        watched.messages.add(message)
    watched.events, watched.message, watched.by_hand = events, message, None
    try:
        for watched.place, event in enumerate(events):
            check = CHECKS.get(type(event))
            if check is None:
                watched.flag("known events", type(event).__name__)
            else:
                check(watched, event)
    except Unknown:
        return
    _after(watched)


def _begun(watched: Watched, event: ev.InstanceStarted) -> None:
    watched.must(watched.seq == 1 and watched.status == "pending", "an instance starts once", "started again")
    watched.status = "running"
    watched.input = msgspec.json.decode(event.input)
    watched.own.input, watched.own.variables = watched.input, msgspec.json.decode(event.variables)
    watched.started_at = watched.at


def _variables(watched: Watched, event: ev.VariablesSet) -> None:
    if not event.path:
        by_hand.set_by_hand(watched, event)
    scope = watched.find(event.path)[0] if event.path else watched.own
    scope.variables.update(msgspec.json.decode(event.values))


def _parked(watched: Watched, event: ev.InstanceParked) -> None:
    watched.must(bool(event.reason), "parked for a cause", "no reason is given")
    watched.must(bool(watched.audit.world.poisoned.get(watched.id)), "the machine never fails", event.reason)
    watched.status = "parked"


def _resumed(watched: Watched, event: ev.InstanceResumed) -> None:
    pauses.resumed(watched, event)
    undoes = watched.saga is not None and not watched.saga.over
    watched.status, watched.resumed = "compensating" if undoes else "running", True
    watched.resumed_at = watched.audit.world.scheduler.now


def _failing(watched: Watched, event: ev.InstanceFailing) -> None:
    watched.must(watched.status == "running", "fails fast where told", f"it is {watched.status}: {event.reason}")
    if event.because == "":
        early = watched.times_out_at - watched.at
        watched.must(early <= 0, "timeouts last", f"the workflow times out {early} ms early")
    else:  # perhaps only when it goes on, because it was parked
        text = f"because of {event.because}, not of {watched.own.must_end}"
        watched.must(bool(watched.own.must_end), "fails fast where told", text)
    watched.status = "failing"


def _cancelling(watched: Watched, event: ev.InstanceCancelRequested) -> None:
    watched.must(bool(watched.audit.world.cancels.get(watched.id)), "cancelled for a cause", "nobody asked for it")
    watched.status, watched.pause = "cancelling", None


def _ended(watched: Watched, event: Any) -> None:
    status = ENDS[type(event).__name__]
    unhandled = watched.own.unhandled
    expected = watched.natural_end() if watched.saga is None else watched.saga.ends
    watched.must(not sagas.must_undo(watched, expected), "all that completed is undone", f"{status}, and nothing is")
    if watched.saga is not None:
        watched.must(watched.saga.over, "all that completed is undone", f"{status} in the middle of its saga")
        sagas.end_told(watched, event.reason)
    watched.must(status == expected, "the end is right", f"{status}, not {expected} ({unhandled} unhandled)")
    left = [scope.path(id) for scope, id, node in watched.nodes() if node.status not in FINAL]
    watched.must(not left, "all nodes are final at the end", f"{left}")
    bodies = list(watched.scopes)[1:]
    watched.must(not bodies, "no scope is left at the end", f"{bodies} are open")
    wanted = watched.own.leaf_outputs() if watched.saga is None else watched.saga.output
    watched.output = msgspec.json.decode(event.output)
    watched.must(watched.output == wanted, "outputs are right", f"the instance gives {watched.output}, not {wanted}")
    policies.end_told(watched, event)
    if watched.own.must_end and watched.saga is None:
        ended = watched.status in ("failing", "cancelling")
        watched.must(ended, "fails fast where told", f"{watched.own.must_end} failed, and all went on")
    watched.status, watched.ended_at = status, watched.at
    watched.since = watched.audit.world.scheduler.now


def _after(watched: Watched) -> None:
    """What must hold between turns."""
    for scope, id, node in watched.nodes():
        if node.status == "running" and not pauses.comes_first(watched):
            late = f"{id} still runs for epoch {node.epoch}, and epoch {watched.epoch} goes on"
            scope.must(node.epoch >= watched.epoch, "crashes are counted", late)
        if watched.going and (scope is not watched.own or watched.status == "running"):
            if node.status in ("pending", "gathering"):
                _waits_rightly(scope, id, node)
            elif scope.graph.rules[id].pointless and node.status != "skipped":
                _others_stopped(scope, id)
            elif node.status == "waiting" and node.waits_for == "milestone":
                port = port_of(scope, id)
                scope.must(port is None, "milestones are between two nodes", f"{id} can leave by {port}, and waits")
    if watched.status == "running" and not any(node.status not in FINAL for node in watched.own.nodes.values()):
        watched.flag("the end is seen", "all nodes are final, and the instance is not")
    if watched.by_hand is not None:
        by_hand.after_row(watched)
    stops = bool(watched.own.must_end) and watched.status == "running"
    watched.must(not stops, "fails fast where told", f"{watched.own.must_end} failed, and all goes on")
    pauses.after_row(watched)
    blocks.after_row(watched)
    sagas.after_row(watched)


def _waits_rightly(scope: WatchedScope, path: str, node: WatchedNode) -> None:
    """A node that waits has something to wait for: messages to come, or room downstream."""
    if node.taken:
        scope.must(False, "runs follow one another", f"{path} took {node.taken}, and does not start")
    elif never_again(scope, path):
        scope.must(False, "no join waits for ever", f"{path} can never run any more, and is {node.status}: {node}")
    elif can_run(scope, path):
        room = not scope.graph.rules[path].repeating or has_room(scope, path)
        scope.must(not room, "no join waits for ever", f"{path} has all it waits for, and is {node.status}")
        scope.whole.audit.world.points.hit("upstream waits for room")


def _others_stopped(scope: WatchedScope, join: str) -> None:
    if scope.nodes[join].by_hand:
        return  # it has not begun by itself, and only the node that is meant is touched
    nodes = [(path, scope.nodes[path]) for path in scope.graph.rules[join].pointless]
    left = [path for path, node in nodes if node.status not in FINAL and not node.again]  # somebody wants these to run
    scope.must(not left, "others are cancelled", f"{join} has begun, and {sorted(left)} go on")


CHECKS: dict[type[ev.Event], Callable[[Watched, Any], None]] = {
    ev.InstanceStarted: _begun,
    ev.InstanceParked: _parked,
    ev.InstancePauseRequested: pauses.pausing,
    ev.InstancePaused: pauses.paused,
    ev.InstanceResumed: _resumed,
    ev.InstanceFailing: _failing,
    ev.InstanceCancelRequested: _cancelling,
    ev.InstanceCompleted: _ended,
    ev.InstancePartiallySucceeded: _ended,
    ev.InstanceFailed: _ended,
    ev.InstanceCancelled: _ended,
    ev.VariablesSet: _variables,
    ev.InputMapped: nodes.mapped,
    ev.NodeReady: nodes.ready,
    ev.NodeStarted: nodes.started,
    ev.NodeWaiting: nodes.waiting,
    ev.NodeRetrying: nodes.retrying,
    ev.NodeFellBack: ends.fell_back,
    ev.NodeCompleted: ends.completed,
    ev.NodeFailed: ends.failed,
    ev.NodeActivated: runs.activated,
    ev.RunCompleted: ends.run_completed,
    ev.RunFailed: ends.run_failed,
    ev.RoutingFailed: ends.routing_failed,
    ev.NodesSkipped: stops.skipped,
    ev.NodesCancelled: stops.cancelled,
    ev.NodesRequeued: nodes.requeued,
    ev.Intervened: by_hand.intervened,
    ev.InstanceReopened: resets.reopened,
    ev.NodeReset: resets.reset,
    ev.BlockStarted: blocks.block_started,
    ev.ItemsAdded: blocks.items_added,
    ev.ScopeStarted: blocks.scope_started,
    ev.ScopeEnded: blocks.scope_ended,
    ev.VariablesConflict: blocks.conflicted,
    ev.CompensationStarted: sagas.started,
    ev.CompensationPlanned: sagas.planned,
    ev.CompensationEnded: sagas.ended,
    ev.NodeCompensating: sagas.compensating,
    ev.NodeCompensated: sagas.compensated,
    ev.NodeCompensationFailed: sagas.not_compensated,
}
