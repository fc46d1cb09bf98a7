"""From a node's end to its successors: DESIGN.md's first table row by row, dead paths, and what travels."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.graph.plan import Plan
from mainspring.machine import events as ev

from .harness import Run, graph, names, run_of

# How a leaves; the arrow from a to b; does b run, or why not. (c keeps the port known.)
FIRES = [
    ("complete", "->", None),
    ("complete", "-all->", None),
    ("complete", "-fail->", "a did not fail"),
    ("complete", "-@p->", "a left by its primary output, not by port p"),
    ("complete", "-[output.n > 1]->", None),
    ("complete", "-[output.n > 2]->", "the condition `output.n > 2` was not true"),
    ("complete", "-[output.none]->", "the condition `output.none` was not true"),
    ("complete", "-all[output.n == 2]->", None),
    ("complete", "-[input.go]->", None),
    ("port", "-@p->", None),
    ("port", "-all@p->", None),
    ("port", "->", "a left by port p, not by its primary output"),
    ("port", "-@q->", "a left by port p, not by port q"),
    ("port", "-@p[output.n > 2]->", "the condition `output.n > 2` was not true"),
    ("port", "-fail@p->", "a did not fail"),
    ("fail", "->", "a failed"),
    ("fail", "-fail->", None),
    ("fail", "-all->", None),
    ("fail", "-all@p->", "a failed"),
    ("fail", "-fail@p->", "a failed"),
    ("fail", "-[output.n > 1]->", "a failed"),
    ("fail", "-fail[error.type == 'E']->", None),
    ("fail", "-fail[error.code == 7]->", None),
    ("fail", "-fail[error.type == 'X']->", "the condition on a's failure was not true"),
]


@pytest.mark.parametrize(("how", "arrow", "why"), FIRES)
def test_a_connection_fires(how: str, arrow: str, why: str | None) -> None:
    run = run_of(f"a {arrow} b; a -@p-> c", {"go": True})
    if how == "fail":
        run.fail("a", code=7)
    else:
        run.finish("a", {"n": 2}, port="p" if how == "port" else None)
    if why is None:
        assert run.nodes["b"] == "running"
    else:
        assert run.skips()["b"] == (why, "a")
        assert run.nodes["b"] == "skipped"


def test_skipped_and_cancelled_never_fire() -> None:
    run = run_of("a -[false]-> b; b -all-> c; b -fail-> d; c -> e; d -> e")
    run.finish("a")
    assert run.nodes == {"a": "completed", "b": "skipped", "c": "skipped", "d": "skipped", "e": "skipped"}
    assert run.skips()["c"] == ("b was skipped", "b")
    assert run.skips()["e"] == ("none of its 2 connections fired: c was skipped", "c")
    assert run.status == "completed"


# --- joins and dead paths


def test_a_join_waits_for_all_tokens_and_runs_for_one_message() -> None:
    run = run_of("a -> d; b -[false]-> d; c -> d")
    for path in "abc":
        assert run.nodes["d"] == "pending"
        run.finish(path)
    assert run.nodes["d"] == "running"


def test_a_join_starts_in_one_event_a_node() -> None:
    run = run_of("a -> b -> d; a -> c -> d")
    run.finish("a")
    run.finish("c", 3)
    turn = run.finish("b", 2)
    assert names(turn) == ["NodeCompleted", "NodeStarted"]
    assert run.input_of("d") == {"b": 2, "c": 3}


def test_a_dead_diamond_is_skipped_in_one_event() -> None:
    run = run_of("a -[output]-> b -> d; b -> c -> d; d -> e; a -> f")
    turn = run.finish("a", False)
    assert names(turn) == ["NodeCompleted", "NodesSkipped", "NodeStarted"]
    assert [skip.path for skip in turn.events[1].skips] == ["b", "c", "d", "e"]
    run.finish("f")
    assert run.status == "completed"
    assert run.output == {"f": None}


def test_the_reason_of_a_dead_join_names_the_telling_source() -> None:
    run = run_of("a -[false]-> b -> d; c -@p-> d; c -> x; c -@p-> y")
    run.finish("a")
    assert run.nodes["d"] == "pending"
    run.finish("c")
    assert run.skips()["d"] == ("none of its 2 connections fired: c left by its primary output, not by port p", "c")


def test_a_long_dead_path_needs_no_stack() -> None:
    run = run_of("a -[false]-> n0; " + "; ".join(f"n{i} -> n{i + 1}" for i in range(5_000)))
    turn = run.finish("a")
    assert run.status == "completed"
    assert [len(event.skips) for event in turn.events if isinstance(event, ev.NodesSkipped)] == [2_000, 2_000, 1_001]


def test_a_long_chain_of_passing_nodes_needs_no_stack() -> None:
    logs = {f"n{i}": {"type": "log"} for i in range(2_000)}
    run = run_of("; ".join(f"n{i} -> n{i + 1}" for i in range(1_999)), 5, **logs)
    assert run.status == "completed"
    assert run.output == 5


# --- failures


def test_a_handled_failure_leaves_the_instance_completed() -> None:
    run = run_of("a -fail-> b; a -> c")
    assert names(run.fail("a")) == ["NodeFailed", "NodesSkipped", "NodeStarted"]
    run.finish("b", 1)
    assert run.status == "completed"
    assert run.state("a").handled


def test_a_failure_whose_condition_says_no_is_not_handled() -> None:
    run = run_of("a -fail[error.type == 'X']-> b; c")
    run.fail("a")
    run.finish("c", 4)
    assert run.status == "failed"
    assert run.instance.reason == "1 unhandled failure"
    assert run.output == {"c": 4}


def test_continue_lets_other_branches_go_on() -> None:
    run = run_of("a -> b; c -> d; e")
    run.fail("a")
    run.finish("c")
    run.finish("d", 1)
    run.fail("e")
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "completed", "d": "completed", "e": "failed"}
    assert (run.status, run.instance.reason) == ("failed", "2 unhandled failures")


def test_fail_fast_cancels_what_runs_and_starts_nothing() -> None:
    run = run_of("a -> b; c -> d; e; f", workflow={"failure_policy": "fail_fast"}, f={"retry": {}})
    run.fail("f")
    run.finish("e")
    turn = run.fail("a", "Boom", "it broke")
    assert names(turn) == ["NodeFailed", "InstanceFailing", "NodesCancelled", "NodesSkipped", "InstanceFailed"]
    assert run.nodes == {
        "a": "failed",
        "b": "skipped",
        "c": "cancelled",
        "d": "skipped",
        "e": "completed",
        "f": "cancelled",
    }
    assert run.instance.reason == "a failed: Boom: it broke"
    cancelled = turn.events[2]
    assert cancelled.runs == (ev.Ref("c", 1, in_doubt=True), ev.Ref("f", 1, in_doubt=False))
    assert run.state("c").waits_for == "in doubt"
    assert run.skips()["d"] == ("a failed: failurePolicy fail_fast of the workflow", "a")


def test_fail_fast_does_not_mind_a_handled_failure() -> None:
    run = run_of("a -fail-> b; c", workflow={"failure_policy": "fail_fast"})
    run.fail("a")
    assert run.nodes == {"a": "failed", "b": "running", "c": "running"}


def test_fail_fast_stops_a_start_half_way() -> None:
    run = run_of("a; b; c", workflow={"failure_policy": "fail_fast"}, b={"input": {"x": "${ 1 / input.zero }"}})
    assert run.status == "failed"
    assert run.nodes == {"a": "cancelled", "b": "failed", "c": "skipped"}


@pytest.mark.parametrize("policy", ["continue", "fail_fast"])
def test_a_condition_that_raises(policy: str) -> None:
    """SEMANTICS 20: its connection skips, the source stays completed, and nobody has handled it."""
    run = run_of("a -[1 / output.n > 0]#odd-> b; a -> c", workflow={"failure_policy": policy})
    turn = run.finish("a", {"n": 0})
    fault = next(event for event in turn.events if isinstance(event, ev.RoutingFailed))
    assert (fault.path, fault.connection, fault.error.type, fault.error.code) == ("a", 0, "ConditionError", "odd")
    assert "division by zero" in fault.error.message
    assert run.nodes["a"] == "completed"
    assert run.nodes["b"] == "skipped"
    assert run.nodes["c"] == ("running" if policy == "continue" else "skipped")
    if policy == "continue":
        assert run.skips()["b"] == ("the condition `1 / output.n > 0` could not be evaluated", "a")
        run.finish("c")
    assert run.status == "failed"


@pytest.mark.parametrize("policy", ["continue", "fail_fast"])
def test_a_condition_that_raises_on_a_failure_that_another_connection_takes(policy: str) -> None:
    run = run_of("a -fail[1 / input.zero > 0]-> b; a -fail-> c; d", workflow={"failure_policy": policy})
    run.fail("a")
    assert run.state("a").handled
    assert run.instance.unhandled == 1
    assert run.status == ("running" if policy == "continue" else "failed")


def test_a_condition_sees_the_end_that_it_decides_about() -> None:
    run = run_of(
        'a -[nodes.a.output.n > 0 && nodes.a.status == "completed"]-> b; a -fail[nodes.a.error.type == "E"]-> c'
    )
    run.finish("a", {"n": 1})
    assert run.nodes["b"] == "running"
    run = run_of('a -fail[nodes.a.failed && nodes.a.error.type == "E"]-> c')
    run.fail("a")
    assert run.nodes["c"] == "running"


def test_depends_on_stands_beside_a_connection_that_only_fires_on_failure() -> None:
    for how in ("finish", "fail"):
        run = run_of("a -fail-> b", b={"dependsOn": ["a"]})
        getattr(run, how)("a")
        assert run.nodes["b"] == "running", how


def test_errors_of_the_machine_tell_the_attempts_too() -> None:
    run = run_of("a", a={"retry": {"maxAttempts": 4}})
    run.finish("a", port="nowhere")
    assert (run.state("a").error.attempt, run.state("a").error.max_attempts) == (1, 4)


@pytest.mark.parametrize(
    ("condition", "output", "fires"),
    [
        ("output.n > 1", {"n": 2, "rest": [1] * 50}, True),
        ("output.n > 1", 5, False),  # no object: a missing field is null
        ("output.n > 1", None, False),
        ("output.n > 1", [1, 2], False),
        ("output[0] == 1", [1, 2], True),
        ("output.a.b == 'x' && output.c", {"a": {"b": "x"}, "c": 1}, True),
        ("len(output) == 2", {"a": 1, "b": 2}, True),
        ("true", {"a": 1}, True),
        ("output.n == 'a' && output.m > 1", {"n": "a", "m": "2"}, True),
        ("output.n == 'a' && output.m > 1", {"n": "b", "m": "no number"}, False),
    ],
)
def test_conditions_see_all_they_look_at(condition: str, output: Any, fires: bool) -> None:
    """R2: an output is read only as far as conditions look, and what they say stays the same."""
    plan = graph("a -> b")
    edge = msgspec.structs.replace(plan.workflow.connections[0], condition=condition)
    run = Run(Plan(msgspec.structs.replace(plan.workflow, connections=(edge,)), "v1"))
    run.start()
    run.finish("a", output)
    assert run.nodes["b"] == ("running" if fires else "skipped")
