"""What the auditor says to nodes that are stopped before their end, or never begin: for a cause, and for no other."""

from __future__ import annotations

from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_blocks import block_gone
from mainspring.testing.simulation.checks_by_hand import is_skipped
from mainspring.testing.simulation.checks_saga import note
from mainspring.testing.simulation.standing import can_run, never_again, send
from mainspring.testing.simulation.watched import FINAL, Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope


def skipped(watched: Watched, event: ev.NodesSkipped) -> None:
    for skip in event.skips:
        scope, id, node = watched.find(skip.path)
        scope.must(node.status == "pending", "skips come before starts", f"{id} is {node.status}")
        scope.must(bool(skip.reason), "a skip has a reason", id)
        if watched.going and not is_skipped(watched, skip.path):
            _skipped_while_all_goes_on(scope, id, skip, node)
        node.because = skip.because
        _stop(scope, id, node, "skipped")


def _skipped_while_all_goes_on(scope: WatchedScope, id: str, skip: ev.Skip, node: WatchedNode) -> None:
    if skip.because in _stoppers(scope, id):
        scope.whole.audit.world.points.hit("others stopped")
        return
    if _failing_fast(scope):
        return
    certain = never_again(scope, id) and not node.ends and not node.taken
    scope.must(certain, "only dead paths are skipped", f"{id}: {node}")
    sources = {scope.path(edge.source): edge.source for edge in scope.graph.incoming[id]}
    ended = skip.because in sources and scope.nodes[sources[skip.because]].status in FINAL
    scope.must(ended, "a skip has a reason", f"{id} is skipped for {skip.because}: {skip.reason}")


def _stoppers(scope: WatchedScope, id: str) -> list[str]:
    """What stops the node here and now: a join that is satisfied, has not begun, and through which all of its ways lead; or a
    cancel node that has begun, and lists it."""
    joins = [
        scope.path(join)
        for join, rule in scope.graph.rules.items()
        if id in rule.pointless and scope.nodes[join].status == "pending" and can_run(scope, join)
    ]
    return joins + [
        scope.path(one)
        for one, node in scope.nodes.items()
        if node.status == "running" and id in scope.graph.stopped_by(one)
    ]


def _failing_fast(scope: WatchedScope) -> bool:
    """Whether the rest of a body is stopped because of a failure in it."""
    return bool(scope.block and scope.must_end)


def cancelled(watched: Watched, event: ev.NodesCancelled) -> None:
    watched.must(bool(event.reason), "cancelled for a cause", "no reason is given")
    for ref in event.runs:
        scope, id, node = watched.find(ref.path)
        _cancelled_for(watched, scope, id)
        scope.must(node.status not in (*FINAL, "pending"), "only what is open is cancelled", f"{id} is {node.status}")
        scope.must(ref.run == node.run, "runs are counted", f"{id}: run {ref.run} is cancelled, not {node.run}")
        doubt = node.status == "running" and scope.graph.nodes[id].type == "function"
        scope.must(ref.in_doubt == doubt, "doubt is told", f"{id} is {node.status}: {ref}")
        block_gone(scope, id)
        nobody = _stoppers(scope, id) or is_skipped(watched, ref.path)
        node.because = "" if nobody else scope.must_end or scope.whole.own.must_end
        if ref.in_doubt:
            note(scope, id, ref.run, "cancelled", None)
        _stop(scope, id, node, "cancelled")


def _cancelled_for(watched: Watched, scope: WatchedScope, id: str) -> None:
    if is_skipped(watched, scope.path(id)):
        return
    if watched.going:
        if _stoppers(scope, id):
            watched.audit.world.points.hit("others stopped")
        elif not _failing_fast(scope):
            scope.must(scope.block is not None, "cancelled for a cause", f"{id} is stopped, and by no join")
            watched.suspended.append(scope)  # its block stops it: then it is gone when the turn is over
    else:
        ending = watched.status in ("failing", "cancelling")
        scope.must(ending, "cancelled for a cause", f"{id} is stopped in an instance that is {watched.status}")


def _stop(scope: WatchedScope, id: str, node: WatchedNode, status: str) -> None:
    node.waits_for, node.ended_row = "", scope.whole.seq
    scope.whole.move(node, status)
    send(scope, id, set(), 1, last=True)
