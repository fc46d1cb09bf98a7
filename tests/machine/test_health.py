"""Health, functions, continuity and recommendations (SEMANTICS 60-63)."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.policies.health import Function, Health, health_of
from tests.machine.harness import Run, run_of


def impact(word: str, **more: Any) -> dict[str, Any]:
    """A node of this failureImpact."""
    return {"resilience": {"failureImpact": word}, **more}


def health(run: Run) -> Health:
    """How well it is."""
    return health_of(run.instance)


def test_all_is_well_where_nothing_is_lost() -> None:
    run = run_of("a -> b")
    assert health(run) == Health(1.0, "full", (Function("w", "working", ("a", "b")),))
    run.finish("a")
    run.finish("b")
    assert health(run).value == 1.0


@pytest.mark.parametrize(
    ("failing", "value"),
    [("a", 1 - 8 / 15), ("b", 1 - 4 / 15), ("c", 1 - 2 / 15), ("d", 1 - 1 / 15), ("bc", 1 - 6 / 15)],
)
def test_each_node_weighs_by_its_impact(failing: str, value: float) -> None:
    run = run_of("a; b; c; d", a=impact("critical"), c=impact("minor"), d=impact("negligible"))
    for id in failing:
        run.fail(id)
    assert health(run).value == pytest.approx(value), "and is known while the instance runs"


def test_a_degraded_node_counts_half() -> None:
    run = run_of("a; b", a={"resilience": {"fallbackActions": [{"type": "x"}]}})
    run.fail("a", "Down", "no server")
    assert health(run).value == 1.0
    run.finish("a[0].x")
    found = health(run)
    assert (found.value, found.continuity, found.degraded, found.lost) == (0.75, "degraded", ("a",), ())
    assert found.recommendations[0].startswith("x stood in for a (Down: no server)")


def test_what_nothing_can_start_any_more_is_lost_and_a_branch_not_taken_is_not() -> None:
    run = run_of("a -> b -> c; d -> c2; a -> c2; e -[false]-> f -> g")
    run.fail("a")
    run.finish("e")
    run.finish("d")
    assert health(run).lost == ("a", "b", "c")
    assert "nothing is left to start it" in health(run).recommendations[1]


def test_a_failure_that_was_taken_is_not_lost_and_a_condition_that_raised_is() -> None:
    run = run_of("a -fail-> b; a -> z; c -[1 / 0]-> d")
    run.fail("a")
    run.finish("c")
    assert health(run).lost == ("c", "d")


def test_what_a_termination_stops_is_lost_and_what_a_person_cancels_is_not() -> None:
    run = run_of("a; b -> c", None, {"failure_policy": "fail_fast"})
    run.fail("a")
    assert (health(run).lost, health(run).value, health(run).continuity) == (("a", "b", "c"), 0.0, "interrupted")
    assert "terminate by failurePolicy fail_fast of the workflow" in health(run).recommendations[0]
    assert "b was cancelled: a failed: failurePolicy fail_fast of the workflow" in health(run).recommendations[1]
    run = run_of("a; b -> c")
    run.take(inputs.CancelInstance())
    assert health(run).lost == ()
    run = run_of("a", None, {"timeout": 50})
    run.timer("", fx.INSTANCE_TIMEOUT)
    assert health(run).lost == ("a",)


def tagged(tag: str, **more: Any) -> dict[str, Any]:
    """A node of this function."""
    return {"tags": [tag], **more}


@pytest.mark.parametrize(
    ("failing", "statuses", "continuity"),
    [
        ("a", ["degraded", "working"], "degraded"),
        ("ab", ["unavailable", "working"], "at_risk"),
        ("abd", ["unavailable", "unavailable"], "interrupted"),
        ("c", ["working", "unavailable"], "interrupted"),
    ],
)
def test_functions_and_continuity(failing: str, statuses: list[str], continuity: str) -> None:
    c = {**impact("critical"), **tagged("pay")}
    run = run_of("a; b; c; d; e", a=tagged("mail"), b=tagged("mail"), c=c, d=tagged("pay"))
    for id in failing.replace("d", "cd"):
        run.fail(id)
    found = health(run)
    assert ([function.status for function in found.functions], found.continuity) == (statuses, continuity)
    assert [function.name for function in found.functions] == ["mail", "pay"]


def test_recommendations_begin_with_the_heaviest() -> None:
    run = run_of("a; b; c", a=impact("minor"), c=impact("critical"))
    for id in "abc":
        run.fail(id)
    assert [line.split()[0] for line in health(run).recommendations] == ["c", "b", "a"]


def test_a_node_of_an_older_row_has_no_decision() -> None:
    run = run_of("a; b")
    run.fail("a")
    run.state("a").decision = ""
    assert health(run).recommendations == ("a failed (E: bad): mend it, or give it a fallback",)


def test_a_node_that_another_branch_could_have_started_is_not_lost() -> None:
    run = run_of("a -> x; e -[false]-> x")
    run.fail("a")
    run.finish("e")
    assert run.nodes["x"] == "skipped" and health(run).lost == ("a",)
