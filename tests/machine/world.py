"""A world for random graphs: it does what the effects order, in any order, and is at times unkind.

It knows only effects: a task runs because it was dispatched, a timer fires because it was armed. What a task does depends
on its run's number and on how often that has failed, never on when, so that the outcome is the graph's alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any, NamedTuple

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.lifecycle import INSTANCE_FINAL, NODE_FINAL
from mainspring.machine.turn import Turn

from .harness import Run
from .naive import Graph, all_nodes, work
from .random_bodies import NAMES
from .random_graphs import RUNS_MAX, plan_of

TURNS_MAX = 4_000
SIGNALS_MAX = 8
"""Signals that come unasked: beyond these one comes only where all else waits."""

_number = re.compile(r"\[(undo:)?\d+\]")
UNDOING = ("compensating", "compensated", "compensation_failed")


class Told(NamedTuple):
    """One turn of the story: what went in, at what time, how many events there are after it, and all open nodes' statuses."""

    input: inputs.Input
    at: int
    events: int
    statuses: dict[str, str]


def by_names(graph: Graph, around: tuple[str, ...] = ()) -> dict[tuple[str, ...], dict[str, Any]]:
    """All nodes of a graph and of the bodies within it, by the names on the way to them."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for node in graph["nodes"]:
        way = (*around, node["id"])
        found[way] = node
        for body in (*(node.get("block") or {}).get("bodies", ()), *node.get("fallbacks", ()), node.get("undo")):
            found.update({} if body is None else by_names(body, way))
    return found


class World:
    """A run of a random graph. `unkind` is how many times it does something that only an unlucky day brings.

    `turns` is its story. `seen`: the variables that each run's work was ordered with.
    """

    def __init__(self, graph: dict[str, Any], random: Random, unkind: int) -> None:
        self.graph = graph
        self.random = random
        self.unkind = unkind
        self.crashes = 0
        self.run = Run(plan_of(graph))
        self.nodes = by_names(graph)
        self.waits = any(node["type"] == "wait" for node in all_nodes(graph))
        self.signals = 0
        self.failures: Counter[tuple[str, int]] = Counter()
        self.no_handler: set[str] = set()
        self.awaited: dict[str, tuple[str, str]] = {}
        self.repeating: set[str] = set()
        self.outputs: dict[tuple[str, int], Any] = {}
        self.seen: dict[tuple[str, int], Any] = {}
        self.tasks: set[tuple[str, int, int]] = set()
        self.timers: dict[tuple[str, int, int, str], int] = {}
        self.slots: dict[tuple[str, int], bool] = {}
        self.abandoned: list[tuple[str, int, int]] = []
        self.reported: list[inputs.Input] = []
        self.inputs: dict[tuple[str, int], Any] = {}
        self.ended: dict[str, str] = {}
        self.turns: list[Told] = []
        self.reading: fx.ReadBack | None = None

    def node(self, path: str) -> dict[str, Any]:
        """The node at an address, as the graph has it."""
        return self.nodes[tuple(_number.sub("", path).split("."))]

    def drive(self) -> Run:
        """To the end, whatever happens on the way."""
        self.take(inputs.StartInstance(workflow="w", version="v1", input=json.dumps(self.graph["input"]).encode()))
        turns = 0
        while self.run.status not in INSTANCE_FINAL:
            turns += 1
            assert turns < TURNS_MAX, "it does not end"
            if self.unkind and self.random.random() < 0.4:
                self.unkind -= 1
                self.mischief()
            else:
                self.something()
        for _ in range(min(self.unkind, 3)):
            self.mischief()
        return self.run

    def take(self, input: inputs.Input) -> None:
        """A turn, and what it orders."""
        turn = self.run.take(input)
        if isinstance(input, (inputs.TaskFinished, inputs.TaskFailed, inputs.TimerFired)) and not turn.dropped:
            self.reported.append(input)  # (a timer that rings while the instance is parked is armed again on resume)
        self.note(turn)
        self.obey(turn)
        statuses = self.run.open_nodes
        self.turns.append(Told(input, self.run.now, len(self.run.events), statuses))
        for path, status in statuses.items():
            if path in self.ended and status not in UNDOING:
                assert self.ended[path] == status, f"{path} left the final state {self.ended[path]}"
            elif status in NODE_FINAL:
                self.ended[path] = status

    def note(self, turn: Turn) -> None:
        """What the events say of attempts that failed, and of code that is missing."""
        for event in turn.events:
            if isinstance(event, (ev.RunCompleted, ev.RunFailed)):
                self.repeating.add(event.path)
            if isinstance(event, (ev.NodeCompleted, ev.RunCompleted)):
                self.output(event)
            elif isinstance(event, ev.NodeRetrying):
                self.failures[event.path, event.run] += 1
            elif isinstance(event, ev.NodeWaiting) and event.what == "handler":
                self.no_handler.add(event.path)
            elif isinstance(event, ev.NodeWaiting) and event.what in ("signal", "event", "approval"):
                self.awaited[event.path] = event.what, event.detail
            elif isinstance(event, (ev.NodeStarted, ev.NodeReady, ev.NodeFailed, ev.RunFailed)):
                self.no_handler.discard(event.path)
            elif isinstance(event, ev.NodesCancelled):
                self.no_handler.difference_update(ref.path for ref in event.runs)

    def output(self, event: ev.NodeCompleted | ev.RunCompleted) -> None:
        """What a run came to. What a block makes of its bodies is not told again: it is seen where the node still stands."""
        key = event.path, event.run
        if event.degraded and bytes(event.output) == b"null":
            return  # (its fallback's, which is compared)
        if isinstance(event, ev.NodeCompleted) and event.path in self.repeating:
            return  # (the end of the node, which is none of a run)
        if bytes(event.output) != b"null" or not self.node(event.path).get("block"):
            self.outputs.setdefault(key, json.loads(bytes(event.output)))
        elif event.path not in self.repeating and event.path in self.run.open_nodes:
            self.outputs[key] = json.loads(self.run.state(event.path).output)

    def obey(self, turn: Turn) -> None:
        for effect in turn.effects:
            match effect:
                case fx.DispatchTask(path, run, attempt, variables):
                    assert (path, run, attempt) not in self.tasks, "ordered twice"
                    self.tasks.add((path, run, attempt))
                    if path in self.run.open_nodes:  # (else it was called off in the same turn)
                        self.inputs[path, run] = self.run.input_of(path)
                    self.seen.setdefault((path, run), json.loads(variables))
                    assert not self.node(path)["limited"] or self.slots.get((path, run)), "started without its slot"
                case fx.AbandonTask(path, run, attempt):
                    self.tasks.discard((path, run, attempt))
                    self.abandoned.append((path, run, attempt))
                case fx.ArmTimer(path, run, attempt, purpose, due):
                    self.timers[path, run, attempt, purpose] = due
                case fx.DisarmTimer(path, run, attempt, purpose):
                    self.timers.pop((path, run, attempt, purpose), None)
                case fx.AskAdmission(path, run):
                    self.slots.setdefault((path, run), False)
                case fx.ReleaseAdmission(path, run):
                    self.slots.pop((path, run), None)
                case fx.ReadBack():
                    self.reading = effect

    # --- the ordinary

    def something(self) -> None:
        """One thing that can happen next: a report, a timer, a slot, code that turns up."""
        choices: list[Any] = [(self.report, task) for task in sorted(self.tasks) if not self.hangs(task)]
        choices += [(self.fire, timer) for timer in sorted(self.timers) if self.may_fire(timer)]
        choices += [(self.grant, slot) for slot, granted in sorted(self.slots.items()) if not granted]
        choices += [(self.found, path) for path in sorted(self.no_handler)]
        choices += [(self.read_back, self.reading)] if self.reading else []
        if self.waits and (self.signals < SIGNALS_MAX or not choices):
            choices.append((self.signal, None))
        if self.run.status in ("parked", "pausing", "paused"):
            choices = [(self.resume, None), *choices]
        assert choices, f"it waits for nothing: {self.run.open_nodes}"
        what, subject = self.random.choice(choices)
        what(subject)

    def outcome(self, path: str, run: int) -> dict[str, Any]:
        outcomes = self.node(path)["outcomes"]
        return outcomes[min(self.failures[path, run] + run - 1, len(outcomes) - 1)]

    def hangs(self, task: tuple[str, int, int]) -> bool:
        return self.outcome(*task[:2])["kind"] == "hang"

    def may_fire(self, timer: tuple[str, int, int, str]) -> bool:
        """A task's timeout only where it hangs: else the outcome would depend on the order."""
        return timer[3] != fx.NODE_TIMEOUT or self.node(timer[0])["type"] != "function" or self.hangs(timer[:3])

    def report(self, task: tuple[str, int, int]) -> None:
        path, run, attempt = task
        self.tasks.discard(task)
        outcome = self.outcome(path, run)
        identity: Any = {"path": path, "run": run, "attempt": attempt, "seed": self.random.getrandbits(16)}
        if outcome["kind"] == "ok":
            output = work(outcome["base"], self.inputs[path, run])
            sets = json.dumps(dict.fromkeys(outcome["sets"], output["v"])).encode() if outcome.get("sets") else None
            report: inputs.Input = inputs.TaskFinished(
                **identity, output=json.dumps(output).encode(), port=outcome["port"], variables=sets
            )
        else:
            type = outcome["type"]
            fault = inputs.TaskFault(type, "as told", (type, "Exception"), fatal=outcome["fatal"])
            report = inputs.TaskFailed(**identity, fault=fault)
        self.take(report)

    def fire(self, timer: tuple[str, int, int, str]) -> None:
        path, run, attempt, purpose = timer
        self.run.now = max(self.run.now, self.timers.pop(timer))
        report = inputs.TimerFired(path=path, run=run, attempt=attempt, purpose=purpose)
        self.take(report)

    def resume(self, _: None) -> None:
        self.take(inputs.ResumeInstance())

    def grant(self, slot: tuple[str, int]) -> None:
        self.slots[slot] = True
        self.take(inputs.AdmissionGranted(path=slot[0], run=slot[1]))

    def found(self, path: str) -> None:
        self.take(inputs.HandlersFound(paths=(path,)))

    def read_back(self, order: fx.ReadBack) -> None:
        self.reading = None
        self.take(self.run.page(order, self.random.choice((1, 2, 500))))

    def signal(self, _: None) -> None:
        """Somebody says something, which may be what a wait is for."""
        self.signals += 1
        kind, name = self.random.choice(("signal", "signal", "event", "approval")), self.random.choice((*NAMES, "s2"))
        open = [self.awaited[path] for path, status in self.run.open_nodes.items() if self.awaits(path, status)]
        if open and self.random.random() < 0.5:
            kind, names = self.random.choice(open)
            name = self.random.choice(names.split(", "))
        payload: Any = self.random.choice((self.random.randint(0, 3), {"v": self.random.randint(0, 3)}))
        if kind == "approval":
            payload = {"approved": self.random.random() < 0.5}
        self.take(inputs.SignalArrived(name=name, payload=json.dumps(payload).encode(), kind=kind))

    def awaits(self, path: str, status: str) -> bool:
        return status == "waiting" and path in self.awaited

    # --- the unkind

    def mischief(self) -> None:
        """Something that must not change the outcome."""
        self.random.choice(
            (self.crash, self.stop, self.reload, self.again, self.stale, self.no_code, self.park, self.park)
        )()

    def crash(self) -> None:
        """At most twice, so that no node reaches the bound."""
        if self.crashes < 2:
            self.crashes += 1
            self.restart()

    def stop(self) -> None:
        self.take(inputs.Interrupt())
        self.restart()

    def restart(self) -> None:
        self.tasks.clear()
        self.timers.clear()
        self.slots.clear()
        self.reading = None
        self.run.crash()
        self.take(inputs.Recover())

    def reload(self) -> None:
        """A commit failed: the instance is read again, and some of what was ordered had never left."""
        kept = {task for task in sorted(self.tasks) if self.random.random() < 0.5}
        granted = self.slots
        self.slots = {slot: True for slot, had in granted.items() if had}
        self.timers = {timer: due for timer, due in self.timers.items() if timer[:3] in kept}
        self.tasks = set(kept)
        self.reading = None
        self.run.crash()
        self.take(inputs.Reattach(known=tuple(sorted(kept))))

    def again(self) -> None:
        """What was reported once is reported again, and what was called off reports all the same."""
        late: list[inputs.Input] = [
            inputs.TaskFinished(path=path, run=run, attempt=attempt, output=b"666")
            for path, run, attempt in self.abandoned
        ]
        if self.reported or late:
            self.dropped(self.random.choice(self.reported + late))

    def stale(self) -> None:
        path = self.random.choice(sorted(self.run.open_nodes))
        report = self.random.choice(
            (
                inputs.TaskFinished(path=path, run=RUNS_MAX + 1, attempt=1, output=b"666"),
                inputs.TaskFinished(path=path, run=1, attempt=99, output=b"666"),
                inputs.TaskFinished(path="nowhere", run=1, attempt=1),
                inputs.TimerFired(path=path, run=1, attempt=98, purpose=fx.RETRY),
                inputs.TimerFired(path=path + "[999].n0", run=1, attempt=1, purpose=fx.DELAY),
                inputs.TimerFired(path=path, run=1, attempt=1, purpose="of no kind"),
                inputs.AdmissionGranted(path=path, run=RUNS_MAX + 1),
                inputs.HandlersFound(paths=(path, "nowhere")),
            )
        )
        if not (isinstance(report, inputs.HandlersFound) and path in self.no_handler):
            self.dropped(report)

    def dropped(self, report: inputs.Input) -> None:
        events = len(self.run.events)
        self.take(report)
        assert len(self.run.events) == events, f"{report} was not dropped"

    def no_code(self) -> None:
        if self.tasks:
            path, run, attempt = self.random.choice(sorted(self.tasks))
            self.tasks.discard((path, run, attempt))
            self.take(inputs.HandlerMissing(path=path, run=run, attempt=attempt, handler="shop:ship"))

    def park(self) -> None:
        """It stands still: for a fault, or because somebody said so."""
        if self.run.status == "running" and self.random.random() < 0.6:
            until = self.run.now + self.random.choice((0, 5, 5_000)) if self.random.random() < 0.3 else None
            clocks = self.random.random() < 0.6
            self.take(inputs.PauseInstance(by="ann", reason="a look", stop_clocks=clocks, until=until))
        elif self.run.status in ("running", "compensating"):
            self.take(inputs.ParkInstance(reason="a fault of ours"))
