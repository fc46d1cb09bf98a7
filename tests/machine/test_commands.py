"""What an instance as a whole can be told, in every state it can be in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.instance import CONSUMED_MAX
from mainspring.machine.lifecycle import INSTANCE, INSTANCE_STATES
from mainspring.machine.step import step
from mainspring.machine.turn import Refused

from .harness import Run, asked, dispatched, graph, names, state_bytes

START = inputs.StartInstance(workflow="w", version="v1", input=b"7", key="k", message="m0")
COMMANDS: dict[str, inputs.Input] = {
    "InstanceStarted": START,
    "InstanceCancelRequested": inputs.CancelInstance(by="ann", reason="enough", message="m"),
    "InstancePauseRequested": inputs.PauseInstance(by="ann", reason="a look", message="m"),
    "InstanceParked": inputs.ParkInstance(reason="a fault", fault="Traceback", message="m"),
    "InstanceResumed": inputs.ResumeInstance(by="ann", message="m"),
}


@pytest.mark.parametrize("status", INSTANCE_STATES)
@pytest.mark.parametrize("event", COMMANDS)
def test_a_command_is_taken_where_the_table_has_its_event_and_refused_elsewhere(status: str, event: str) -> None:
    run = Run(graph("a -> b"))
    if status != "pending":
        run.start()
    run.instance.status = status
    before = state_bytes(run.instance)
    if status in INSTANCE[event]:
        turn = step(run.plan, run.instance, COMMANDS[event], 5)
        assert names(turn)[0] == event
    else:
        with pytest.raises(Refused, match=f"the instance is {status}"):
            step(run.plan, run.instance, COMMANDS[event], 5)
        assert state_bytes(run.instance) == before, "a refusal changes nothing, and does not use up the message"


def started() -> Run:
    retry = {"jitter": 0, "initialDelay": 100}
    nodes = {
        "d": {"type": "delay", "config": {"duration": 500}},
        "r": {"retry": retry},
        "l": {"maxConcurrentExecutions": 1},
    }
    run = Run(graph("a -> b; d; r -> s; l -> m", {"timeout": 9_000}, **nodes))
    run.start()
    run.fail("r")
    return run


def test_start() -> None:
    run = Run(graph("a"))
    turn = run.take(START)
    assert turn.events[0] == ev.InstanceStarted("w", "v1", turn.events[0].input, turn.events[0].variables, key="k")
    assert (run.instance.input, run.instance.variables, run.instance.started_at) == (b"7", b"{}", 1_000)


def test_cancel_ends_it_in_the_same_turn() -> None:
    run = started()
    turn = run.take(COMMANDS["InstanceCancelRequested"])
    assert names(turn) == ["InstanceCancelRequested", "NodesCancelled", "NodesSkipped", "InstanceCancelled"]
    assert turn.events[0] == ev.InstanceCancelRequested("ann", "enough")
    assert run.nodes == {
        "a": "cancelled",
        "b": "skipped",
        "d": "cancelled",
        "r": "cancelled",
        "s": "skipped",
        "l": "cancelled",
        "m": "skipped",
    }
    assert [ref.path for ref in turn.events[1].runs if ref.in_doubt] == ["a"], (
        "only a's work had been ordered and may be done"
    )
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert run.armed() == {}
    assert (run.status, run.instance.reason, run.instance.ended_at) == ("cancelled", "enough", 1_000)
    assert run.take(inputs.TaskFinished(path="a", run=1, attempt=1)).dropped == "stale"
    assert run.take(inputs.TaskFailed(path="a", run=1, attempt=1, fault=inputs.TaskFault("E", ""))).dropped == "stale"


def test_cancel_twice() -> None:
    run = started()
    run.take(COMMANDS["InstanceCancelRequested"])
    turn = run.take(COMMANDS["InstanceCancelRequested"])
    assert (turn.dropped, turn.events, turn.effects) == ("duplicate", [], []), "the same message, delivered again"
    with pytest.raises(Refused, match="the instance is cancelled"):
        run.take(inputs.CancelInstance())


def test_cancel_keeps_what_there_is() -> None:
    run = Run(graph("a; b -> c"))
    run.start()
    run.finish("a", 1)
    run.take(inputs.CancelInstance())
    assert (run.output, run.instance.reason) == ({"a": 1}, "cancelled")


def test_a_message_is_consumed_with_its_turn() -> None:
    run = Run(graph("a -> b"))
    run.take(START)
    assert run.take(START).dropped == "duplicate"
    assert run.instance.consumed == ("m0",)
    run.crash()
    assert run.take(START).dropped == "duplicate", "a new process knows it too"
    run.take(inputs.TaskFinished(path="a", run=9, attempt=1, message="stale"))
    assert run.instance.consumed == ("m0",), "what led to nothing has no row: the store's inbox alone remembers it"


def test_the_memory_of_messages_is_bounded() -> None:
    run = Run(graph("a"))
    run.start()
    for number in range(CONSUMED_MAX + 5):
        message = f"m{number}"
        command = (
            inputs.ResumeInstance(message=message) if number % 2 else inputs.ParkInstance(reason="", message=message)
        )
        step(run.plan, run.instance, command, 1)
    assert len(run.instance.consumed) == CONSUMED_MAX
    assert run.instance.consumed[0] == "m5"
    assert run.instance.consumed[-1] == f"m{CONSUMED_MAX + 4}"


# --- parked


def parked() -> Run:
    run = started()
    run.take(inputs.ParkInstance(reason="a fault", fault="Traceback"))
    assert (run.status, run.instance.reason) == ("parked", "a fault")
    return run


def test_a_parked_instance_lets_finish_what_runs_and_starts_nothing() -> None:
    run = parked()
    assert names(run.finish("a", 1)) == ["NodeCompleted"]
    assert names(run.timer("d", fx.DELAY)) == ["NodeCompleted"]
    for input in (
        inputs.TimerFired(path="r", run=1, attempt=1, purpose=fx.RETRY),
        inputs.TimerFired(path="", run=0, attempt=0, purpose=fx.INSTANCE_TIMEOUT),
        inputs.HandlersFound(paths=("a",)),
    ):
        turn = run.take(input)
        assert turn.dropped
        assert (turn.events, turn.effects) == ([], [])
    turn = run.take(inputs.AdmissionGranted(path="l", run=1))
    assert (turn.dropped, turn.effects) == ("the instance is parked", []), "parking gave it back"
    assert dispatched(run.take(inputs.Reattach())) == []
    assert run.nodes == {
        "a": "completed",
        "b": "pending",
        "d": "completed",
        "r": "retrying",
        "s": "pending",
        "l": "ready",
        "m": "pending",
    }


def test_resume_goes_on_with_everything() -> None:
    """Timers may have fired meanwhile, slots been given back, and joins have been satisfied."""
    run = parked()
    run.finish("a", 1)
    run.effects.clear()
    turn = run.take(inputs.ResumeInstance(by="ann"))
    assert names(turn) == ["InstanceResumed", "NodeStarted"]
    assert dispatched(turn) == [("b", 1)]
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("l", 1, "node:l", attempt=1)]
    assert run.armed() == {
        ("", 0, 0, fx.INSTANCE_TIMEOUT): 10_000,
        ("r", 1, 1, fx.RETRY): 1_100,
        ("d", 1, 1, fx.DELAY): 1_500,
    }
    assert run.instance.reason == "", "it is parked no more"


def test_a_restart_while_parked_is_counted_and_made_good_on_resume() -> None:
    run = parked()
    turn = run.recover()
    assert turn.events == [ev.NodesRequeued((ev.Ref("a", 1),))]
    assert turn.effects == []
    assert ("a", 2) in dispatched(run.take(inputs.ResumeInstance()))


def test_code_that_was_found_while_parked_is_tried_on_resume() -> None:
    run = started()
    run.take(inputs.HandlerMissing(path="a", run=1, attempt=1, handler="x"))
    run.take(inputs.ParkInstance(reason="a fault"))
    assert run.take(inputs.HandlersFound(paths=("a",))).dropped == "the instance is parked"
    assert dispatched(run.take(inputs.ResumeInstance())) == [("a", 1)]


def failing_node(run: Run) -> None:
    run.fail("a")


def failing_condition(run: Run) -> None:
    run.finish("a", 0)


@pytest.mark.parametrize(
    ("what", "why"), [(failing_node, "a failed"), (failing_condition, "a condition after a failed")]
)
def test_fail_fast_hears_of_what_failed_while_parked(what: Callable[[Run], None], why: str) -> None:
    run = Run(graph("a -[1 / output > 0]-> b; c", {"failure_policy": "fail_fast"}))
    run.start()
    run.take(inputs.ParkInstance(reason="a fault"))
    what(run)
    assert run.status == "parked"
    turn = run.take(inputs.ResumeInstance())
    assert names(turn)[:2] == ["InstanceResumed", "InstanceFailing"]
    assert run.nodes["c"] == "cancelled"
    assert (run.status, run.instance.reason) == ("failed", f"{why} while the instance stood still")


def test_an_instance_that_finished_while_parked_ends_on_resume() -> None:
    run = Run(graph("a"))
    run.start()
    run.take(inputs.ParkInstance(reason="a fault"))
    run.finish("a", 3)
    assert run.status == "parked"
    run.take(inputs.ResumeInstance())
    assert (run.status, run.output) == ("completed", 3)


def test_a_parked_instance_can_be_cancelled() -> None:
    run = parked()
    run.take(inputs.CancelInstance())
    assert run.status == "cancelled"
