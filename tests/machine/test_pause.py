"""Pause and resume: nothing new starts, drained is said once, and clocks stop or go on (SEMANTICS 86 to 92)."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.pause import STOOD_MAX, stood_still
from mainspring.machine.turn import Refused

from .harness import Run, asked, dispatched, graph, names

RETRY = {"jitter": 0, "initialDelay": 100}


def paused(run: Run, **said: Any) -> Any:
    return run.take(inputs.PauseInstance(by="ann", reason="a look", **said))


def resumed(run: Run, **said: Any) -> Any:
    return run.take(inputs.ResumeInstance(by="bob", **said))


def test_nothing_starts_what_runs_finishes_and_drained_is_said_once() -> None:
    run = Run(graph("a -> c; b -> c; c -> d"))
    run.start()
    turn = paused(run)
    assert turn.events == [ev.InstancePauseRequested("ann", "a look", True, None)]
    assert (run.status, run.instance.reason) == ("pausing", "a look")
    assert names(run.finish("a")) == ["NodeCompleted"]
    assert names(run.finish("b")) == ["NodeCompleted", "InstancePaused"]
    assert (run.status, run.nodes["c"]) == ("paused", "pending")
    turn = resumed(run)
    assert names(turn) == ["InstanceResumed", "NodeStarted"]
    assert (dispatched(turn), run.status, run.instance.reason) == ([("c", 1)], "running", "")


def test_where_nothing_runs_it_is_drained_at_once() -> None:
    run = Run(graph("d -> a", d={"type": "delay", "config": {"duration": 500}}))
    run.start()
    assert names(paused(run)) == ["InstancePauseRequested", "InstancePaused"]


def test_a_failed_attempt_a_missing_handler_a_crash_and_a_stop_drain_it_too() -> None:
    for end in ("fail", "missing", "crash", "stop"):
        run = Run(graph("a -> b", a={"retry": RETRY}))
        run.start()
        paused(run)
        if end == "fail":
            turn = run.fail("a")
            assert asked(turn, fx.ArmTimer) == [], "it is armed when the instance goes on"
        elif end == "missing":
            turn = run.take(inputs.HandlerMissing(path="a", run=1, attempt=1, handler="x"))
        elif end == "crash":
            run.crash()
            turn = run.take(inputs.Recover())
        else:
            turn = run.take(inputs.Interrupt())
        assert names(turn)[-1] == "InstancePaused", end
        assert run.status == "paused"


def test_resumed_before_it_is_drained_it_goes_on_with_what_runs() -> None:
    run = Run(graph("a -> b; c -> d"))
    run.start()
    paused(run)
    run.finish("a")
    turn = resumed(run)
    assert dispatched(turn) == [("b", 1)]
    assert run.nodes == {"a": "completed", "b": "running", "c": "running", "d": "pending"}


def test_what_waits_for_a_limit_gives_its_request_back_and_asks_again() -> None:
    run = Run(graph("l -> m", l={"maxConcurrentExecutions": 1}))
    run.start()
    assert asked(paused(run), fx.ReleaseAdmission) == [fx.ReleaseAdmission("l", 1, 1)]
    assert asked(resumed(run), fx.AskAdmission) == [fx.AskAdmission("l", 1, "node:l", attempt=1)]


def clocked() -> Run:
    """A delay, a retry, a wait with a timeout, a running node with one, all in a workflow with one."""
    nodes = {
        "d": {"type": "delay", "config": {"duration": 500}},
        "r": {"retry": RETRY},
        "w": {"type": "wait", "config": {"signal": "go"}, "timeout": 2_000},
        "x": {"timeout": 3_000},
    }
    run = Run(graph("d; r; w; x", {"timeout": 9_000}, **nodes))
    run.start()
    run.fail("r")
    return run


def test_stopped_clocks_go_on_where_they_stood() -> None:
    run = clocked()
    run.now = 1_050
    turn = paused(run)
    assert len(asked(turn, fx.DisarmTimer)) == 4
    assert run.armed() == {("x", 1, 1, fx.NODE_TIMEOUT): 4_000}, "what runs keeps its own clock"
    run.finish("x")
    run.now = 11_050
    turn = resumed(run)
    assert turn.events[0] == ev.InstanceResumed("bob", 10_000)
    assert run.armed() == {
        ("r", 1, 1, fx.RETRY): 11_100,
        ("d", 1, 1, fx.DELAY): 11_500,
        ("w", 1, 1, fx.NODE_TIMEOUT): 13_000,
        ("", 0, 0, fx.INSTANCE_TIMEOUT): 20_000,
    }
    assert (run.state("d").due, run.state("w").due) == (11_500, 13_000), "and it is seen when they are due"
    run.now = 12_999
    early = run.take(inputs.TimerFired(path="w", run=1, attempt=1, purpose=fx.NODE_TIMEOUT))
    assert (early.events, asked(early, fx.ArmTimer)[0].due) == ([], 13_000)
    assert names(run.timer("w", fx.NODE_TIMEOUT))[0] == "NodeFailed"


def test_a_retry_decided_while_the_clocks_stand_is_due_as_if_at_the_pause() -> None:
    run = Run(graph("a", a={"retry": RETRY}))
    run.start()
    paused(run)
    run.now = 1_900
    run.fail("a")
    run.now = 5_000
    resumed(run)
    assert run.armed() == {("a", 1, 1, fx.RETRY): 5_100}


def test_timers_that_ring_while_the_clocks_stand_mean_nothing() -> None:
    run = clocked()
    paused(run)
    run.now = 99_000
    for path, attempt, purpose in (("d", 1, fx.DELAY), ("w", 1, fx.NODE_TIMEOUT), ("r", 1, fx.RETRY)):
        assert run.take(inputs.TimerFired(path=path, run=1, attempt=attempt, purpose=purpose)).dropped
    assert run.take(inputs.TimerFired(path="", run=0, attempt=0, purpose=fx.INSTANCE_TIMEOUT)).dropped == "stale"


def test_clocks_that_go_on_end_delays_and_waits_and_start_nothing() -> None:
    nodes: dict[str, Any] = {
        "d": {"type": "delay", "config": {"duration": 500}},
        "r": {"retry": RETRY},
        "w": {"type": "wait", "config": {"signal": "go"}, "timeout": 2_000},
    }
    run = Run(graph("d -> e; r; w -fail-> f", {"timeout": 9_000}, **nodes))
    run.start()
    run.fail("r")
    assert asked(paused(run, stop_clocks=False), fx.DisarmTimer) == []
    assert names(run.timer("d", fx.DELAY)) == ["NodeCompleted"]
    assert run.timer("r", fx.RETRY).dropped
    assert names(run.timer("w", fx.NODE_TIMEOUT)) == ["NodeFailed"]
    assert (run.status, run.nodes["e"], run.nodes["f"]) == ("paused", "pending", "pending")
    run.now = 5_000
    turn = resumed(run)
    assert turn.events[0] == ev.InstanceResumed("bob", 0)
    assert sorted(dispatched(turn)) == [("e", 1), ("f", 1)]
    assert run.armed()["r", 1, 1, fx.RETRY] == 1_100, "overdue: it fires at once"


def test_the_workflow_s_timeout_ends_a_paused_one_whose_clocks_go_on() -> None:
    run = Run(graph("a", {"timeout": 9_000}))
    run.start()
    paused(run, stop_clocks=False)
    turn = run.timer("", fx.INSTANCE_TIMEOUT)
    assert names(turn) == ["InstanceFailing", "NodesCancelled", "InstanceFailed"]
    assert run.instance.pause is None


def test_it_goes_on_by_itself_at_its_time_also_when_it_was_loaded_meanwhile() -> None:
    run = Run(graph("a -> b"))
    run.start()
    paused(run, until=6_000)
    run.finish("a")
    assert run.armed() == {("", 0, 0, fx.RESUME): 6_000}
    run.crash()
    assert asked(run.take(inputs.Recover()), fx.ArmTimer) == [fx.ArmTimer("", 0, 0, fx.RESUME, 6_000)]
    early = inputs.TimerFired(path="", run=0, attempt=0, purpose=fx.RESUME)
    assert asked(run.take(early), fx.ArmTimer) == [fx.ArmTimer("", 0, 0, fx.RESUME, 6_000)]
    turn = run.timer("", fx.RESUME)
    assert turn.events[0] == ev.InstanceResumed("its time", 5_000)
    assert dispatched(turn) == [("b", 1)]
    assert run.take(early).dropped == "stale"


def test_resumed_by_hand_its_time_is_forgotten() -> None:
    run = Run(graph("d", d={"type": "delay", "config": {"duration": 500}}))
    run.start()
    paused(run, until=6_000)
    resumed(run)
    assert ("", 0, 0, fx.RESUME) not in run.armed()


def test_loaded_while_its_clocks_go_on_they_are_armed_again() -> None:
    run = clocked()
    paused(run, stop_clocks=False)
    run.crash()
    run.take(inputs.Recover())
    assert run.armed() == {
        ("r", 1, 1, fx.RETRY): 1_100,
        ("d", 1, 1, fx.DELAY): 1_500,
        ("w", 1, 1, fx.NODE_TIMEOUT): 3_000,
        ("", 0, 0, fx.INSTANCE_TIMEOUT): 10_000,
    }


def test_a_signal_is_taken_and_what_follows_waits() -> None:
    run = Run(graph("w -> a", w={"type": "wait", "config": {"signal": "go"}}))
    run.start()
    paused(run)
    assert names(run.take(inputs.SignalArrived(name="go"))) == ["SignalTaken", "NodeCompleted"]
    assert dispatched(resumed(run)) == [("a", 1)]


def test_children_are_paused_and_resumed_with_their_parent() -> None:
    subflow = {"type": "subflow", "config": {"workflow": "child"}}
    run = Run(graph("s; t", s=subflow, t=subflow))
    run.start(children=(ev.Pin("child", "v1"),))
    run.take(inputs.ChildEnded(path="t", run=1, status="completed"))
    assert asked(paused(run, stop_clocks=False), fx.Send) == [
        fx.Send("i/s/1/pause/1", "i/s/1", fx.PauseChild("i", "a look", False))
    ]
    assert asked(resumed(run), fx.Send) == [fx.Send("i/s/1/resume/1", "i/s/1", fx.ResumeChild("i", "bob"))]
    paused(run)
    assert asked(resumed(run), fx.Send)[0].id == "i/s/1/resume/2", "each pause has an id of its own"


def test_a_parent_resumes_only_what_it_has_paused() -> None:
    run = Run(graph("a -> b"))
    run.start()
    with pytest.raises(Refused, match="only one that is paused"):
        resumed(run, paused_by="parent")
    run.take(inputs.PauseInstance(by="ann"))
    with pytest.raises(Refused, match="was not paused by parent"):
        resumed(run, paused_by="parent")
    resumed(run)
    run.take(inputs.PauseInstance(by="parent"))
    assert resumed(run, paused_by="parent").events


@pytest.mark.parametrize("twice", ["pausing", "paused"])
def test_a_second_pause_is_refused(twice: str) -> None:
    run = Run(graph("a -> b"))
    run.start()
    paused(run)
    if twice == "paused":
        run.finish("a")
    with pytest.raises(Refused, match=f"the instance is {twice}: only one that is running"):
        paused(run)


def test_a_paused_one_can_be_cancelled_and_parked() -> None:
    run = clocked()
    paused(run)
    run.finish("x")
    run.take(inputs.ParkInstance(reason="a fault"))
    assert run.status == "parked"
    run.now = 3_000
    assert resumed(run).events[0] == ev.InstanceResumed("bob", 2_000), "its clocks stood all the time"
    paused(run)
    run.take(inputs.CancelInstance())
    assert (run.status, run.instance.pause, run.armed()) == ("cancelled", None, {})


def test_a_paused_one_whose_last_node_ended_ends_when_it_goes_on() -> None:
    run = Run(graph("a"))
    run.start()
    paused(run)
    assert names(run.finish("a", 3)) == ["NodeCompleted", "InstancePaused"]
    assert names(resumed(run)) == ["InstanceResumed", "InstanceCompleted"]
    assert run.output == 3


def test_many_pauses_are_remembered_in_bounded_space() -> None:
    run = Run(graph("d", {"timeout": 10_000_000}, d={"type": "delay", "config": {"duration": 500}}))
    run.start()
    for _ in range(STOOD_MAX + 50):
        paused(run)
        run.now += 7
        resumed(run)
        run.now += 3
    assert len(run.instance.stood) == STOOD_MAX
    assert stood_still(run.instance, 1_000) == 7 * (STOOD_MAX + 50), "what is added up is still the whole"
    assert run.armed()["", 0, 0, fx.INSTANCE_TIMEOUT] == 10_001_000 + 7 * (STOOD_MAX + 50)
    assert run.instance.pauses == STOOD_MAX + 50


def test_a_clock_that_was_put_back_stops_nothing_for_less_than_no_time() -> None:
    run = Run(graph("d", d={"type": "delay", "config": {"duration": 500}}))
    run.start()
    paused(run)
    run.now = 10
    assert resumed(run).events[0] == ev.InstanceResumed("bob", 0)
    assert run.state("d").due == 1_500


# --- cancelled with grace ---------------------------------------------------------------------------------------------


def graced(run: Run, grace: int = 500) -> Any:
    return run.take(inputs.CancelInstance(by="ann", reason="enough", grace=grace))


def test_what_runs_has_its_grace_and_then_the_instance_is_cancelled() -> None:
    run = Run(graph("a -> b; c"))
    run.start()
    turn = graced(run)
    assert turn.events == [ev.InstancePauseRequested("ann", "enough", True, 1_500, True)]
    assert asked(turn, fx.AbandonTask) == []
    assert names(run.finish("a", 1)) == ["NodeCompleted"]
    turn = run.finish("c", 2)
    assert names(turn) == ["NodeCompleted", "InstanceCancelRequested", "NodesSkipped", "InstanceCancelled"]
    assert (run.status, run.instance.reason, run.armed()) == ("cancelled", "enough", {})
    assert run.nodes == {"a": "completed", "b": "skipped", "c": "completed"}


def test_what_does_not_finish_in_time_is_stopped() -> None:
    run = Run(graph("a -> b"))
    run.start()
    graced(run)
    with pytest.raises(Refused, match="the instance is being cancelled"):
        resumed(run)
    run.crash()
    run.take(inputs.Reattach(known=(("a", 1, 1),)))
    assert run.armed() == {("", 0, 0, fx.RESUME): 1_500}
    turn = run.timer("", fx.RESUME)
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert run.status == "cancelled"


def test_a_crash_ends_the_grace() -> None:
    run = Run(graph("a -> b"))
    run.start()
    graced(run)
    assert names(run.recover())[-1] == "InstanceCancelled"


def test_where_nothing_runs_there_is_no_grace_to_wait_for_and_a_second_cancel_is_hard() -> None:
    run = Run(graph("d -> a", d={"type": "delay", "config": {"duration": 500}}))
    run.start()
    graced(run)
    assert run.status == "cancelled"
    run = Run(graph("a -> b"))
    run.start()
    graced(run)
    assert asked(graced(run), fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert run.status == "cancelled"


def test_a_paused_one_that_ends_need_not_be_told_when_to_go_on() -> None:
    run = Run(graph("a", {"timeout": 9_000}))
    run.start()
    paused(run, stop_clocks=False, until=99_000)
    run.timer("", fx.INSTANCE_TIMEOUT)
    assert (run.status, run.armed()) == ("failed", {})


def test_one_that_came_to_the_crash_limit_while_it_stood_still_is_not_begun_again() -> None:
    run = Run(graph("a -> b"))
    run.start()
    for _ in range(5):
        run.recover()
        run.take(inputs.AdmissionGranted(path="a", run=1))
    paused(run)
    run.recover()
    assert (run.status, run.state("a").crashes) == ("paused", 6)
    turn = resumed(run)
    assert dispatched(turn) == []
    assert (run.status, run.state("a").error.type) == ("failed", "CrashLimit")
    assert list(turn.letters) == [fx.Bury("a", 1, run.state("a").error.message)]
