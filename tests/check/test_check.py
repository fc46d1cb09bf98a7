"""The checker: sound workflows are clean, and each run that is not can be had again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.errors import DefinitionError
from mainspring.graph.check import check_workflow
from mainspring.testing import CheckFailed, check
from mainspring.testing.checking import BadToken, Budget, explore, prepared, replayed
from mainspring.testing.checking.faults import Case, Fault, parse

ORDER = Path(__file__).parents[2] / "examples" / "order" / "order.yaml"


def workflow(*nodes: dict[str, Any], **more: Any) -> ms.Workflow:
    return ms.Workflow("w", nodes=nodes, **more)


def task(id: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "config": {"handler": f"nowhere:{id}"}, "dependsOn": list(after), **more}


def test_the_order_example_is_clean_for_all_single_and_double_failures() -> None:
    report = check(ORDER, failures=2)
    assert report.clean and not report.notes and not report.out_of_time
    assert report.sets == {0: (1, 1), 1: (8, 8), 2: (25, 25)}
    assert report.schedules > 100 and report.crashes > 300 and report.states > 50
    assert report.ends["completed"] > 100 and report.ends["failed"] > 100


@pytest.mark.apart
def test_the_saga_example_is_clean_for_all_single_and_double_failures() -> None:
    report = check(ORDER.parents[1] / "saga" / "trip.yaml", failures=2)
    assert report.clean and not report.notes and not report.out_of_time
    assert report.sets == {0: (1, 1), 1: (10, 10), 2: (42, 42)}
    assert report.crashes > 500 and report.states > 100


@pytest.mark.apart
def test_limits_are_kept_in_two_instances_side_by_side() -> None:
    report = check(Path(__file__).parent / "limited.yaml", schedules=60)
    assert report.clean and report.states > 100


@pytest.mark.apart
def test_a_pool_and_a_rate_are_kept_too() -> None:
    file = Path(__file__).parent / "pooled.yaml"
    report = check(file, schedules=40, kills=100)
    assert report.clean and report.states > 50
    assert report.notes == ("the pool gpu had 1 place: --pool gpu=N tries another size",)
    assert not check(file, pools={"gpu": 2}, schedules=10, kills=20).notes


def test_what_stands_in_gives_what_the_node_would_have_given() -> None:
    made = workflow(
        task("price", fallbackNodeId="guess"),
        task("guess"),
        task("ask", "price", input="${ nodes.price.output.amount }"),
        invariants=["nodes.price.output.amount != null", "nodes.guess.completed == (nodes.price.attempts > 99)"],
    )
    space = prepared(made)
    assert [fault.token() for fault in space.faults] == ["ask=error", "price=error", "price[fallback].guess=error"]
    assert replayed(space, "@v0.s")[0] is None
    found = replayed(space, "price=error@v0.s")[0]
    assert found is not None and found.broken.invariant == "invariant 2"


def test_what_is_undone_in_bodies_and_by_children(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(
        """
id: parent
nodes:
  - id: loop
    type: forEach
    config:
      items: [1, 2]
      concurrency: 2
      body:
        nodes:
          - {id: pack, type: function, config: {handler: "x:pack"}}
          - {id: unpack, type: function, config: {handler: "x:unpack"}}
        connections: [{source: pack, target: unpack, isCompensation: true}]
  - {id: bill, type: subflow, config: {workflow: child}, dependsOn: [loop]}
  - {id: ship, type: function, config: {handler: "x:ship"}, dependsOn: [bill]}
invariants:
  - "status == 'failed' && nodes.ship.failed ? nodes.bill.compensated || nodes.bill.status == 'compensation_failed' : true"
"""
    )
    (tmp_path / "child.yaml").write_text(
        """
id: child
nodes:
  - {id: send, type: function, config: {handler: "x:send"}, compensationNodeId: recall}
  - {id: recall, type: function, config: {handler: "x:recall"}}
"""
    )
    report = check(tmp_path / "parent.yaml")
    assert report.clean and {"completed", "failed"} == set(report.ends)
    trace = replayed(prepared(tmp_path / "parent.yaml"), "ship=error@v0.s")[2]
    order = [line for line in trace if line.endswith("undone")]
    assert order[-2:] == ["loop[1].pack undone", "loop[0].pack undone"]


def test_the_same_seed_explores_the_same() -> None:
    first, second = check(ORDER), check(ORDER)
    assert first.text().rpartition("time:")[0] == second.text().rpartition("time:")[0]


def test_no_code_of_the_workflow_is_needed() -> None:
    report = check(workflow(task("a"), task("b", "a")))
    assert report.sets[1] == (2, 2)


def test_all_orders_that_tell_states_apart() -> None:
    """Of n nodes side by side there are 2**n states at the choices, however many orders lead to them."""
    side_by_side = workflow(*(task(id) for id in "abcd"))
    report = check(side_by_side, failures=0)
    # Edges of the hypercube that are not on a first path, and that path: n * 2**(n-1) - 2**n + 1 + 1, less what is forced.
    assert 2**4 <= report.states <= 2**4 + 2
    assert report.schedules >= 12 and report.schedules_cut == 0


def test_beyond_schedules_max_orders_are_drawn_and_it_is_said() -> None:
    report = check(workflow(*(task(id) for id in "abcdefgh")), failures=0, schedules=20)
    assert report.schedules_cut == 1 and report.schedules == 22
    assert "more than schedules_max" in report.text()


def test_time_is_bounded() -> None:
    report = check(workflow(*(task(id) for id in "abcdefgh")), failures=2, seconds=0.2)
    assert report.out_of_time and report.seconds < 3
    assert "the time was up" in report.text()


def test_an_invariant_of_ones_own_that_does_not_hold() -> None:
    broken = workflow(
        task("charge"),
        task("ship", "charge"),
        invariants=[
            {"name": "shipped or not paid", "expression": "nodes.charge.completed ? nodes.ship.completed : true"}
        ],
    )
    with pytest.raises(CheckFailed) as caught:
        check(broken)
    found = caught.value.report.counterexample
    assert found is not None and found.invariant == "shipped or not paid"
    assert found.failures == ("ship fails for good",) and not found.killed
    assert found.replay == "ship=error@v0.s"
    assert len(found.trace) <= 12 and "ship failed" in found.trace
    again, case, trace = replayed(prepared(broken), found.replay)
    assert again is not None and case.faults == (Fault("", "ship", "error"),)
    assert tuple(trace) == found.trace and again.broken.text == found.text


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("status == 'completed' || status == 'failed'", True),
        ("nodes.a.completed || nodes.a.failed", True),
        ("nodes.a.failed ? nodes.b.skipped && nodes.a.error.type == 'ModelledFailure' : !nodes.b.skipped", True),
        ("input.amount == 3", True),
        ("nodes.a.attempts == 1", False),  # a crash begins another
        ("status == 'completed'", False),
        ("input.amount == 4", False),
        ("nodes.a.output < 1", False),  # raises: it cannot be asked
    ],
)
def test_what_an_invariant_sees(expression: str, holds: bool) -> None:
    made = workflow(
        task("a"), task("b", "a"), invariants=expression, check={"input": {"amount": 3}, "outputs": {"a": "x"}}
    )
    report = explore(prepared(made), 1, Budget())
    assert report.clean is holds


def test_each_way_out_of_a_condition_is_taken() -> None:
    made = workflow(
        task("price"),
        task("ask"),
        connections=[
            {"source": "price", "target": "ask", "condition": "output.amount > 100 && output.currency == 'EUR'"},
        ],
        invariants=["nodes.ask.skipped"],
    )
    report = explore(prepared(made), 0, Budget())
    assert not report.clean
    assert explore(prepared(made, outputs={"price": {"amount": 1}}), 0, Budget()).clean


def test_outputs_meet_their_schema() -> None:
    schema = {
        "type": "object",
        "required": ["id", "items"],
        "properties": {
            "id": {"type": "string", "minLength": 8},
            "items": {"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 5, "multipleOf": 2}},
            "kind": {"enum": ["a", "b"]},
            "at": {"type": "string", "format": "date-time"},
        },
    }
    made = workflow(task("a", outputSchema=schema), invariants=["status == 'completed'"])
    assert explore(prepared(made), 0, Budget()).clean


def test_a_retry_overcomes_a_failure_once() -> None:
    made = workflow(
        task("a", retry={"maxAttempts": 2, "initialDelay": "1s"}, timeout="5s"),
        invariants=["nodes.a.completed"],
    )
    space = prepared(made)
    assert [fault.way for fault in space.faults] == ["error", "once", "timeout"]
    assert replayed(space, "a=once@v0.s")[0] is None
    for way in ("error", "timeout"):
        found = replayed(space, f"a={way}@v0.s")[0]
        assert found is not None
        assert "is false: nodes.a.completed" in found.broken.text


def test_waits_are_answered_rejected_and_left_unanswered() -> None:
    made = workflow(
        {"id": "ask", "type": "wait", "config": {"approval": "boss"}, "timeout": "2d"},
        task("yes"),
        task("no"),
        connections=[
            {"source": "ask", "target": "yes", "sourcePort": "approved"},
            {"source": "ask", "target": "no", "sourcePort": "rejected"},
        ],
    )
    space = prepared(made)
    ways = {fault.token() for fault in space.faults if fault.place == "ask"}
    assert ways == {"ask=rejected", "ask=unanswered"}
    for token, line in (("", "yes completed"), ("ask=rejected", "no completed"), ("ask=unanswered", "ask failed")):
        trace = replayed(space, f"{token}@v0.s")[2]
        assert any(line in text for text in trace), (token, trace)
    assert check(made).clean


def test_blocks_and_children_are_explored(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(
        """
id: parent
nodes:
  - id: loop
    type: forEach
    config:
      items: "${ input.orders }"
      concurrency: 2
      body: {nodes: [{id: charge, type: function, config: {handler: "x:y"}}]}
  - {id: bill, type: subflow, config: {workflow: child}, dependsOn: [loop]}
"""
    )
    (tmp_path / "child.yaml").write_text("id: child\nnodes: [{id: send, type: function, config: {handler: 'x:z'}}]\n")
    report = check(tmp_path / "parent.yaml", failures=2)
    assert report.clean
    space = prepared(tmp_path / "parent.yaml")
    assert {fault.token() for fault in space.faults} == {
        "loop[].charge=error",
        "loop[].charge=second",
        "child/send=error",
    }


def test_a_token_that_names_no_run() -> None:
    known = {"a=error": Fault("", "a", "error")}
    assert parse("a=error@v2.s0-1.k7", known) == Case((Fault("", "a", "error"),), 2, (0, 1), 7)
    for token in ("a=error@v2.s0-1.k7", "@v0.s", "@v1.s0-0-2", "@v0.s.k3"):
        assert parse(token, known).token() == token
    with pytest.raises(BadToken, match="it has error"):
        parse("a=timeout@v0.s", known)
    with pytest.raises(BadToken, match="no node 'b'"):
        parse("b=error@v0.s", known)
    with pytest.raises(BadToken, match="names no run"):
        parse("nonsense", known)


def test_what_the_exploration_did_not_reach_is_said() -> None:
    made = workflow(
        task("a"),
        task("b"),
        connections=[{"source": "a", "target": "b", "condition": "len(output.list) > 3"}],
    )
    notes = check(made).notes
    assert notes and "b" in notes[0] and "outputs" in notes[0]


def test_invariants_are_checked_with_the_definition() -> None:
    with pytest.raises(DefinitionError, match="bad condition"):
        check(workflow(task("a"), invariants=["nodes.a.completed &"]))
    made = workflow(task("a"), invariants=["nodes.b.completed"], check={"outputs": {"c": 1}})
    told = [one.message for one in check_workflow(made.workflow) if one.code == "MS214"]
    assert told == ["there is no node `b`: it is always null", "there is no node `c`"]
    other = workflow(task("a", input="${ status }"))
    assert [one.code for one in check_workflow(other.workflow)] == ["MS262"]
