"""What has happened in one run, and what of it must never happen.

The ledger lies outside all processes: it has what the modelled tasks did, and what became durable, in one order. It goes
on through the death of a process, and knows nothing of the engine but its journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.testing.checking.limits import Limits
from mainspring.testing.checking.space import Part

UNDO = ":undo"

Run = tuple[str, str, int]
"""An instance, a path, the number of the run."""


class Broken(Struct, frozen=True):
    """An invariant that does not hold, and how that was seen."""

    invariant: str
    text: str


class Deed(Struct, frozen=True):
    """Something that happened. `what`: event (it is durable), begin, done, fail, stop (of a task), kill, answer."""

    what: str
    at: int
    instance: str = ""
    path: str = ""
    run: int = 0
    attempt: int = 0
    key: str = ""
    event: ev.AnyEvent | None = None
    node: PlanNode | None = None
    workflow: str = ""

    @property
    def of(self) -> Run:
        """The run that it is about."""
        return (self.instance, self.path, self.run)


class Ledger:
    """`see` is told of each deed in turn; `broken` has the first invariant that did not hold."""

    def __init__(self, parts: Mapping[str, Part], pools: Mapping[str, int]) -> None:
        self._parts = parts
        self._pools = pools
        self.deeds: list[Deed] = []
        self.broken: Broken | None = None
        self.in_work: dict[tuple[str, str], Deed] = {}
        self.retried: dict[Run, int] = {}
        self.ended: dict[Run, str] = {}
        self.begun: set[tuple[str, str]] = set()
        self._started: set[tuple[str, str, int, int]] = set()
        self._undoing: set[str] = set()
        self._undone: set[Run] = set()
        self._this_life: set[tuple[str, str, int, int, str]] = set()
        self._works: dict[str, Run] = {}
        self._done: set[str] = set()
        self._ends_seen: set[tuple[str, str, int, bool]] = set()
        self._limits = Limits(parts, pools)

    def after_death(self, deeds: list[Deed]) -> Ledger:
        """A ledger that has these deeds, and then the end of the process."""
        other = Ledger(self._parts, self._pools)
        for deed in deeds:
            other.see(deed)
        other.see(Deed("kill", deeds[-1].at if deeds else 0))
        return other

    def see(self, deed: Deed) -> None:
        """Enter it."""
        self.deeds.append(deed)
        found: Broken | None = None
        match deed.what:
            case "event":
                found = self._durable(deed)
            case "begin":
                found = self._begins(deed)
            case "done":
                found = self._does(deed)
            case "fail" | "stop":
                self._leaves(deed)
            case "kill":
                self.in_work.clear()
                self._this_life.clear()
                self._limits.all_gone()
        self.broken = self.broken or found

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _begins(self, deed: Deed) -> Broken | None:
        who = f"{deed.path} (run {deed.run}, attempt {deed.attempt})"
        identity = (*deed.of, deed.attempt, deed.key)
        held = self.in_work.get((deed.instance, deed.path))
        if deed.node is not None:
            self.begun.add((deed.workflow, deed.node.place))
        faults = [
            *self._of_undo(deed, who),
            *self._of_work(deed, who),
        ]
        if identity in self._this_life:
            faults.append(Broken("nothing is done twice", f"{who} was begun twice by one process"))
        if held is not None:
            faults.append(Broken("nothing is done twice", f"{who} began while its attempt {held.attempt} was at work"))
        known = self._works.setdefault(deed.key, deed.of)
        if known != deed.of:
            faults.append(Broken("nothing is done twice", f"{deed.key} is the key of {known[1]} and of {deed.path}"))
        self._this_life.add(identity)
        self.in_work[(deed.instance, deed.path)] = deed
        over = (
            self._limits.began(deed.workflow, deed.instance, deed.path, deed.node, deed.at)
            if not deed.key.endswith(UNDO)
            else None
        )
        if over is not None:
            faults.append(Broken("limits hold", over))
        return faults[0] if faults else None

    def _of_work(self, deed: Deed, who: str) -> Iterator[Broken]:
        if deed.of in self.ended:
            yield Broken("nothing is done twice", f"{who} began though it had {self.ended[deed.of]}, durably")
        elif (*deed.of, deed.attempt) not in self._started:
            yield Broken("what begins is durable", f"{who} began before its start was durable")

    def _of_undo(self, deed: Deed, who: str) -> Iterator[Broken]:
        """The undoing of a run has that run's key, with an ending."""
        if not deed.key.endswith(UNDO):
            return
        if deed.key in self._done and deed.key not in self._undoing:
            yield Broken("nothing is done twice", f"{who} began though {deed.key.removesuffix(UNDO)} had been undone")

    def _does(self, deed: Deed) -> Broken | None:
        self._leaves(deed)
        twice = deed.key in self._done and deed.of in self.ended
        self._done.add(deed.key)
        if twice:
            return Broken("nothing is done twice", f"the work of {deed.path} was done twice, with the key {deed.key}")
        return None

    def _leaves(self, deed: Deed) -> None:
        self.in_work.pop((deed.instance, deed.path), None)
        self._limits.left(deed.instance, deed.path)

    # --- the journal --------------------------------------------------------------------------------------------------

    def _durable(self, deed: Deed) -> Broken | None:
        event = deed.event
        match event:
            case ev.NodeStarted():
                self._started.add((*deed.of, event.attempt))
            case ev.NodeRetrying():
                self.retried[deed.of] = self.retried.get(deed.of, 0) + 1
            case ev.NodeCompleted() | ev.RunCompleted():
                return self._ends(deed.of, "completed", isinstance(event, ev.RunCompleted))
            case ev.NodeFailed() | ev.RunFailed():
                return self._ends(deed.of, "failed", isinstance(event, ev.RunFailed))
            case ev.NodesCancelled():
                for one in event.runs:
                    self.ended.setdefault((deed.instance, one.path, one.run), "been cancelled")
            case ev.NodesSkipped():
                faults = [self._ends((deed.instance, one.path, 0), "been skipped") for one in event.skips]
                return next((one for one in faults if one is not None), None)
            case ev.NodeCompensating():
                self._undoing.add(f"{deed.instance}/{event.path}/{event.run}{UNDO}")
            case ev.NodeCompensated():
                key = f"{deed.instance}/{event.path}/{event.run}{UNDO}"
                self._undoing.discard(key)
                self._done.add(key)
                if deed.of in self._undone:
                    return Broken("nothing is done twice", f"{event.path} (run {event.run}) was undone twice")
                self._undone.add(deed.of)
            case _:
                pass
        return None

    def _ends(self, run: Run, how: str, of_several: bool = False) -> Broken | None:
        """A run ends once; the end of a repeating node as a whole has the number of its last run."""
        known = (*run, of_several) in self._ends_seen
        self._ends_seen.add((*run, of_several))
        before = self.ended.setdefault(run, how)
        if known:
            return Broken("nothing ends twice", f"{run[1]} (run {run[2]}) {how} after it had {before}")
        return None
