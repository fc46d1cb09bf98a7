"""What runs again because somebody asked for that: a letter, a failed node, all from a node on (SEMANTICS 84, 85, 96, 97)."""

from __future__ import annotations

from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_letters import REOPENED_FROM, with_what_followed
from mainspring.testing.simulation.orders import HANDS, all_that_follows
from mainspring.testing.simulation.watched import Watched


def reopened(watched: Watched, event: ev.InstanceReopened) -> None:
    """An instance at its end goes on."""
    rerun = watched.by_hand is not None and watched.by_hand.what == "rerun"
    right = not watched.open and (watched.status in REOPENED_FROM or rerun)
    watched.must(right, "final is final", f"it is {watched.status}")
    resets = any(isinstance(one, ev.NodeReset) for one in watched.events)
    watched.must(resets, "an instance is reopened for a cause", "it is reopened, and nothing runs again")
    watched.status, watched.ended_at, watched.output = "running", 0, None
    watched.opened_at = watched.at
    watched.reopenings += 1
    watched.own.ending.clear()  # what ended it before does not end it again
    watched.resumed_at = watched.audit.world.scheduler.now
    watched.audit.ends.pop(watched.id, None)
    watched.audit.letters.reopened.pop(watched.number, None)
    watched.audit.world.points.hit("an instance is reopened")


def reset(watched: Watched, event: ev.NodeReset) -> None:
    """A node is as if it had never begun, but for the number of its run."""
    resets = [one for one in watched.events if isinstance(one, ev.NodeReset)]
    scope, id, node = watched.find(event.path)
    if event is resets[0]:
        _ordered(watched, event, [one.path for one in resets])
    scope.must(event.run == node.run + 1, "runs are counted", f"{id}: run {event.run} follows {node.run}")
    for edge in scope.graph.outgoing[id]:
        target = scope.nodes[edge.target]
        target.tokens -= 1
        target.arrived = [token for token in target.arrived if token[0] != edge.index]
    watched.degraded -= node.degraded
    if node.status == "failed":
        watched.asked_again.append((event.path, node.run))
    watched.move(node, "pending")
    node.run, node.again = event.run, True
    node.attempt = node.failures = node.crashes = node.started_at = node.ended_at = node.epoch = 0
    node.due, node.mapped, node.is_mapped, node.output, node.error = None, None, False, None, None
    node.handled, node.degraded, node.waits_for, node.because, node.ended_row = False, False, "", "", 0
    scope.raising.pop(id, None)
    scope.forget_failures(id)


def _ordered(watched: Watched, event: ev.NodeReset, paths: list[str]) -> None:
    """Somebody asked for it, and could; and with the node all runs again that is to: what ended only because of it, or all
    that follows it."""
    asked = watched.by_hand
    if asked is None or not asked.path:
        watched.flag("a node runs again for a cause", f"{event.path} does, and the message is {asked}")
        return
    scope, id, _ = watched.find(asked.path)
    follows = all_that_follows if asked.what == "rerun" else with_what_followed
    wanted = {scope.path(one) for one in follows(scope, id)}
    right = set(paths) == wanted and len(paths) == len(wanted)
    watched.must(right, "what ended because of it runs again", f"{paths} run again, not {sorted(wanted)}")
    hit = watched.audit.world.points.hit
    if asked.by.startswith(HANDS):
        if len(wanted) > 1:
            hit("by hand: others run again")
        return
    hit("a letter is raised")
    if watched.stands:
        hit("a letter is raised while all stands still")
    if len(wanted) > 1:
        hit("what followed a letter runs again")
