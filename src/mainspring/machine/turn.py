"""A turn: one input, the events it leads to, the effects to be carried out once they are durable."""

from __future__ import annotations

from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine import effects as fx
from mainspring.machine.events import Event
from mainspring.machine.fold import FOLD
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState, Scope


class Refused(Exception):
    """The input cannot be taken in this state. Raised before the first event of a turn, so nothing has changed."""


class Turn:
    """What `step` gives back. `dropped` says why an input led to nothing ("" where it led to something).

    `scope` is where the turn is at: rules about nodes look there. It begins at the instance's own nodes.
    """

    __slots__ = ("at", "dropped", "effects", "events", "instance", "message", "plan", "scope", "seed")

    def __init__(self, plan: Plan, instance: Instance, now: int, seed: int, message: str = "") -> None:
        self.plan = plan
        self.instance = instance
        self.scope: Scope = instance
        self.at = now
        self.seed = seed
        self.message = message
        self.events: list[Event] = []
        self.effects: list[fx.AnyEffect] = []
        self.dropped = ""

    def emit(self, event: Event) -> None:
        """Record what happened and fold it at once, so that the next rule sees it."""
        FOLD[type(event)](self.instance, event, self.at)
        self.events.append(event)

    def ask(self, effect: fx.AnyEffect) -> None:
        """Order something. It is done once the turn is durable, and not at all if it never is."""
        self.effects.append(effect)

    def path(self, node: PlanNode) -> str:
        """The address of a node of the scope that the turn is about."""
        return node.path or self.scope.prefix + node.id

    def turn_to(self, path: str) -> tuple[PlanNode, NodeState] | None:
        """Make the turn be about the scope of the node at `path`. None where that is not there, or has not begun."""
        node = self.plan.by_id.get(path)
        state = None if node is None else self.instance.nodes[node.index]
        if node is None or state is None:
            return None
        self.scope = self.instance
        return node, state

    def current(self, path: str, run: int, attempt: int, *statuses: str) -> tuple[PlanNode, NodeState] | None:
        """The node that a report is about, or None where the report's run or attempt is not the current one."""
        found = self.turn_to(path)
        if found is None or found[1].run != run or found[1].attempt != attempt or found[1].status not in statuses:
            self.dropped = "stale"
            return None
        return found
