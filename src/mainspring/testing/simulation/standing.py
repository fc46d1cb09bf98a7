"""Where a node stands by its join, from what has arrived: may it run, can it never run (again), is there room downstream.

Written from SEMANTICS ("Routing", "Nodes that run more than once"), for the auditor; the machine has its own.
"""

from __future__ import annotations

from mainspring.testing.simulation.joins import Token
from mainspring.testing.simulation.watched import FINAL
from mainspring.testing.simulation.watched_scope import WatchedScope


def can_run(scope: WatchedScope, path: str) -> bool:
    """Whether the join has what it waits for."""
    rule, node, incoming = scope.graph.rules[path], scope.nodes[path], scope.graph.incoming[path]
    if not incoming:
        return node.status == "pending"
    if rule.lanes:
        return not node.taken and all(node.lanes)
    if rule.need:
        return len(node.arrived) >= rule.need
    return node.tokens == len(incoming) and bool(node.arrived)


def never_again(scope: WatchedScope, path: str) -> bool:
    """Whether it is certain that nothing more can start the node."""
    rule, node, incoming = scope.graph.rules[path], scope.nodes[path], scope.graph.incoming[path]
    if not incoming:
        return False
    if rule.lanes:
        state = zip(node.lanes, node.closed, rule.lanes, strict=True)
        return not node.taken and any(not lane and closed == len(brought) for lane, closed, brought in state)
    if rule.need:
        return len(node.arrived) + len(incoming) - node.tokens < rule.need
    return node.tokens == len(incoming) and not node.arrived


def has_room(scope: WatchedScope, path: str) -> bool:
    """Whether each target that is not final has room for what one more run of the node may send."""
    targets = {edge.target for edge in scope.graph.outgoing[path]}
    return all(
        waiting(scope, target) + _promised(scope, path, target) <= scope.graph.rules[target].places
        for target in targets
        if scope.nodes[target].status not in FINAL
    )


def waiting(scope: WatchedScope, path: str) -> int:
    """Messages in the node's inbox that nobody has taken."""
    return sum(len(lane) for lane in scope.nodes[path].lanes)


def _promised(scope: WatchedScope, sender: str, target: str) -> int:
    return sum(edge.source == sender or _may_send(scope, edge.source) for edge in scope.graph.incoming[target])


def _may_send(scope: WatchedScope, source: str) -> bool:
    node = scope.nodes[source]
    return bool(node.taken) if scope.graph.rules[source].repeating else node.status not in FINAL


def firsts(scope: WatchedScope, path: str) -> list[Token]:
    """What the next run must take: the first of each queue."""
    return [lane[0] for lane in scope.nodes[path].lanes if lane]


def send(scope: WatchedScope, path: str, fired: set[int], run: int, *, last: bool) -> None:
    """The tokens that the end of a node, or of one of its runs, puts: in the order of its connections.

    `last`: the node is final, so its skips count and its connections are done with.
    """
    for edge in scope.graph.outgoing[path]:
        target, rule = scope.nodes[edge.target], scope.graph.rules[edge.target]
        token = (edge.index, run)
        target.tokens += last
        if rule.lanes:
            lane = next(place for place, brought in enumerate(rule.lanes) if edge.index in brought)
            target.closed[lane] += last
            if edge.index in fired and target.status not in FINAL:
                target.lanes[lane].append(token)
                held = waiting(scope, edge.target)
                text = f"{edge.target} holds {held} messages, and has places for {rule.places}"
                scope.must(held <= rule.places, "inboxes have bounds", text)
        elif edge.index in fired:
            only = (
                len(scope.graph.incoming[edge.target]) == 1
            )  # to one that was stopped before: it may run again from there
            if target.status == "pending" and (not rule.need or len(target.arrived) < rule.need):
                target.arrived.append(token)
            elif only:
                target.arrived = [token]
            else:
                scope.whole.audit.world.points.hit("late message absorbed")
