"""The first part of a wave: who starts, who is skipped, who goes on waiting (docs/semantics.md, "Routing")."""

from __future__ import annotations

from collections.abc import Iterable

from .scopes import Scope
from .state import NodeState
from .values import Message


class Deciding:
    """What the nodes of a scope decide when their turn comes. `stop_nodes` is for whoever knows what can be under way."""

    def __init__(self) -> None:
        self.parked = False
        self.decided: dict[tuple[str, int], list[Message]] = {}
        self.skipped: list[str] = []

    def stop_nodes(self, scope: Scope, ids: Iterable[str]) -> None:
        """Cancel or skip these nodes."""
        raise NotImplementedError

    def first_part(self, scope: Scope) -> None:
        """All that can be decided, is."""
        while scope.line:
            id = scope.line.popleft()
            for index in scope.shape.outgoing[id]:
                self.decide(scope, scope.shape.edges[index]["target"])
            if scope.shape.repeats(id):
                self.decide(scope, id)
        while self.room_was_found(scope):
            pass
        assert not scope.line

    def room_was_found(self, scope: Scope) -> bool:
        """Those that wait for room alone decide again, in the order of the definition."""
        before = len(scope.starting)
        for id, node in scope.nodes.items():
            if scope.shape.repeats(id) and scope.joins.can_take(node):
                self.decide(scope, id)
        return len(scope.starting) > before

    def decide(self, scope: Scope, id: str) -> None:
        """The node's turn has come: it starts, is skipped, ends, or goes on waiting."""
        node = scope.nodes[id]
        if node.final or node.busy:
            return
        if scope.shape.repeats(id):
            self.decide_repeating(scope, node)
            return
        taken = scope.joins.satisfied(node)
        if taken is not None:
            if not self.parked:
                self.joined(scope, node, taken)
        elif scope.joins.hopeless(node):
            self.skip(scope, node)

    def joined(self, scope: Scope, node: NodeState, taken: list[Message]) -> None:
        """The join of a node that runs once is satisfied."""
        self.starts(scope, node, taken)
        if (scope.shape.nodes[node.id]["join"] or {}).get("cancelOthers"):
            self.stop_nodes(scope, scope.shape.stopped_by(node.id))

    def starts(self, scope: Scope, node: NodeState, taken: list[Message]) -> None:
        """It will, in the second part."""
        node.status = "chosen"
        scope.starting.append(node.takes(scope, taken))
        self.decided[scope.starting[-1].key] = taken

    def skip(self, scope: Scope, node: NodeState) -> None:
        """It can never start."""
        node.status = "skipped"
        self.skipped.append(scope.prefix + node.id)
        scope.line.append(node.id)

    def decide_repeating(self, scope: Scope, node: NodeState) -> None:
        """The next run, or the node's own end."""
        if scope.joins.can_take(node):
            if scope.joins.has_room(node) and not self.parked:
                self.starts(scope, node, [queue.popleft() for queue in node.inbox.values()])
        elif scope.joins.nothing_can_come(node):
            if not node.runs:
                self.skip(scope, node)
                return
            node.status = "failed" if node.failures else "completed"
            scope.line.append(node.id)
