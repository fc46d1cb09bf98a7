"""Breaker, retries and their budgets, fallbacks, policies and sagas together, on the engine in virtual time.

Workflows are drawn with all that they may say of failures. Instances are started and cancelled; their calls are answered one
by one, well or badly, early or late, and so are their undo tasks; time passes; the engine is stopped or killed and opened
again; somebody opens and closes the breaker, and has undone what a saga had to leave. After each step a judge that knows
docs/semantics-failures.md alone goes through what was journaled, and compares the breaker's figures with its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused
from mainspring.journal.codec import decode_turn
from mainspring.limits.breaker import Rules
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.testing.running import LONG_MS, _Clock, _Loop, _Outside
from tests.limits.naive_breaker import NaiveBreaker

from .flows import TARGET, WORLD, Call, World, workflow_of
from .judge import OPEN, Case, Waiters

OPEN_MAX = 6
TURNS_OF_THE_LOOP = 40
POLICIES = st.sampled_from(["fail_fast", "continue", "partial_success", "graceful_degradation"])
RULES = st.builds(
    Rules,
    minimum_throughput=st.integers(2, 4),
    failure_threshold=st.sampled_from([0.5, 1.0]),
    open_for=st.just(500),
    half_open_successes=st.integers(1, 2),
    window=st.none() | st.integers(4, 6),
    window_time=st.none() | st.just(1_000),
    slow_call=st.just(100),
    slow_call_threshold=st.none() | st.just(0.5),
    canary=st.booleans(),
    retry_ratio=st.none() | st.just(0.4),
)
CALLER = {
    "attempts": st.integers(1, 3),
    "never": st.sampled_from([(), ("CircuitOpen",)]),
    "fallbacks": st.sampled_from([0, 0, 1, 2]),
    "failurePolicy": st.none() | POLICIES,
    "isCritical": st.none() | st.booleans(),
    "compensateFailed": st.booleans(),
    "compensateInDoubt": st.booleans(),
}


@st.composite
def flows(draw: st.DrawFn, id: str = "flow") -> dict[str, Any]:
    """A workflow, as plain data."""
    catches = draw(st.booleans())
    nodes = [{"id": id} for id in ("book", "pay", "mail", "ship", "audit", *(["sorry"] if catches else []))]
    for node in nodes[1:3]:
        node.update(draw(st.fixed_dictionaries(CALLER)))  # type: ignore[arg-type]
    whole = {
        "policy": POLICIES,
        "retryBudget": st.none() | st.integers(1, 2),
        "threshold": st.none() | st.sampled_from([0.2, 0.4]),
        "maxPartial": st.none() | st.just(1),
        "ratio": st.none() | st.sampled_from([0.5, 1.0]),
        "scope": st.sampled_from(["workflow", "branch"]),
        "compensateOnCancel": st.booleans(),
    }
    return {"id": id, "nodes": nodes, "catches": catches, **draw(st.fixed_dictionaries(whole))}


class Resilience(RuleBasedStateMachine):
    """The engine, the world of its tasks, and the judge."""

    @initialize(rules=RULES, first=flows("first"), second=flows("second"))
    def begin(self, rules: Rules, first: dict[str, Any], second: dict[str, Any]) -> None:
        self.world, self.store, self.outside = World(), MemoryStore(), _Outside()
        WORLD[:] = [self.world]
        self.clock = _Clock(self.outside, 0)
        self.runner = asyncio.Runner(loop_factory=lambda: _Loop(self.outside))
        self.rules, self.flows = rules, [first, second]
        self.workflows = [workflow_of(flow, rules) for flow in self.flows]
        self.breaker, self.known = NaiveBreaker(rules), False
        self.cases: dict[str, Case] = {}
        self.numbers: dict[int, Case] = {}
        self.group = 0
        self.do(self._open())

    def do(self, step: Coroutine[Any, Any, Any]) -> None:
        """A step, and what follows from it at once; then the judge reads."""

        async def whole() -> None:
            await step
            await asyncio.sleep(0.001)
            for _ in range(TURNS_OF_THE_LOOP):  # a timer may have fired in this very moment
                await asyncio.sleep(0)
            await self._judge()

        self.whole = False  # (after a step that failed, what there is left to read says nothing)
        self.runner.run(whole())
        self.whole = True

    async def _open(self) -> None:
        given = EngineSettings(lease_ms=LONG_MS, sleep_after_ms=LONG_MS)
        self.engine = await Engine(self.store, task_kinds(), describe, clock=self.clock, settings=given).__aenter__()

    @property
    def open(self) -> list[Case]:
        return [case for case in self.cases.values() if case.status in ("pending", *OPEN)]

    # --- what happens

    @precondition(lambda self: len(self.open) < OPEN_MAX)
    @rule(which=st.integers(0, 1), count=st.integers(1, 3))
    def start(self, which: int, count: int) -> None:
        for _ in range(count):
            self.do(self._start(which))

    async def _start(self, which: int) -> None:
        self.known = True
        # The judge must know the instance before the first turn is read.
        run = await self.engine.start(self.workflows[which])
        record = await self.store.find(run.id)
        assert record is not None
        case = Case(run.id, self.flows[which], self.breaker, self.rules)
        self.cases[run.id] = self.numbers[record.number] = case

    @precondition(lambda self: self.world.held)
    @rule(which=st.integers(0, 9), said=st.sampled_from(["ok", "down", "down"]))
    def answer(self, which: int, said: str) -> None:
        held = sorted(self.world.held)
        self.do(self._answer(held[which % len(held)], said))

    async def _answer(self, call: Call, said: str) -> None:
        self.world.held[call].set_result(said)

    @precondition(lambda self: self.world.held)
    @rule(said=st.sampled_from(["ok", "down"]))
    def answer_all(self, said: str) -> None:
        for call in sorted(self.world.held):
            if call in self.world.held:  # (else it was called off meanwhile)
                self.do(self._answer(call, said))

    @precondition(lambda self: self.world.held)
    @rule(which=st.integers(0, 1))
    def outage(self, which: int) -> None:
        """The target is down for a while, and then it is asked whether it is well again."""
        self.answer_all("down")
        self.time_passes(600)
        if len(self.open) < OPEN_MAX:
            self.do(self._start(which))

    @rule(ms=st.sampled_from([10, 50, 101, 499, 600, 1_100]))
    def time_passes(self, ms: int) -> None:
        for _ in range(ms // 50 + 1):  # in small steps, so that little happens in one
            self.do(asyncio.sleep(min(ms, 50) / 1000))

    @rule(well=st.booleans())
    def stand_ins(self, well: bool) -> None:
        self.world.standing_in = well

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        self.do(self._cancel(self.open[which % len(self.open)].id))

    async def _cancel(self, id: str) -> None:
        try:
            await self.engine.cancel(id)
        except CommandRefused:
            assert self.cases[id].status == "compensating", f"a cancel of {id} was refused"

    @precondition(lambda self: self.known)
    @rule(shut=st.booleans())
    def by_hand(self, shut: bool) -> None:
        self.do(self._by_hand(shut))

    async def _by_hand(self, shut: bool) -> None:
        self.breaker.become("closed" if shut else "forced_open", self.clock.now())
        await (self.engine.close_breaker(TARGET) if shut else self.engine.open_breaker(TARGET))

    @precondition(lambda self: any(case.left and case.status not in OPEN for case in self.cases.values()))
    @rule()
    def undo_what_was_left(self) -> None:
        case = next(case for case in self.cases.values() if case.left and case.status not in OPEN)
        self.do(self.engine.compensate(case.id))

    @rule()
    def stop(self) -> None:
        self.do(self._stop())

    async def _stop(self) -> None:
        await self.engine.__aexit__(None, None, None)
        self.breaker.restart(in_good_order=True)
        await self._open()

    @precondition(lambda self: not any(case.crashes for case in self.open))  # (twice, and they are suspects)
    @rule()
    def kill(self) -> None:
        self.do(self._kill())

    async def _kill(self) -> None:
        lease = self.engine.host.ownership.lease()
        await self.engine.host.kill()
        await self.store.release(lease)  # as if its time had run out
        self.breaker.restart()
        await self._open()

    # --- what must be

    async def _judge(self) -> None:
        now = self.clock.now()
        turns = []
        for position, row in await self.store.follow(self.group, 10_000):
            self.group = position.group
            turns.append((self.numbers[row.instance], decode_turn(row, ())))
        waiters = Waiters(self.breaker)
        for case, body in turns:
            waiters.there += case.waits(body.events, body.at)
        for case, body in turns:
            note(f"{body.at} {case.id[-4:]} {' '.join(map(str, body.events))}")
            case.waiters = waiters
            case.read(body.events, body.at)
        self._same_breaker(now)
        for case in self.cases.values():
            case.overdue(now)
        begun = {call for case in self.cases.values() for call in case.begun}
        assert self.world.held.keys() == begun, f"{self.world.held.keys() ^ begun} is done, or should be"
        twice = [key for key, count in Counter(self.world.undone).items() if count > 1]
        assert not twice, f"undone twice: {twice}"

    def _same_breaker(self, now: int) -> None:
        naive, found = self.breaker, self.engine.breakers()
        naive.time(now)
        ends = naive.in_window(naive.ends, now)
        if not found:  # nobody has asked in this session, and none before it had anything to remember
            assert (naive.state, ends, naive.under_way) == ("closed", [], {})
            return
        [one] = found
        assert one.state == naive.state, f"{one}, by the rules {naive.state}"
        assert one.active == len(naive.under_way), f"{one}, by the rules {naive.under_way}"
        if one.state in ("half_open", "recovering"):
            counted = one.figures["passed"], one.figures["failed"]
            assert counted == (naive.tried.count(False), naive.tried.count(True)), f"{one}, by the rules {naive.tried}"
        if one.state == "closed":
            counted = one.figures["calls"], one.figures["failed"]
            assert counted == (len(ends), sum(end[1] for end in ends)), f"{one}, by the rules {ends}"

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            if self.whole:
                self._to_the_end()
        finally:
            self.runner.close()

    def _to_the_end(self) -> None:
        """All is well again, and so everything comes to an end."""
        self.do(self._by_hand(shut=True)) if self.known else None
        for _ in range(100):
            if not self.open:
                break
            self.answer_all("ok") if self.world.held else self.time_passes(600)
        assert not self.open, f"{[case.id for case in self.open]} do not end"
        for case in self.cases.values():
            keys = [key for id, key in self.world.undone if id == case.id]
            wanted = [f"{case.id}/{one.path}/{one.run}:undo" for one in case.undone]
            assert keys == wanted, f"undone were {keys}, by the journal {wanted}"
        for one in self.engine.host.limits.standings():
            assert (one.active, one.queued) == (0, 0), one
        for breaker in self.engine.breakers():
            assert (breaker.active, breaker.waiting) == (0, 0), breaker
        self.runner.run(self.engine.__aexit__(None, None, None))


TestResilience = pytest.mark.apart(Resilience.TestCase)
TestResilience.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
