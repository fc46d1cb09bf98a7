"""The naive interpreter's failures, by hand: each rule of docs/semantics-failures.md in a graph small enough to see."""

from __future__ import annotations

from typing import Any

import pytest

from .compare import Draw, compare
from .naive import Naive
from .naive.undoing import Done, branch, to_undo
from .plain_graphs import BAD, OK, block, body, graph
from .test_naive import inputs, run, statuses

EVER = {"outcomes": [BAD]}


def stand_in(id: str, outcome: dict[str, Any] = OK, **more: Any) -> dict[str, Any]:
    """A fallback, or what undoes, as a graph of its own."""
    return body(**{id: {"outcomes": [outcome], **more}})


def undone_by(id: str, **more: Any) -> dict[str, Any]:
    """The fields of a node that can be undone."""
    return {"undo": stand_in(id), "compensateFailed": False, "compensateInDoubt": False, **more}


def whole(made: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A graph with fields of the whole."""
    return {**made, **fields}


def failed(policy: str, *ids: str, **fields: Any) -> Naive:
    """Three nodes, of which these fail: `a`, which is critical, `b` and `c`."""
    nodes: dict[str, Any] = {id: {"outcomes": [BAD if id in ids else OK]} for id in "abc"}
    nodes["a"]["isCritical"] = True
    return run(whole(graph("", policy=policy, **nodes), **fields), *"cba")


@pytest.mark.parametrize(
    ("policy", "ids", "fields", "status", "decisions"),
    [
        ("continue", "b", {}, "failed", ["continue"]),
        ("partial_success", "b", {}, "partial_success", ["degrade"]),
        ("graceful_degradation", "bc", {}, "partial_success", ["degrade", "degrade"]),
        ("partial_success", "a", {}, "failed", ["continue"]),
        ("partial_success", "a", {"ratio": 0}, "partial_success", ["continue"]),
        ("partial_success", "a", {"ratio": 0.5}, "failed", ["continue"]),
        ("partial_success", "bc", {"maxPartial": 1}, "failed", ["degrade", "degrade"]),
        ("partial_success", "b", {"maxPartial": 1}, "partial_success", ["degrade"]),
        ("continue", "a", {"threshold": 0.33}, "failed", ["terminate"]),
        ("continue", "a", {"threshold": 0.34}, "failed", ["continue"]),
    ],
)
def test_what_failures_come_to(policy: str, ids: str, fields: Any, status: str, decisions: list[str]) -> None:
    naive = failed(policy, *ids, **fields)
    assert naive.status == status
    assert [what for what, _ in naive.decisions] == decisions


def test_the_policy_of_a_node_is_before_that_of_the_whole() -> None:
    naive = run(graph("a>b c>d", a=EVER | {"failurePolicy": "fail_fast"}), "a")
    assert (statuses(naive), naive.status, naive.decisions) == ("fsxs", "failed", [("terminate", "a")])


def test_fallbacks_are_tried_one_after_the_other_and_the_last_leaves_the_first_error() -> None:
    fallbacks = [stand_in("f", {**BAD, "type": "B"}), stand_in("g", {**BAD, "type": "B"})]
    naive = run(graph("a>b", a=EVER | {"fallbacks": fallbacks}), "a", "a[0].f")
    assert naive.nodes["a"].status == "falling_back"
    naive.turn(("a[1].g", 1))
    assert naive.nodes["a"].error == {"type": "A", "code": None, "context": None, "fatal": False}
    wanted = [
        ("fallback", "a f"),
        ("continue", "a[0].f"),
        ("fallback", "a g"),
        ("continue", "a[1].g"),
        ("continue", "a"),
    ]
    assert naive.decisions == wanted


def test_what_stands_in_gets_the_owners_input_and_gives_its_output() -> None:
    naive = run(graph("a>b", a=EVER | {"fallbacks": [stand_in("f", {**OK, "base": 3})]}), "a", "a[0].f")
    assert naive.ended["a[0].f", 1].input == {"x": 1}
    assert inputs(naive, "b") == [naive.ended["a[0].f", 1].output]
    assert naive.ended["a", 1].degraded


def test_a_budget_of_retries_is_of_all_nodes() -> None:
    retry = {"retry": {"maxAttempts": 3, "retryOn": [], "doNotRetryOn": []}, "outcomes": [BAD]}
    naive = run(whole(graph("", a=retry, b=retry), retryBudget=3))
    naive.retried(("a", 1))
    naive.retried(("b", 1))
    naive.retried(("a", 1))
    with pytest.raises(AssertionError, match="by the rules it is not"):
        naive.retried(("b", 1))


def test_what_was_done_is_undone_the_last_first() -> None:
    naive = run(graph("a>b b>c", a=undone_by("ua"), b=undone_by("ub"), c=EVER), *"abc")
    assert naive.status == "failed"
    with pytest.raises(AssertionError, match="by the rules it is"):
        naive.undo("a", 1)


def test_a_saga_goes_through_all_of_it_and_no_further() -> None:
    made = graph("a>b b>c", a=undone_by("ua"), b=undone_by("ub") | {"undo": stand_in("ub", BAD)}, c=EVER)
    naive = run(made, *"abc")
    for id in "ba":
        naive.undo(id, 1)
        assert not naive.done
        naive.turn((f"{id}[undo:1].u{id}", 1))
    assert naive.done
    assert naive.saga is not None
    assert naive.saga.told == [("b", 1, False), ("a", 1, True)]
    assert [node.status for node in naive.nodes.values()] == ["compensated", "compensation_failed", "failed"]


def test_nothing_is_undone_of_what_stands_in_nor_where_it_ends_well() -> None:
    inner = block("subflow", body(x=undone_by("ux")))
    naive = run(graph("a>b", a=EVER | {"fallbacks": [body(f=inner)]}, b=EVER), "a", "a[0].f[0].x", "b")
    assert (naive.status, naive.done_runs) == ("failed", [])
    naive = run(graph("", a=undone_by("ua")), "a")
    assert naive.saga is None


def test_a_branch_goes_back_to_where_another_one_had_started() -> None:
    arrows = [("a", "b"), ("b", "c"), ("b", "x"), ("c", "d")]
    gone = dict.fromkeys("abcdx", "completed")
    assert branch("d", arrows, gone) == {"c", "d"}
    assert branch("d", arrows, gone | {"x": "skipped"}) == {"a", "b", "c", "d"}
    done = [Done("a", 1), Done("c[0].n", 1), Done("x", 1), Done("c", 1)]
    assert [one.path for one in to_undo(done, "branch", arrows, gone, ["d"])] == ["c", "c[0].n"]
    assert [one.path for one in to_undo(done, "branch", arrows, gone, [])] == ["c", "x", "c[0].n", "a"]


@pytest.mark.parametrize("blocks", [False, True])
def test_the_machine_agrees_on_graphs_that_say_what_failures_mean(blocks: bool) -> None:
    seen: set[str] = set()
    for seed in range(150):
        run = compare(*Draw(blocks=blocks, failures=True).graph_of(seed))
        seen.update(type(event).__name__ for event in run.events)
        seen.update(getattr(event, "decision", "") for event in run.events)
        seen.update({run.status} | {"in a body" for event in run.events if "[" in getattr(event, "path", "")})
    wanted = "continue degrade terminate completed partial_success failed cancelled NodeFellBack NodeCompensated"
    assert {*wanted.split(), "NodeCompensationFailed", "InstanceParked", "NodesRequeued"} <= seen
