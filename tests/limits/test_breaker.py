"""The breaker's table, pair by pair; its rules, one by one; and all of them against a naive reading (SEMANTICS 79-82)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mainspring.limits.breaker import BREAKER, BREAKER_STATES, Breaker, IllegalBreaker, Kept, Retries, Rules, Transition
from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Refusal, Verdict
from tests.limits.naive_breaker import NaiveBreaker

SMALL = Rules(minimum_throughput=4, open_for=100, half_open_successes=2)


def lease(number: object) -> Lease:
    """A call, by anything that tells it from others."""
    return Lease(str(number), "node", 1, 1)


def ask(breaker: Breaker, call: object, now: int, *, retry: bool = False) -> Verdict:
    """What the breaker says, as the gate and the engine ask it; where it lets the call through it is made."""
    retries = Retries(breaker)
    answer = breaker.check(1, now)
    if retry and answer is FREE:
        answer = retries.check(1, now)
    if isinstance(answer, Refusal):
        breaker.declined(answer)
    if answer is FREE:
        breaker.take(lease(call), 1, now)
        if retry:
            retries.take(lease(call), 1, now)
    return answer


def end(breaker: Breaker, call: object, outcome: str, now: int, took: int = 0) -> None:
    breaker.give_back(lease(call), Ended(outcome, took), now)  # type: ignore[arg-type]


def called(breaker: Breaker, outcome: str, now: int, took: int = 0, *, retry: bool = False) -> None:
    """One call, from its start to its end."""
    assert ask(breaker, "a call", now, retry=retry) is FREE
    end(breaker, "a call", outcome, now, took)


def opened(rules: Rules = SMALL) -> Breaker:
    breaker = Breaker("breaker of t", rules)
    for _ in range(rules.minimum_throughput):
        called(breaker, "failed", 0)
    assert breaker.kept.state == "open"
    return breaker


@pytest.mark.parametrize("event", BREAKER)
@pytest.mark.parametrize("state", BREAKER_STATES)
def test_every_pair_of_state_and_event(state: str, event: str) -> None:
    told: list[Transition | None] = []
    breaker = Breaker("breaker of t", SMALL, Kept(state, since=5, passed=1))
    breaker.changed = told.append
    if state in BREAKER[event]:
        breaker._go(event, 7, "because")
        assert (breaker.kept.state, breaker.kept.since, breaker.kept.passed) == (BREAKER[event][state], 7, 0)
        assert [(one.before, one.event, one.at) for one in told if one is not None] == [(state, event, 7)]
    else:
        with pytest.raises(IllegalBreaker, match=state):
            breaker._go(event, 7, "because")
        assert breaker.kept == Kept(state, since=5, passed=1)
        assert not told


def walk(restart: bool) -> list[tuple[str, str, str]]:
    """Through every row of the table by calls, time and hand alone; at each step out of the store, if that is asked for."""
    rules = msgspec.structs.replace(SMALL, canary=True)
    breaker, seen = Breaker("breaker of t", rules), []

    def told(one: Transition | None) -> None:
        if one is not None:
            seen.append((one.before, one.event, one.after))

    def after(*, keeps_calls: bool = False) -> None:
        nonlocal breaker
        if restart and not keeps_calls:
            kept = msgspec.json.decode(msgspec.json.encode(breaker.kept), type=Kept)
            assert kept == breaker.kept
            breaker = Breaker("breaker of t", breaker.rules, kept)
            breaker.changed = told

    def call(outcome: str, count: int, now: int) -> None:
        done = 0
        while done < count:
            let = ask(breaker, done, now) is FREE
            if let:
                end(breaker, done, outcome, now, 0)
                done += 1
            after(keeps_calls=breaker.kept.state == "closed" or not let)

    def fail(count: int, now: int) -> None:
        call("failed", count, now)

    def pass_(count: int, now: int) -> None:
        call("ok", count, now)

    def half_open(now: int) -> None:
        assert isinstance(ask(breaker, "nobody", now - 1), Refusal)
        after()
        breaker.tick(now)
        after()

    breaker.changed = told
    fail(4, 0)  # closed -> open
    half_open(100)
    fail(1, 100)  # half open -> open
    half_open(200)
    pass_(2, 200)  # half open -> recovering
    fail(2, 200)  # two of four: recovering -> open
    half_open(300)
    pass_(2 + 4 + 4, 300)  # half open -> recovering, first wave -> second -> closed
    for prepare in (
        lambda: None,  # closed
        lambda: fail(4, 400),  # open
        lambda: (fail(4, 500), half_open(600)),  # half open
        lambda: (fail(4, 700), half_open(800), pass_(2, 800)),  # recovering
        lambda: breaker.force_open(900, "again"),  # forced open
    ):
        for by_hand in ("force_open", "close"):
            breaker.close(350, "from the start")
            after()
            prepare()
            after()
            getattr(breaker, by_hand)(950, "by hand")
            after()
    breaker = Breaker("breaker of t", SMALL, Kept("half_open"))
    breaker.changed = told
    pass_(2, 1000)  # without a canary: half open -> closed
    return seen


@pytest.mark.parametrize("restart", [False, True])
def test_the_whole_table_is_walked(restart: bool) -> None:
    rows = {(before, event, after) for event, row in BREAKER.items() for before, after in row.items()}
    assert set(walk(restart)) == rows


def test_the_share_counts_only_from_the_minimum_on() -> None:
    breaker = Breaker("breaker of t", Rules())
    for _ in range(9):
        called(breaker, "failed", 0)
    assert breaker.kept.state == "closed"
    called(breaker, "ok", 0)  # the tenth: nine in ten failed, whatever this one did
    assert breaker.kept.state == "open"
    assert breaker.kept.why == "9 of the last 10 calls failed"


def test_a_share_is_met_exactly() -> None:
    breaker = Breaker("breaker of t", Rules(failure_threshold=0.1, minimum_throughput=30))
    for outcome in ["ok"] * 27 + ["failed"] * 2:
        called(breaker, outcome, 0)
    assert breaker.kept.state == "closed"
    called(breaker, "failed", 0)
    assert breaker.kept.state == "open"


def test_old_calls_leave_the_window_by_count_and_by_time() -> None:
    by_count = Breaker("breaker of t", Rules(window=4, minimum_throughput=4, failure_threshold=0.75))
    for outcome in ["failed", "failed", "ok", "ok", "failed", "failed"]:
        called(by_count, outcome, 0)
    assert by_count.kept.state == "closed"
    by_time = Breaker("breaker of t", Rules(window_time=100, minimum_throughput=4))
    for at in (0, 10, 20, 100):  # the first is over when the fourth ends
        called(by_time, "failed", at)
    assert by_time.kept.state == "closed"
    called(by_time, "failed", 109)
    assert by_time.kept.state == "open"


def test_the_last_failed_call_leaves_the_window() -> None:
    breaker = Breaker("breaker of t", Rules(window=4, minimum_throughput=4))
    for outcome in ("failed", "ok", "ok", "ok", "ok"):
        called(breaker, outcome, 0)
    assert breaker.figures(0) == {"calls": 4, "failed": 0}


def test_slow_calls_are_failed_ones_unless_they_have_a_threshold() -> None:
    plain = Breaker("breaker of t", Rules(slow_call=50, minimum_throughput=4))
    apart = Breaker("breaker of t", Rules(slow_call=50, minimum_throughput=4, slow_call_threshold=0.75))
    for breaker, third in ((plain, "open"), (apart, "closed")):
        for took in (50, 50, 51, 51):
            called(breaker, "ok", 0, took)
        assert breaker.kept.state == third
    for _ in range(4):
        called(apart, "ok", 0, 51)
        if apart.kept.state == "open":
            break
    assert apart.kept.why == "6 of the last 8 calls took longer than 50 ms"


def test_cancelled_and_crashed_calls_do_not_count() -> None:
    breaker = Breaker("breaker of t", SMALL)
    for _ in range(100):
        called(breaker, "stopped", 0)
    assert breaker.figures(0) == {"calls": 0, "failed": 0}


def test_an_open_breaker_says_when_and_why() -> None:
    refused = ask(opened(), "one", 99)
    assert refused == Refusal(
        "the breaker of t is open: 4 of the last 4 calls failed", {"calls": 4, "failed": 4}, 100, "CircuitOpen", "open"
    )


def test_half_open_lets_through_what_lacks_and_the_others_wait() -> None:
    breaker = opened()
    assert ask(breaker, 1, 100) is FREE
    assert ask(breaker, 2, 100) is FREE
    assert ask(breaker, 3, 100) is WAIT
    end(breaker, 1, "stopped", 101, 0)  # it proves nothing: another one may try
    assert ask(breaker, 3, 101) is FREE
    assert ask(breaker, 4, 101) is WAIT
    end(breaker, 2, "ok", 102, 0)
    assert ask(breaker, 4, 102) is WAIT  # one succeeded, one is under way: that is as many as are needed
    end(breaker, 3, "ok", 103, 0)
    assert breaker.kept.state == "closed"
    assert breaker.figures(103) == {"calls": 0, "failed": 0}


def test_a_call_from_before_says_nothing() -> None:
    breaker = Breaker("breaker of t", SMALL)
    ask(breaker, "early", 0)
    for _ in range(4):
        called(breaker, "failed", 0)
    end(breaker, "early", "ok", 100, 0)
    assert breaker.kept == Kept("half_open", 100, "it has been open for 100 ms")
    assert breaker.figures(100) == {"passed": 0, "failed": 0, "under way": 0}


def test_the_canary_lets_a_quarter_then_a_half_through() -> None:
    breaker = Breaker("breaker of t", msgspec.structs.replace(SMALL, canary=True), Kept("recovering"))
    for share in (4, 2):
        answers: list[bool] = []
        while len([one for one in answers if one]) < 4:
            answers.append(ask(breaker, len(answers), 0) is FREE)
        assert answers == [index % share == 0 for index in range(len(answers))]
        for lease, let in enumerate(answers):
            if let:
                end(breaker, lease, "ok", 0, 0)
    assert breaker.kept.state == "closed"


def test_a_retry_budget_is_a_share_of_all_calls() -> None:
    breaker = Breaker("breaker of t", Rules(retry_ratio=0.25, minimum_throughput=4))
    for _ in range(3):
        called(breaker, "ok", 0, retry=True)  # few calls: a share says nothing yet
    for _ in range(9):
        called(breaker, "ok", 0)
    refused = ask(breaker, "retry", 0, retry=True)  # 4 of 13 would be retries
    assert refused == Refusal(
        "3 of the last 12 calls were retries, and retryRatio is 0.25",
        {"calls": 12, "retries": 3},
        None,
        "RetryBudgetSpent",
    )
    for _ in range(3):
        called(breaker, "ok", 0)
    called(breaker, "ok", 0, retry=True)  # 4 of 16


def test_other_rules_hold_from_the_next_question_on() -> None:
    breaker = opened()
    breaker.tick(100)
    called(breaker, "ok", 100)
    breaker.follow(msgspec.structs.replace(SMALL, half_open_successes=1))
    assert ask(breaker, "next", 101) is FREE  # one has succeeded, and one is enough now
    assert breaker.kept.state == "closed"
    assert breaker.kept.why == "1 trial call succeeded"


def test_what_was_counted_is_remembered_where_the_process_stops_in_good_order() -> None:
    breaker = Breaker("breaker of t", Rules(window_time=100, minimum_throughput=3))
    for at in (0, 50, 60):
        called(breaker, "ok" if at else "failed", at)
    kept = msgspec.json.decode(msgspec.json.encode(breaker.remembered()), type=Kept)
    later = Breaker("breaker of t", breaker.rules, kept)
    assert later.figures(99) == {"calls": 3, "failed": 1}
    assert later.figures(100) == {"calls": 2, "failed": 0}
    for _ in range(2):
        called(later, "failed", 101)
    assert (later.kept.state, later.kept.calls) == ("open", ())
    assert later.remembered() == later.kept


def test_a_call_is_counted_once_and_nobody_waits_for_a_time() -> None:
    breaker = Breaker("breaker of t", Rules(minimum_throughput=1, retry_ratio=1.0))
    breaker.take(lease("a"), 1, 0)
    breaker.take(lease("a"), 1, 0)
    assert (list(breaker.holders()), breaker.due(1, 0)) == ([lease("a")], None)
    retries = Retries(breaker)
    for _ in range(2):  # it is one retry, however often that is said
        retries.take(lease("a"), 1, 0)
    before = retries.figures(0)
    retries.give_back(lease("a"), Ended("failed"), 0)
    assert (retries.due(1, 0), tuple(retries.holders()), retries.figures(0)) == (None, (), before)


def test_a_call_that_was_never_made_is_none_of_the_calls_of_a_budget() -> None:
    """It once was one, though its node had failed before its work began: so there were more retries than there may be."""
    breaker = Breaker("breaker of t", Rules(minimum_throughput=2, retry_ratio=0.4, window=3))
    for lease, retry in ((1, False), (2, False), (3, True)):
        assert ask(breaker, lease, lease, retry=retry) is FREE
    assert breaker.retry_figures(3) == {"calls": 3, "retries": 1}
    end(breaker, 3, "unused", 4)
    assert breaker.retry_figures(4) == {"calls": 2, "retries": 0}
    end(breaker, 1, "unused", 4)
    assert breaker.retry_figures(4) == {"calls": 1, "retries": 0}
    for lease in (4, 5, 6):
        ask(breaker, lease, lease)
    end(breaker, 2, "unused", 7)  # the window has forgotten it
    assert breaker.retry_figures(7) == {"calls": 3, "retries": 0}


class BreakerAgainstNaive(RuleBasedStateMachine):
    """Whatever is done to them, the breaker and the naive one say the same."""

    @initialize(
        rules=st.builds(
            Rules,
            failure_threshold=st.sampled_from([0.1, 0.3, 0.5, 1.0]),
            minimum_throughput=st.integers(1, 5),
            open_for=st.integers(1, 40),
            half_open_successes=st.integers(1, 3),
            window=st.none() | st.integers(5, 8),
            window_time=st.none() | st.integers(1, 60),
            slow_call=st.none() | st.just(10),
            slow_call_threshold=st.none() | st.sampled_from([0.3, 0.5, 1.0]),
            canary=st.booleans(),
            retry_ratio=st.none() | st.sampled_from([0.1, 0.5]),
        )
    )
    def begin(self, rules: Rules) -> None:
        self.told, self.now, self.next = rules, 0, 0
        self.breaker, self.naive = Breaker("breaker of t", rules), NaiveBreaker(rules)

    @rule(ms=st.integers(0, 25))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(retry=st.booleans())
    def ask(self, retry: bool) -> None:
        self.next += 1
        self._ask(self.next, retry)

    def _ask(self, lease: int, retry: bool) -> bool:
        answer = ask(self.breaker, lease, self.now, retry=retry)
        said = answer.type if isinstance(answer, Refusal) else "yes" if answer is FREE else "wait"
        assert said == self.naive.ask(lease, self.now, retry)
        if isinstance(answer, Refusal) and answer.until is not None:
            assert answer.until >= self.now
        return said == "yes"

    @precondition(lambda self: self.naive.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(["ok", "failed", "stopped"]), took=st.sampled_from([0, 10, 11]))
    def end(self, data: st.DataObject, outcome: str, took: int) -> None:
        lease = data.draw(st.sampled_from(sorted(self.naive.under_way)))
        self._end(lease, outcome, took)

    def _end(self, lease: int, outcome: str, took: int) -> None:
        end(self.breaker, lease, outcome, self.now, took)
        self.naive.ended(lease, outcome, took, self.now)

    @rule(outcomes=st.lists(st.sampled_from(["ok", "failed"]), max_size=8))
    def traffic(self, outcomes: list[str]) -> None:
        for outcome in outcomes:
            self.next += 1
            if self._ask(self.next, retry=False):
                self._end(self.next, outcome, 0)

    @rule(lease=st.integers(0, 3), outcome=st.sampled_from(["ok", "failed"]))
    def end_of_what_is_not_known(self, lease: int, outcome: str) -> None:
        if lease not in self.naive.under_way:
            self._end(-lease, outcome, 0)

    @rule(shut=st.booleans())
    def by_hand(self, shut: bool) -> None:
        if shut:
            self.breaker.close(self.now, "")
        else:
            self.breaker.force_open(self.now, "")
        self.naive.become("closed" if shut else "forced_open", self.now)

    @rule()
    def restart(self) -> None:
        kept = msgspec.json.decode(msgspec.json.encode(self.breaker.kept), type=Kept)
        self.breaker = Breaker("breaker of t", self.told, kept)
        self.naive.restart()

    @invariant()
    def the_same(self) -> None:
        if hasattr(self, "told"):
            self.breaker.tick(self.now)
            self.naive.time(self.now)
            assert self.breaker.kept.state == self.naive.state
            assert self.breaker.trials == sum(self.naive.under_way.values())


TestBreakerAgainstNaive = BreakerAgainstNaive.TestCase
TestBreakerAgainstNaive.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
