"""Fallbacks, rule by rule (SEMANTICS 56-58)."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from tests.machine.harness import Run, asked, dispatched, graph, names, run_of


def actions(*types: str, **more: Any) -> dict[str, Any]:
    """A node with these fallback actions."""
    return {"resilience": {"fallbackActions": [{"type": one} for one in types]}, **more}


def ended(run: Run, path: str) -> Any:
    """The event by which a node ended."""
    kinds = (ev.NodeCompleted, ev.NodeFailed, ev.RunCompleted, ev.RunFailed)
    return next(event for event in run.events if isinstance(event, kinds) and event.path == path)


def test_the_fallback_runs_as_a_body_of_its_owner_and_its_output_becomes_the_owners() -> None:
    run = run_of("mail -> log", "hello", mail=actions("mail_queue", "mail_log"))
    turn = run.fail("mail", "Down", "no server")
    assert names(turn) == ["NodeFellBack", "ScopeStarted", "NodeStarted"]
    assert turn.events[0] == ev.NodeFellBack(
        "mail", 1, "mail_queue", run.state("mail").error, "fallbackActions of node mail"
    )
    assert dispatched(turn) == [("mail[0].mail_queue", 1)]
    assert run.nodes["mail"] == "falling_back"
    assert run.input_of("mail[0].mail_queue") == "hello"
    turn = run.finish("mail[0].mail_queue", {"queued": 1})
    assert names(turn) == ["NodeCompleted", "ScopeEnded", "NodeCompleted", "NodeStarted"]
    end = ended(run, "mail")
    assert (end.degraded, end.port, bytes(end.output)) == (True, None, b"null"), "the output is not written twice"
    assert run.state("mail").degraded and run.state("mail").error.type == "Down"
    assert run.state("mail").because == "mail_queue"
    assert run.input_of("log") == {"queued": 1}
    run.finish("log")
    assert run.status == "completed" and run.events[-1].degraded


def test_an_output_of_null_is_one() -> None:
    run = run_of("a -> b", 1, a=actions("x"))
    run.fail("a")
    run.finish("a[0].x", None)
    assert run.input_of("b") is None


def test_the_next_runs_where_one_fails_and_after_the_last_the_owner_fails_with_its_own_error() -> None:
    run = run_of("a -> b", 1, a=actions("x", "y"))
    run.fail("a", "First", "of a")
    turn = run.fail("a[0].x", "Second", "of x")
    assert names(turn) == ["NodeFailed", "ScopeEnded", "NodeFellBack", "ScopeStarted", "NodeStarted"]
    assert (turn.events[2].action, turn.events[2].error.type) == ("y", "Second")
    assert run.state("a").error.type == "First"
    turn = run.fail("a[1].y", "Third", "of y")
    assert names(turn) == ["NodeFailed", "ScopeEnded", "NodeFailed", "NodesSkipped", "InstanceFailed"]
    assert (ended(run, "a").error.type, ended(run, "a").error.message) == ("First", "of a")
    assert run.instance.unhandled == 1, "what fails within a body does not count by itself"
    assert not run.instance.open and not run.instance.blocks


def test_a_failure_connection_fires_once_all_fallbacks_have_failed_and_not_before() -> None:
    run = run_of("a -fail-> rescue", 1, a=actions("x"))
    run.fail("a", "First")
    assert run.nodes["rescue"] == "pending"
    run.fail("a[0].x")
    assert run.input_of("rescue")["type"] == "First"
    run.finish("rescue")
    assert run.status == "completed" and not run.events[-1].degraded


def test_the_fallback_node_comes_before_the_actions_and_is_off_the_graph() -> None:
    a = actions("x", fallbackNodeId="spare")
    run = run_of("a; spare", 1, a=a, spare={"retry": {"strategy": "fixed", "initialDelay": 5}, "timeout": 70})
    assert run.nodes["spare"] == "pending"
    assert dispatched(run.fail("a")) == [("a[0].spare", 1)]
    assert run.events[-3].reason == "fallbackNodeId of node a"
    assert run.armed() == {("a[0].spare", 1, 1, fx.NODE_TIMEOUT): run.now + 70}
    run.fail("a[0].spare")
    run.timer("a[0].spare", fx.RETRY)
    run.finish("a[0].spare", 2)
    assert run.status == "completed" and run.output == 2


def test_retries_come_first_but_not_of_what_is_fatal() -> None:
    a = actions("x", retry={"strategy": "fixed", "maxAttempts": 2, "initialDelay": 5})
    run = run_of("a", 1, a=a)
    run.fail("a")
    assert run.nodes["a"] == "retrying"
    run.timer("a", fx.RETRY)
    run.fail("a")
    assert run.nodes["a"] == "falling_back"
    run = run_of("a", 1, a=a)
    run.fail("a", fatal=True)
    assert run.nodes["a"] == "falling_back"


def test_a_fallback_has_no_fallback_of_its_own() -> None:
    run = run_of("a; b; c", 1, a={"fallbackNodeId": "b"}, b={**actions("x"), "fallbackNodeId": "c"})
    run.fail("a", "First")
    run.fail("a[0].b", "Second")
    assert run.state("a").error.type == "First" and run.status == "failed"


def test_the_owner_has_no_timeout_while_it_falls_back() -> None:
    run = run_of("a", 1, a=actions("x", timeout=100))
    assert list(run.armed()) == [("a", 1, 1, fx.NODE_TIMEOUT)]
    turn = run.timer("a", fx.NODE_TIMEOUT)
    assert names(turn) == ["NodeFellBack", "ScopeStarted", "NodeStarted"]
    assert run.armed() == {}
    assert run.timer("a", fx.NODE_TIMEOUT).dropped == "stale"


def test_the_owner_holds_no_slot_while_it_falls_back() -> None:
    run = run_of("a", 1, a=actions("x", maxConcurrentExecutions=1))
    run.take(inputs.AdmissionGranted(path="a", run=1))
    turn = run.fail("a")
    assert asked(turn, fx.ReleaseAdmission) == [fx.ReleaseAdmission("a", 1, 1, "failed")]
    assert asked(run.finish("a[0].x"), fx.ReleaseAdmission) == []
    run = run_of("a", 1, a=actions("x", maxConcurrentExecutions=1))
    run.take(inputs.AdmissionRefused(path="a", run=1, reason="no room"))
    assert run.nodes["a"] == "falling_back" and run.state("a").error.type == "AdmissionRefused"


def test_error_is_the_owners_error_and_the_input_may_be_mapped() -> None:
    told = {"type": "x", "config": {"input": {"why": "${ error.message }", "was": "${ input }"}}}
    run = run_of(
        "a", 7, a={"resilience": {"fallbackActions": [told, {"type": "y", "config": {"input": "${ error.type }"}}]}}
    )
    run.fail("a", "Down", "no server")
    assert run.input_of("a[0].x") == {"why": "no server", "was": 7}
    run.fail("a[0].x", "Other")
    assert run.input_of("a[1].y") == "Down"


def test_error_is_seen_in_the_bodies_of_a_fallback() -> None:
    body = [{"id": "one", "type": "function", "input": "${ error.message } ${ item }"}]
    spare = {"type": "forEach", "config": {"items": [1, 2], "body": {"nodes": body}}}
    run = run_of("a; spare", 1, a={"fallbackNodeId": "spare"}, spare=spare)
    run.fail("a", message="bad")
    assert run.input_of("a[0].spare[0].one") == "bad 1"
    run.finish("a[0].spare[0].one", 10)
    run.finish("a[0].spare[1].one", 20)
    assert run.status == "completed" and run.output == [10, 20] and run.events[-1].degraded


def test_expressions_see_that_a_node_is_degraded() -> None:
    run = run_of("a -[nodes.a.degraded]-> b", 1, a=actions("x"))
    run.fail("a")
    run.finish("a[0].x")
    assert run.nodes["b"] == "skipped", "it was not folded yet"
    run = run_of("a -> b", 1, a=actions("x"), b={"input": "${ nodes.a.degraded } ${ nodes.a.error.type }"})
    run.fail("a", "Down")
    run.finish("a[0].x")
    assert run.input_of("b") == "true Down"


@pytest.mark.parametrize("kind", ["input", "schema", "config", "condition"])
def test_what_fails_before_an_attempt_falls_back_too(kind: str) -> None:
    a: dict[str, Any] = {
        "input": {"input": "${ 1 / 0 }"},
        "schema": {"inputSchema": {"type": "string"}},
        "config": {"type": "slack.post", "config": {"n": "${ 1 / 0 }"}},
        "condition": {"type": "if", "config": {"condition": "1 / 0"}},
    }[kind]
    run = run_of("a -> b", 5, a={**a, **actions("x")})
    assert run.nodes["a"] == "falling_back"
    assert run.input_of("a[0].x") == 5
    run.finish("a[0].x", 6)
    assert run.input_of("b") == 6


def test_what_stands_in_gives_what_the_owner_promised() -> None:
    run = run_of("a", 1, a=actions("x", "y", outputSchema={"type": "integer"}))
    run.fail("a")
    run.finish("a[0].x", "text")
    assert [event.error.type for event in run.events if isinstance(event, ev.NodeFellBack)] == ["E", "OutputInvalid"]
    run.finish("a[1].y", 3)
    assert run.output == 3


def test_what_a_fallback_sets_is_set_once_it_has_ended() -> None:
    run = run_of("a -> b", 1, a=actions("x", "y"), b={"input": "${ variables }"})
    run.fail("a")
    run.finish("a[0].x", port="nowhere", variables=b'{"n": 1}')
    assert run.state("a").because == "y", "a port that it does not have fails it"
    run.finish("a[1].y", variables=b'{"n": 2}')
    assert run.input_of("b") == {"n": 2}


def test_cancelling_the_instance_stops_the_fallback() -> None:
    run = run_of("a -> b", 1, a=actions("x"))
    run.fail("a")
    turn = run.take(inputs.CancelInstance())
    assert names(turn) == [
        "InstanceCancelRequested",
        "NodesCancelled",
        "ScopeEnded",
        "NodesCancelled",
        "NodesSkipped",
        "InstanceCancelled",
    ]
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a[0].x", 1, 1)]


def test_fail_fast_stops_it_and_is_asked_only_once_nothing_stands_in_any_more() -> None:
    run = run_of("a; b", 1, {"failure_policy": "fail_fast"}, a=actions("x"))
    run.fail("a")
    run.fail("b")
    assert run.status == "failed" and run.nodes["a"] == "cancelled"
    run = run_of("a; b", 1, {"failure_policy": "fail_fast"}, a=actions("x"))
    run.fail("a")
    assert run.status == "running"
    run.fail("a[0].x")
    assert run.status == "failed" and run.nodes["b"] == "cancelled"


def test_a_cancel_node_stops_it() -> None:
    run = run_of("go -> stop; a", 1, a=actions("x"), stop={"type": "cancel", "config": {"nodes": ["a"]}})
    run.fail("a")
    run.finish("go")
    assert run.nodes["a"] == "cancelled" and run.status == "completed"


def test_each_run_of_a_repeating_node_falls_back_by_itself() -> None:
    run = run_of("a -> c; b -> c; c -> d", 1, c=actions("x", join={"kind": "each"}), d={"join": {"kind": "each"}})
    run.finish("a", "A")
    run.finish("b", "B")
    run.fail("c")
    run.finish("c[0].x", "xA")
    assert isinstance(ended(run, "c"), ev.RunCompleted) and ended(run, "c").degraded
    assert run.input_of("d") == "xA"
    run.fail("c", "Again")
    assert run.input_of("c[1].x") == "B", "addresses are counted over all runs"
    run.fail("c[1].x")
    run.finish("d", 1)
    assert run.status == "failed" and run.state("c").error.type == "Again"


def test_a_node_in_a_body_falls_back_there() -> None:
    body = {"nodes": [{"id": "n", "type": "function", **actions("x")}]}
    run = run_of("loop", 1, loop={"type": "forEach", "config": {"items": [1, 2], "body": body}})
    run.fail("loop[0].n")
    assert run.input_of("loop[0].n[0].x") == 1
    run.finish("loop[0].n[0].x", 10)
    run.fail("loop[1].n", "Bad")
    run.fail("loop[1].n[0].x")
    assert run.state("loop").error.type == "Bad" and run.status == "failed"


def test_a_block_falls_back_once_it_has_failed() -> None:
    body = {"nodes": [{"id": "n", "type": "function"}]}
    loop = {"type": "forEach", "config": {"items": [1, 2], "concurrency": 2, "body": body}, **actions("x")}
    run = run_of("loop -> b", 1, loop=loop)
    run.fail("loop[1].n", "Bad")
    assert list(run.instance.open) == ["loop[2]"], "its bodies are stopped first, and their numbers are not used again"
    run.finish("loop[2].x", "instead")
    assert run.input_of("b") == "instead"


def test_a_wait_that_took_too_long_falls_back() -> None:
    wait = {"type": "wait", "config": {"signal": "go"}, "timeout": 50, **actions("x")}
    run = run_of("w", 1, w=wait)
    run.timer("w", fx.NODE_TIMEOUT)
    assert run.nodes["w"] == "falling_back" and run.instance.waits == {}
    run.finish("w[0].x", 2)
    assert run.output == 2


def test_a_child_that_failed_is_stood_in_for() -> None:
    run = Run(graph("s", None, s={"type": "subflow", "config": {"workflow": "self"}, **actions("x")}))
    run.start(1)
    run.take(inputs.ChildEnded(path="s", run=1, status="failed", reason="bad"))
    assert run.nodes["s"] == "falling_back"
    run.finish("s[0].x", 2)
    assert run.output == 2


def test_a_crash_starts_the_attempt_of_the_fallback_again_and_nothing_else() -> None:
    run = run_of("a", 1, a=actions("x"))
    run.fail("a")
    turn = run.recover()
    assert dispatched(turn) == [("a[0].x", 2)]
    assert run.nodes["a"] == "falling_back"
    run.finish("a[0].x", 3)
    assert run.output == 3


def test_a_condemned_fallback_gives_way_to_the_next() -> None:
    run = run_of("a", 1, a=actions("x", "y"))
    run.fail("a")
    for _ in range(2):
        run.recover(alone=True)
        run.take(inputs.AdmissionGranted(path="a[0].x", run=1))
    turn = run.recover(alone=True)
    assert "NodeFellBack" in names(turn) and run.state("a").because == "y"
    assert dispatched(turn) == [("a[1].y", 1)]


def test_a_condemned_owner_falls_back() -> None:
    run = run_of("a", 1, a=actions("x"))
    for _ in range(2):
        run.recover(alone=True)
        run.take(inputs.AdmissionGranted(path="a", run=1))
    run.recover(alone=True)
    assert run.nodes["a"] == "falling_back" and run.state("a").error.type == "CrashLimit"


def test_while_the_instance_stands_still_the_decision_is_made_and_nothing_begins() -> None:
    run = run_of("a", 1, a=actions("x", "y"))
    run.take(inputs.ParkInstance(reason="defect"))
    assert names(run.fail("a")) == ["NodeFellBack"]
    assert names(run.take(inputs.ResumeInstance())) == ["InstanceResumed", "ScopeStarted", "NodeStarted"]
    run.take(inputs.ParkInstance(reason="defect"))
    assert names(run.fail("a[0].x")) == ["NodeFailed"]
    turn = run.take(inputs.ResumeInstance())
    assert names(turn) == ["InstanceResumed", "ScopeEnded", "NodeFellBack", "ScopeStarted", "NodeStarted"]
    run.finish("a[1].y", 2)
    assert run.output == 2


def test_more_fallbacks_than_a_turn_may_begin_ask_for_further_turns() -> None:
    ids = [f"n{index}" for index in range(103)]
    bad = {"input": "${ 1 / 0 }", **actions("x")}
    run = run_of("; ".join(ids), 1, **dict.fromkeys(ids, bad))
    assert len(run.instance.open) == 100
    timers = [path for path, _, _, purpose in run.armed() if purpose == fx.BODIES]
    assert timers == ["n100", "n101", "n102"]
    run.timer("n100", fx.BODIES)
    assert "n100[0]" in run.instance.open
    turn = run.recover()
    assert sorted(path for path, _, _, purpose in run.armed() if purpose == fx.BODIES) == ["n101", "n102"]
    assert len(dispatched(turn)) == 101
    run.take(inputs.CancelInstance())
    assert run.status == "cancelled"


def test_what_no_id_may_have_is_written_otherwise() -> None:
    run = run_of("a", 1, a=actions("mail.send:now", "..."))
    run.fail("a")
    assert list(run.open_nodes) == ["a", "a[0].mail-send:now"]
    run.fail("a[0].mail-send:now")
    assert "a[1].action" in run.open_nodes


def test_a_second_configuration_that_cannot_be_computed_ends_the_node() -> None:
    """A retry computes the config anew; nothing was told of a failure of that before."""
    a = {
        "type": "slack.post",
        "config": {"n": "${ 1 / variables.n }"},
        "retry": {"strategy": "fixed", "initialDelay": 1},
    }
    run = run_of("a; b", 1, {"variables": {"n": 1}}, a=a)
    run = Run(run.plan)
    run.start(1, variables=b'{"n": 1}')
    run.finish("b", variables=b'{"n": 0}')
    run.fail("a")
    run.timer("a", fx.RETRY)
    assert run.status == "failed" and run.state("a").error.type == "MappingError"


def test_what_stands_in_for_a_loop_is_no_pass_of_it() -> None:
    """It sees the loop around, if there is one."""
    sees = {"type": "transform", "config": {"output": "${ [index, loop.state] }"}}
    loop = {"config": {"condition": "true", "body": {"nodes": [{"id": "n", "type": "function"}]}}}
    nodes = [{"id": "w", "type": "while", "fallbackNodeId": "f", **loop}, {"id": "f", **sees}]
    run = run_of("w; f", 1, w={"type": "while", "fallbackNodeId": "f", **loop}, f=sees)
    run.fail("w[0].n")
    assert run.output == [None, None]
    run = run_of("e", 1, e={"type": "forEach", "config": {"items": [1, 2], "body": {"nodes": nodes}}})
    run.fail("e[0].w[0].n")
    run.fail("e[1].w[0].n")
    assert run.output == [[0, None], [1, None]]
