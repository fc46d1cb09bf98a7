"""Compensation (SEMANTICS 64-70): when it begins, what is undone in which order, and how the instance ends after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine import saga as state
from mainspring.machine.fold import fold
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import IllegalTransition
from mainspring.machine.turn import Refused, Turn

from .harness import Run, asked, dispatched, graph, names, run_of

UNDO = {"compensationNodeId": "u"}
RETRY = {"retry": {"maxAttempts": 3, "initialDelay": 100, "jitter": 0}}


def undone(run: Run) -> list[tuple[str, int]]:
    """The runs that are undone, in the order in which that happened."""
    return [(event.path, event.run) for event in run.events if isinstance(event, ev.NodeCompensated)]


def begun(run: Run) -> list[tuple[str, int]]:
    return [(event.path, event.run) for event in run.events if isinstance(event, ev.NodeCompensating)]


def chain(*, failing: str = "z", workflow: dict[str, Any] | None = None, **nodes: dict[str, Any]) -> Run:
    """a, b and then z, which fails: a saga waits for what it is to undo."""
    run = run_of(f"a -> b -> {failing}; u", workflow=workflow, a=UNDO, b=UNDO, **nodes)
    run.finish("a", {"n": 1})
    run.finish("b", {"n": 2})
    run.fail(failing)
    return run


def test_what_completed_is_undone_the_last_first() -> None:
    run = chain()
    assert run.status == "compensating"
    assert dispatched(run.read_back()) == [("b[undo:1].u", 1)]
    assert run.input_of("b[undo:1].u") == {"n": 2}
    assert run.nodes["b"] == "compensating"
    assert dispatched(run.finish("b[undo:1].u")) == [("a[undo:1].u", 1)]
    turn = run.finish("a[undo:1].u")
    assert names(turn)[-3:] == ["NodeCompensated", "CompensationEnded", "InstanceFailed"]
    assert run.nodes == {"a": "compensated", "b": "compensated", "z": "failed", "u": "pending"}
    assert run.instance.reason == "1 unhandled failure; undone: 2 of 2 runs"
    assert undone(run) == [("b", 1), ("a", 1)]


def test_nothing_is_undone_of_what_completed_as_a_whole() -> None:
    run = run_of("a -> b; u", a=UNDO)
    run.finish("a")
    run.finish("b")
    assert run.status == "completed"


def test_nothing_is_undone_where_nothing_was_done() -> None:
    run = run_of("a -> b; u", b=UNDO)
    run.fail("a")
    assert run.status == "failed"
    assert run.instance.reason == "1 unhandled failure"


def test_a_failed_output_mapping_has_it_undone() -> None:
    run = run_of("a; u", workflow={"output": {"x": "${nodes.a.output + 1}"}}, a=UNDO)
    run.finish("a", "text")
    assert run.status == "compensating"
    run.read_back()
    run.finish("a[undo:1].u")
    assert run.status == "failed"


def test_fail_fast_stops_what_runs_first() -> None:
    run = run_of("a -> b; a -> c; a -> d; u", workflow={"failure_policy": "fail_fast"}, a=UNDO, c=UNDO)
    run.finish("a")
    run.finish("b")
    turn = run.fail("c")
    assert names(turn) == ["NodeFailed", "InstanceFailing", "NodesCancelled", "CompensationStarted"]
    run.read_back()
    run.finish("a[undo:1].u")
    assert (run.status, undone(run)) == ("failed", [("a", 1)])


@pytest.mark.parametrize("wanted", [True, False])
def test_a_cancelled_instance_is_undone_where_that_is_wanted(wanted: bool) -> None:
    run = run_of("a -> b; u", workflow={"compensate_on_cancel": wanted}, a=UNDO)
    run.finish("a")
    run.take(inputs.CancelInstance(reason="no more"))
    assert run.status == ("compensating" if wanted else "cancelled")
    if wanted:
        run.read_back()
        run.finish("a[undo:1].u")
        assert run.status == "cancelled"
        assert run.instance.reason == "no more; undone: 1 of 1 run"


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed"])
def test_terminate(status: str) -> None:
    run = run_of("a -> t; u", a=UNDO, t={"type": "terminate", "config": {"status": status}})
    run.finish("a")
    assert run.status == ("compensating" if status == "failed" else status)
    if status == "failed":
        run.read_back()
        run.finish("a[undo:1].u")
        assert run.status == "failed"
        assert run.instance.reason == "t ended the instance; undone: 1 of 1 run"


def test_a_timeout_of_the_whole() -> None:
    run = run_of("a -> b; u", workflow={"timeout": 1_000}, a=UNDO)
    run.finish("a")
    turn = run.timer("", fx.INSTANCE_TIMEOUT)
    assert run.status == "compensating"
    assert asked(turn, fx.DisarmTimer)
    assert run.timer("", fx.INSTANCE_TIMEOUT, at=9_000).dropped == "stale"
    run.read_back()
    run.finish("a[undo:1].u")
    assert run.status == "failed"


# --- what the undo node sees


def test_the_context_in_expressions() -> None:
    run = chain(u={"input": {"c": "${compensation}", "b": "${nodes.b.output.n}"}})
    run.read_back()
    given = run.input_of("b[undo:1].u")
    assert given["b"] == 2
    context = given["c"]
    assert context.pop("error")["type"] == "E"
    assert context == {
        "reason": "1 unhandled failure",
        "failed_node": "z",
        "node": "b",
        "path": "b",
        "run": 1,
        "output": {"n": 2},
        "remaining": 1,
    }


def test_no_context_elsewhere() -> None:
    run = run_of("a -> b", a={"input": {"c": "${compensation}"}})
    assert run.input_of("a") == {"c": None}


def test_undo_nodes_of_the_machines_own_kinds_end_at_once() -> None:
    run = chain(u={"type": "log", "config": {"message": "${compensation.path} of ${value.n}"}})
    turn = run.read_back()
    assert [event.message for event in turn.events if isinstance(event, ev.NodeLogged)] == ["b of 2", "a of 1"]
    assert run.status == "failed"


def test_an_undo_node_with_a_body() -> None:
    body = {"nodes": [{"id": "x", "type": "function"}]}
    run = chain(u={"type": "forEach", "config": {"items": [1, 2], "body": body}})
    run.read_back()
    run.finish("b[undo:1].u[0].x")
    run.recover()
    run.finish("b[undo:1].u[1].x")
    assert undone(run) == [("b", 1)]


# --- failures


def test_an_undo_node_is_tried_again() -> None:
    run = chain(u=RETRY)
    run.read_back()
    run.fail("b[undo:1].u")
    turn = run.timer("b[undo:1].u", fx.RETRY)
    assert dispatched(turn) == [("b[undo:1].u", 2)]
    run.finish("b[undo:1].u")
    assert undone(run) == [("b", 1)]


def test_the_saga_goes_on_where_one_run_cannot_be_undone() -> None:
    run = chain()
    run.read_back()
    run.fail("b[undo:1].u", message="the bank is closed")
    assert run.nodes["b"] == "compensation_failed"
    run.finish("a[undo:1].u")
    assert run.status == "failed"
    assert run.instance.reason == "1 unhandled failure; undone: 1 of 2 runs; not undone: b"
    saga = run.instance.saga
    assert saga is not None
    assert [(one.path, one.run, one.why) for one in saga.left] == [("b", 1, "E: the bank is closed")]


def test_fail_fast_does_not_stop_a_saga() -> None:
    run = chain(workflow={"failure_policy": "fail_fast"})
    run.read_back()
    run.fail("b[undo:1].u")
    run.finish("a[undo:1].u")
    assert undone(run) == [("a", 1)]


def test_an_undo_that_takes_too_long() -> None:
    run = chain(u={"timeout": 50})
    run.read_back()
    turn = run.timer("b[undo:1].u", fx.NODE_TIMEOUT)
    assert asked(turn, fx.AbandonTask)
    assert run.nodes["b"] == "compensation_failed"


def test_by_hand_what_was_left_is_taken_up_and_nothing_else() -> None:
    run = run_of("a -> b -> c -> z; u", a=UNDO, b=UNDO, c=UNDO)
    for id in "abc":
        run.finish(id, id)
    run.fail("z")
    run.read_back()
    run.fail("c[undo:1].u")
    run.finish("b[undo:1].u")
    run.fail("a[undo:1].u")
    assert run.status == "failed"
    run.take(inputs.Compensate(by="me"))
    assert run.status == "compensating"
    assert dispatched(run.read_back()) == [("c[undo:1].u", 1)]
    assert run.input_of("c[undo:1].u") == "c"
    run.fail("c[undo:1].u")
    assert dispatched(run.take(inputs.Reattach())) == [("a[undo:1].u", 1)]
    run.finish("a[undo:1].u")
    assert run.instance.reason == "1 unhandled failure; undone: 2 of 3 runs; not undone: c"
    run.take(inputs.Compensate())
    run.read_back()
    run.finish("c[undo:1].u")
    assert run.instance.reason == "1 unhandled failure; undone: 3 of 3 runs"
    assert run.state("c").error is None
    with pytest.raises(Refused, match="nothing is left"):
        run.take(inputs.Compensate())


def test_by_hand_nothing_is_done_for_an_instance_without_a_saga() -> None:
    run = run_of("a; u", a=UNDO)
    with pytest.raises(Refused, match="the instance is running, and nothing was to be undone"):
        run.take(inputs.Compensate())


@pytest.mark.parametrize("runs_max", [1, 2, 3, 500])
def test_a_saga_that_gives_up_goes_on_from_there(monkeypatch: pytest.MonkeyPatch, runs_max: int) -> None:
    from mainspring.machine.policies import saga

    monkeypatch.setattr(saga, "LEFT_MAX", 2)
    run = run_of("a -> b -> c -> d -> e -> z; u", a=UNDO, b=UNDO, c=UNDO, d=UNDO, e=UNDO)
    for id in "abcde":
        run.finish(id, id)
    run.fail("z")
    _serve(run, runs_max, failing={"e", "c"})
    assert run.instance.reason == "1 unhandled failure; undone: 1 of 5 runs; not undone: e, c; not tried: 2"
    run.take(inputs.Compensate())
    _serve(run, runs_max, failing={"e"})
    assert run.instance.reason == "1 unhandled failure; undone: 4 of 5 runs; not undone: e"
    assert begun(run) == [(id, 1) for id in "edcecba"]


def _serve(run: Run, runs_max: int = 500, failing: frozenset[str] | set[str] = frozenset()) -> None:
    """Carry out the saga: what it asks for is read back, each undo node finishes but for those of the nodes that fail."""
    while run.status == "compensating":
        current = run.instance.saga.current.path if run.instance.saga and run.instance.saga.doing else None
        if current is None:
            run.read_back(runs_max)
        elif current in failing:
            run.fail(f"{current}[undo:1].u")
        else:
            run.finish(f"{current}[undo:{run.instance.saga.current.run}].u")  # type: ignore[union-attr]


# --- crashes


def test_a_crash_while_the_journal_is_read() -> None:
    run = chain()
    assert asked(run.recover(), fx.ReadBack) == [fx.ReadBack(0, 0)]
    run.read_back()
    assert begun(run) == [("b", 1)]


def test_a_page_that_nobody_waits_for_changes_nothing() -> None:
    run = chain()
    first = next(effect for effect in run.effects if isinstance(effect, fx.ReadBack))
    run.read_back()
    stale = inputs.RunsRead(row=first.row, index=first.index, runs=(), outputs=())
    assert run.take(stale).dropped == "stale"
    run.finish("b[undo:1].u")
    run.finish("a[undo:1].u")
    assert run.take(stale).dropped == "stale"


def test_a_page_that_comes_late_between_two_pages_changes_nothing() -> None:
    run = chain()
    run.read_back(1)
    run.finish("b[undo:1].u")
    assert run.take(inputs.RunsRead(row=0, index=0, runs=(), outputs=())).dropped == "stale"
    run.read_back(1)
    run.finish("a[undo:1].u")
    assert undone(run) == [("b", 1), ("a", 1)]


def test_a_crash_while_something_is_undone() -> None:
    run = chain()
    run.read_back()
    turn = run.recover()
    assert names(turn) == ["NodesRequeued", "NodeStarted"]
    assert dispatched(turn) == [("b[undo:1].u", 2)]
    assert begun(run) == [("b", 1)]


def test_an_undo_that_kills_the_process_is_given_up() -> None:
    run = chain()
    run.read_back()
    for _ in range(2):
        run.recover(alone=True)
        if asked_for := [effect for effect in run.effects if isinstance(effect, fx.AskAdmission)]:
            run.take(inputs.AdmissionGranted(path=asked_for[-1].path, run=1))
    run.recover(alone=True)
    assert run.nodes["b"] == "compensation_failed"
    assert begun(run) == [("b", 1), ("a", 1)]


def test_an_orderly_stop_in_the_middle() -> None:
    run = chain()
    run.read_back()
    run.take(inputs.Interrupt())
    run.crash()
    assert dispatched(run.take(inputs.Recover())) == [("b[undo:1].u", 2)]


def test_code_that_is_missing() -> None:
    run = chain()
    run.read_back()
    run.take(inputs.HandlerMissing(**run.identity("b[undo:1].u"), handler="x:y"))
    run.recover()
    turn = run.take(inputs.HandlersFound(paths=("b[undo:1].u",)))
    assert run.state("b[undo:1].u").status == "running" or dispatched(turn)


# --- parked, cancelled


def test_a_parked_saga_goes_on_as_one() -> None:
    run = chain()
    run.read_back()
    run.take(inputs.ParkInstance(reason="a defect"))
    run.fail("b[undo:1].u")
    run.recover()
    with pytest.raises(Refused, match="in the middle of its compensation"):
        run.take(inputs.CancelInstance())
    run.take(inputs.ResumeInstance())
    assert run.status == "compensating"
    assert run.nodes["b"] == "compensation_failed"
    run.finish("a[undo:1].u")
    assert run.status == "failed"


def test_one_that_is_parked_before_its_page_comes() -> None:
    run = chain()
    run.take(inputs.ParkInstance(reason="a defect"))
    assert run.read_back().dropped == "stale"
    assert asked(run.take(inputs.ResumeInstance()), fx.ReadBack)
    run.read_back()
    assert begun(run) == [("b", 1)]


def test_a_saga_cannot_be_cancelled() -> None:
    run = chain()
    with pytest.raises(Refused, match="the instance is compensating"):
        run.take(inputs.CancelInstance())


# --- bodies, repeating nodes


def _loop(**block: Any) -> dict[str, Any]:
    body = {"nodes": [{"id": "x", "type": "function", "compensationNodeId": "u"}, {"id": "u", "type": "function"}]}
    return {"type": "forEach", "config": {"items": ["p", "q", "r"], "concurrency": 1, "body": body, **block}}


@pytest.mark.parametrize("runs_max", [1, 2, 500])
def test_runs_in_finished_bodies(runs_max: int) -> None:
    run = run_of("l -> z", l=_loop())
    for index in range(3):
        run.finish(f"l[{index}].x", index)
    run.fail("z")
    _serve(run, runs_max)
    assert undone(run) == [("l[2].x", 1), ("l[1].x", 1), ("l[0].x", 1)]


def test_what_is_undone_of_a_body_has_the_output_of_its_run_and_its_index() -> None:
    loop = _loop()
    loop["config"]["body"]["nodes"][1]["input"] = {"was": "${compensation.output}", "item": "${item}"}
    run = run_of("l -> z", l=loop)
    for index in range(3):
        run.finish(f"l[{index}].x", index)
    run.fail("z")
    run.read_back()
    assert run.input_of("l[2].x[undo:1].u") == {"was": 2, "item": None}


def test_a_body_that_fails() -> None:
    run = run_of("l; v", l=_loop() | {"compensationNodeId": "v"})
    run.finish("l[0].x", 1)
    run.fail("l[1].x")
    assert run.status == "compensating"
    _serve(run)
    assert undone(run) == [("l[0].x", 1)]


def test_a_block_is_undone_as_one_with_its_list_as_the_input() -> None:
    loop = _loop()
    loop["config"]["body"]["nodes"] = [{"id": "x", "type": "function"}]
    run = run_of("l -> z; v", l=loop | {"compensationNodeId": "v"})
    for index in range(3):
        run.finish(f"l[{index}].x", index)
    run.fail("z")
    run.read_back()
    assert run.input_of("l[undo:1].v") == [0, 1, 2]


def test_the_runs_of_a_repeating_node() -> None:
    run = run_of("x -> a; y -> a; a -> z; u", a={**UNDO, "join": {"kind": "each"}}, z={"join": {"kind": "each"}})
    run.finish("x", "from x")
    run.finish("a", "of x")
    run.finish("y", "from y")
    run.finish("a", "of y")
    run.finish("z")
    run.fail("z")
    assert run.status == "compensating"
    run.read_back()
    assert run.input_of("a[undo:2].u") == "of y"
    run.finish("a[undo:2].u")
    assert run.input_of("a[undo:1].u") == "of x"
    run.finish("a[undo:1].u")
    assert undone(run) == [("a", 2), ("a", 1)]
    assert run.nodes["a"] == "compensated"


def test_branches_side_by_side_are_undone_one_at_a_time() -> None:
    run = run_of("s -> a -> z; s -> b -> z; u", a=UNDO, b=UNDO)
    run.finish("s")
    run.finish("b")
    run.finish("a")
    run.fail("z")
    assert dispatched(run.read_back()) == [("a[undo:1].u", 1)]
    assert dispatched(run.finish("a[undo:1].u")) == [("b[undo:1].u", 1)]


def test_a_connection_names_the_undo_node_too() -> None:
    from mainspring.definition.model import Connection, Node, Workflow
    from mainspring.graph.plan import Plan

    nodes = tuple(Node(id=id, type="function") for id in ("a", "z", "u"))
    edges = (Connection(source="a", target="z"), Connection(source="a", target="u", is_compensation=True))
    run = Run(Plan(Workflow(id="w", nodes=nodes, connections=edges), "v1"))
    run.start()
    run.finish("a")
    run.fail("z")
    _serve(run)
    assert undone(run) == [("a", 1)]


# --- failed runs, and those in doubt


def test_a_failed_run_is_undone_where_that_is_wanted() -> None:
    wanted = {**UNDO, "resilience": {"compensateFailed": True}}
    run = run_of("a -> b; u", a=UNDO, b=wanted)
    run.finish("a", 1)
    run.fail("b")
    run.read_back()
    assert run.input_of("b[undo:1].u") is None
    _serve(run)
    assert undone(run) == [("b", 1), ("a", 1)]


def test_a_failed_run_of_a_repeating_node() -> None:
    wanted = {**UNDO, "resilience": {"compensateFailed": True}, "join": {"kind": "each"}}
    run = run_of("x -> a; y -> a; u", a=wanted)
    run.finish("x")
    run.fail("a")
    run.finish("y")
    run.finish("a")
    _serve(run)
    assert undone(run) == [("a", 2), ("a", 1)]


def test_a_run_in_doubt_is_undone_where_that_is_wanted() -> None:
    wanted = {**UNDO, "resilience": {"compensateInDoubt": True}}
    run = run_of("s -> a; s -> b; s -> z; u", workflow={"failure_policy": "fail_fast"}, a=wanted, b=UNDO)
    run.finish("s")
    run.fail("z")
    _serve(run)
    assert undone(run) == [("a", 1)]


# --- scope branch


BRANCH = {"compensation_scope": "branch"}


def test_a_branch_is_undone_up_to_where_another_starts() -> None:
    run = run_of("s -> f; f -> a -> b -> z; f -> c; u", workflow=BRANCH, s=UNDO, f=UNDO, a=UNDO, b=UNDO, c=UNDO)
    for id in ("s", "f", "a", "c", "b"):
        run.finish(id)
    run.fail("z")
    _serve(run)
    assert undone(run) == [("b", 1), ("a", 1)]


def test_a_branch_that_was_not_taken_is_no_branch() -> None:
    run = run_of("s -> a -> z; a -fail-> h; u", workflow=BRANCH, s=UNDO, a=UNDO)
    run.finish("s")
    run.finish("a")
    run.fail("z")
    _serve(run)
    assert undone(run) == [("a", 1), ("s", 1)]


def test_branches_that_meet_before_the_failed_node_are_its_own() -> None:
    run = run_of("s -> a -> j; s -> b -> j; j -> z; u", workflow=BRANCH, s=UNDO, a=UNDO, b=UNDO)
    for id in ("s", "a", "b", "j"):
        run.finish(id)
    run.fail("z")
    _serve(run)
    assert undone(run) == [("b", 1), ("a", 1), ("s", 1)]


def test_nothing_in_the_failed_branch() -> None:
    run = run_of("s -> a; s -> z; u", workflow=BRANCH, s=UNDO, a=UNDO)
    run.finish("s")
    run.finish("a")
    run.fail("z")
    assert run.status == "failed"


def test_what_is_in_the_bodies_of_a_failed_block_is_of_its_branch() -> None:
    run = run_of("s -> a; s -> l; u", workflow=BRANCH, a=UNDO, l=_loop())
    run.finish("s")
    run.finish("a")
    run.finish("l[0].x", 0)
    run.fail("l[1].x")
    _serve(run)
    assert undone(run) == [("l[0].x", 1)]


# --- addresses


@pytest.mark.parametrize(
    ("path", "found"),
    [("l", "l"), ("l[7].x", "x"), ("l[0].no", None), ("no", None), ("a[0].x", None), ("l[undo:1].u", None)],
)
def test_nodes_are_found_by_addresses_of_scopes_that_are_gone(path: str, found: str | None) -> None:
    from mainspring.graph.plan_undo import node_at

    node = node_at(graph("l -> a", l=_loop()), path)
    assert (None if node is None else node.id) == found


def test_which_branch_a_body_is_of() -> None:
    from mainspring.graph.plan_undo import node_at

    branches = [{"nodes": [{"id": "x", "type": "function"}]}, {"nodes": [{"id": "x", "type": "log"}]}]
    plan = graph("p", p={"type": "parallel", "config": {"branches": branches}})
    found = [node_at(plan, f"p[{number}].x") for number in (0, 1, 2)]
    assert [node.definition.type for node in found if node] == ["function", "log", "function"]


def test_contexts_are_small() -> None:
    assert state.LEFT_MAX == 1_000
    run = chain()
    turn: Turn = run.read_back()
    planned = next(event for event in turn.events if isinstance(event, ev.CompensationPlanned))
    assert json.loads(bytes(planned.outputs)) == [{"n": 2}, {"n": 1}]


def test_nothing_ends_an_instance_that_undoes() -> None:
    body = {"nodes": [{"id": "t", "type": "terminate", "config": {"status": "completed"}}]}
    run = chain(u={"type": "mutex", "config": {"name": "m", "body": body}})
    run.read_back()
    run.take(inputs.AdmissionGranted(path="b[undo:1].u", run=1))
    assert run.nodes["b"] == "compensation_failed"
    saga = run.instance.saga
    assert saga is not None and saga.left[0].why.startswith("Undoing: ")


def test_an_item_that_a_saga_does_not_wait_for_is_refused_when_it_is_folded() -> None:
    run = chain()
    run.read_back()
    for event in (ev.NodeCompensating("a", 1, 1), ev.NodeCompensated("a", 1), ev.CompensationPlanned(())):
        with pytest.raises(IllegalTransition):
            fold(run.instance, event, 7)
    run.finish("b[undo:1].u")
    with pytest.raises(IllegalTransition):
        fold(run.instance, ev.NodeCompensating("b", 1, 1), 7)


def _child_plan(**workflow: Any) -> Run:
    run = Run(graph("a -> k -> z; u", workflow, a=UNDO, k={"type": "subflow", "config": {"workflow": "kid"}}))
    run.start(children=(ev.Pin("kid", "v2", True),))
    run.finish("a")
    return run


def test_a_child_is_told_to_undo_itself_and_waited_for() -> None:
    run = _child_plan()
    run.take(inputs.ChildEnded(path="k", run=1, status="completed", output=b"7"))
    run.fail("z")
    turn = run.read_back()
    send = asked(turn, fx.Send)[0]
    assert (send.id, send.to) == ("i/k/1/undo/1", "i/k/1")
    assert send.what == fx.CompensateChild("i", "k[undo:1].undo", 1)
    run.recover()
    run.take(inputs.ChildEnded(path="k[undo:1].undo", run=1, status="compensated"))
    _serve(run)
    assert undone(run) == [("k", 1), ("a", 1)]


@pytest.mark.parametrize("status", ["refused", "completed", "partial_success"])
def test_a_child_that_was_not_undone(status: str) -> None:
    run = _child_plan()
    run.take(inputs.ChildEnded(path="k", run=1, status="completed", output=b"7"))
    run.fail("z")
    run.read_back()
    run.take(inputs.ChildEnded(path="k[undo:1].undo", run=1, status=status))
    _serve(run)
    saga = run.instance.saga
    assert saga is not None and saga.left[0].why == f"ChildNotUndone: the child is {status}"


ORDER = inputs.Compensate(by="parent", path="k[undo:1].undo", run=1)


def _kid(text: str = "a -> b; u", **nodes: Any) -> Run:
    run = Run(graph(text, **(nodes or {"a": UNDO})))
    run.start(parent="p", parent_path="k", parent_run=1, depth=1)
    return run


def test_a_child_that_completed_is_undone_for_its_parent() -> None:
    run = _kid()
    run.finish("a", 1)
    run.finish("b", 2)
    run.take(ORDER)
    run.read_back()
    turn = run.finish("a[undo:1].u")
    assert (run.status, run.instance.reason) == ("compensated", "undone: 1 of 1 run")
    (send,) = asked(turn, fx.Send)
    assert (send.id, send.to, send.what.path, send.what.status) == ("i/undone/1", "p", "k[undo:1].undo", "compensated")


def test_a_child_that_cannot_undo_itself_is_as_it_was() -> None:
    run = _kid()
    run.finish("a", 1)
    run.finish("b", 2)
    run.take(ORDER)
    run.read_back()
    run.fail("a[undo:1].u")
    assert (run.status, run.output) == ("completed", 2)
    run.take(ORDER)
    run.read_back()
    turn = run.finish("a[undo:1].u")
    assert run.status == "compensated"
    assert [send.id for send in asked(turn, fx.Send)] == ["i/undone/2"]
    with pytest.raises(Refused, match="nothing to be undone"):
        run.take(ORDER)


def test_a_child_that_did_nothing_to_be_undone_is_undone_at_once() -> None:
    run = _kid("a -> b", c={})
    run.finish("a", 1)
    run.finish("b", 2)
    run.take(ORDER)
    assert run.status == "compensated"


def test_a_child_that_succeeded_in_part_is_that_again() -> None:
    run = _kid()
    run.finish("a", 1)
    run.finish("b", 2)
    run.instance.status = "partial_success"  # by a policy
    saga = state.Saga(ends="partial_success", over=True, left=[state.Left("a", 1, 1, 0, "E")])
    run.instance.saga, run.instance.status = saga, "compensating"
    from mainspring.machine.policies.saga import end

    assert isinstance(end(run.instance), ev.InstancePartiallySucceeded)


def test_by_hand_a_parent_that_was_told_is_not_told_again() -> None:
    run = _kid()
    run.finish("a", 1)
    run.fail("b")
    run.read_back()
    assert len(asked(run.fail("a[undo:1].u"), fx.Send)) == 1
    run.take(inputs.Compensate())
    run.read_back()
    assert not asked(run.finish("a[undo:1].u"), fx.Send)


def test_by_hand_an_instance_that_is_being_undone_is_refused() -> None:
    run = chain()
    with pytest.raises(Refused, match="it is being undone"):
        run.take(inputs.Compensate())


def test_the_run_of_a_repeating_node_is_named_with_its_number() -> None:
    run = run_of("x -> a; y -> a; a -> z; u", a={**UNDO, "join": {"kind": "each"}}, z={"join": {"kind": "each"}})
    for id in ("x", "a", "y", "a"):
        run.finish(id)
    run.finish("z")
    run.fail("z")
    run.read_back()
    run.fail("a[undo:2].u")
    run.fail("a[undo:1].u")
    assert run.instance.reason.endswith("undone: 0 of 2 runs; not undone: a (run 2), a")


def test_what_undoes_may_set_variables() -> None:
    body = {"nodes": [{"id": "x", "type": "function"}]}
    run = chain(u={"type": "forEach", "config": {"items": [1, 2], "concurrency": 1, "body": body}})
    run.read_back()
    run.finish("b[undo:1].u[0].x", variables=b'{"x":1}')
    run.recover()
    run.finish("b[undo:1].u[1].x", variables=b'{"y":2}')
    assert json.loads(run.instance.variables) == {"x": 1, "y": 2}


def test_by_hand_twice_nothing_that_is_undone_is_undone_again() -> None:
    """The first time by hand not all of the journal is read, and what is before is undone all the same."""
    run = run_of("a -> b -> z; u", a=UNDO, b=UNDO)
    run.finish("a")
    run.finish("b")
    run.fail("z")
    _serve(run, failing={"b"})
    for _ in range(2):
        run.take(inputs.Compensate())
        _serve(run, 1, failing={"b"})
    assert begun(run) == [("b", 1), ("a", 1), ("b", 1), ("b", 1)]


def test_only_the_next_run_is_undone() -> None:
    planned = chain().read_back().events[0]
    assert isinstance(planned, ev.CompensationPlanned)
    run = chain()
    fold(run.instance, planned, run.now)
    for path, number in (("a", 1), ("b", 2)):
        with pytest.raises(IllegalTransition, match="is not the next that is undone"):
            fold(run.instance, ev.NodeCompensating(path, number, 1), run.now)


def test_a_block_that_undoes_has_bodies_which_see_what_is_undone() -> None:
    body = {
        "nodes": [{"id": "x", "type": "function", "input": "${ compensation.output.n }", "config": {"handler": "h:f"}}]
    }
    run = run_of("a -> z; u", a=UNDO, u={"type": "forEach", "config": {"items": 1, "body": body}})
    run.finish("a", {"n": 7})
    run.fail("z")
    run.read_back()
    assert run.input_of("a[undo:1].u[0].x") == 7


def test_a_branch_of_a_later_run_is_undone_by_its_own_node() -> None:
    """The first run began one branch of two: the numbers of the next one begin at a multiple of the branches."""
    branches = [
        {"nodes": [{"id": "x", "type": "function", "compensationNodeId": "v"}, {"id": "v", "type": "log"}]},
        {"nodes": [{"id": "x", "type": "function", "compensationNodeId": "w"}, {"id": "w", "type": "function"}]},
    ]
    side = {"type": "parallel", "join": {"kind": "each"}, "config": {"branches": branches, "concurrency": 1}}
    run = run_of("a -> p; b -> p; p -fail-> q", p=side)
    run.finish("a")
    run.fail("p[0].x")
    run.finish("b")
    run.finish("p[2].x", 1)
    run.finish("p[3].x", 2)
    run.fail("q")
    run.read_back()
    assert list(run.instance.open) == ["p[3].x[undo:1]"]
    assert run.instance.status_of("p[3].x[undo:1].w") == "running"


def test_rows_from_before_runs_began_at_a_multiple_of_their_branches() -> None:
    plan = graph("p", p={"type": "parallel", "config": {"branches": [{"nodes": [{"id": "x", "type": "log"}]}] * 2}})
    instance = Instance(plan, "i")
    fold(instance, ev.InstanceStarted("w", "v"), 0)
    fold(instance, ev.NodeStarted("p", 1, 1), 0)
    instance.state(plan.by_id["p"]).bodies = 1
    fold(instance, ev.BlockStarted("p", 1), 0)
    fold(instance, ev.ScopeStarted("p", 1, 1), 0)
    fold(instance, ev.ScopeStarted("p", 1, 2), 0)
    assert [(body.address, body.index) for body in instance.open.values()] == [("p[1]", 0), ("p[2]", 1)]


def test_what_undoes_in_bodies_has_no_failure_policy_either() -> None:
    """One body of the undo node fails: the other goes on, as the journal says."""
    body = {"nodes": [{"id": "x", "type": "function"}, {"id": "y", "type": "function"}]}
    undoes = {"type": "forEach", "config": {"items": 1, "body": body}}
    run = run_of("a -> z; u", workflow={"failure_policy": "fail_fast"}, a=UNDO, u=undoes)
    run.finish("a")
    run.fail("z")
    run.read_back()
    run.fail("a[undo:1].u[0].x")
    failed = next(event for event in run.events if isinstance(event, ev.NodeFailed) and event.path.endswith(".x"))
    assert failed.decision == "continue"
    assert run.instance.status_of("a[undo:1].u[0].y") == "running"
    run.finish("a[undo:1].u[0].y")
    assert run.status == "failed"


def test_something_stands_in_for_an_undo_node() -> None:
    """Its fallback node stands beside it in the graph, not in the graph of one that it is when it undoes."""
    run = run_of("a -> z; u; f", a=UNDO, u={"fallbackNodeId": "f"})
    run.finish("a", 1)
    run.fail("z")
    run.read_back()
    run.fail("a[undo:1].u")
    assert run.input_of("a[undo:1].u[0].f") == 1
    run.finish("a[undo:1].u[0].f")
    assert undone(run) == [("a", 1)]
    assert run.status == "failed"


def test_of_one_event_that_ended_several_runs_only_those_not_tried_are_undone_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The saga gave up in the middle of an event: what came before in it is undone, and stays so."""
    monkeypatch.setattr("mainspring.machine.policies.saga.LEFT_MAX", 1)
    wanted = {**UNDO, "resilience": {"compensateInDoubt": True}}
    nodes = dict.fromkeys(("a", "b", "c", "d"), wanted)
    run = run_of("a; b; c; d; z; u", workflow={"failure_policy": "fail_fast"}, **nodes)
    run.fail("z")
    run.read_back()
    run.finish("d[undo:1].u")
    run.fail("c[undo:1].u")
    assert run.status == "failed"
    run.take(inputs.Compensate(by="me"))
    run.read_back()
    run.finish("c[undo:1].u")
    run.finish("b[undo:1].u")
    run.finish("a[undo:1].u")
    assert undone(run) == [("d", 1), ("c", 1), ("b", 1), ("a", 1)]
    assert run.instance.reason.endswith("undone: 4 of 4 runs")


def test_the_instance_ends_with_the_output_that_it_would_have_had() -> None:
    """One leaf or several, undone or not; what terminate said, too."""
    run = run_of("a -> b -> z; b -> y; a -> x; u", a=UNDO, y=UNDO, x=UNDO)
    for id in "abxy":
        run.finish(id, id)
    run.fail("z")
    run.read_back()
    for id in "yxa":
        run.finish(f"{id}[undo:1].u")
    assert (run.status, run.output) == ("failed", {"x": "x", "y": "y"})
    end = {"type": "terminate", "config": {"status": "failed", "output": {"last": "${ value }"}}}
    run = run_of("a -> t; u", a=UNDO, t=end)
    run.finish("a", 1)
    run.read_back()
    run.fail("a[undo:1].u")
    assert (run.status, run.output) == ("failed", {"last": 1})
    run.take(inputs.Compensate())
    run.read_back()
    run.finish("a[undo:1].u")
    assert (run.status, run.output) == ("failed", {"last": 1})


def test_nothing_starts_in_a_body_beside_what_ends_the_instance() -> None:
    """The end is put off for the saga, and the scope is gone all the same: what stood beside in the wave must not begin."""
    beside = [{"id": "t", "type": "terminate", "config": {"status": "failed"}}, {"id": "x", "type": "log"}]
    run = run_of("a -> s; u", a=UNDO, s={"type": "subflow", "config": {"body": {"nodes": beside}}})
    turn = run.finish("a")
    assert run.status == "compensating"
    assert dispatched(turn) == []
    run.read_back()
    run.finish("a[undo:1].u")
    assert run.status == "failed"


def test_no_policy_stops_what_is_in_the_body_of_an_undo_node() -> None:
    """Nor after it was parked, which must change nothing."""
    body = {"nodes": [{"id": "m", "type": "function"}, {"id": "n", "type": "function"}]}
    u = {"type": "subflow", "config": {"body": body}}
    run = run_of("a -> z; u", {"x": 1}, {"failure_policy": "fail_fast"}, a=UNDO, u=u)
    run.finish("a")
    run.fail("z")
    run.read_back()
    turn = run.fail("a[undo:1].u[0].m")
    assert turn.events[0].decision == "continue" and turn.events[0].rule == "a saga goes on with the next"
    run.take(inputs.ParkInstance(reason="a fault of ours"))
    run.take(inputs.ResumeInstance())
    assert run.open_nodes["a[undo:1].u[0].n"] == "running"
    run.finish("a[undo:1].u[0].n")
    assert run.nodes["a"] == "compensation_failed"


def test_what_undoes_is_tried_again_whatever_is_left_of_the_budget_though_the_instance_is_parked() -> None:
    run = run_of("a -> z; u", {"x": 1}, {"retry_budget": 0}, a=UNDO, u=RETRY)
    run.finish("a")
    run.fail("z")
    run.read_back()
    run.take(inputs.ParkInstance(reason="a fault of ours"))
    assert names(run.fail("a[undo:1].u")) == ["NodeRetrying"]
