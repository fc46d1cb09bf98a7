"""A failed node runs again, and with it what had not run because it failed: nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.capturing import capture, restore
from mainspring.machine.commands.reopening import why_not
from mainspring.machine.pause import timeout_due
from mainspring.machine.turn import Refused, Turn

from .harness import Run, asked, dispatched, graph, names


def started(text: str, workflow: dict[str, Any] | None = None, **nodes: dict[str, object]) -> Run:
    run = Run(graph(text, workflow, **nodes))
    run.start()
    return run


def again(run: Run, path: str = "a", of: int = 1) -> Turn:
    return run.take(inputs.RetryNode(path=path, run=of, by="me", reason="mended"))


def test_a_failed_instance_is_reopened_and_goes_on_where_it_had_failed() -> None:
    run = started("a -> b -> c")
    run.fail("a")
    assert (run.status, run.nodes) == ("failed", {"a": "failed", "b": "skipped", "c": "skipped"})
    turn = again(run)
    assert names(turn) == ["Intervened", "InstanceReopened", "NodeReset", "NodeReset", "NodeReset", "NodeStarted"]
    assert turn.events[:3] == [
        ev.Intervened("retry", "a", 1, "me", "mended"),
        ev.InstanceReopened("me", "mended"),
        ev.NodeReset("a", 2, "me"),
    ]
    assert list(turn.letters) == [fx.Raise("a", 1)]
    assert dispatched(turn) == [("a", 1)]
    assert (run.state("a").run, run.state("a").crashes, run.instance.unhandled) == (2, 0, 0)
    for node in "abc":
        run.finish(node, node)
    assert (run.status, run.instance.output) == ("completed", b'"c"')


def test_it_may_fail_again() -> None:
    run = started("a -> b")
    for number in (1, 2, 3):
        run.fail("a")
        assert (run.status, run.state("a").run, run.instance.unhandled) == ("failed", number, 1)
        again(run, of=number)
    run.finish("a")
    run.finish("b")
    assert run.status == "completed"


def test_an_order_for_a_run_that_is_over_changes_nothing() -> None:
    run = started("a -> b")
    run.fail("a")
    again(run)
    with pytest.raises(Refused, match="a is running, in its run 2"):
        again(run)
    run.fail("a")
    with pytest.raises(Refused, match="a is failed, in its run 2"):
        again(run)


def test_another_failure_still_counts() -> None:
    run = started("a; b")
    run.fail("a")
    run.fail("b", "Other")
    again(run)
    run.finish("a")
    assert (run.status, run.instance.unhandled) == ("failed", 1)
    again(run, "b")
    run.finish("b")
    assert run.status == "completed"


def test_what_has_run_stays_and_the_late_token_is_absorbed() -> None:
    """d joins a and b: it ran with b's message alone. Only c, which had nothing else, runs after the new run."""
    run = started("a -> c; a -> d; b -> d; d -> e")
    run.fail("a")
    run.finish("b", 1)
    run.finish("d")
    run.finish("e")
    assert run.status == "failed"
    assert names(again(run)) == ["Intervened", "InstanceReopened", "NodeReset", "NodeReset", "NodeStarted"]
    turn = run.finish("a", 2)
    assert dispatched(turn) == [("c", 1)]
    run.finish("c")
    assert run.status == "completed"
    assert (run.state("d").run, run.state("d").messages) == (1, [2])


def test_a_join_that_waits_counts_the_token_of_the_new_run_only() -> None:
    run = started("a -> d; b -> d; b -> e")
    run.fail("a")
    assert run.state("d").tokens == 1
    again(run)
    assert (run.status, run.state("d").tokens) == ("running", 0)
    run.finish("b", "b")
    assert run.nodes["d"] == "pending"
    run.finish("a", "a")
    assert run.instance.nodes[run.plan.by_id["d"].index].messages == [1, 0]
    run.finish("d")
    run.finish("e")
    assert run.status == "completed"


def test_a_message_of_the_run_before_is_taken_back_from_who_has_not_begun() -> None:
    """The failure's own message went to d, by a condition that held: then it is handled, and nothing is run again."""
    run = started("a -fail-> d; b -> d")
    run.fail("a")
    with pytest.raises(Refused, match="a connection took the failure of a"):
        again(run)


def test_what_the_failure_had_stopped_goes_on_too() -> None:
    run = started("a -> b; c -> d; e", {"failure_policy": "fail_fast"})
    run.finish("e")
    run.fail("a")
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "cancelled", "d": "skipped", "e": "completed"}
    turn = again(run)
    assert sorted(dispatched(turn)) == [("a", 1), ("c", 1)]
    for node in "abcd":
        run.finish(node)
    assert run.status == "completed"


def test_what_another_branch_had_skipped_decides_anew_and_is_skipped_again() -> None:
    run = started("a -> c; b -[output.yes]-> c; c -> d; b -> x")
    run.finish("b", {"yes": False})
    run.fail("a")
    run.finish("x")
    assert (run.status, run.nodes["c"]) == ("failed", "skipped")
    again(run)
    assert run.nodes["c"] == "pending"
    run.fail("a")
    assert (run.status, run.nodes["c"], run.nodes["d"]) == ("failed", "skipped", "skipped")


def test_a_condition_that_had_raised_is_forgotten() -> None:
    run = started("a -fail[error.x < 1 && 1 / 0 > 1]-> b; a -> c")
    run.fail("a")
    before = run.instance.unhandled
    again(run)
    assert (before, run.instance.unhandled, run.instance.error) == (before, 0, None)
    run.finish("a")
    run.finish("c")
    assert run.status == "completed"


def test_a_node_whose_condition_raised() -> None:
    run = started("a -fail[1 / 0 > 1]-> b")
    run.fail("a")
    assert run.instance.unhandled == 2
    again(run)
    assert run.instance.unhandled == 0
    run.finish("a")
    assert run.status == "completed"


def test_a_node_of_a_body_that_is_open() -> None:
    body = {"nodes": [{"id": "x", "type": "function"}, {"id": "y", "type": "function"}]}
    run = started("m", m={"type": "forEach", "config": {"items": [1], "body": body}})
    run.fail("m[0].x")
    assert dispatched(again(run, "m[0].x")) == [("m[0].x", 1)]
    run.finish("m[0].x")
    run.fail("m[0].y")
    with pytest.raises(Refused, match="has ended: what failed with it is its block"):
        again(run, "m[0].y")


def test_the_timeout_of_the_whole_begins_anew() -> None:
    """However long the instance was at its end: whoever has it go on means it to go on."""
    run = started("a", {"timeout": 500})
    run.now += 100
    run.fail("a")
    assert [timer.due for timer in asked(again(run), fx.ArmTimer)] == [1_600]
    run.fail("a")
    run.now = 90_000
    assert [timer.due for timer in asked(again(run, of=2), fx.ArmTimer)] == [90_500]
    stored = restore(run.plan, "i", capture(run.instance))
    assert timeout_due(stored) == 90_500
    run.now = 90_499
    fire = inputs.TimerFired(path="", run=0, attempt=0, purpose=fx.INSTANCE_TIMEOUT)
    assert asked(run.take(fire), fx.ArmTimer) and run.status == "running"
    run.now = 90_500
    run.take(fire)
    assert (run.status, run.instance.reason) == ("failed", "no end within 500 ms")


def test_where_its_timeout_is_over_and_it_has_not_ended_yet() -> None:
    run = started("a; b", {"timeout": 500})
    run.fail("a")
    run.take(inputs.ParkInstance(reason="the machine failed"))
    run.now = 1_500
    with pytest.raises(Refused, match="timeout \\(500 ms\\) is over"):
        again(run)


@pytest.mark.parametrize("status", ["cancelled", "failing"])
def test_where_the_instance_is_in_no_state_for_it(status: str) -> None:
    run = started("a; b")
    run.fail("a")
    if status == "cancelled":
        run.take(inputs.CancelInstance())
    else:
        run.instance.status = "failing"
    assert status in why_not(run.instance, "a", 1, run.now)


def test_nodes_that_run_more_than_once_are_left_alone() -> None:
    run = started("s -> e; a -> e; e -> f", e={"join": {"kind": "each"}})
    run.finish("s")
    run.fail("a")
    assert "more than once" in why_not(run.instance, "a", 1, run.now)


def test_what_is_undone_is_not_done_again() -> None:
    run = started("a; b; u", b={"compensationNodeId": "u"})
    run.finish("b")
    run.fail("a")
    assert run.instance.saga is not None
    run.instance.status = "failed"  # as it is once the saga is through
    assert why_not(run.instance, "a", 1, run.now) == "what had completed has been undone"


def test_a_node_that_is_not_there_or_has_not_begun() -> None:
    run = started("a -> b -> c")
    assert "has ended" in why_not(run.instance, "loop[1].x", 1, run.now)
    assert why_not(run.instance, "c", 1, run.now) == "c is pending, in its run 1"


def test_a_condemned_node_is_a_dead_letter() -> None:
    run = started("a")
    run.recover(alone=True)
    run.recover(alone=True)
    run.take(inputs.AdmissionGranted(path="a", run=1))
    [letter] = run.recover(alone=True).letters
    assert isinstance(letter, fx.Bury)
    assert (letter.path, letter.run) == ("a", 1)
    assert "the process ended 3 times" in letter.reason
    assert dispatched(again(run)) == [("a", 1)], "it is no suspect any more"


def test_what_has_taken_from_an_inbox_is_left_alone() -> None:
    """This join by ports runs but once: it was reset, never began again, and the instance ended completed."""
    run = started("a -:left-> c; b -:right-> c; c -> d", c={"join": {"kind": "ports"}})
    run.finish("a")
    run.finish("b")
    run.fail("c")
    with pytest.raises(Refused, match="c has an inbox"):
        again(run, "c")
    assert run.status == "failed"


def test_the_error_of_a_body_is_that_of_a_failure_that_is_left() -> None:
    body = {"nodes": [{"id": id, "type": "function"} for id in "xyz"]}
    run = started("m", m={"type": "forEach", "config": {"items": [1], "body": body}})
    run.fail("m[0].x", "First")
    run.fail("m[0].y", "Second")
    again(run, "m[0].x")
    run.finish("m[0].x")
    run.finish("m[0].z")
    assert run.status == "failed"
    assert run.state("m").error.type == "Second"


def test_the_error_of_a_body_may_be_that_of_a_run() -> None:
    body = {
        "nodes": [{"id": id, "type": "function"} for id in "abxz"]
        + [{"id": "e", "type": "function", "join": {"kind": "each"}}],
        "connections": [{"source": id, "target": "e"} for id in "ab"],
    }
    run = started("m", m={"type": "forEach", "config": {"items": [1], "body": body}})
    run.fail("m[0].x", "First")
    run.finish("m[0].a")
    run.fail("m[0].e", "Second")
    again(run, "m[0].x")
    for node in "xzb":
        run.finish(f"m[0].{node}")
    run.finish("m[0].e")
    assert (run.status, run.state("m").error.type) == ("failed", "Second")


def test_of_conditions_that_raised_no_error_is_left() -> None:
    body = {
        "nodes": [{"id": id, "type": "function"} for id in "xaby"]
        + [{"id": "e", "join": {"kind": "each"}, "type": "log"}],
        "connections": [
            {"source": "a", "target": "b", "condition": "1 / 0 > 1"},
            *({"source": id, "target": "e"} for id in "ab"),
        ],
    }
    run = started("m", m={"type": "forEach", "config": {"items": [1], "body": body}})
    run.fail("m[0].x", "First")
    run.finish("m[0].a")
    again(run, "m[0].x")
    run.finish("m[0].x")
    run.finish("m[0].y")
    assert (run.status, run.state("m").error.type) == ("failed", "First")


def test_what_something_else_stopped_in_the_same_millisecond_stays_stopped() -> None:
    join = {"kind": "any", "cancelOthers": True}
    run = started("a; b -> j; c -> j; j -> k", {"failure_policy": "continue"}, j={"join": join})
    run.finish("b")
    assert run.nodes["c"] == "cancelled"
    run.fail("a")
    assert run.state("a").ended_at == run.state("c").ended_at
    turn = again(run)
    assert [one.path for one in turn.events if isinstance(one, ev.NodeReset)] == ["a"]


@pytest.mark.parametrize("mend", ["retry", "skip", "complete"])
def test_a_failed_node_is_mended_while_the_instance_stands_still(mend: str) -> None:
    """What follows from that starts when it goes on."""
    run = started("a -> b -> c; d")
    run.fail("a")
    assert run.nodes["b"] == "skipped"
    run.take(inputs.PauseInstance(by="ann"))
    run.finish("d")
    assert run.status == "paused"
    named = {"path": "a", "run": 1, "by": "ann"}
    orders = {
        "retry": inputs.RetryNode(**named),
        "skip": inputs.SkipNode(**named),
        "complete": inputs.CompleteNode(**named, output=b"7"),
    }
    turn = run.take(orders[mend])
    assert run.status == "paused"
    assert not [one for one in turn.effects if isinstance(one, fx.DispatchTask)]
    run.take(inputs.ResumeInstance(by="ann"))
    if mend == "retry":
        assert run.nodes == {"a": "running", "b": "pending", "c": "pending", "d": "completed"}
        run.finish("a", 1)
    if mend != "skip":
        run.finish("b")
        run.finish("c")
    assert run.status == "completed"
    assert run.nodes["c"] == ("skipped" if mend == "skip" else "completed")
