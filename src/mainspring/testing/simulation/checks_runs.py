"""What the auditor says to the events of nodes with an inbox: what a run takes, how it ends, and how the node does."""

from __future__ import annotations

from typing import Any

from mainspring.machine import events as ev
from mainspring.testing.simulation.standing import can_run, firsts, has_room, never_again
from mainspring.testing.simulation.watched import RunEnd, Watched, WatchedNode


def activated(watched: Watched, event: ev.NodeActivated) -> None:
    """A run takes the first message of each queue, exactly once, and only where there is room for what it may send."""
    path, node, rule = event.path, watched.nodes[event.path], watched.graph.rules[event.path]
    watched.must(bool(rule.lanes), "runs are counted", f"{path} takes a message, and has no inbox")
    watched.must(
        node.status in ("pending", "gathering"), "runs follow one another", f"{path} takes while it is {node.status}"
    )
    watched.must(watched.status == "running", "nothing new starts", f"{path} takes while all is {watched.status}")
    wanted = len(node.ends) + 1
    watched.must(event.run == wanted, "runs are counted", f"{path}: run {event.run}, not {wanted}")
    watched.must(event.run <= rule.most, "runs are counted", f"{path}: run {event.run} of {rule.most} at most")
    taken = [(one.connection, one.run) for one in event.taken]
    if not can_run(watched, path):
        watched.flag("a join has what it waits for", f"{path} takes {taken} of {node.lanes}, beside {node.taken}")
        return
    heads = firsts(watched, path)
    watched.must(sorted(taken) == sorted(heads), "messages go in order", f"{path} takes {taken}, not {heads}")
    if rule.repeating:
        watched.must(has_room(watched, path), "upstream waits for room", f"{path} takes, and there is no room")
    for lane in node.lanes:
        lane.pop(0)
    node.taken, node.run = heads, event.run
    node.attempt = node.failures = node.crashes = 0
    node.mapped, node.is_mapped, node.error, node.due = None, False, None, None


def run_ended(watched: Watched, path: str, node: WatchedNode, end: RunEnd) -> None:
    """One run of a repeating node is over: the node waits for the next message."""
    watched.must(
        watched.graph.rules[path].repeating, "runs are counted", f"{path} ends a run, and can have but the one"
    )
    watched.must(bool(node.taken), "runs follow one another", f"{path} ends a run that had begun with nothing")
    node.ends.append(end)
    node.taken = []
    watched.move(node, "gathering")


def is_whole(watched: Watched, path: str) -> bool:
    """Whether an event that ends a node ends all of a repeating one, and not the only run of another."""
    return watched.graph.rules[path].repeating


def all_ended(watched: Watched, path: str, node: WatchedNode, event: Any) -> None:
    """A repeating node is final: nothing can come any more, and it ends as its runs did."""
    watched.must(node.status == "gathering", "runs follow one another", f"{path} ends while it is {node.status}")
    watched.must(never_again(watched, path), "a node ends when nothing can come", f"{path} ends: {node}")
    failed = [one for one in node.ends if one.error is not None]
    wanted = ("failed", all(one.handled for one in failed)) if failed else ("completed", True)
    got = ("failed", event.handled) if isinstance(event, ev.NodeFailed) else ("completed", True)
    watched.must(got == wanted, "a node ends as its runs did", f"{path} ends {got}, not {wanted}")
    watched.must(not event.fired, "routing is right", f"{path} fires {event.fired} when it ends")
    node.output = [one.output for one in node.ends if one.error is None]
    node.error = failed[0].error if failed else None
