"""R4, R5: joins and ports, rule by rule (SEMANTICS C and "Nodes that run more than once")."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs

from .harness import asked, dispatched, names, run_of

ANY = {"join": {"kind": "any"}}
FIRST = {"join": {"kind": "any", "cancelOthers": True}}
EACH = {"join": {"kind": "each"}}
PORTS = {"join": {"kind": "ports"}}
LOG = {"type": "log"}


def n(number: int, **more: Any) -> dict[str, Any]:
    return {"join": {"kind": "n", "n": number, **more}}


# --- any and n


def test_any_runs_on_the_first_message_and_absorbs_the_rest() -> None:
    run = run_of("a -> d; b -> d; c -> d", d=ANY)
    assert dispatched(run.finish("b", "second")) == [("d", 1)]
    assert run.input_of("d") == "second"
    assert names(run.finish("a", "first")) == ["NodeCompleted"]
    run.fail("c")
    assert run.input_of("d") == "second"
    run.finish("d", 4)
    assert run.nodes["d"] == "completed"
    assert run.status == "failed"  # c's failure was nobody's to handle


def test_any_is_skipped_when_all_are_skips() -> None:
    run = run_of("a -[false]-> c; b -[false]-> c; c -> d", c=ANY)
    run.finish("a")
    assert run.nodes["c"] == "pending"
    run.finish("b")
    assert run.skips()["c"] == ("none of its 2 connections fired: the condition `false` was not true", "a")
    assert run.status == "completed"


def test_n_runs_on_the_nth_message_with_the_first_n() -> None:
    run = run_of("a -> d; b -> d; c -> d", d=n(2))
    run.finish("c", 3)
    assert run.nodes["d"] == "pending"
    run.finish("a", 1)
    assert run.nodes["d"] == "running"
    run.finish("b", 2)
    assert run.input_of("d") == {"a": 1, "c": 3}


def test_n_is_skipped_as_soon_as_n_messages_can_no_longer_come() -> None:
    run = run_of("a -[false]-> d; b -[false]-> d; c -> d; d -> e", d=n(2))
    run.finish("a")
    assert run.nodes["d"] == "pending"
    run.finish("b")
    assert run.nodes["d"] == "skipped"
    assert run.skips()["d"] == (
        "it needs 2 messages and only 1 can come: the condition `false` was not true",
        "a",
    )
    assert names(run.finish("c")) == ["NodeCompleted", "InstanceCompleted"]


def test_of_several_messages_at_once_the_first_connections_count() -> None:
    run = run_of("a -#x-> d; a -#y-> d; a -#z-> d", d=n(2))
    run.finish("a", 1)
    assert run.input_of("d") == {"x": 1, "y": 1}


def test_a_wave_puts_all_tokens_before_anybody_decides() -> None:
    """q and p end at once in one wave; j decides once, sees both messages, and q's, which started first, is the first."""
    run = run_of("a -> q -> j; a -> p -> j", p={**LOG, "input": "of p"}, q=LOG, j=ANY)
    turn = run.finish("a", 1)
    assert names(turn) == ["NodeCompleted", *["NodeStarted", "NodeCompleted"] * 2, "NodeStarted"]
    assert run.input_of("j") == 1


def test_a_late_wave_is_late() -> None:
    """x -> p takes a wave more than q: whatever the order of connections, q's message is the first."""
    run = run_of("a -> x -> p -> j; a -> q -> j", x=LOG, p={**LOG, "input": "of p"}, q=LOG, j=ANY)
    run.finish("a", 1)
    assert run.input_of("j") == 1


# --- cancelOthers


def test_cancel_others_stops_what_leads_only_here() -> None:
    """a is under way, b waits to be retried, z has not begun; y has another path to the end and goes on."""
    retry = {"retry": {"strategy": "fixed", "initialDelay": 50, "maxAttempts": 3}}
    run = run_of("a -> z -> j; b -> j; c -> j; y -> j; y -> end", j=FIRST, b=retry)
    run.fail("b")
    turn = run.finish("c", 1)
    assert {path: run.nodes[path] for path in "abzy"} == {
        "a": "cancelled",
        "b": "cancelled",
        "z": "skipped",
        "y": "running",
    }
    assert names(turn) == ["NodeCompleted", "NodesCancelled", "NodesSkipped", "NodeStarted"]
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert asked(turn, fx.DisarmTimer) == [fx.DisarmTimer("b", 1, 1, fx.RETRY)]
    assert run.skips()["z"] == ("j has what it waited for", "j")
    assert run.input_of("j") == 1
    run.finish("y")
    run.finish("j")
    run.finish("end")
    assert run.status == "completed"


def test_cancel_others_of_n_waits_for_the_nth() -> None:
    run = run_of("a -> j; b -> j; c -> j", j=n(2, cancelOthers=True))
    run.finish("a")
    assert run.nodes["b"] == "running"
    run.finish("b")
    assert run.nodes["c"] == "cancelled"


def test_a_node_that_could_start_is_stopped_in_the_same_wave() -> None:
    run = run_of("a -> j; a -> x -> j", j=FIRST)
    turn = run.finish("a")
    assert names(turn) == ["NodeCompleted", "NodesSkipped", "NodeStarted"]
    assert run.nodes == {"a": "completed", "j": "running", "x": "skipped"}


def test_nested_cancel_others_stops_the_inner_one_too() -> None:
    run = run_of("a -> i; b -> i -> j; c -> j", i=FIRST, j=FIRST)
    run.finish("c")
    assert run.nodes == {"a": "cancelled", "b": "cancelled", "i": "skipped", "c": "completed", "j": "running"}


# --- ports


def test_ports_take_one_message_from_each() -> None:
    run = run_of("a -:x-> d; b -:y-> d; c -:x-> d", d=PORTS)
    run.finish("c", 3)
    run.finish("a", 1)
    assert run.nodes["d"] == "pending"
    turn = run.finish("b", 2)
    assert names(turn) == ["NodeCompleted", "NodeActivated", "NodeStarted"]
    assert turn.events[1].taken == (ev.Token(2), ev.Token(1))
    assert run.input_of("d") == {"x": 3, "y": 2}
    run.finish("d", "done")
    assert run.status == "completed"
    assert run.output == "done"


def test_ports_run_again_while_each_has_a_message() -> None:
    run = run_of("a -:x-> d; b -:y-> d; c -:x-> d; e -:y-> d; d -> f", d=PORTS)
    for value, path in enumerate("abce"):
        run.finish(path, value)
    assert run.input_of("d") == {"x": 0, "y": 1}
    turn = run.finish("d", "one")
    assert names(turn) == ["RunCompleted", "NodeActivated", "NodeActivated", "NodeStarted", "NodeStarted"]
    assert run.input_of("d") == {"x": 2, "y": 3}
    assert run.input_of("f") == "one"
    run.finish("f", 1)
    assert run.nodes["f"] == "gathering"
    assert names(run.fail("d")) == ["RunFailed", "NodeFailed", "NodeCompleted", "InstanceFailed"]
    assert run.output == [1]


def test_ports_are_skipped_when_some_port_can_get_none() -> None:
    run = run_of("a -:x-> d; b -[false]:y-> d; c -> d", d=PORTS)
    run.finish("a")
    run.finish("b")
    assert run.nodes["d"] == "skipped"
    assert run.skips()["d"] == ("no message can come on its port y: the condition `false` was not true", "b")
    run.finish("c")
    assert run.status == "completed"


def test_left_over_messages_are_absorbed() -> None:
    run = run_of("a -:x-> d; b -:x-> d; c -:y-> d", d=PORTS)
    run.finish("a", 1)
    run.finish("b", 2)
    run.finish("c", 3)
    run.finish("d")
    assert run.status == "completed"
    assert run.nodes["d"] == "completed"


def test_all_with_target_ports_is_keyed_by_port() -> None:
    run = run_of("a -:x-> d; b -:y-> d; c -:y-> d; e -> d; f -[false]:z-> d")
    for value, path in enumerate("acbef"):
        run.finish(path, value)
    assert run.input_of("d") == {"x": 0, "y": [2, 1], "default": 3}


def test_one_connection_with_a_target_port_is_keyed_too() -> None:
    run = run_of("a -:x-> d")
    run.finish("a", 7)
    assert run.input_of("d") == {"x": 7}


# --- each, and what comes after


def test_each_runs_once_per_message_one_after_the_other() -> None:
    run = run_of("a -> d; b -> d; c -[false]-> d", d=EACH)
    run.finish("b", "b")
    assert run.input_of("d") == "b"
    run.finish("a", "a")
    assert run.state("d").run == 1
    turn = run.finish("d", 1)
    assert names(turn) == ["RunCompleted", "NodeActivated", "NodeStarted"]
    assert (run.state("d").run, run.input_of("d")) == (2, "a")
    run.finish("d", 2)
    assert run.nodes["d"] == "gathering"
    assert names(run.finish("c")) == ["NodeCompleted", "NodeCompleted", "InstanceCompleted"]
    assert run.output == [1, 2]


def test_each_is_skipped_when_all_are_skips() -> None:
    run = run_of("a -[false]-> d; b -[false]-> d; d -> e", d=EACH)
    run.finish("a")
    run.finish("b")
    assert run.nodes == {"a": "completed", "b": "completed", "d": "skipped", "e": "skipped"}


def test_what_comes_after_each_runs_once_per_message() -> None:
    run = run_of("a -> d; b -> d; d -[output > 1]-> e; d -fail-> f", d=EACH)
    run.finish("a")
    run.finish("b")
    run.finish("d", 1)
    run.fail("d")
    assert (run.nodes["d"], run.nodes["e"], run.nodes["f"]) == ("failed", "skipped", "running")
    assert run.input_of("f")["type"] == "E"
    assert run.skips()["e"] == ("no run of d fired it", "d")
    run.finish("f", "mended")
    assert run.status == "completed"  # each failed run was handled
    assert run.output == {"f": ["mended"]}


def test_conditions_see_the_output_of_the_run_and_successors_get_it() -> None:
    run = run_of("a -> d; b -> d; d -[output.k == 'x']-> e", d=EACH)
    run.finish("a")
    run.finish("b")
    run.finish("d", {"k": "x", "v": 1})
    assert run.input_of("e") == {"k": "x", "v": 1}
    run.finish("d", {"k": "y"})
    run.finish("e", 5)
    assert run.output == [5]


def test_a_full_inbox_makes_upstream_wait() -> None:
    """e has one place: while one message waits for it, d takes no other."""
    run = run_of("a -> d; b -> d; c -> d; x -> d; d -> e", d=EACH)
    for path in "abcx":
        run.finish(path, path)
    run.finish("d", 1)
    assert run.nodes["e"] == "running"
    assert names(run.finish("d", 2)) == ["RunCompleted"]
    assert run.nodes["d"] == "gathering"
    turn = run.finish("e")
    assert names(turn) == ["RunCompleted", "NodeActivated", "NodeActivated", "NodeStarted", "NodeStarted"]
    assert sorted(dispatched(turn)) == [("d", 1), ("e", 1)]


@pytest.mark.parametrize("order", [("d", "e", "f"), ("f", "e", "d"), ("e", "f", "d")], ids="".join)
def test_room_that_appears_is_felt_all_the_way_up(order: tuple[str, ...]) -> None:
    """Whatever the order of the definition: f takes, so e can take, so d can."""
    nodes = {**{key: {} for key in order}, "d": EACH}
    run = run_of("; ".join(order) + "; a -> d; b -> d; c -> d; x -> d; y -> d; d -> e -> f", **nodes)
    for number, path in enumerate("abcxy"):
        run.finish(path, number)
    for _ in range(2):
        run.finish("d")
        run.finish("e")
    run.finish("d")
    assert (run.nodes["d"], run.nodes["e"], run.nodes["f"]) == ("gathering", "gathering", "running")
    turn = run.finish("f")
    assert set(dispatched(turn)) == {("d", 1), ("e", 1), ("f", 1)}
    while run.status == "running":
        run.finish(next(path for path in "defx" if run.nodes[path] == "running"))
    assert run.output == [None] * 5


def test_a_declared_capacity_lets_upstream_go_on() -> None:
    run = run_of("a -> d; b -> d; c -> d; d -> e", d=EACH, e={"join": {"kind": "all", "capacity": 2}})
    for path in "abc":
        run.finish(path, path)
    run.finish("d", 1)
    run.finish("d", 2)
    assert run.nodes["d"] == "running"
    run.finish("d", 3)
    for _ in range(3):
        run.finish("e")
    assert run.status == "completed"
    assert run.output == [None, None, None]


def test_passing_nodes_repeat_too() -> None:
    run = run_of("a -> d; b -> d; d -> e; e -> f", d={**LOG, **EACH}, e=LOG)
    run.finish("a", 1)
    run.finish("b", 2)
    assert run.input_of("f") == 1
    run.finish("f", "one")
    assert run.input_of("f") == 2
    run.finish("f", "two")
    assert run.status == "completed"
    assert run.output == ["one", "two"]


def test_each_run_has_its_own_retries_and_attempts() -> None:
    retry = {"retry": {"strategy": "fixed", "initialDelay": 50, "maxAttempts": 2}, **EACH}
    run = run_of("a -> d; b -> d", d=retry)
    run.finish("a")
    run.finish("b")
    run.fail("d")
    run.timer("d", fx.RETRY)
    assert run.identity("d") == {"path": "d", "run": 1, "attempt": 2}
    run.finish("d", 1)
    run.fail("d")
    run.timer("d", fx.RETRY)
    assert run.identity("d") == {"path": "d", "run": 2, "attempt": 2}
    run.fail("d")
    assert run.nodes["d"] == "failed"
    assert run.state("d").output == b"[1]"


def test_a_crash_keeps_what_a_run_has_taken() -> None:
    run = run_of("a -> d; b -> d", d=EACH)
    run.finish("a", 1)
    run.finish("b", 2)
    run.finish("d")
    run.recover()
    assert run.identity("d") == {"path": "d", "run": 2, "attempt": 2}
    assert run.input_of("d") == 2
    run.finish("d")
    assert run.status == "completed"


def test_cancelling_stops_a_node_between_its_runs() -> None:
    run = run_of("a -> d; b -> d", d=EACH)
    run.finish("a")
    run.finish("d")
    assert run.nodes["d"] == "gathering"
    run.take(inputs.CancelInstance())
    assert run.nodes == {"a": "completed", "b": "cancelled", "d": "cancelled"}
    assert run.status == "cancelled"


def test_fail_fast_stops_the_node_whose_run_failed() -> None:
    run = run_of("a -> d; b -> d", workflow={"failure_policy": "fail_fast"}, d=EACH)
    run.finish("a")
    run.fail("d")
    assert run.nodes == {"a": "completed", "b": "cancelled", "d": "cancelled"}
    assert run.status == "failed"


def test_what_became_startable_while_parked_starts_when_it_is_resumed() -> None:
    run = run_of("a -> j; b -> j; c -> d; e -> d; d -> f", j=FIRST, d=EACH)
    run.take(inputs.ParkInstance(reason="by hand"))
    run.finish("a", 1)
    run.finish("c", 2)
    run.finish("e", 3)
    assert {run.nodes[path] for path in "jd"} == {"pending"}
    turn = run.take(inputs.ResumeInstance())
    assert sorted(dispatched(turn)) == [("d", 1), ("j", 1)]
    assert run.nodes["b"] == "cancelled"
    run.finish("d")
    run.finish("d")
    assert run.nodes["d"] == "completed"


def test_a_run_that_failed_while_the_instance_stood_still_is_named() -> None:
    run = run_of("a -> d; b -> d; c", workflow={"failure_policy": "fail_fast"}, d=EACH)
    run.finish("a")
    run.take(inputs.ParkInstance(reason="by hand"))
    run.fail("d")
    turn = run.take(inputs.ResumeInstance())
    assert turn.events[1] == ev.InstanceFailing("a run of d failed while the instance stood still", "d")
    assert run.status == "failed"


@pytest.mark.parametrize("join", [ANY, n(2), EACH, PORTS], ids=["any", "n", "each", "ports"])
def test_a_node_that_ended_takes_no_more_tokens(join: dict[str, Any]) -> None:
    run = run_of("a -:x-> d; b -:y-> d; c -:x-> d", d=join)
    run.take(inputs.CancelInstance())
    assert run.status == "cancelled"
    assert run.nodes["d"] == "skipped"
