"""A new process, an orderly stop, a commit that failed: what is ordered again, and what is counted."""

from __future__ import annotations

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.commands.lifecycle import CRASHES_MAX, CRASHES_SHARED_MAX
from mainspring.machine.nodes.running import SUSPECT_CRASHES, SUSPECTS

from .harness import Run, asked, dispatched, given_back, graph, names


def started(text: str = "a -> b; c", **nodes: dict[str, object]) -> Run:
    run = Run(graph(text, **nodes))
    run.start()
    return run


def test_what_was_in_flight_runs_again_with_its_attempt_raised() -> None:
    run = started()
    run.finish("c")
    turn = run.recover()
    assert turn.events[0] == ev.NodesRequeued((ev.Ref("a", 1),))
    assert names(turn) == ["NodesRequeued", "NodeStarted"]
    assert dispatched(turn) == [("a", 2)]
    assert (run.state("a").crashes, run.state("a").failures) == (1, 0)
    assert run.take(inputs.TaskFinished(path="a", run=1, attempt=1)).dropped == "stale"
    run.finish("a")
    run.finish("b")
    assert run.status == "completed"


def test_a_completed_node_never_runs_again() -> None:
    run = started()
    run.finish("a")
    run.finish("c")
    assert dispatched(run.recover()) == [("b", 2)]


@pytest.mark.parametrize("end", ["pending", "completed", "cancelled"])
def test_where_nothing_is_open_nothing_is_done(end: str) -> None:
    run = Run(graph("a", {"timeout": 500}))
    if end != "pending":
        run.start()
    if end == "completed":
        run.finish("a")
    elif end == "cancelled":
        run.take(inputs.CancelInstance())
    assert run.recover().events == []
    turn = run.take(inputs.Interrupt())
    assert (turn.events, turn.effects) == ([], [])
    turn = run.take(inputs.Reattach())
    told = [] if end == "pending" else [fx.EndInstance(end)]
    assert (turn.events, turn.effects) == ([], told), "whoever waits may not have heard of the end"
    assert run.take(inputs.Reattach(ended=True)).effects == told


def test_one_that_was_at_its_end_and_goes_on_needs_nothing() -> None:
    run = started()
    assert run.take(inputs.Reattach(ended=True)).effects == []


def test_suspects_ask_before_they_start() -> None:
    run = started()
    for crash in range(1, SUSPECT_CRASHES + 1):
        turn = run.recover()
        asks = [("a", SUSPECTS), ("c", SUSPECTS)] if crash == SUSPECT_CRASHES else []
        assert [(ask.path, ask.resource) for ask in asked(turn, fx.AskAdmission)] == asks
    assert run.nodes == {"a": "ready", "b": "pending", "c": "ready"}
    assert dispatched(turn) == []
    assert dispatched(run.take(inputs.AdmissionGranted(path="a", run=1))) == [("a", 3)]
    assert ("a", 1, 3, "ok") in given_back(run.finish("a")), "the next suspect may start"
    assert dispatched(run.take(inputs.AdmissionGranted(path="c", run=1))) == [("c", 3)]


def test_only_the_killer_reaches_the_bound_and_its_fail_trigger_fires() -> None:
    run = started("a -fail-> b; c", a={"retry": {}})
    run.recover()
    run.recover()
    for _ in range(2):
        assert run.nodes["a"] == "ready", "once alone may have been a kill from outside"
        run.take(inputs.AdmissionGranted(path="a", run=1))
        turn = run.recover(alone=True)
    assert run.state("a").crashes == CRASHES_MAX + 1 == 4
    error = run.state("a").error
    assert (error.type, error.fatal) == ("CrashLimit", True)
    assert "crashes_max is 3" in error.message
    assert run.nodes == {"a": "failed", "b": "running", "c": "ready"}
    assert ("b", 1) in dispatched(turn)
    assert run.state("c").crashes == 2, "the innocent one was not in flight"


def test_a_killer_by_itself_ends_at_its_third_crash() -> None:
    run = started("a")
    run.recover(alone=True)
    run.recover(alone=True)
    run.take(inputs.AdmissionGranted(path="a", run=1))
    run.recover(alone=True)
    assert (run.state("a").crashes, run.state("a").error.type) == (CRASHES_MAX, "CrashLimit")


def test_in_company_it_takes_more_crashes() -> None:
    """A crash that many nodes share says little of each (SEMANTICS 9)."""
    run = started("a; c")
    for crash in range(1, CRASHES_SHARED_MAX + 1):
        assert run.nodes["a"] != "failed", crash
        if crash > SUSPECT_CRASHES:
            run.take(inputs.AdmissionGranted(path="a", run=1))
        run.recover()
    assert run.state("a").error.type == "CrashLimit"
    assert run.state("a").crashes == CRASHES_SHARED_MAX == 6
    assert run.state("c").crashes == SUSPECT_CRASHES


def test_the_crash_limit_can_end_the_whole() -> None:
    run = Run(graph("a -> b; c -> d", {"failure_policy": "fail_fast"}))
    run.start()
    run.recover()
    run.recover()
    for _ in range(2):
        run.take(inputs.AdmissionGranted(path="a", run=1))
        run.recover(alone=True)
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "cancelled", "d": "skipped"}
    assert run.status == "failed"


def test_what_waits_is_armed_again_and_not_counted() -> None:
    run = started("a; d; r", d={"type": "delay", "config": {"duration": 500}}, r={"retry": {"jitter": 0}})
    run.fail("r")
    run.finish("a")
    turn = run.recover()
    assert turn.events == []
    assert run.armed() == {("d", 1, 1, fx.DELAY): 1_500, ("r", 1, 1, fx.RETRY): 2_000}


def test_an_interrupt_counts_no_crash() -> None:
    run = started()
    turn = run.take(inputs.Interrupt())
    assert turn.events == [ev.NodesRequeued((ev.Ref("a", 1), ev.Ref("c", 1)), crashed=False)]
    assert run.take(inputs.TaskFinished(path="a", run=1, attempt=1)).dropped == "stale"
    assert dispatched(run.recover()) == [("a", 2), ("c", 2)]
    assert run.state("a").crashes == 0


def test_reattach_orders_only_what_is_not_known() -> None:
    run = started(a={"timeout": 500})
    run.now += 100
    turn = run.take(inputs.Reattach(known=(("c", 1, 1),)))
    assert turn.events == []
    assert dispatched(turn) == [("a", 1)]
    assert asked(turn, fx.ArmTimer) == [fx.ArmTimer("a", 1, 1, fx.NODE_TIMEOUT, 1_500)], "counted from its start"
    assert dispatched(run.take(inputs.Reattach(known=(("c", 1, 1), ("a", 1, 1))))) == []
    assert dispatched(run.take(inputs.Reattach(known=(("c", 1, 2), ("a", 2, 1))))) == [("a", 1), ("c", 1)]


# --- code that is not there (SEMANTICS 33)


def without_code(**node: object) -> Run:
    run = started(a={"timeout": 500, **node})
    if node:
        run.take(inputs.AdmissionGranted(path="a", run=1))
    turn = run.take(inputs.HandlerMissing(**run.identity("a"), handler="shop:ship"))
    assert names(turn) == ["NodeWaiting"]
    assert run.armed() == {}, "its clock stops"
    assert run.state("a").waits_for == "handler shop:ship"
    return run


def test_a_missing_handler_uses_no_attempt() -> None:
    run = without_code()
    assert run.timer("a", fx.NODE_TIMEOUT).dropped == "stale"
    assert run.timer("a", fx.DELAY, attempt=9).dropped == "stale"
    assert run.take(inputs.HandlersFound(paths=("c", "nowhere", "b"))).dropped == "stale"
    run.now = 5_000
    turn = run.take(inputs.HandlersFound(paths=("a", "a")))
    assert dispatched(turn) == [("a", 1)]
    assert run.armed() == {("a", 1, 1, fx.NODE_TIMEOUT): 5_500}


def test_a_new_process_tries_again_whether_it_has_the_code() -> None:
    run = without_code()
    assert ("a", 1) in dispatched(run.recover())
    assert (run.state("a").attempt, run.state("a").crashes) == (1, 0)


def test_a_node_without_its_code_gives_its_slot_back_and_asks_again() -> None:
    run = without_code(maxConcurrentExecutions=1)
    assert any(effect == fx.ReleaseAdmission("a", 1, 1) for effect in run.effects)
    turn = run.take(inputs.HandlersFound(paths=("a",)))
    assert names(turn) == ["NodeReady"]
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=2)]
    assert dispatched(turn) == []
    assert dispatched(run.take(inputs.AdmissionGranted(path="a", run=1))) == [("a", 2)]
    assert run.state("a").failures == 0


def test_a_late_report_of_missing_code_is_dropped() -> None:
    run = started()
    run.finish("a")
    assert run.take(inputs.HandlerMissing(path="a", run=1, attempt=1, handler="x")).dropped == "stale"
