"""What the auditor says to decisions: each failure has one, by the rule that it must come from; and to fallbacks."""

from __future__ import annotations

from typing import Any

from mainspring.machine import events as ev
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.simulation.watched_fallback import WatchedFallback
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope, error_value

NAMED_MAX = 5


def decided(scope: WatchedScope, id: str, event: Any, handled: bool) -> None:
    """A failure was recorded with the decision that it must get."""
    wanted, rule = _decision(scope, id, handled)
    text = f"{id}: {event.decision} by {event.rule!r}, not {wanted} by {rule!r}"
    scope.must((event.decision, event.rule[: len(rule)]) == (wanted, rule), "decisions are right", text)
    if not handled and wanted == "terminate":
        scope.ending.append(scope.path(id))
        if rule.startswith("terminationThreshold"):
            _hit(scope, "the threshold is crossed")
        if scope.block is not None:
            _hit(scope, "a failure ends a body")


def _decision(scope: WatchedScope, id: str, handled: bool) -> tuple[str, str]:
    if handled:
        return "continue", "a connection took it"
    if scope.undoing is not None:
        return "continue", "a saga goes on"
    if isinstance(scope.block, WatchedFallback):
        return "continue", "it stood in"
    own = scope is scope.whole.own
    failed = [scope.graph.nodes[one] for one in scope.failed] if own else []
    return scope.graph.policies.decide(scope.graph.nodes[id], failed, len(scope.graph.nodes) if own else 0)


def fell_back(watched: Watched, event: ev.NodeFellBack) -> None:
    """A node failed for good, or what stood in for it did: the next one must stand in."""
    scope, id, node = watched.find(event.path)
    fallback = scope.blocks.get(id)
    if not isinstance(fallback, WatchedFallback):
        fallback = _first(scope, id, node, event)
    else:
        error = error_value(event.error)
        scope.must(error == fallback.failed, "errors name their node", f"{id}: {error}, not {fallback.failed}")
        _hit(scope, "a fallback fails")
    if fallback.decided >= len(fallback.graphs):
        scope.must(False, "fallbacks are tried once each", f"{id} falls back to {event.action}: one too many")
        return
    (stands_in,) = fallback.graphs[fallback.decided].nodes.values()
    right = event.action == stands_in.id
    scope.must(right, "fallbacks are tried in order", f"{id} falls back to {event.action}, not {stands_in.id}")
    named = fallback.decided == 0 and scope.graph.nodes[id].fallback_node_id is not None
    rule = f"{'fallbackNodeId' if named else 'fallbackActions'} of "
    scope.must(event.reason.startswith(rule), "decisions are right", f"{id}: by {event.reason}, not by {rule}")
    fallback.decided += 1
    fallback.failed = None
    watched.touched.append(fallback)


def _first(scope: WatchedScope, id: str, node: WatchedNode, event: ev.NodeFellBack) -> WatchedFallback:
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}")
    node.error, node.due, node.waits_for = error_value(event.error), None, ""
    fallback = WatchedFallback(scope, id)
    scope.blocks[id] = fallback
    scope.whole.move(node, "falling_back")
    _hit(scope, "falls back")
    return fallback


def stood_in(scope: WatchedScope, id: str, event: Any) -> Any:
    """A node is done because something stood in for it: with the output of that."""
    end = scope.blocks[id].next()
    right = end is not None and end.error is None
    scope.must(right, "a fallback's output is the node's", f"{id} completes, and should: {end}")
    scope.must(event.degraded and event.port is None, "who falls back is degraded", f"{id}: {event}")
    scope.nodes[id].degraded = True
    scope.whole.degraded += 1
    _hit(scope, "something stands in")
    return None if end is None else end.output


def all_fell_back(scope: WatchedScope, id: str, event: Any) -> None:
    """A node fails after all that could stand in for it: with its own error."""
    end = scope.blocks[id].next()
    right = end is not None and end.error is not None
    scope.must(right, "fallbacks are tried in order", f"{id} fails, and should: {end}")
    error = error_value(event.error)
    own = scope.nodes[id].error
    scope.must(error == own, "errors name their node", f"{id} fails with {error}, not with its own {own}")
    _hit(scope, "nothing stands in")


def end_told(watched: Watched, event: Any) -> None:
    """What is said of an instance that ends with failures, or with something that stood in."""
    if isinstance(event, ev.InstanceCompleted):
        watched.must(
            event.degraded == bool(watched.degraded), "who falls back is degraded", f"degraded: {event.degraded}"
        )
    if isinstance(event, ev.InstancePartiallySucceeded):
        failed = [id for id in watched.graph.nodes if id in watched.own.failed][:NAMED_MAX]
        lacks = [id for id in failed if id not in event.reason]
        watched.must(not lacks, "failures are told", f"{event.reason!r} lacks {lacks}")
        watched.audit.world.points.hit("partial success")
        if any(watched.graph.policies.critical(watched.graph.nodes[id]) for id in watched.own.failed):
            watched.audit.world.points.hit("critical failures are let stand")


def _hit(scope: WatchedScope, point: str) -> None:
    scope.whole.audit.world.points.hit(point)
