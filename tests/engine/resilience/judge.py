"""Reads what the engine has written down, event by event, and says where it is not what docs/semantics-failures.md says.

It follows the journal of all instances in the order of the commits and the naive breaker (tests/limits/naive_breaker.py)
beside it. Of each failure it works out the decision for itself; of each saga what is undone, in which order; of each end
the status. `overdue` says what should have happened by now.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mainspring.limits.breaker import Rules
from mainspring.machine import events as ev
from tests.limits.naive_breaker import NaiveBreaker
from tests.machine.naive.failures import decision, ending
from tests.machine.naive.undoing import Done, to_undo

from .flows import ARROWS, CALLS, RETRY_MS, UNDOABLE, Call

FINAL = ("completed", "failed", "skipped", "cancelled")
OPEN = ("running", "cancelling", "failing", "compensating")


class Waiter(NamedTuple):
    """A node that waited for the end of trial calls, and what it was told then."""

    call: Call
    at: int
    retry: bool
    told: str


class Waiters:
    """Those that were told something in one step, in the order in which it was journaled.

    The rules do not say in which order they ask once they may: some order must give each what it was told.
    """

    def __init__(self, breaker: NaiveBreaker) -> None:
        self.breaker = breaker
        self.there: list[Waiter] = []
        self.told: set[Call] = set()

    def ask(self) -> None:
        """All of them ask now."""
        while self.there:
            fits = (one for one in self.there if self._asked(copy.deepcopy(self.breaker), one) == one.told)
            one = next(fits, None)
            assert one is not None, f"{self.there}: not by the rules ({self.breaker.state})"
            self._asked(self.breaker, one)
            self.there.remove(one)
            self.told.add(one.call)

    def _asked(self, breaker: NaiveBreaker, one: Waiter) -> str:
        return breaker.ask(one.call, one.at, one.retry)


def told_by(turn: Sequence[ev.Event], id: str) -> tuple[str, int] | None:
    """What a turn says of a node that asked, and by which attempt; None where it says nothing."""
    mine = [event for event in turn if getattr(event, "path", "") == id]
    error = next((event.error for event in mine if hasattr(event, "error")), None)
    if error is not None and error.type == "RetryBudgetSpent":
        return error.type, 0
    for event in mine:
        if isinstance(event, ev.NodeReady):
            return "wait", 0
        if isinstance(event, ev.NodeStarted):
            return "CircuitOpen" if error is not None and error.type == "CircuitOpen" else "yes", event.attempt
    return None


class Case:
    """One instance, as the judge sees it."""

    def __init__(self, id: str, flow: dict[str, Any], breaker: NaiveBreaker, rules: Rules) -> None:
        self.id = id
        self.flow = flow
        self.breaker = breaker
        self.rules = rules
        self.specs = {node["id"]: node for node in flow["nodes"]}
        self.arrows = [*ARROWS, *([("mail", "sorry")] if flow["catches"] else [])]
        self.waiters = Waiters(breaker)
        self.status = "pending"
        self.terminated = False
        self.statuses = dict.fromkeys(self.specs, "pending")
        self.begun: dict[Call, int] = {}
        self.due: dict[str, int] = {}
        self.failures: Counter[str] = Counter()
        self.fallen: Counter[str] = Counter()
        self.first_error: dict[str, str] = {}
        self.retries = 0
        self.failed: list[str] = []
        self.degraded = False
        self.done: list[Done] = []
        self.order: list[Done] | None = None
        self.undoing: Done | None = None
        self.left: list[Done] = []
        self.undone: list[Done] = []
        self.crashes = 0

    # --- calls of the target

    def takes(self, turn: list[ev.Event], event: ev.NodeStarted | ev.NodeReady, at: int) -> None:
        """A node of the graph begins, or waits for what it needs; or is refused, which the turn goes on to say."""
        id = event.path
        assert self.statuses[id] in ("pending", "ready", "retrying", "running"), (
            f"{id} begins, being {self.statuses[id]}"
        )
        sources = [source for source, target in self.arrows if target == id]
        trigger = "failed" if id == "sorry" else "completed"
        assert all(self.statuses[source] == trigger for source in sources), f"{id} begins before its time"
        if self.due.pop(id, at) > at:
            raise AssertionError(f"{id} is tried again too early")
        if id not in CALLS:
            self.statuses[id] = "running"
            return
        told, attempt = told_by(turn, id) or ("", 0)
        call = Call(self.id, id, attempt)
        self.asks(call, told, at)
        self.statuses[id] = "ready" if told == "wait" else "running"
        if told == "yes":
            self.begun[call] = at

    def waits(self, turn: Sequence[ev.Event], at: int) -> Iterator[Waiter]:
        """The nodes that waited and are told something in this turn."""
        for id in CALLS:
            told = told_by(turn, id) if self.statuses[id] == "ready" else None
            if told is not None:
                yield Waiter(Call(self.id, id, told[1]), at, bool(self.failures[id]), told[0])

    def asks(self, call: Call, told: str, at: int) -> None:
        """The breaker was asked: it says the same by the rules."""
        if self.statuses[call.path] == "ready":
            self.waiters.ask()
        if call in self.waiters.told:
            self.waiters.told.remove(call)
            return
        said = self.breaker.ask(call, at, bool(self.failures[call.path]))
        assert said == told, f"{call}: {told} for the engine, {said} by the rules ({self.breaker.state})"

    def over(self, id: str, outcome: str, at: int) -> None:
        """The attempt under way at the node is over, if there is one."""
        for call in [call for call in self.begun if call.path == id]:
            self.breaker.ended(call, outcome, at - self.begun.pop(call), at)

    # --- failures

    def fails(self, event: Any, at: int) -> None:
        """A decision about a failure: it is the one that the rules have, in the order in which they are asked (48)."""
        id, error = event.path, event.error.type
        if "[" in id:
            assert event.decision == "continue", f"{id} stands in, or undoes: {event.decision}"
            return
        spec = self.specs[id]
        own = self.statuses[id] != "falling_back"
        if own:
            if error == "RetryBudgetSpent":
                self.asks(Call(self.id, id, 0), error, at)
            self.over(id, "failed", at)
            self.first_error[id] = error
        catches = id == "mail" and self.flow["catches"]
        wanted = "continue"
        budget = self.flow["retryBudget"]
        if own and self._may_retry(spec, error) and (budget is None or self.retries < budget):
            wanted = "retry"
        elif self.fallen[id] < spec.get("fallbacks", 0):
            wanted = "fallback"
        elif not catches:
            wanted = decision(self.flow, spec, {*self.failed, id})
        told = getattr(event, "decision", None)
        if told is None:
            told = "retry" if isinstance(event, ev.NodeRetrying) else "fallback"
        assert told == wanted, f"{id} failed ({error}): {told} for the engine, {wanted} by the rules"
        if told == "retry":
            self.failures[id] += 1
            self.retries += 1
            self.statuses[id] = "retrying"
            rested = (
                self.breaker.since + self.rules.open_for
                if error == "CircuitOpen" and self.breaker.state == "open"
                else 0
            )
            self.due[id] = max(at + RETRY_MS, rested)
            assert event.due == self.due[id], f"{id} is due in {event.due - at}, not in {self.due[id] - at}"
        elif told == "fallback":
            self.fallen[id] += 1
            self.statuses[id] = "falling_back"
        else:
            assert error == self.first_error[id], (
                f"{id} fails with {error}, and first failed with {self.first_error[id]}"
            )
            self.statuses[id] = "failed"
            assert event.handled == catches
            if not catches:
                self.failed.append(id)
            if spec.get("compensateFailed"):
                self.done.append(Done(id, event.run))
            self.terminated |= told == "terminate"

    def _may_retry(self, spec: dict[str, Any], error: str) -> bool:
        return (
            spec.get("attempts", 1) > self.failures[spec["id"]] + 1
            and error not in spec["never"]
            and error != "RetryBudgetSpent"
        )

    # --- the rest of the story

    def read(self, turn: list[ev.Event], at: int) -> None:
        """One turn of the instance."""
        for event in turn:
            assert self.status in ("pending", *OPEN) or isinstance(event, ev.CompensationStarted), (
                f"{event} after the end"
            )
            match event:
                case ev.InstanceStarted():
                    self.status = "running"
                case ev.NodeStarted(path=path) | ev.NodeReady(path=path) if "[" not in path:
                    self.takes(turn, event, at)
                case ev.NodeStarted(path=path, attempt=attempt) if "[undo" in path:
                    self.begun[Call(self.id, path, attempt)] = at
                case ev.NodeRetrying() | ev.NodeFellBack() | ev.NodeFailed():
                    self.begun = {
                        call: began
                        for call, began in self.begun.items()
                        if call.path != event.path or "[" not in call.path
                    }
                    self.fails(event, at)
                case ev.NodeCompleted(path=path, run=run, degraded=degraded):
                    self.completes(path, run, degraded, at)
                case ev.NodesSkipped(skips=skips):
                    for skip in skips:
                        assert self.statuses[skip.path] == "pending", (
                            f"{skip.path} is skipped, being {self.statuses[skip.path]}"
                        )
                        self.statuses[skip.path] = "skipped"
                case ev.NodesCancelled(runs=runs):
                    for ref in runs:
                        self.cancelled(ref, at)
                case ev.NodesRequeued(runs=runs, crashed=crashed):
                    self.crashes += crashed
                    for ref in runs:
                        self.begun = {call: began for call, began in self.begun.items() if call.path != ref.path}
                        if "[" not in ref.path:
                            self.statuses[ref.path] = "ready"
                case ev.InstanceCancelRequested():
                    self.status = "cancelling"
                case ev.InstanceFailing():
                    assert self.terminated, "it is failing, though nothing terminated it"
                    self.status = "failing"
                case _:
                    self.saga(event)

    def completes(self, path: str, run: int, degraded: bool, at: int) -> None:
        if "[" in path:
            self.begun = {call: began for call, began in self.begun.items() if call.path != path}
            return
        assert degraded == (self.statuses[path] == "falling_back"), f"{path}: degraded {degraded}"
        self.degraded |= degraded
        if not degraded:
            self.over(path, "ok", at)
        self.statuses[path] = "completed"
        if path in UNDOABLE:
            self.done.append(Done(path, run, "called" if path in CALLS else "done"))

    def cancelled(self, ref: ev.Ref, at: int) -> None:
        if "[" in ref.path:
            return
        in_doubt = self.statuses[ref.path] == "running"
        self.over(ref.path, "stopped", at)
        self.statuses[ref.path] = "cancelled"
        self.due.pop(ref.path, None)
        if in_doubt and self.specs[ref.path].get("compensateInDoubt"):
            self.done.append(Done(ref.path, ref.run))

    # --- sagas and ends

    def ends(self) -> str:
        """How it would end now."""
        if self.status == "cancelling":
            return "cancelled"
        return "failed" if self.terminated else ending(self.flow, self.failed)

    def owed(self) -> list[Done]:
        """What is to be undone before it ends."""
        ends = self.ends()
        if ends == "failed" or (ends == "cancelled" and self.flow["compensateOnCancel"]):
            return to_undo(self.done, self.flow["scope"], self.arrows, self.statuses, self.failed)
        return []

    def saga(self, event: ev.Event) -> None:
        match event:
            case ev.CompensationStarted(ends=ends, again=again):
                assert not again or self.left, "there is nothing left to be undone"
                if not again:
                    assert ends == self.ends(), f"it is to end {ends}, by the rules {self.ends()}"
                    assert self.idle, "something is under way"
                self.order = self.left if again else self.owed()
                assert self.order, "nothing is to be undone"
                self.left, self.ending = [], ends
                self.status = "compensating"
            case ev.NodeCompensating(path=path, run=run):
                assert self.order and self.undoing is None
                self.undoing = self.order.pop(0)
                assert (path, run) == self.undoing[:2], f"{path} is undone before {self.undoing.path}"
            case ev.NodeCompensated(path=path, run=run) | ev.NodeCompensationFailed(path=path, run=run):
                assert self.undoing is not None and (path, run) == self.undoing[:2]
                (self.undone if isinstance(event, ev.NodeCompensated) else self.left).append(self.undoing)
                self.undoing = None
            case ev.CompensationEnded(left=left, undone=undone):
                assert self.order == [] and self.undoing is None, f"the saga ends before {self.order}"
                assert [(ref.path, ref.run) for ref in left] == [one[:2] for one in self.left]
                assert undone == len(self.undone)
            case (
                ev.InstanceCompleted() | ev.InstanceFailed() | ev.InstanceCancelled() | ev.InstancePartiallySucceeded()
            ):
                self.end(event)

    def end(self, event: Any) -> None:
        told = {"Completed": "completed", "Failed": "failed", "Cancelled": "cancelled"}.get(
            type(event).__name__.removeprefix("Instance"), "partial_success"
        )
        wanted = self.ending if self.order is not None else self.ends()
        assert told == wanted, f"it ends {told}, by the rules {wanted} ({self.failed} failed)"
        assert self.order is not None or not self.owed(), f"it ends without undoing {self.owed()}"
        assert all(status in FINAL for status in self.statuses.values()), f"it ends with {self.statuses}"
        if told == "completed":
            assert event.degraded == self.degraded
        self.status = told

    # --- what should be there

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return all(status in FINAL for status in self.statuses.values())

    def overdue(self, now: int) -> None:
        """All that can happen at once has happened."""
        if self.status not in OPEN:
            return
        if self.status == "compensating":
            assert self.undoing is not None, "nothing is being undone"
            assert any(self.undoing.path + "[undo" in call.path for call in self.begun), "nobody undoes it"
            return
        assert not self.idle, "all of it has ended, and it has not"
        for id, status in self.statuses.items():
            if status == "retrying":
                assert self.due[id] > now, f"{id} should have been tried again"
            elif status == "ready":
                asked = copy.deepcopy(self.breaker).ask(-1, now, bool(self.failures[id]))
                assert asked == "wait", f"{id} waits, and may not: {asked}"
            elif status == "running":
                assert any(call.path == id for call in self.begun), f"{id} runs, and nobody does it"
            elif status == "pending":
                sources = {self.statuses[source] for source, target in self.arrows if target == id}
                assert not sources <= set(FINAL), f"{id} has not been decided"
            else:
                assert status in FINAL, f"{id} is {status}"
