"""Skip, complete by hand, retry with another input, set variables, run again from a node (SEMANTICS 93 to 98)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.turn import Refused, Turn

from .harness import Run, asked, dispatched, encoded, graph, names, run_of
from .test_blocks import node

WHO = {"by": "ann", "reason": "by phone"}
RETRY = {"jitter": 0, "initialDelay": 100}
EACH = {"join": {"kind": "each"}}


def loop(items: int, *nodes: Any) -> dict[str, Any]:
    return {
        "type": "forEach",
        "config": {"items": items, "concurrency": 2, "body": {"nodes": list(nodes), "connections": []}},
    }


def skip(run: Run, path: str, of: int = 1) -> Turn:
    return run.take(inputs.SkipNode(path=path, run=of, **WHO))


def complete(run: Run, path: str, output: Any = None, of: int = 1, port: str | None = None) -> Turn:
    return run.take(inputs.CompleteNode(path=path, run=of, output=encoded(output), port=port, **WHO))


def retry(run: Run, path: str, of: int = 1, **more: Any) -> Turn:
    return run.take(inputs.RetryNode(path=path, run=of, **WHO, **more))


def rerun(run: Run, path: str, of: int = 1, **more: Any) -> Turn:
    return run.take(inputs.RerunFrom(path=path, run=of, **WHO, **more))


# --- skip -------------------------------------------------------------------------------------------------------------


def test_what_runs_is_stopped_and_the_rest_goes_on() -> None:
    run = run_of("a -> c; b -> c; a -> d")
    turn = skip(run, "a")
    assert turn.events[:2] == [
        ev.Intervened("skip", "a", 1, "ann", "by phone"),
        ev.NodesCancelled((ev.Ref("a", 1, True),), "skipped by ann: by phone"),
    ]
    assert asked(turn, fx.AbandonTask) == [fx.AbandonTask("a", 1, 1)]
    assert run.nodes == {"a": "cancelled", "c": "pending", "b": "running", "d": "skipped"}
    run.finish("b", 1)
    assert run.input_of("c") == {"b": 1}, "a skip is no message"


def test_what_has_not_begun_is_skipped_when_it_would_have() -> None:
    run = run_of("a -> b -> c; a -> c")
    assert names(skip(run, "b")) == ["Intervened", "NodesSkipped"]
    assert run.skips()["b"] == ("skipped by ann: by phone", "")
    assert dispatched(run.finish("a", 3)) == [("c", 1)]


@pytest.mark.parametrize("what", ["ready", "retrying", "waiting", "delayed"])
def test_whatever_it_waits_for(what: str) -> None:
    nodes: dict[str, Any] = {
        "ready": {"maxConcurrentExecutions": 1},
        "retrying": {"retry": RETRY},
        "waiting": {"type": "wait", "config": {"signal": "go"}, "timeout": 900},
        "delayed": {"type": "delay", "config": {"duration": 500}},
    }
    run = run_of("n -> m; o", n=nodes[what])
    if what == "retrying":
        run.fail("n")
    skip(run, "n")
    assert run.armed() == {}
    assert run.nodes == {"n": "cancelled", "m": "skipped", "o": "running"}


def test_a_skipped_failure_is_none_and_the_instance_ends_well() -> None:
    run = run_of("a -> b; c")
    run.finish("c", 3)
    run.fail("a")
    assert run.status == "failed"
    turn = skip(run, "a")
    assert names(turn)[:4] == ["Intervened", "InstanceReopened", "NodeReset", "NodeReset"]
    assert (run.status, run.output, run.nodes["a"], run.state("a").run) == ("completed", {"c": 3}, "skipped", 2)
    assert asked(turn, fx.EndInstance) == [fx.EndInstance("completed")]


def test_a_block_is_skipped_with_what_runs_in_it() -> None:
    run = run_of("l -> m", l=loop(2, node("x")))
    turn = skip(run, "l")
    assert len(asked(turn, fx.AbandonTask)) == 2
    assert run.status == "completed"


def test_a_node_within_a_body() -> None:
    run = run_of("l", l=loop(1, node("x"), node("y", "function", "x")))
    skip(run, "l[0].x")
    assert (run.status, run.nodes) == ("completed", {"l": "completed"})


def test_while_the_instance_stands_still_nothing_follows_yet() -> None:
    run = run_of("a -> c; b -> c")
    run.take(inputs.PauseInstance())
    skip(run, "a")
    complete(run, "b", 1)
    assert (run.status, run.nodes["c"]) == ("paused", "pending")
    assert dispatched(run.take(inputs.ResumeInstance())) == [("c", 1)]


# --- complete ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["running", "ready", "retrying", "waiting", "delayed", "pending", "failed"])
def test_a_node_is_done_by_hand_wherever_it_is(what: str) -> None:
    nodes: dict[str, Any] = {
        "ready": {"maxConcurrentExecutions": 1},
        "retrying": {"retry": RETRY},
        "waiting": {"type": "wait", "config": {"signal": "go"}, "timeout": 900},
        "delayed": {"type": "delay", "config": {"duration": 500}},
    }
    run = run_of("p -> n -> m; o", n={"timeout": 900, **nodes.get(what, {})} if what != "delayed" else nodes[what])
    if what != "pending":
        run.finish("p")
    if what in ("retrying", "failed"):
        run.fail("n")
    turn = complete(run, "n", {"paid": True})
    assert turn.events[0] == ev.Intervened("complete", "n", 1, "ann", "by phone")
    assert run.nodes["n"] == "completed"
    assert (run.nodes["m"], run.input_of("m")) == ("running", {"paid": True})
    assert run.armed() == {}
    late = inputs.TaskFinished(path="n", run=1, attempt=1, output=b"0")
    assert run.take(late).dropped == "stale", "what was running is too late"
    if what == "pending":
        assert names(run.finish("p")) == ["NodeCompleted"], "its token comes too late too"


def test_a_call_that_is_stopped_for_it_is_no_good_call() -> None:
    run = run_of("a", a={"circuitBreaker": {"target": "bank"}})
    assert asked(complete(run, "a"), fx.ReleaseAdmission)[-1].outcome == "stopped"


def test_by_a_port() -> None:
    run = run_of("a -@yes-> b; a -@no-> c")
    with pytest.raises(Refused, match=r"a has no port 'maybe' \(its connections have: no, yes\)"):
        complete(run, "a", port="maybe")
    complete(run, "a", port="yes")
    assert (run.nodes["b"], run.nodes["c"]) == ("running", "skipped")


def test_the_output_is_held_to_its_schema() -> None:
    run = run_of("a", a={"outputSchema": {"type": "object"}})
    with pytest.raises(Refused, match="does not match the outputSchema of a"):
        complete(run, "a", 3)
    complete(run, "a", {})
    assert run.status == "completed"


def test_a_child_is_ended_when_its_node_is_done_by_hand() -> None:
    run = Run(graph("s -> t", s={"type": "subflow", "config": {"workflow": "child"}}))
    run.start(children=(ev.Pin("child", "v1"),))
    turn = complete(run, "s", 1)
    assert [send.what for send in asked(turn, fx.Send)] == [fx.CancelChild("s was stopped", "i")]


def test_a_block_with_open_bodies_is_not_done() -> None:
    run = run_of("l", l=loop(2, node("x")))
    with pytest.raises(Refused, match="l has bodies under way"):
        complete(run, "l")


# --- what can't be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", [skip, complete])
def test_what_can_t_be_touched(do: Any) -> None:
    run = run_of("a -> b; c; u", a={"compensationNodeId": "u"})
    with pytest.raises(Refused, match="there is no z"):
        do(run, "z")
    with pytest.raises(Refused, match="a is in its run 1"):
        do(run, "a", of=2)
    with pytest.raises(Refused, match="u runs on behalf of another node"):
        do(run, "u")
    run.finish("a")
    with pytest.raises(Refused, match="a is completed"):
        do(run, "a")
    run.finish("b")
    run.finish("c")
    with pytest.raises(Refused, match=r"the instance is completed: run it again from the node instead"):
        do(run, "b")
    again = run_of("a -> b", {"failure_policy": "fail_fast"})
    again.take(inputs.CancelInstance())
    with pytest.raises(Refused, match="the instance is cancelled"):
        do(again, "a")
    fresh = Run(graph("a"))
    with pytest.raises(Refused, match="the instance is pending: it is left alone"):
        do(fresh, "a")
    repeating = run_of("a -> e -> f; b -> e", e=EACH)
    with pytest.raises(Refused, match="e may run more than once"):
        do(repeating, "e")


def test_a_failure_that_a_connection_took_stays() -> None:
    run = run_of("a -fail-> b")
    run.fail("a")
    with pytest.raises(Refused, match="a connection took the failure of a"):
        skip(run, "a")


# --- retry ------------------------------------------------------------------------------------------------------------


def test_the_next_attempt_is_made_now() -> None:
    run = run_of("a", a={"retry": RETRY})
    run.fail("a")
    with pytest.raises(Refused, match="in the middle of a run, which keeps its input"):
        retry(run, "a", input=b"1")
    turn = retry(run, "a")
    assert (names(turn), dispatched(turn), run.armed()) == (["Intervened", "NodeStarted"], [("a", 2)], {})


def test_while_it_stands_still_it_is_made_when_it_goes_on() -> None:
    run = run_of("a", a={"retry": RETRY})
    run.fail("a")
    run.take(inputs.ParkInstance(reason="a fault"))
    assert dispatched(retry(run, "a")) == []
    run.take(inputs.ResumeInstance())
    assert run.armed() == {("a", 1, 1, fx.RETRY): run.now}


def test_while_its_clocks_stand_still_too() -> None:
    run = run_of("a", a={"retry": RETRY})
    run.fail("a")
    run.take(inputs.PauseInstance())
    run.now += 10
    retry(run, "a")
    run.now += 10
    run.take(inputs.ResumeInstance())
    assert run.armed() == {("a", 1, 1, fx.RETRY): run.now}


@pytest.mark.parametrize("mapped", [{}, {"input": {"n": "${ input }"}}, {"input": {"n": 1}}])
def test_with_another_input(mapped: dict[str, Any]) -> None:
    run = run_of("a -> b", 5, a=mapped)
    run.fail("a")
    turn = retry(run, "a", input=b'{"n":7}')
    assert "InputMapped" in names(turn)
    assert run.input_of("a") == {"n": 7}


# --- variables --------------------------------------------------------------------------------------------------------


def test_variables_are_set_for_what_comes() -> None:
    run = run_of("a -> b", workflow={"variables": {"rate": 1}})
    turn = run.take(inputs.SetVariables(values=b'{"rate":3}', **WHO))
    assert names(turn) == ["Intervened", "VariablesSet"]
    (order,) = asked(run.finish("a"), fx.DispatchTask)
    assert order.variables == b'{"rate":3}'
    run.finish("b")
    with pytest.raises(Refused, match="the instance is completed: nothing would see them"):
        run.take(inputs.SetVariables(values=b"{}"))


# --- again from a node ------------------------------------------------------------------------------------------------


def test_from_a_node_on_all_runs_again_and_nothing_else() -> None:
    run = run_of("a -> b -> d; a -> c -> d; d -> e", 1)
    for path in "abcde":
        run.finish(path, path)
    turn = rerun(run, "b")
    assert names(turn) == ["Intervened", "InstanceReopened", "NodeReset", "NodeReset", "NodeReset", "NodeStarted"]
    assert run.nodes == {"a": "completed", "b": "running", "c": "completed", "d": "pending", "e": "pending"}
    assert run.input_of("b") == "a"
    run.finish("b", "B")
    assert run.input_of("d") == {"b": "B", "c": "c"}
    run.finish("d", "D")
    run.finish("e", "E")
    assert (run.status, run.output) == ("completed", "E")
    assert {path: run.state(path).run for path in "abcde"} == {"a": 1, "b": 2, "c": 1, "d": 2, "e": 2}


def test_the_letters_of_all_that_runs_again_are_raised() -> None:
    run = run_of("a -> b; a -> c", 1)
    run.finish("a")
    run.fail("b")
    run.finish("c")
    assert rerun(run, "a").letters == (fx.Raise("b", 1),)


def test_with_another_input_and_from_an_entry_node() -> None:
    run = run_of("a -> b", 1)
    run.finish("a", 2)
    run.finish("b", 3)
    rerun(run, "a", input=b"9")
    assert run.input_of("a") == 9


def test_an_instance_whose_clock_runs_gets_it_again() -> None:
    run = run_of("a", workflow={"timeout": 500})
    run.finish("a")
    assert run.armed() == {}
    rerun(run, "a")
    assert run.armed() == {("", 0, 0, fx.INSTANCE_TIMEOUT): 1_500}


def test_a_block_runs_again_whole() -> None:
    run = run_of("l -> m", l=loop(2, node("x")))
    for number in (0, 1):
        run.finish(f"l[{number}].x", number)
    run.finish("m")
    rerun(run, "l")
    for number in (2, 3):
        run.finish(f"l[{number}].x", number)
    assert run.input_of("m") == [2, 3]


def test_what_can_t_run_again() -> None:
    run = run_of("a -> b; a -[false]-> c -> d; u", c={"compensationNodeId": "u"})
    with pytest.raises(Refused, match="the instance is running: only one that is at its end"):
        rerun(run, "a")
    run.finish("a")
    run.finish("b")
    for path, why in (
        ("z", "z is no node of the instance's own graph"),
        ("u", "u is no node of the instance's own graph"),
        ("d", "d was skipped: nothing came to it"),
    ):
        with pytest.raises(Refused, match=why):
            rerun(run, path)
    with pytest.raises(Refused, match="a is in its run 1"):
        rerun(run, "a", of=2)
    repeating = run_of("a -> e; b -> e", e=EACH)
    for path in ("a", "b", "e", "e"):
        repeating.finish(path)
    assert repeating.status == "completed"
    with pytest.raises(Refused, match="a leads to a node that may run more than once: its inbox is closed"):
        rerun(repeating, "a")
    with pytest.raises(Refused, match="e may run more than once, and what its inbox had is done with"):
        rerun(repeating, "e", of=2)


def test_what_was_undone_does_not_run_again() -> None:
    run = run_of("a -> b; u", a={"compensationNodeId": "u"})
    run.finish("a")
    run.fail("b")
    run.read_back()
    run.finish(next(path for path, status in run.open_nodes.items() if status == "running"))
    assert run.status == "failed"
    with pytest.raises(Refused, match="what had completed has been undone"):
        rerun(run, "b")


def test_what_ended_it_before_does_not_when_it_is_resumed() -> None:
    run = run_of("a; b", workflow={"failure_policy": "fail_fast"})
    run.finish("b")
    run.fail("a")
    assert run.status == "failed"
    rerun(run, "b")
    run.take(inputs.ParkInstance(reason="a fault"))
    run.take(inputs.ResumeInstance())
    assert (run.status, run.nodes["b"]) == ("running", "running")


def test_a_run_before_is_undone_though_the_last_one_was_skipped() -> None:
    run = run_of("a -[output]-> b; a -> c; u", b={"compensationNodeId": "u"})
    run.finish("a", True)
    run.finish("b")
    run.finish("c")
    rerun(run, "a")
    run.finish("a", False)
    assert run.nodes["b"] == "skipped"
    run.fail("c")
    run.read_back()
    run.finish(next(path for path, status in run.open_nodes.items() if status == "running"))
    assert (run.status, run.nodes["b"]) == ("failed", "compensated")


# --- for every graph --------------------------------------------------------------------------------------------------


def random_run(chance: random.Random) -> tuple[Run, dict[str, bool]]:
    """A graph of joins by all; whether each of its nodes does its work well."""
    count = chance.randrange(2, 9)
    ids = [f"n{index}" for index in range(count)]
    edges = [
        f"{ids[source]} {chance.choice(('->', '->', '-fail->', '-all->'))} {ids[target]}"
        for target in range(1, count)
        for source in range(target)
        if chance.random() < 0.45
    ]
    run = Run(graph("; ".join([*ids, *edges])))
    run.start(1)
    return run, {id: chance.random() < 0.75 for id in ids}


def drive(run: Run, chance: random.Random, well: dict[str, bool]) -> None:
    while run.status not in INSTANCE_FINAL:
        path = chance.choice([path for path, status in run.nodes.items() if status == "running"])
        if well[path]:
            run.finish(path, path)
        else:
            run.fail(path)


@pytest.mark.parametrize("seed", range(200))
def test_run_again_from_any_node_it_comes_to_the_same(seed: int) -> None:
    chance = random.Random(seed)
    run, well = random_run(chance)
    drive(run, chance, well)
    before, output, status = run.nodes, run.output, run.status
    runs = {path: run.state(path).run for path in run.nodes}
    first = chance.choice(list(run.nodes))
    try:
        rerun(run, first)
    except Refused as refused:
        assert "was skipped" in str(refused)
        return
    follows = {first}
    for one in run.plan.nodes:
        if any(run.plan.nodes[edge.source].id in follows for edge in one.incoming):
            follows.add(one.id)
    drive(run, chance, well)
    assert (run.nodes, run.output, run.status) == (before, output, status)
    assert {path: run.state(path).run for path in run.nodes} == {
        path: number + (path in follows) for path, number in runs.items()
    }


@pytest.mark.parametrize("seed", range(200))
def test_a_dry_run_on_what_is_durable_tells_what_then_happens(seed: int) -> None:
    """And whatever is done by hand, the instance comes to an end, and only the node that is meant is touched by it."""
    from mainspring.machine.step import step

    chance = random.Random(seed)
    run, well = random_run(chance)
    for _ in range(chance.randrange(0, 6)):
        running = [path for path, status in run.nodes.items() if status == "running"]
        if running:
            path = chance.choice(running)
            run.finish(path, path) if well[path] else run.fail(path)
    for _ in range(3):
        path = chance.choice(list(run.nodes))
        state = run.instance.locate(path)[0].nodes[run.plan.by_id[path].index]
        who: Any = {"path": path, "run": 1 if state is None else state.run, **WHO}
        request = chance.choice(
            (
                inputs.SkipNode(**who),
                inputs.CompleteNode(**who, output=b'"by hand"'),
                inputs.RetryNode(**who),
                inputs.RerunFrom(**who),
            )
        )
        copy = run.replayed()
        try:
            told = step(run.plan, copy, request, run.now)
        except Refused as refused:
            with pytest.raises(Refused) as real:
                run.take(request)
            assert str(real.value) == str(refused)
            continue
        turn = run.take(request)
        assert (turn.events, turn.effects, turn.letters) == (told.events, told.effects, told.letters)
    drive(run, chance, dict.fromkeys(well, True))
