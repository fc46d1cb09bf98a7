"""Waiting for somebody: signals, events, approvals; what is kept, what is dropped, and in which order it is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.signals import SIGNALS_KEPT_MAX
from mainspring.machine.step import step
from mainspring.machine.turn import Refused, Turn
from tests.machine.harness import Run, asked, encoded, graph, names, run_of


def wait(**config: Any) -> dict[str, Any]:
    """A wait node; `timeout` is the node's own."""
    timeout = config.pop("timeout", None)
    return {"type": "wait", "config": config, **({} if timeout is None else {"timeout": timeout})}


def send(run: Run, name: str, payload: Any = None, kind: str = "signal", message: str = "", by: str = "") -> Turn:
    """It comes."""
    return run.take(inputs.SignalArrived(name=name, payload=encoded(payload), kind=kind, message=message, by=by))


PAID = wait(signal="paid")


def test_a_wait_takes_its_signal_and_hands_on_the_payload() -> None:
    run = run_of("w -> a", {"n": 1}, w=PAID)
    assert (run.state("w").status, run.state("w").waits_for) == ("waiting", "signal paid")
    turn = send(run, "paid", {"amount": 3}, by="ada", message="m1")
    assert names(turn) == ["SignalTaken", "NodeCompleted", "NodeStarted"]
    taken = turn.events[0]
    assert isinstance(taken, ev.SignalTaken)
    assert (taken.path, taken.kept, taken.by) == ("w", None, "ada")
    assert run.input_of("a") == {"amount": 3}
    assert send(run, "paid", message="m1").dropped == "duplicate"


def test_the_first_that_began_to_wait_takes_it_and_uses_it_up() -> None:
    run = run_of("x -> b; a", a=PAID, b=PAID)
    run.finish("x")
    send(run, "paid", 1)
    assert (run.nodes["a"], run.nodes["b"]) == ("completed", "waiting")
    send(run, "paid", 2)
    assert (json.loads(run.state("a").output), json.loads(run.state("b").output)) == (1, 2)


def test_the_order_of_waits_is_that_of_their_beginnings_and_outlives_a_crash() -> None:
    run = run_of("x -> b; y -> a", a=PAID, b=PAID)
    run.finish("x")
    run.finish("y")
    run.recover()
    send(run, "paid")
    assert (run.nodes["a"], run.nodes["b"]) == ("waiting", "completed")


def test_one_that_a_schema_refuses_goes_to_the_next_or_is_kept() -> None:
    strict = wait(signal="paid", schema={"type": "object", "required": ["amount"]})
    run = run_of("a; b; x -> c", a=strict, b=PAID, c=PAID)
    send(run, "paid", {})
    assert (run.nodes["a"], run.nodes["b"]) == ("waiting", "completed")
    assert names(send(run, "paid", {})) == ["SignalKept"]
    assert run.nodes["a"] == "waiting"
    run.finish("x")
    assert run.nodes["c"] == "completed", "what suits nobody else suits this one"


def test_an_event_goes_to_all_at_once_and_one_wave_follows() -> None:
    run = run_of("a -> j; b -> j; c", a=wait(event="tick"), b=wait(event="tick"), c=wait(event="other"))
    turn = send(run, "tick", 7, kind="event")
    assert names(turn) == ["SignalTaken", "NodeCompleted", "SignalTaken", "NodeCompleted", "NodeStarted"]
    assert run.input_of("j") == {"a": 7, "b": 7}


def test_kinds_do_not_mix() -> None:
    run = run_of("a; b", a=PAID, b=wait(event="paid"))
    assert names(send(run, "paid", kind="approval")) == ["SignalDropped"]
    send(run, "paid", kind="event")
    assert (run.nodes["a"], run.nodes["b"]) == ("waiting", "completed")


def test_a_signal_that_comes_too_early_is_kept_the_oldest_is_taken_first() -> None:
    run = run_of("x -> w -> v", w=PAID, v=PAID)
    assert names(send(run, "paid", 1)) == ["SignalKept"]
    send(run, "paid", 2)
    assert [one.payload for one in run.instance.kept] == [b"1", b"2"]
    run.recover()
    turn = run.finish("x")
    assert names(turn) == [
        *("NodeCompleted", "NodeStarted", "SignalTaken", "NodeCompleted"),
        *("NodeStarted", "SignalTaken", "NodeCompleted", "InstanceCompleted"),
    ]
    assert run.output == 2
    assert run.instance.kept == ()


def test_the_oldest_that_suits() -> None:
    run = run_of("x -> w", w=wait(signal="paid", schema={"type": "integer", "minimum": 5}))
    for amount in (1, 7, 9):
        send(run, "paid", amount)
    run.finish("x")
    assert run.output == 7
    assert [one.payload for one in run.instance.kept] == [b"1", b"9"]


@pytest.mark.parametrize(
    ("config", "kind", "kept"),
    [
        ({"signal": "s"}, "signal", True),
        ({"signal": "s", "transient": True}, "signal", False),
        ({"approval": "s"}, "approval", True),
        ({"event": "s"}, "event", False),
        ({"event": "s", "transient": False}, "event", True),
        ({"signal": "other"}, "signal", False),
        ({"signal": ["other", "s"]}, "signal", True),
        ({"signal": "${ input.name }"}, "signal", True),
    ],
)
def test_what_is_kept(config: dict[str, Any], kind: str, kept: bool) -> None:
    run = run_of("x -> w", {"name": "n"}, w=wait(**config))
    (event,) = send(run, "s", {}, kind=kind, by="me").events
    assert isinstance(event, ev.SignalKept if kept else ev.SignalDropped)
    assert event.by == "me"
    assert run.replayed().kept == run.instance.kept


def test_a_wait_within_a_body_keeps_too() -> None:
    body = {"nodes": [{"id": "w", "type": "wait", "config": {"signal": "s"}}]}
    assert graph("x", x={"type": "forEach", "config": {"items": [], "body": body}}).keeps == {"signal": {"s"}}


def test_only_so_many_are_kept() -> None:
    run = run_of("x -> w", w=PAID)
    for _ in range(SIGNALS_KEPT_MAX):
        step(run.plan, run.instance, inputs.SignalArrived(name="paid"), run.now)
    assert len(run.instance.kept) == SIGNALS_KEPT_MAX
    (event,) = step(run.plan, run.instance, inputs.SignalArrived(name="paid"), run.now).events
    assert isinstance(event, ev.SignalDropped)
    assert "signals_kept_max" in event.reason


def test_a_list_of_names_has_a_port_for_each() -> None:
    run = run_of("w -@paid-> a; w -@refused-> b; w -> c", w=wait(signal=["paid", "refused"]))
    send(run, "refused", {"why": 1})
    assert (run.nodes["a"], run.nodes["b"], run.nodes["c"]) == ("skipped", "running", "skipped")
    assert run.input_of("b") == {"name": "refused", "payload": {"why": 1}}
    assert run.state("w").waits_for == ""


def test_a_list_of_one_name_is_a_list() -> None:
    run = run_of("w -@paid-> a", w=wait(signal=["paid"]))
    send(run, "paid", 1)
    assert run.input_of("a") == {"name": "paid", "payload": 1}


@pytest.mark.parametrize(
    ("approved", "port"), [(True, "a"), (1, "a"), ("no", "a"), (False, "r"), (None, "r"), (0, "r")]
)
def test_an_approval_leaves_by_what_was_decided(approved: Any, port: str) -> None:
    run = run_of("w -@approved-> a; w -@rejected-> r", w=wait(approval="manager"))
    send(run, "manager", {"approved": approved}, kind="approval")
    assert run.nodes[port] == "running"
    assert run.input_of(port) == {"approved": approved}


def test_an_approval_is_an_object() -> None:
    run = run_of("w", w=wait(approval="manager"))
    assert names(send(run, "manager", True, kind="approval")) == ["SignalKept"]
    assert run.nodes["w"] == "waiting"
    send(run, "manager", {}, kind="approval")
    assert run.output == {}


def test_names_are_templates() -> None:
    run = run_of("x -> w", {"id": 7}, w=wait(signal="paid-${ input.id }-${ value.n }"))
    run.finish("x", {"n": "k"})
    assert run.state("w").waits_for == "signal paid-7-k"
    send(run, "paid-7-k")
    assert run.status == "completed"


@pytest.mark.parametrize("name", ["${ input.missing }", "${ [1] < 2 }", "x" * 201])
def test_a_name_that_cannot_be_computed_fails_it(name: str) -> None:
    run = run_of("w -fail-> a", w=wait(signal=name))
    assert (run.state("w").error.type, run.nodes["a"]) == ("MappingError", "running")


# --- time ---


def test_its_timeout_leaves_by_the_port_with_its_input() -> None:
    run = run_of("w -@timeout-> late; w -> a", {"n": 1}, w=wait(signal="paid", timeout=5_000))
    assert run.armed() == {("w", 1, 1, "timeout"): 6_000}
    assert run.state("w").due == 6_000
    run.timer("w", "timeout")
    assert (run.nodes["late"], run.nodes["a"]) == ("running", "skipped")
    assert run.input_of("late") == {"n": 1}
    assert names(send(run, "paid")) == ["SignalKept"], "nobody waits any more, but one could have"


def test_its_timeout_fails_it_without_the_port() -> None:
    run = run_of("w -fail-> a", w=wait(signal="paid", timeout=5_000))
    run.timer("w", "timeout")
    assert run.state("w").error.type == "NodeTimeout"
    assert run.nodes["a"] == "running"


def test_a_signal_disarms_the_timer_and_an_early_one_is_armed_again() -> None:
    run = run_of("w -> a", w=wait(signal="paid", timeout=5_000))
    (again,) = asked(run.timer("w", "timeout", at=2_000), fx.ArmTimer)
    assert again.due == 6_000
    send(run, "paid")
    assert run.armed() == {}
    stale = run.take(inputs.TimerFired(path="w", run=1, attempt=1, purpose="timeout"))
    assert stale.dropped == "stale"


def test_a_crash_arms_its_timer_again() -> None:
    run = run_of("w", w=wait(signal="paid", timeout=5_000))
    run.now += 3_000
    run.recover()
    assert run.armed() == {("w", 1, 1, "timeout"): 6_000}
    run.crash()
    run.take(inputs.Reattach())
    assert run.armed() == {("w", 1, 1, "timeout"): 6_000}
    send(run, "paid")
    assert run.status == "completed"


def test_short_defaults_do_not_hurry_people() -> None:
    assert run_of("w", None, {"defaults": "short"}, w=PAID).state("w").due is None


# --- stopping ---


def test_a_stopped_wait_takes_nothing() -> None:
    run = run_of("w; f", None, {"failure_policy": "fail_fast"}, w=wait(signal="paid", timeout=5_000))
    run.fail("f")
    assert (run.status, run.nodes["w"]) == ("failed", "cancelled")
    assert run.instance.waits == {}
    assert run.armed() == {}
    with pytest.raises(Refused):
        send(run, "paid")


def test_a_parked_instance_takes_signals_and_starts_nothing() -> None:
    run = run_of("w -> a", w=PAID)
    run.take(inputs.ParkInstance(reason="by hand"))
    send(run, "paid", 5)
    assert (run.nodes["w"], run.nodes["a"]) == ("completed", "pending")
    run.take(inputs.ResumeInstance())
    assert run.input_of("a") == 5


def test_a_repeating_wait_takes_one_signal_for_each_message() -> None:
    run = run_of("a -> w; b -> w; w -> x", a={}, b={}, w={**PAID, "join": {"kind": "each"}})
    run.finish("a")
    run.finish("b")
    send(run, "paid", 1)
    assert (run.state("w").run, run.state("w").status) == (2, "waiting")
    send(run, "paid", 2)
    assert json.loads(run.state("w").output) == [1, 2]


def test_an_event_whose_first_taker_stops_the_others() -> None:
    flow = {"failure_policy": "fail_fast"}
    strict = {**wait(event="e"), "outputSchema": {"type": "integer"}}
    run = run_of("a; b", None, flow, a=strict, b=wait(event="e"))
    send(run, "e", "text", kind="event")
    assert (run.nodes["a"], run.nodes["b"], run.status) == ("failed", "cancelled", "failed")


# --- until ---


@pytest.mark.parametrize("until", [9_000, "1970-01-01T00:00:09Z", "1970-01-01T00:00:09", "1970-01-01T01:00:09+01:00"])
def test_a_delay_until_a_time(until: Any) -> None:
    run = run_of("d -> a", {"n": 1}, d={"type": "delay", "config": {"until": until}})
    assert run.armed() == {("d", 1, 1, "delay"): 9_000}
    run.timer("d", "delay")
    assert run.input_of("a") == {"n": 1}


@pytest.mark.parametrize("until", [0, 1_000, "${ input.when }"])
def test_a_time_that_is_past_ends_it_at_once(until: Any) -> None:
    assert run_of("d", {"when": "1970-01-01"}, d={"type": "delay", "config": {"until": until}}).status == "completed"


@pytest.mark.parametrize("until", ["${ input.when }", "${ input.far }", "${ 1 < 'a' }"])
def test_what_is_no_time_fails_it(until: str) -> None:
    run = run_of("d", {"when": "soon", "far": "2400-01-01"}, d={"type": "delay", "config": {"until": until}})
    assert run.state("d").error.type == "DelayError"


def test_a_wait_that_falls_back_when_it_takes_its_signal_has_not_ended() -> None:
    broken = {**PAID, "outputSchema": {"type": "string"}, "resilience": {"fallbackActions": [{"type": "ask"}]}}
    run = run_of("w -> a", w=broken)
    assert names(send(run, "paid", 3)) == ["SignalTaken", "NodeFellBack", "ScopeStarted", "NodeStarted"]
    assert run.nodes["w"] == "falling_back"
    run.finish("w[0].ask", "by hand")
    assert run.input_of("a") == "by hand"
