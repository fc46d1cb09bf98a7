"""Subflows that start an instance of their own, from the parent's side and from the child's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.children import DEPTH_MAX, children_ids
from mainspring.machine.turn import Turn
from tests.machine.harness import Run, asked, encoded, graph, names

KID = {"type": "subflow", "config": {"workflow": "kid"}}
PINS = (ev.Pin("kid", "k1"), ev.Pin("kid@2", "k2"))


def parent(text: str, input: Any = None, workflow: dict[str, Any] | None = None, depth: int = 0, **nodes: Any) -> Run:
    """A started parent, that knows two kids."""
    run = Run(graph(text, workflow, **nodes))
    run.start(input, children=PINS, depth=depth)
    return run


def sent(turn: Turn) -> list[Any]:
    return [effect.what for effect in asked(turn, fx.Send)]


def ended(
    run: Run, status: str = "completed", output: Any = None, reason: str = "", path: str = "s", n: int = 1
) -> Turn:
    report = inputs.ChildEnded(path=path, run=n, status=status, output=encoded(output), reason=reason)
    return run.take(report)


def test_it_orders_its_child_and_waits_for_it() -> None:
    run = Run(graph("s -> a", s=KID))
    turn = run.start({"n": 1}, children=PINS)
    (send,) = asked(turn, fx.Send)
    assert (send.id, send.to) == ("i/s/1", "i/s/1")
    start = send.what
    assert (start.parent, start.path, start.run, start.version, start.depth) == ("i", "s", 1, "k1", 1)
    assert (bytes(start.input), start.detached) == (b'{"n": 1}', False)
    assert run.state("s").waits_for == "child i/s/1"
    assert names(ended(run, output={"m": 2})) == ["NodeCompleted", "NodeStarted"]
    assert run.input_of("a") == {"m": 2}
    assert children_ids(run.instance) == ["i/s/1"]


def test_the_version_that_is_told_and_the_workflow_itself() -> None:
    told = {"type": "subflow", "config": {"workflow": "kid", "version": 2}}
    own = {"type": "subflow", "config": {"workflow": "self"}}
    run = Run(graph("t; o", t=told, o=own))
    starts = sent(run.start(children=PINS))
    assert [start.version for start in starts] == ["k2", "v1"]


def test_one_that_was_not_known_is_refused_at_once() -> None:
    run = parent("s -fail-> a", s={"type": "subflow", "config": {"workflow": "nobody"}})
    assert run.state("s").error.type == "ChildRefused"
    assert children_ids(run.instance) == []


@pytest.mark.parametrize(
    ("status", "type"),
    [
        ("failed", "ChildFailed"),
        ("cancelled", "ChildCancelled"),
        ("refused", "ChildRefused"),
        ("compensated", "ChildFailed"),
    ],
)
def test_it_ends_as_its_child_does(status: str, type: str) -> None:
    run = parent("s -fail-> a", s=KID)
    ended(run, status, reason="because")
    error = run.state("s").error
    assert (error.type, error.code, error.attempt) == (type, "i/s/1", 1)
    assert error.message.endswith("because")
    assert run.nodes["a"] == "running"


def test_a_child_that_succeeded_in_part_has_done_what_it_should() -> None:
    run = parent("s", s=KID)
    ended(run, "partial_success", {"some": 1})
    assert run.output == {"some": 1}


@pytest.mark.parametrize(
    ("output", "expected"),
    [({"sum": "${ value.n + input.n }"}, {"sum": 5}), ("${ 'done' }", "done"), ("${ value.n / 0 }", "MappingError")],
)
def test_what_becomes_of_its_output(output: Any, expected: Any) -> None:
    run = parent("s", {"n": 2}, s={"type": "subflow", "config": {"workflow": "kid", "output": output}})
    ended(run, output={"n": 3})
    failed = run.state("s").error
    assert (failed.type if failed else run.output) == expected


def test_a_child_is_never_tried_again() -> None:
    run = parent("s", s={**KID, "retry": {"strategy": "fixed", "maxAttempts": 3, "initialDelay": 1}})
    ended(run, "failed")
    assert run.status == "failed"


def test_without_waiting_it_is_done_at_once() -> None:
    run = Run(graph("s -> a", s={"type": "subflow", "config": {"workflow": "kid", "wait": False}}))
    (start,) = sent(run.start(children=PINS))
    assert start.detached
    assert run.input_of("a") == {"instance": "i/s/1"}
    assert ended(run).dropped == "stale"
    turn = run.take(inputs.CancelInstance())
    assert sent(turn) == [], "it lives on"


def test_one_more_than_the_depth_is_refused() -> None:
    assert parent("s", s=KID, depth=DEPTH_MAX - 1).nodes["s"] == "waiting"
    run = parent("s", s=KID, depth=DEPTH_MAX)
    assert run.state("s").error.type == "DepthLimit"


def test_a_node_that_is_stopped_has_its_child_cancelled_once() -> None:
    run = parent("s; f", None, {"failure_policy": "fail_fast"}, s=KID)
    turn = run.fail("f")
    (send,) = asked(turn, fx.Send)
    assert (send.id, send.to) == ("i/s/1/cancel", "i/s/1")
    assert isinstance(send.what, fx.CancelChild)
    assert ended(run, "cancelled").dropped == "stale"


def test_its_timeout_cancels_the_child() -> None:
    run = parent("s -@timeout-> late", {"n": 1}, s={**KID, "timeout": 5_000})
    assert run.armed() == {("s", 1, 1, "timeout"): 6_000}
    turn = run.timer("s", "timeout")
    assert [type(what) for what in sent(turn)] == [fx.CancelChild]
    assert run.input_of("late") == {"n": 1}


def test_after_a_crash_it_waits_on_and_orders_nothing() -> None:
    run = parent("s", s={**KID, "timeout": 5_000})
    turn = run.recover()
    assert sent(turn) == []
    assert run.armed() == {("s", 1, 1, "timeout"): 6_000}
    ended(run, output=4)
    assert run.output == 4


def test_an_end_that_is_told_twice_counts_once() -> None:
    run = parent("s -> t", s=KID, t=KID)
    ended(run, output=1)
    assert ended(run, output=2).dropped == "stale"
    assert json.loads(run.state("s").output) == 1


def test_each_run_of_a_repeating_node_has_a_child_of_its_own() -> None:
    run = parent("a -> s; b -> s", a={}, b={}, s={**KID, "join": {"kind": "each"}})
    run.finish("a")
    run.finish("b")
    assert ended(run, n=2).dropped == "stale"
    (start,) = sent(ended(run, output=1))
    assert start.run == 2
    ended(run, output=2, n=2)
    assert run.output == [1, 2]
    assert children_ids(run.instance) == ["i/s/1", "i/s/2"]


# --- the child's side ---


def kid(text: str = "a", detached: bool = False, **nodes: Any) -> Run:
    run = Run(graph(text, **nodes))
    run.start(parent="p", parent_path="s", parent_run=3, depth=1, detached=detached)
    return run


def test_a_child_tells_its_parent_of_its_end() -> None:
    run = kid()
    (send,) = asked(run.finish("a", {"n": 1}), fx.Send)
    assert (send.id, send.to) == ("i/end", "p")
    told = send.what
    assert (told.path, told.run, told.status, bytes(told.output)) == ("s", 3, "completed", b'{"n": 1}')


def test_however_it_ends() -> None:
    for take, status in (
        (lambda run: run.fail("a"), "failed"),
        (lambda run: run.take(inputs.CancelInstance(reason="enough")), "cancelled"),
    ):
        (told,) = sent(take(kid()))
        assert told.status == status
        assert told.reason
    (told,) = sent(_terminated())
    assert (told.status, told.reason) == ("failed", "so")


def _terminated() -> Turn:
    run = Run(graph("t", t={"type": "terminate", "config": {"status": "failed", "reason": "so"}}))
    return run.start(parent="p", parent_path="s", parent_run=3, depth=1)


def test_one_that_nobody_waits_for_tells_nobody() -> None:
    assert sent(kid(detached=True).finish("a")) == []


def test_a_child_within_a_body_is_cancelled_with_it() -> None:
    body = {"nodes": [{"id": "s", "type": "subflow", "config": {"workflow": "kid"}}]}
    loop = {"type": "forEach", "config": {"items": [1, 2], "concurrency": 2, "body": body}}
    run = Run(graph("l", l=loop))
    starts = asked(run.start(children=PINS), fx.Send)
    assert [send.to for send in starts] == ["i/l[0].s/1", "i/l[1].s/1"]
    assert children_ids(run.instance) == ["i/l[0].s/1", "i/l[1].s/1"]
    turn = ended(run, "failed", path="l[0].s")
    assert [(send.to, type(send.what)) for send in asked(turn, fx.Send)] == [("i/l[1].s/1", fx.CancelChild)]
    assert run.state("l").error.type == "ChildFailed"


def test_waits_within_bodies_take_in_the_order_in_which_they_began() -> None:
    body = {"nodes": [{"id": "w", "type": "wait", "config": {"signal": "go"}}]}
    loop = {"type": "forEach", "config": {"items": [1, 2], "concurrency": 2, "body": body}}
    run = Run(graph("l", l=loop))
    run.start()
    for value in ("x", "y"):
        run.take(inputs.SignalArrived(name="go", payload=encoded(value)))
    assert run.output == ["x", "y"]
    assert run.instance.waits == {}
