"""A turn: one input, the events it leads to, the effects to be carried out once they are durable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from mainspring.graph.plan import Plan, PlanNode
from mainspring.limits.limit import Verdict
from mainspring.machine import effects as fx
from mainspring.machine.events import Event
from mainspring.machine.fold import FOLD
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState, Scope


class Refused(Exception):
    """The input cannot be taken in this state. Raised before the first event of a turn, so nothing has changed."""


class Admission(Protocol):
    """Whether a node with limits (its path, run and attempt to come) may start in the turn at this time. If it is `FREE`, it
    has been taken, and is given back by ReleaseAdmission, or when the turn is thrown away (SEMANTICS 72)."""

    def __call__(self, node: PlanNode, path: str, run: int, attempt: int, now: int, /) -> Verdict:
        """Give the verdict."""
        ...


class WaveToCome:
    """A wave that waits for its turn: the nodes that ended (their targets decide), or the entry nodes that start.

    `all`: every node of the scope decides before that.
    """

    __slots__ = ("all", "ended", "starting")

    def __init__(self, ended: list[PlanNode], starting: list[PlanNode], all: bool = False) -> None:
        self.ended = ended
        self.starting = starting
        self.all = all


class Turn(Struct, eq=False, gc=False):
    """What `step` gives back. `dropped` says why an input led to nothing ("" where it led to something).

    `scope` is where the turn is at: rules about nodes look there. It begins at the instance's own nodes. `line` has the
    waves to come (`waves.py`), `bodies` counts those that began in this turn, `stopped` are the nodes that a cancel node
    has just stopped. `admission` is asked whether a node with limits may start at once (None: it asks by effect).
    `reported` is the node that a report was about. `input_alone` is the instance's input as all that an expression can see:
    most mappings look at nothing else, and a turn that starts many nodes reads it once.
    """

    plan: Plan
    instance: Instance
    scope: Scope
    at: int
    seed: int
    message: str = ""
    admission: Admission | None = None
    events: list[Event] = []
    effects: list[fx.AnyEffect] = []
    sends: Sequence[fx.Send] = ()
    letters: Sequence[fx.Bury | fx.Raise] = ()
    line: dict[Scope, WaveToCome] = {}
    bodies: int = 0
    reported: PlanNode | None = None
    stopped: Sequence[PlanNode] = ()
    dropped: str = ""
    input_alone: dict[str, Any] | None = None

    def emit(self, event: Event) -> None:
        """Record what happened and fold it at once, so that the next rule sees it."""
        FOLD[type(event)](self.instance, event, self.at)
        self.events.append(event)

    def ask(self, effect: fx.Order) -> None:
        """Order something. It is done once the turn is durable, and not at all if it never is."""
        self.effects.append(effect)

    def send(self, effect: fx.Send) -> None:
        """Order something that leaves by the outbox, whose row is written with the turn's."""
        self.effects.append(effect)
        self.sends = (*self.sends, effect)

    def path(self, node: PlanNode) -> str:
        """The address of a node of the scope that the turn is about."""
        return node.path or self.scope.prefix + node.id

    def turn_to(self, path: str) -> tuple[PlanNode, NodeState] | None:
        """Make the turn be about the scope of the node at `path`. None where that is not there, or has not begun."""
        scope: Scope = self.instance
        node = self.plan.by_id.get(path)
        if node is None:
            try:
                scope, node = self.instance.locate(path)
            except KeyError:
                return None
        state = scope.nodes[node.index]
        if state is None:
            return None
        self.scope = scope
        return node, state

    def take_stopped(self) -> Sequence[PlanNode]:
        """The nodes that a cancel node has just stopped, once."""
        stopped, self.stopped = self.stopped, ()
        return stopped

    def ended(self, scope: Scope, nodes: list[PlanNode]) -> None:
        """These nodes of a scope have ended: what follows from that is the scope's next wave."""
        waiting = self.line.get(scope)
        if waiting is None:
            self.line[scope] = WaveToCome(nodes, [])
        else:
            waiting.ended.extend(nodes)

    def current(self, path: str, run: int, attempt: int, *statuses: str) -> tuple[PlanNode, NodeState] | None:
        """The node that a report is about, or None where the report's run or attempt is not the current one."""
        found = self.turn_to(path)
        if found is None or found[1].run != run or found[1].attempt != attempt or found[1].status not in statuses:
            self.dropped = "stale"
            return None
        self.reported = found[0]
        return found
