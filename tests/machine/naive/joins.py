"""What a node makes of the messages that are in, and of those that may still come. Nothing is changed here."""

from __future__ import annotations

from .shape import Shape
from .state import NodeState
from .values import Message


class Joins:
    """The questions that decide about a node, each answered from its sources' and targets' states."""

    def __init__(self, shape: Shape, nodes: dict[str, NodeState]) -> None:
        self.shape = shape
        self.nodes = nodes

    # --- nodes that run once

    def satisfied(self, node: NodeState) -> list[Message] | None:
        """The messages that a node which runs once starts with; None while it cannot."""
        join = self.shape.join(node.id)
        if join == "ports":
            return [queue[0] for queue in node.inbox.values()] if all(node.inbox.values()) else None
        came = list(node.inbox[None])
        if join == "all":
            return came if came and not self.open(self.shape.incoming[node.id]) else None
        needed = self.needed(node.id)
        return came[:needed] if len(came) >= needed else None

    def hopeless(self, node: NodeState) -> bool:
        """Whether a node that runs once can never start."""
        if self.shape.join(node.id) == "ports":
            ports = self.shape.ports(node.id)
            return any(not queue and not self.open(ports[port]) for port, queue in node.inbox.items())
        return node.waiting + self.open(self.shape.incoming[node.id]) < self.needed(node.id)

    def needed(self, id: str) -> int:
        """How many messages a node must have at least."""
        return int(self.shape.nodes[id]["join"]["n"]) if self.shape.join(id) == "n" else 1

    def open(self, connections: list[int]) -> int:
        """How many of the connections have no token yet: those whose source is not final."""
        return sum(not self.nodes[self.shape.edges[index]["source"]].final for index in connections)

    # --- nodes that run more than once

    def can_take(self, node: NodeState) -> bool:
        """Whether the next run could begin but for the room."""
        return not node.final and not node.busy and all(node.inbox.values())

    def nothing_can_come(self, node: NodeState) -> bool:
        ports = self.shape.ports(node.id)
        if self.shape.join(node.id) != "ports":
            ports = {None: self.shape.incoming[node.id]}
        return any(not queue and not self.open(ports[port]) for port, queue in node.inbox.items())

    def has_room(self, node: NodeState) -> bool:
        """Whether each target that is not final has room for what the node may send."""
        targets = {self.shape.edges[index]["target"] for index in self.shape.outgoing[node.id]}
        return all(self.nodes[id].final or self.claims(node.id, id) <= self.shape.places(id) for id in targets)

    def claims(self, asking: str, target: str) -> int:
        """The places of the target's inbox that are taken or spoken for, once the asking node has taken a message."""
        sources = self.shape.sources(target)
        return self.nodes[target].waiting + sum(source == asking or self.may_send(source) for source in sources)

    def may_send(self, source: str) -> bool:
        """Whether a source may still send from what it is doing now."""
        node = self.nodes[source]
        return node.busy if self.shape.repeats(source) else not node.final
