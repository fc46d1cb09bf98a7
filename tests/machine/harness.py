"""A plan from a short notation, and a run that is checked after every turn.

After each turn the journal's rows are decoded and folded from nothing: that must give the same state as the live
instance has. A test says what goes in and looks at what came out; the promises that hold for every turn are kept here.

    graph("a -> b -> d; a -[output.n > 3]-> c; c -fail-> d; b -@low-> e", b={"retry": {...}}, timeout=500)

An arrow's parts, all optional: trigger (`fail`, `all`), `@port`, `[condition]`, `#id`, `:targetport`. Nodes are
functions unless said.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from mainspring.definition.model import Connection, Node, Workflow
from mainspring.graph.plan import Plan
from mainspring.journal.backwards import Page
from mainspring.journal.codec import decode_snapshot, decode_turn, encode_snapshot, encode_turn
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.capturing import capture, restore
from mainspring.machine.fold import consume, fold
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import ACTIVE, INSTANCE_FINAL, NODE_FINAL
from mainspring.machine.step import step
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of

_arrow = re.compile(r"\s+(?:->|-(fail|all)?(?:@(\w+))?(?:\[([^\]]*)\])?(?:#(\w+))?(?::(\w+))?->)\s+")


def graph(text: str, /, workflow: dict[str, Any] | None = None, **nodes: dict[str, Any]) -> Plan:
    """The plan of a workflow in the notation above. Keywords give nodes their fields, `workflow` gives it its own."""
    ids: dict[str, None] = {}
    connections = []
    for chain in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        parts = _arrow.split(chain)
        ids.setdefault(parts[0])
        for at in range(1, len(parts), 6):
            trigger, port, condition, id, target_port, target = parts[at : at + 6]
            source = parts[at - 1]
            ids.setdefault(target)
            connections.append(
                {
                    "source": source,
                    "target": target,
                    "trigger": trigger or "complete",
                    "sourcePort": port,
                    "targetPort": target_port,
                    "condition": condition,
                    "id": id,
                }
            )
    definition = Workflow(
        id="w",
        nodes=tuple(msgspec.convert({"id": id, "type": "function", **nodes.get(id, {})}, Node) for id in ids),
        connections=tuple(msgspec.convert(one, Connection) for one in connections),
        **(workflow or {}),
    )
    return Plan(definition, "v1")


def state_bytes(instance: Instance) -> bytes:
    """All of an instance's state, as a value of its own that compares."""
    return msgspec.msgpack.encode(capture(instance))


class Run:
    """One instance, its journal, and the time."""

    def __init__(self, plan: Plan, now: int = 1_000) -> None:
        self.begun_by = plan
        self.instance = Instance(plan, "i")
        self.now = now
        self.rows: list[Any] = []
        self.events: list[ev.Event] = []
        self.effects: list[fx.Effect] = []
        self.admission: Any = None

    # --- inputs

    def take(self, input: inputs.Input) -> Turn:
        """One turn, committed, with all that must hold after any turn."""
        was_final = self.instance.status in INSTANCE_FINAL
        turn = step(self.plan, self.instance, input, self.now, self.admission)
        self.events.extend(turn.events)
        if isinstance(input, inputs.TimerFired):  # what has fired is armed no more
            self.effects.append(fx.DisarmTimer(input.path, input.run, input.attempt, input.purpose))
        self.effects.extend(turn.effects)
        if turn.events:  # as the engine does: what led to nothing has no row
            rows, blobs = encode_turn(1, len(self.rows) + 1, turn.at, turn.message, turn.events)
            decoded = [decode_turn(row, blobs) for row in rows]
            again = [event for body in decoded for event in body.events]
            assert msgspec.json.encode(again) == msgspec.json.encode(turn.events), "events do not round trip"
            self.rows.extend(decoded)
        assert state_bytes(self.replayed()) == state_bytes(self.instance), "replay differs from live"
        check_counts(self.instance)
        check_effects(turn, was_final)
        return turn

    def start(self, input: Any = None, **fields: Any) -> Turn:
        """Start it."""
        return self.take(inputs.StartInstance(workflow="w", version="v1", input=encoded(input), **fields))

    def finish(self, path: str, output: Any = None, port: str | None = None, **fields: Any) -> Turn:
        """The current attempt of the node reports success."""
        identity = self.identity(path)
        return self.take(inputs.TaskFinished(**identity, output=encoded(output), port=port, **fields))

    def fail(self, path: str, type: str = "E", message: str = "bad", seed: int = 0, **fault: Any) -> Turn:
        """The current attempt of the node reports a failure."""
        fault = inputs.TaskFault(type, message, **fault)
        return self.take(inputs.TaskFailed(**self.identity(path), fault=fault, seed=seed))

    def timer(self, path: str, purpose: str, at: int | None = None, **identity: int) -> Turn:
        """A timer fires, by default with the node's current identity and at the time it was armed for."""
        mine = {"path": "", "run": 0, "attempt": 0} if path == "" else self.identity(path)
        mine.update(identity)
        due = self.armed().get((*mine.values(), purpose), self.now)
        self.now = max(self.now, due) if at is None else at
        return self.take(inputs.TimerFired(**mine, purpose=purpose))

    def read_back(self, runs_max: int = 500) -> Turn:
        """The runs that a saga asked for come back, as the engine reads them: at most so many at a time."""
        order = next(effect for effect in reversed(self.effects) if isinstance(effect, fx.ReadBack))
        return self.take(self.page(order, runs_max))

    def page(self, order: fx.ReadBack, runs_max: int) -> inputs.RunsRead:
        """What is read back from the journal."""
        page = Page(self.instance, order.row, order.index, runs_max)
        for row in range(order.row or len(self.rows), 0, -1):
            full = page.add(row, self.rows[row - 1])
            if full is not None:
                return full
        return page.done()

    def identity(self, path: str) -> dict[str, Any]:
        """The node's current run and attempt."""
        state = self.state(path)
        return {"path": path, "run": state.run, "attempt": state.attempt}

    def crash(self) -> None:
        """The process is gone: what is left is what the journal says."""
        self.instance = self.replayed()
        self.effects = []

    def recover(self, *, alone: bool = False) -> Turn:
        """A crash, and a new process."""
        self.crash()
        return self.take(inputs.Recover(alone=alone))

    # --- what came of it

    @property
    def plan(self) -> Plan:
        """What it runs by."""
        return self.instance.plan

    def replayed(self) -> Instance:
        """The instance folded from nothing."""
        instance = Instance(self.begun_by, "i")
        instance.plans = self.instance.plans
        for body in self.rows:
            for event in body.events:
                fold(instance, event, body.at)
            if body.message:
                consume(instance, body.message)
        return instance

    def state(self, path: str) -> Any:
        """The node's state."""
        scope, node = self.instance.locate(path)
        state = scope.nodes[node.index]
        assert state is not None, f"{path} has no state yet"
        return state

    @property
    def status(self) -> str:
        """The instance's status."""
        return self.instance.status

    @property
    def nodes(self) -> dict[str, str]:
        """All nodes' statuses."""
        return {path: self.instance.status_of(path) for path in self.plan.by_id}

    @property
    def open_nodes(self) -> dict[str, str]:
        """The statuses of the nodes of all open scopes, by their addresses."""
        return {
            scope.path(node): state.status if state else "pending"
            for scope in self.instance.scopes
            for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
            if not node.off_graph
        }

    @property
    def output(self) -> Any:
        """The instance's output, decoded."""
        return json.loads(self.instance.output)

    def input_of(self, path: str) -> Any:
        """A node's input, decoded."""
        return json.loads(input_of(*self.instance.locate(path)))

    def skips(self) -> dict[str, tuple[str, str]]:
        """Reason and culprit of each skipped node."""
        return {
            skip.path: (skip.reason, skip.because)
            for event in self.events
            if isinstance(event, ev.NodesSkipped)
            for skip in event.skips
        }

    def armed(self) -> dict[tuple[str, int, int, str], int]:
        """The timers that are armed, with when they are due."""
        armed: dict[tuple[str, int, int, str], int] = {}
        for effect in self.effects:
            if isinstance(effect, fx.ArmTimer):
                armed[effect.path, effect.run, effect.attempt, effect.purpose] = effect.due
            elif isinstance(effect, fx.DisarmTimer):
                armed.pop((effect.path, effect.run, effect.attempt, effect.purpose), None)
        return armed


def run_of(text: str, input: Any = None, workflow: dict[str, Any] | None = None, **nodes: dict[str, Any]) -> Run:
    """A started run of a graph."""
    run = Run(graph(text, workflow, **nodes))
    run.start(input)
    return run


def encoded(value: Any) -> bytes:
    """A value as JSON."""
    return json.dumps(value).encode()


def names(turn: Turn) -> list[str]:
    """The turn's events by name."""
    return [type(event).__name__ for event in turn.events]


def asked(turn: Turn, kind: type[fx.Effect]) -> list[Any]:
    """The turn's effects of one kind."""
    return [effect for effect in turn.effects if isinstance(effect, kind)]


def given_back(turn: Turn) -> list[tuple[str, int, int, str]]:
    """What the turn gives back: path, run, attempt, and how that ended."""
    return [(one.path, one.run, one.attempt, one.outcome) for one in asked(turn, fx.ReleaseAdmission)]


def dispatched(turn: Turn) -> list[tuple[str, int]]:
    """The attempts that the turn orders."""
    return [(effect.path, effect.attempt) for effect in asked(turn, fx.DispatchTask)]


def check_counts(instance: Instance) -> None:
    """The counters say what a recount says, and a snapshot gives the same instance."""
    for scope in instance.scopes:
        statuses = [state.status for state in scope.nodes if state is not None]
        assert scope.active == sum(status in ACTIVE for status in statuses), "active is wrong"
        assert scope.finished == sum(status in NODE_FINAL for status in statuses), "finished is wrong"
    again = restore(instance.plan, "i", decode_snapshot(encode_snapshot(1, 1, capture(instance))))
    assert state_bytes(again) == state_bytes(instance), "a snapshot differs"
    counts = [[(scope.active, scope.finished) for scope in one.scopes] for one in (again, instance)]
    assert counts[0] == counts[1]


def check_effects(turn: Turn, was_final: bool) -> None:
    """Once an instance has ended nothing is ordered, and what the last turn ordered it has taken back."""
    if turn.instance.status not in INSTANCE_FINAL:
        return
    if was_final and not isinstance(turn.events[0] if turn.events else None, (ev.CompensationStarted, ev.Intervened)):
        # (Reattach tells of the end once more: the commit that had it was reported as failed.)
        assert all(isinstance(effect, (fx.ReleaseAdmission, fx.EndInstance)) for effect in turn.effects), turn.effects
        assert not turn.events
        return
    left: set[Any] = set()
    for effect in turn.effects:
        match effect:
            case fx.DispatchTask():
                left.add(("task", effect.path, effect.run, effect.attempt))
            case fx.AbandonTask():
                left.discard(("task", effect.path, effect.run, effect.attempt))
            case fx.ArmTimer():
                left.add((effect.purpose, effect.path, effect.run, effect.attempt))
            case fx.DisarmTimer():
                left.discard((effect.purpose, effect.path, effect.run, effect.attempt))
            case fx.AskAdmission():
                left.add(("slot", effect.path, effect.run))
            case fx.ReleaseAdmission():
                left.discard(("slot", effect.path, effect.run))
    assert not left, f"ordered, and never taken back at the end: {left}"
    assert [effect for effect in turn.effects if isinstance(effect, fx.EndInstance)] == [
        fx.EndInstance(turn.instance.status)
    ]
