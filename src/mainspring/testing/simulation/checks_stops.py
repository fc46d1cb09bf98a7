"""What the auditor says to nodes that are stopped before their end, or never begin: for a cause, and for no other."""

from __future__ import annotations

from mainspring.machine import events as ev
from mainspring.testing.simulation.standing import can_run, never_again, send
from mainspring.testing.simulation.watched import FINAL, Watched, WatchedNode


def skipped(watched: Watched, event: ev.NodesSkipped) -> None:
    for skip in event.skips:
        node = watched.nodes[skip.path]
        watched.must(node.status == "pending", "skips come before starts", f"{skip.path} is {node.status}")
        watched.must(bool(skip.reason), "a skip has a reason", skip.path)
        if watched.status == "running":
            _skipped_while_all_goes_on(watched, skip, node)
        _stop(watched, skip.path, node, "skipped")


def _skipped_while_all_goes_on(watched: Watched, skip: ev.Skip, node: WatchedNode) -> None:
    if skip.because in _stoppers(watched, skip.path):
        watched.audit.world.points.hit("others stopped")
        return
    certain = never_again(watched, skip.path) and not node.ends and not node.taken
    watched.must(certain, "only dead paths are skipped", f"{skip.path}: {node}")
    sources = [edge.source for edge in watched.graph.incoming[skip.path]]
    ended = skip.because in sources and watched.nodes[skip.because].status in FINAL
    watched.must(ended, "a skip has a reason", f"{skip.path} is skipped for {skip.because}: {skip.reason}")


def _stoppers(watched: Watched, path: str) -> list[str]:
    """The joins that stop the node here and now: satisfied, not begun, and all of its ways lead through them."""
    return [
        join
        for join, rule in watched.graph.rules.items()
        if path in rule.pointless and watched.nodes[join].status == "pending" and can_run(watched, join)
    ]


def cancelled(watched: Watched, event: ev.NodesCancelled) -> None:
    watched.must(bool(event.reason), "cancelled for a cause", "no reason is given")
    for ref in event.runs:
        node = watched.nodes[ref.path]
        if watched.status == "running":
            watched.must(
                bool(_stoppers(watched, ref.path)), "cancelled for a cause", f"{ref.path} is stopped, and by no join"
            )
            watched.audit.world.points.hit("others stopped")
        else:
            watched.must(
                watched.status in ("failing", "cancelling"),
                "cancelled for a cause",
                f"{ref.path} is stopped in an instance that is {watched.status}",
            )
        watched.must(
            node.status not in (*FINAL, "pending"), "only what is open is cancelled", f"{ref.path} is {node.status}"
        )
        watched.must(ref.run == node.run, "runs are counted", f"{ref.path}: run {ref.run} is cancelled, not {node.run}")
        doubt = node.status == "running" and watched.graph.nodes[ref.path].type == "function"
        watched.must(ref.in_doubt == doubt, "doubt is told", f"{ref.path} is {node.status}: {ref}")
        _stop(watched, ref.path, node, "cancelled")


def _stop(watched: Watched, path: str, node: WatchedNode, status: str) -> None:
    watched.move(node, status)
    send(watched, path, set(), 1, last=True)
