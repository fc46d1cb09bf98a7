"""What breakers count, counted a second time from the journal (79 to 82): when one opens, what is slow, who may try again,
and what of that a restart finds.

A call begins in the turn that starts its attempt and ends in the one that ends it; turns become durable in the order in
which they were decided, so the rows say in which order a breaker has seen all that. Where they do not (a commit that
failed, an instance that was thrown away, a call that waited for its turn) what is counted is in doubt: until the breaker
closes the next time, or until so many calls have followed that none of those counts any more. Meanwhile it is only looked
whether what the engine says agrees with itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.definition.model import CircuitBreaker
from mainspring.limits.breaker import Transition
from mainspring.testing.simulation.watched_breaker import DOUBT_MS, Call, Target, may_retry
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

PREFIX = "breaker of "
SPENT = "RetryBudgetSpent"
COUNTED_WITHIN_SECONDS = 0.15
NEXT = {
    ("closed", "tripped"): ("open",),
    ("open", "rested"): ("half_open",),
    ("half_open", "tripped"): ("open",),
    ("half_open", "proven"): ("closed",),
    ("half_open", "eased"): ("recovering",),
    ("recovering", "eased"): ("recovering",),
    ("recovering", "proven"): ("closed",),
    ("recovering", "tripped"): ("open",),
}
"""What may follow from what, as the table of the semantics has it: nobody switches by hand here."""

_TOLD = re.compile(r"(\d+) of the last (\d+) calls were retries")


class Windows:
    """`kept` is what the store has of breakers, by target; `targets` those that were called in this epoch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: dict[str, list[Any]] = {}
        self.targets: dict[str, Target] = {}
        self._epoch = 0
        self._changed: dict[str, tuple[str, int]] = {}
        self._busy: set[str] = set()
        self._lost = False  # whether anything was, in this epoch

    def _target(self, told: CircuitBreaker | None) -> Target | None:
        """The one that a node calls. Those with a window of time are not counted again: it depends on when one looks."""
        if told is None or told.target is None or told.window_time is not None:
            return None
        self._here_now()
        target = self.targets.get(told.target)
        if target is None:
            target = self.targets[told.target] = Target(told, self.kept.get(told.target))
            if told.target in self._changed:  # when somebody looked at it
                target.state, target.since = self._changed[told.target]
                target.window.clear()
            if told.target in self._busy:
                target.doubt()
            elif (
                self._lost
            ):  # a call that began in a turn that was lost counts, and the journal has not even the target
                target.vague = target.starts.maxlen or 0
        return target

    def _here(self, process: Process) -> bool:
        """Whether the process is the one that has the store now."""
        self._here_now()
        return process.epoch == self._epoch

    def _here_now(self) -> None:
        """What was counted in an epoch that is over is forgotten."""
        if self._epoch != self.world.epoch:
            self._epoch = self.world.epoch
            self.targets.clear()
            self._changed.clear()
            self._busy.clear()
            self._lost = False

    def doubt(self) -> None:
        """A commit has failed, or an instance was thrown away."""
        self._here_now()
        self._lost = True
        for target in self.targets.values():
            target.doubt()

    # --- what the journal has -----------------------------------------------------------------------------------------

    def started(self, scope: WatchedScope, id: str, node: WatchedNode, waited: bool) -> None:
        """A call begins. `waited`: it was let through by somebody who left, so a while ago perhaps."""
        target = self._target(scope.graph.nodes[id].circuit_breaker)
        if target is None:
            return
        again = node.failures > 0
        if again and not waited and not target.vague and target.told.retry_ratio is not None:
            text = f"{id} is tried again, after {list(target.starts)} at {target.told.target}"
            scope.must(may_retry(target), "the budget of a target holds", text)
        target.starts.append(again)
        target.vague = (target.starts.maxlen or 0) if waited else max(0, target.vague - 1)
        before = DOUBT_MS if waited else 0
        if scope.whole.at - before <= target.changed_at:
            target.sure = False
        target.began[scope.whole.id, scope.path(id)] = target.phase

    def ended(self, scope: WatchedScope, id: str, node: WatchedNode, *, failed: bool) -> None:
        """A call has ended, well or badly."""
        target = self._target(scope.graph.nodes[id].circuit_breaker)
        if target is None:
            return
        phase = target.began.pop((scope.whole.id, scope.path(id)), None)
        if phase is None:
            target.sure = False  # it began before this process did, or not for all that is durable
        if phase != target.phase:
            return
        told = target.told
        slow = told.slow_call is not None and scope.whole.at - node.started_at > told.slow_call
        if slow:
            self.world.points.hit("a call is slow")
        if slow and not failed:
            self.world.audit.calls.fails(scope, id)
        counts = failed or (slow and told.slow_call_threshold is None)
        call = Call(counts, slow, not failed and not slow, self.world.scheduler.now)
        (target.ended if target.state == "closed" else target.tried).append(call)

    def stopped(self, whole: str, path: str) -> None:
        """An attempt is over, and nothing is known of how: it does not count."""
        for target in self.targets.values():
            target.began.pop((whole, path), None)

    def in_vain(self, scope: WatchedScope, id: str) -> None:
        """A node failed before its call could begin, and perhaps after it was let through: others may have left for it."""
        target = self._target(scope.graph.nodes[id].circuit_breaker)
        if target is not None:
            target.vague = target.starts.maxlen or 0

    def unused(self, scope: WatchedScope, id: str, node: WatchedNode) -> None:
        """A call could not begin, as its code is not there: it was none."""
        target = self._target(scope.graph.nodes[id].circuit_breaker)
        again = node.failures > 0
        if target is not None and again in target.starts:
            target.starts.reverse()
            target.starts.remove(again)
            target.starts.reverse()
            target.vague = target.starts.maxlen or 0  # others may have left the window for it

    def spent(self, scope: WatchedScope, id: str, node: WatchedNode, message: str) -> None:
        """A retry was refused: the target has had enough of them."""
        target = self._target(scope.graph.nodes[id].circuit_breaker)
        ratio = None if target is None else target.told.retry_ratio
        found = _TOLD.search(message)
        if target is None or ratio is None or found is None:
            scope.must(False, "failures have a cause", f"{id} has no budget, and it is spent: {message}")
            return
        scope.must(node.failures > 0, "failures have a cause", f"{id} is refused as a retry, and has not failed")
        retries, calls = int(found[1]), int(found[2])
        enough = calls >= target.told.minimum_throughput and retries + 1 > ratio * (calls + 1)
        scope.must(enough, "the budget of a target holds", f"{id} is refused: {message}")
        if not target.vague and node.status != "ready":
            told, wanted = (retries, calls), (sum(target.starts), len(target.starts))
            text = f"{id} is refused for {told}, and there were {wanted} (retries, calls)"
            scope.must(told == wanted, "the budget of a target holds", text)
            self.world.points.hit("a refused retry is recounted")
        self.world.points.hit("the budget of a target is spent")

    # --- what the engine says -----------------------------------------------------------------------------------------

    def changed(self, process: Process, name: str, change: Transition) -> None:
        """A breaker goes from one state to another."""
        if not self._here(process):
            return
        text = f"the breaker of {name} is {change.before}, and {change.event}: {change.after}"
        self._must(change.after in NEXT.get((change.before, change.event), ()), "breakers follow their table", text)
        target = self.targets.get(name)
        if target is None:
            self._changed[name] = (change.after, change.at)
            return
        if target.sure:
            self._must(change.before == target.state, "breakers follow their table", f"{text}; it was {target.state}")
            self._explain(target, name, change)
        target.state, target.since = change.after, change.at
        target.phase += 1
        target.passed = 0
        target.changed_at, target.changed_seen = change.at, self.world.scheduler.now
        target.window.clear()
        target.ended.clear()
        target.tried.clear()
        target.sure = target.sure or change.after == "closed"

    def _explain(self, target: Target, name: str, change: Transition) -> None:
        told = target.told
        if change.before == "closed":
            why = ""
            while target.ended and not why:
                why = target.count()
            text = f"the breaker of {name} opens because {change.why!r}, and by the journal it is {why!r}"
            self._must(why == change.why, "a breaker opens for a cause", text)
            self.world.points.hit("an opened breaker is recounted")
        elif change.event == "rested" and not self.world.profile.jumps:
            early = target.since + told.open_for - change.at
            self._must(early <= 0, "breakers follow their table", f"that of {name} has rested {early} ms too little")
        elif change.before == "half_open":
            well = sum(call.ok for call in target.tried)
            if change.event == "tripped":
                right = well < len(target.tried)
            else:
                right = target.passed + well >= told.half_open_successes and well == len(target.tried)
            self._must(right, "a breaker closes for a cause", f"that of {name}: {change.why}, after {target.tried}")

    def up(self, process: Process) -> None:
        """A process serves: it knows of breakers what was written last, if nothing has happened yet."""
        if not self._here(process):
            return
        for target in self.targets.values():
            target.doubt()  # it may have changed before anybody could watch
        for name, kept in self.kept.items():
            touched = name in self.targets or " of " in name  # a node's own: nobody follows what becomes of these
            standing = next((one for one in process.engine.breakers() if one.target == name), None)
            if touched or standing is None:
                continue
            if kept[0] == standing.state == "half_open":
                text = f"the breaker of {name} knows {standing.figures}, and was left with {kept[4]} trial calls passed"
                self._must(standing.figures["passed"] == kept[4], "breakers survive a restart", text)
            if standing.active:
                self._busy.add(name)
            if standing.state != kept[0]:
                self._changed[name] = (standing.state, standing.since)
            rested = kept[0] == "open" and standing.state == "half_open"
            text = f"the breaker of {name} is {standing.state}, and was left {kept[:3]}"
            self._must(rested or standing.state == kept[0], "breakers survive a restart", text)
            if standing.state == "closed" and kept[7]["window_time"] is None:
                told = (int(standing.figures["calls"]), int(standing.figures["failed"]))
                wanted = (len(kept[6]), sum(marks[0] for _, marks in kept[6]))
                text = f"the breaker of {name} knows {told} (calls, failed), and was left with {wanted}"
                self._must(told == wanted, "breakers survive a restart", text)
                if kept[6]:
                    self.world.points.hit("a window survives a restart")

    def look(self, process: Process) -> None:
        """While nothing goes on: what the engine has counted is what there was."""
        if not self._here(process):
            return
        long_ago = self.world.scheduler.now - COUNTED_WITHIN_SECONDS
        named = {one.target: one for one in process.engine.breakers()} if self.targets else {}
        for name, target in self.targets.items():
            standing = named.get(name)
            if target.phase and target.changed_seen < long_ago:
                kept = self.kept.get(name, ["nothing"])[0]
                text = f"the breaker of {name} is {target.state}, and {kept} is written"
                self._must(kept == target.state, "breakers survive a restart", text)
            if standing is None or not target.sure or target.state != "closed":
                continue
            if standing.state != "closed" or any(call.seen >= long_ago for call in target.ended):
                continue
            while target.ended:
                why = target.count()
                self._must(not why, "a breaker opens when it must", f"that of {name} is closed, and {why}")
            failed, slow = (sum(marks[which] for marks in target.window) for which in (0, 1))
            wanted = {"calls": len(target.window), "failed": failed}
            wanted |= {} if target.told.slow_call is None else {"slow": slow}
            text = f"the breaker of {name} has counted {standing.figures}, and there were {wanted}"
            self._must(standing.figures == wanted, "breakers count their calls", text)
            if wanted["calls"]:
                self.world.points.hit("a window is recounted")

    def written(self, process: Process, states: dict[str, bytes]) -> None:
        """What is to be remembered of breakers is durable."""
        for key, state in states.items():
            name = key.removeprefix(PREFIX)
            kept = self.kept[name] = msgspec.json.decode(state)
            target = self.targets.get(name) if self._here(process) else None
            if target is None or not target.sure or not process.stopping or process.spoilt or kept[0] != "closed":
                continue
            while target.ended:
                target.count()
            told = [(failed, slow) for _, (failed, slow) in kept[6]]
            if target.state == "closed" and told:
                text = f"the breaker of {name} leaves {told}, and has counted {list(target.window)}"
                self._must(told == list(target.window), "breakers survive a restart", text)

    def stopped_well(self, process: Process) -> None:
        """A process has stopped in good order: what its closed breakers had counted is written."""
        if not self._here(process):
            return
        for name, target in self.targets.items():
            while target.ended:
                target.count()
            if target.sure and target.state == "closed" and target.window:
                kept = self.kept.get(name)
                told = None if kept is None else [(failed, slow) for _, (failed, slow) in kept[6]]
                text = f"the breaker of {name} is left with {told}, and had counted {list(target.window)}"
                self._must(told == list(target.window), "breakers survive a restart", text)

    def _must(self, holds: bool, invariant: str, text: str) -> None:
        if not holds:
            self.world.fail(invariant, text)
