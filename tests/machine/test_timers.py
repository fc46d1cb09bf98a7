"""Timers by their identity: what fires, what is too late, what is armed again."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.nodes.delay import DELAY_MS_MAX, milliseconds

from .harness import Run, asked, dispatched, graph, names

WAIT = {"type": "delay", "config": {"duration": "2s"}}


def test_a_node_times_out_and_its_late_result_is_dropped() -> None:
    run = Run(graph("a -> b; a -fail-> c", a={"timeout": 500}))
    run.start()
    assert run.armed() == {("a", 1, 1, fx.NODE_TIMEOUT): 1_500}
    late = run.identity("a")
    turn = run.timer("a", fx.NODE_TIMEOUT)
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert (run.state("a").error.type, run.state("a").error.message) == ("NodeTimeout", "no result within 500 ms")
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running"}
    turn = run.take(inputs.TaskFinished(**late, output=b"1"))
    assert (turn.dropped, turn.events, turn.effects) == ("stale", [], [])


def test_a_timeout_is_per_attempt_and_is_retried_by_name() -> None:
    retry = {"retryOn": ["TimeoutError"], "jitter": 0, "initialDelay": 100}
    run = Run(graph("a", a={"timeout": 500, "retry": retry}))
    run.start()
    late = run.identity("a")
    run.timer("a", fx.NODE_TIMEOUT)
    assert run.nodes["a"] == "retrying"
    run.timer("a", fx.RETRY)
    assert run.armed() == {("a", 1, 2, fx.NODE_TIMEOUT): 1_000 + 500 + 100 + 500}
    assert run.take(inputs.TaskFinished(**late)).dropped == "stale", "the first attempt's report comes too late"
    assert run.take(inputs.TimerFired(**late, purpose=fx.NODE_TIMEOUT)).dropped == "stale"
    run.finish("a")
    assert run.status == "completed"
    assert run.armed() == {}


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_the_clock_stops_with_the_attempt(end: str) -> None:
    run = Run(graph("a; b", a={"timeout": 500, "retry": {}}))
    run.start()
    turn = getattr(run, end)("a")
    assert fx.DisarmTimer("a", 1, 1, fx.NODE_TIMEOUT) in turn.effects


@pytest.mark.parametrize(
    ("kind", "state"), [(fx.NODE_TIMEOUT, "running"), (fx.RETRY, "retrying"), (fx.DELAY, "waiting")]
)
@pytest.mark.parametrize(
    "other",
    [{"run": 2}, {"attempt": 2}, {"attempt": 0}, {"path": "nowhere"}, {"path": "idle"}, {"purpose": "other"}],
    ids=str,
)
def test_a_stale_timer_is_ignored(kind: str, state: str, other: dict[str, Any]) -> None:
    node = {fx.NODE_TIMEOUT: {"timeout": 500}, fx.RETRY: {"retry": {}}, fx.DELAY: WAIT}[kind]
    run = Run(graph("a; z -> idle", a=node))
    run.start()
    if kind == fx.RETRY:
        run.fail("a")
    assert run.nodes["a"] == state
    turn = run.take(inputs.TimerFired(**{**run.identity("a"), "purpose": kind, **other}))
    assert (turn.dropped, turn.events, turn.effects) == ("stale", [], [])
    assert names(run.timer("a", kind)), "its own identity is taken"


@pytest.mark.parametrize("kind", [fx.RETRY, fx.DELAY])
def test_a_timer_of_another_purpose_does_not_fire_the_node(kind: str) -> None:
    run = Run(graph("a"))
    run.start()
    assert run.take(inputs.TimerFired(**run.identity("a"), purpose=kind)).dropped == "stale"


def test_a_timeout_that_was_set_for_an_earlier_beginning_is_set_anew() -> None:
    """The same attempt can begin twice: where it waited for its code meanwhile."""
    run = Run(graph("a", a={"timeout": 500}))
    run.start()
    run.take(inputs.HandlerMissing(**run.identity("a"), handler="x"))
    run.now = 1_400
    run.take(inputs.HandlersFound(paths=("a",)))
    turn = run.timer("a", fx.NODE_TIMEOUT, at=1_500)
    assert (turn.events, turn.effects) == ([], [fx.ArmTimer("a", 1, 1, fx.NODE_TIMEOUT, 1_900)])
    run.timer("a", fx.NODE_TIMEOUT)
    assert run.state("a").error.type == "NodeTimeout"


def test_a_delay_passes_its_input_on() -> None:
    run = Run(graph("d -> a", d=WAIT))
    assert names(run.start({"n": 1})) == ["InstanceStarted", "NodeStarted", "NodeWaiting"]
    assert run.state("d").waits_for == "timer"
    assert run.armed() == {("d", 1, 1, fx.DELAY): 3_000}
    assert names(run.timer("d", fx.DELAY)) == ["NodeCompleted", "NodeStarted"]
    assert run.input_of("a") == {"n": 1}


def test_an_overdue_delay_fires_once() -> None:
    run = Run(graph("d; z", d=WAIT))
    run.start()
    run.now = 900_000
    run.recover()
    assert run.armed()["d", 1, 1, fx.DELAY] == 3_000
    assert names(run.timer("d", fx.DELAY)) == ["NodeCompleted"]
    assert run.timer("d", fx.DELAY).dropped == "stale"


@pytest.mark.parametrize("duration", ["${ input.wait }", "${ -5 }", "${ 'soon' }", "${ 1 / input.zero }", "${ [] }"])
def test_a_duration_that_is_none(duration: str) -> None:
    run = Run(graph("d -fail-> a", d={"type": "delay", "config": {"duration": duration}}))
    run.start({"wait": {"no": "number"}})
    assert run.state("d").error.type == "DelayError"
    assert run.nodes["a"] == "running"


@pytest.mark.parametrize(("value", "expected"), [(0, 0), ("1m", 60_000), (250, 250), (DELAY_MS_MAX, DELAY_MS_MAX)])
def test_durations(value: Any, expected: int) -> None:
    assert milliseconds(value) == expected


@pytest.mark.parametrize("value", [None, True, -1, DELAY_MS_MAX + 1, "x", [], 1.5])
def test_no_durations(value: Any) -> None:
    with pytest.raises(ValueError, match="DELAY_MS_MAX"):
        milliseconds(value)


def test_a_delay_computed_from_what_came_in() -> None:
    run = Run(graph("a -> d", d={"type": "delay", "config": {"duration": "${ nodes.a.output.ms }"}}))
    run.start()
    run.finish("a", {"ms": 70})
    assert run.state("d").due == 1_070


# --- the timeout of the whole


def test_the_instance_times_out() -> None:
    run = Run(graph("a -> b; d; r", {"timeout": 9_000}, d=WAIT, r={"retry": {}}))
    run.start()
    run.fail("r")
    assert run.armed()["", 0, 0, fx.INSTANCE_TIMEOUT] == 10_000
    turn = run.timer("", fx.INSTANCE_TIMEOUT)
    assert names(turn) == ["InstanceFailing", "NodesCancelled", "NodesSkipped", "InstanceFailed"]
    assert run.instance.reason == "no end within 9000 ms"
    assert run.nodes == {"a": "cancelled", "b": "skipped", "d": "cancelled", "r": "cancelled"}
    assert run.skips()["b"] == ("the workflow timed out", "")
    assert run.armed() == {}
    assert run.timer("", fx.INSTANCE_TIMEOUT).dropped == "stale"


def test_the_instance_s_clock_counts_downtime_and_stops_at_its_end() -> None:
    run = Run(graph("a", {"timeout": 9_000}))
    run.start()
    run.now = 7_000
    run.recover()
    assert run.armed() == {("", 0, 0, fx.INSTANCE_TIMEOUT): 10_000}
    run.finish("a")
    assert run.armed() == {}


def test_short_defaults() -> None:
    run = Run(graph("a", {"defaults": "short"}))
    assert dispatched(run.start()) == [("a", 1)]
    assert run.armed() == {("", 0, 0, fx.INSTANCE_TIMEOUT): 31_000, ("a", 1, 1, fx.NODE_TIMEOUT): 11_000}


# --- a clock that was put back


@pytest.mark.parametrize(
    ("purpose", "node"),
    [(fx.NODE_TIMEOUT, {"timeout": 500}), (fx.RETRY, {"retry": {"jitter": 0}}), (fx.DELAY, WAIT)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_timer_that_comes_too_early_is_armed_again(purpose: str, node: dict[str, Any]) -> None:
    run = Run(graph("a; z", a=node))
    run.start()
    if purpose == fx.RETRY:
        run.fail("a")
    due = run.armed()["a", 1, 1, purpose]
    for at in (-5_000, due - 1):
        turn = run.timer("a", purpose, at=at)
        assert (turn.events, turn.effects) == ([], [fx.ArmTimer("a", 1, 1, purpose, due)])
    assert names(run.timer("a", purpose, at=due))


def test_the_instance_s_timeout_that_comes_too_early_is_armed_again() -> None:
    run = Run(graph("a", {"timeout": 9_000}))
    run.start()
    turn = run.timer("", fx.INSTANCE_TIMEOUT, at=9_999)
    assert (turn.events, turn.effects) == ([], [fx.ArmTimer("", 0, 0, fx.INSTANCE_TIMEOUT, 10_000)])
    run.timer("", fx.INSTANCE_TIMEOUT, at=10_000)
    assert run.status == "failed"
