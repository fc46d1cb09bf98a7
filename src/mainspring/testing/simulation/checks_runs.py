"""What the auditor says to the events of nodes with an inbox: what a run takes, how it ends, and how the node does."""

from __future__ import annotations

from typing import Any

from mainspring.machine import events as ev
from mainspring.testing.simulation.standing import can_run, firsts, has_room, never_again
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.simulation.watched_scope import RunEnd, WatchedNode, WatchedScope


def activated(watched: Watched, event: ev.NodeActivated) -> None:
    """A run takes the first message of each queue, exactly once, and only where there is room for what it may send."""
    scope, path, node = watched.find(event.path)
    rule = scope.graph.rules[path]
    scope.must(bool(rule.lanes), "runs are counted", f"{path} takes a message, and has no inbox")
    scope.must(
        node.status in ("pending", "gathering"), "runs follow one another", f"{path} takes while it is {node.status}"
    )
    scope.must(scope.whole.going, "nothing new starts", f"{path} takes while all is {scope.whole.status}")
    wanted = len(node.ends) + 1
    scope.must(event.run == wanted, "runs are counted", f"{path}: run {event.run}, not {wanted}")
    scope.must(event.run <= rule.most, "runs are counted", f"{path}: run {event.run} of {rule.most} at most")
    taken = [(one.connection, one.run) for one in event.taken]
    if not can_run(scope, path):
        scope.must(False, "a join has what it waits for", f"{path} takes {taken} of {node.lanes}, beside {node.taken}")
        return
    heads = firsts(scope, path)
    scope.must(sorted(taken) == sorted(heads), "messages go in order", f"{path} takes {taken}, not {heads}")
    if rule.repeating:
        scope.must(has_room(scope, path), "upstream waits for room", f"{path} takes, and there is no room")
    for lane in node.lanes:
        lane.pop(0)
    node.taken, node.run = heads, event.run
    node.attempt = node.failures = node.crashes = 0
    node.mapped, node.is_mapped, node.error, node.due = None, False, None, None


def run_ended(scope: WatchedScope, path: str, node: WatchedNode, end: RunEnd) -> None:
    """One run of a repeating node is over: the node waits for the next message."""
    scope.must(scope.graph.rules[path].repeating, "runs are counted", f"{path} ends a run, and can have but the one")
    scope.must(bool(node.taken), "runs follow one another", f"{path} ends a run that had begun with nothing")
    node.ends.append(end)
    node.taken = []
    scope.whole.move(node, "gathering")


def is_whole(scope: WatchedScope, path: str) -> bool:
    """Whether an event that ends a node ends all of a repeating one, and not the only run of another."""
    return scope.graph.rules[path].repeating


def all_ended(scope: WatchedScope, path: str, node: WatchedNode, event: Any) -> None:
    """A repeating node is final: nothing can come any more, and it ends as its runs did."""
    scope.must(node.status == "gathering", "runs follow one another", f"{path} ends while it is {node.status}")
    scope.must(never_again(scope, path), "a node ends when nothing can come", f"{path} ends: {node}")
    failed = [one for one in node.ends if one.error is not None]
    wanted = ("failed", all(one.handled for one in failed)) if failed else ("completed", True)
    got = ("failed", event.handled) if isinstance(event, ev.NodeFailed) else ("completed", True)
    scope.must(got == wanted, "a node ends as its runs did", f"{path} ends {got}, not {wanted}")
    scope.must(not event.fired, "routing is right", f"{path} fires {event.fired} when it ends")
    node.output = [one.output for one in node.ends if one.error is None]
    node.error = failed[0].error if failed else None
