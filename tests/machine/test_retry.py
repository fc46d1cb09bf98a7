"""Whether a failed attempt is tried again, and when: the decision as a value, then in the machine."""

from __future__ import annotations

import pytest

from mainspring.definition.model import Retry
from mainspring.machine import effects as fx
from mainspring.machine.inputs import TaskFault
from mainspring.machine.policies.retry import Again, GiveUp, backoff, decide, draw, matches

from .harness import Run, dispatched, graph, names

FAULT = TaskFault("Timeout", "slow", kinds=("Timeout", "OSError", "builtins.OSError", "Exception"))
STEADY = {"jitter": 0.0, "max_delay": 10**9}


def delays(retry: Retry, count: int = 5) -> list[int]:
    return [backoff(retry, k, seed=1, path="a", attempt=k) for k in range(1, count + 1)]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(strategy="fixed", initial_delay=70, **STEADY), [70, 70, 70, 70, 70]),
        (Retry(strategy="linear", initial_delay=70, **STEADY), [70, 140, 210, 280, 350]),
        (Retry(strategy="exponential", initial_delay=70, **STEADY), [70, 140, 280, 560, 1120]),
        (Retry(strategy="exponential", initial_delay=100, multiplier=1.5, **STEADY), [100, 150, 225, 338, 506]),
        (Retry(strategy="exponential", initial_delay=100, multiplier=1, **STEADY), [100] * 5),
        (Retry(strategy="linear", initial_delay=70, max_delay=200, jitter=0.0), [70, 140, 200, 200, 200]),
        (Retry(strategy="exponential", initial_delay=0, **STEADY), [0] * 5),
    ],
)
def test_backoff(retry: Retry, expected: list[int]) -> None:
    assert delays(retry) == expected


def test_jitter_is_a_quarter_either_way_and_decided_by_seed_path_and_attempt() -> None:
    retry = Retry(strategy="fixed", initial_delay=1_000)
    drawn = [backoff(retry, 1, seed=seed, path="a", attempt=1) for seed in range(500)]
    assert 750 <= min(drawn) < 760
    assert 1_240 < max(drawn) <= 1_250
    assert drawn == [backoff(retry, 1, seed=seed, path="a", attempt=1) for seed in range(500)]
    assert draw(1, "a", 1) == draw(1, "a", 1)
    assert len({draw(1, "a", 1), draw(2, "a", 1), draw(1, "b", 1), draw(1, "a", 2)}) == 4
    assert all(0 <= draw(seed, "a", 1) < 1 for seed in range(500))


def test_the_cap_comes_after_the_jitter() -> None:
    retry = Retry(strategy="fixed", initial_delay=1_000, max_delay=1_000)
    drawn = [backoff(retry, 1, seed=seed, path="a", attempt=1) for seed in range(200)]
    assert max(drawn) == 1_000
    assert min(drawn) < 1_000


@pytest.mark.parametrize("multiplier", [1e300, 10, 10**30, 2.0])
@pytest.mark.parametrize("jitter", [0.0, 0.25])
def test_huge_back_offs_are_capped(multiplier: float, jitter: float) -> None:
    """An int multiplier is exact at any size, so it is the jitter's float that would overflow."""
    retry = Retry(initial_delay=1_000, multiplier=multiplier, jitter=jitter, max_delay=60_000, max_attempts=10**6)
    assert backoff(retry, 5_000, seed=1, path="a", attempt=1) == 60_000


@pytest.mark.parametrize(
    ("retry", "failures", "fault", "reason"),
    [
        (None, 1, FAULT, "no retry policy"),
        (Retry(strategy="none"), 1, FAULT, "no retry policy"),
        (Retry(max_attempts=3), 2, FAULT, None),
        (Retry(max_attempts=3), 3, FAULT, "all 3 attempts are spent"),
        (Retry(max_attempts=1), 1, FAULT, "all 1 attempts are spent"),
        (Retry(), 1, TaskFault("E", "x", fatal=True), "the error is fatal"),
        (Retry(retry_on=("*",)), 1, TaskFault("E", "x", fatal=True), "the error is fatal"),
        (Retry(retry_on=("Timeout",)), 1, FAULT, None),
        (Retry(retry_on=("OSError",)), 1, FAULT, None),
        (Retry(retry_on=("builtins.OSError",)), 1, FAULT, None),
        (Retry(retry_on=("*",)), 1, FAULT, None),
        (Retry(retry_on=("ValueError", "KeyError")), 1, FAULT, "retryOn does not name Timeout"),
        (Retry(retry_on=("timeout",)), 1, FAULT, "retryOn does not name Timeout"),
        (Retry(do_not_retry_on=("Exception",)), 1, FAULT, "doNotRetryOn names Timeout"),
        (Retry(do_not_retry_on=("*",)), 1, FAULT, "doNotRetryOn names Timeout"),
        (Retry(do_not_retry_on=("ValueError",)), 1, FAULT, None),
        (Retry(retry_on=("OSError",), do_not_retry_on=("Timeout",)), 1, FAULT, "doNotRetryOn names Timeout"),
    ],
)
def test_decide(retry: Retry | None, failures: int, fault: TaskFault, reason: str | None) -> None:
    decision = decide(retry, failures, fault, 500, seed=1, path="a", attempt=failures)
    if reason is None:
        assert isinstance(decision, Again)
        assert decision.due == 500 + decision.delay
    else:
        assert decision == GiveUp(reason)


@pytest.mark.parametrize(("retry_after", "delay"), [(None, 100), (40, 100), (9_000, 9_000)])
def test_retry_after_only_makes_it_later(retry_after: int | None, delay: int) -> None:
    retry = Retry(strategy="fixed", initial_delay=100, jitter=0.0)
    fault = TaskFault("E", "busy", retry_after=retry_after)
    assert decide(retry, 1, fault, 500, seed=1, path="a", attempt=1) == Again(500 + delay, delay)


def test_no_names_match_nothing() -> None:
    assert not matches(FAULT, ())


def three_tries() -> Run:
    retry = {"strategy": "fixed", "initialDelay": 100, "jitter": 0, "maxAttempts": 3}
    run = Run(graph("a -> b; a -fail-> c", a={"retry": retry}))
    run.start()
    return run


def test_max_attempts_counts_the_first_try() -> None:
    run = three_tries()
    for attempt in (1, 2):
        assert names(run.fail("a")) == ["NodeRetrying"]
        assert run.armed() == {("a", 1, attempt, fx.RETRY): run.now + 100}
        assert dispatched(run.timer("a", fx.RETRY)) == [("a", attempt + 1)]
    run.fail("a", "Last")
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running"}
    error = run.state("a").error
    assert (error.type, error.attempt, error.max_attempts, run.state("a").failures) == ("Last", 3, 3, 3)


def test_success_after_a_retry_leaves_no_error() -> None:
    run = three_tries()
    run.fail("a")
    run.timer("a", fx.RETRY)
    run.finish("a", 5)
    assert run.state("a").error is None
    assert run.state("a").failures == 1
    run.finish("b")
    assert run.status == "completed"


def test_a_back_off_survives_a_crash_at_the_same_due() -> None:
    run = three_tries()
    run.fail("a")
    due = run.state("a").due
    run.now += 60
    run.recover()
    assert run.armed() == {("a", 1, 1, fx.RETRY): due}
    run.now += 5_000
    run.recover()
    assert run.armed() == {("a", 1, 1, fx.RETRY): due}, "overdue: it fires at once, at its own time"
    assert run.state("a").crashes == 0


def test_a_crash_uses_no_retry() -> None:
    run = three_tries()
    run.recover()
    assert run.state("a").attempt == 2
    run.fail("a")
    run.timer("a", fx.RETRY)
    assert names(run.fail("a")) == ["NodeRetrying"], "three failures are allowed, whatever the crashes"


def test_the_workflow_s_retry_holds_where_the_node_has_none() -> None:
    run = Run(graph("a; b", workflow={"retry": Retry()}, b={"retry": {"strategy": "none"}}))
    run.start()
    assert names(run.fail("a")) == ["NodeRetrying"]
    assert names(run.fail("b")) == ["NodeFailed"]


def test_the_jitter_comes_from_the_input_s_seed() -> None:
    dues = []
    for seed in (1, 1, 2):
        run = Run(graph("a", a={"retry": {}}))
        run.start()
        run.fail("a", seed=seed)
        dues.append(run.state("a").due)
    assert dues[0] == dues[1] != dues[2]
