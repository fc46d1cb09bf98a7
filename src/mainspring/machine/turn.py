"""A turn: one input, the events it leads to, the effects to be carried out once they are durable."""

from __future__ import annotations

from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine import effects as fx
from mainspring.machine.events import Event
from mainspring.machine.fold import FOLD
from mainspring.machine.instance import Instance, NodeState


class Refused(Exception):
    """The input cannot be taken in this state. Raised before the first event of a turn, so nothing has changed."""


class Turn:
    """What `step` gives back. `dropped` says why an input led to nothing ("" where it led to something)."""

    __slots__ = ("at", "dropped", "effects", "events", "instance", "message", "plan", "seed")

    def __init__(self, plan: Plan, instance: Instance, now: int, seed: int, message: str = "") -> None:
        self.plan = plan
        self.instance = instance
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

    def current(self, path: str, run: int, attempt: int, *statuses: str) -> tuple[PlanNode, NodeState] | None:
        """The node that a report is about, or None where the report's run or attempt is not the current one."""
        node = self.plan.by_path.get(path)
        state = None if node is None else self.instance.nodes[node.index]
        if (
            node is None
            or state is None
            or state.run != run
            or state.attempt != attempt
            or state.status not in statuses
        ):
            self.dropped = "stale"
            return None
        return node, state
