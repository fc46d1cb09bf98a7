"""Slots: who must ask, what an answer does, and that none leaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mainspring.graph.plan import PlanNode
from mainspring.limits.limit import FREE, WAIT, Refusal, Verdict
from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.turn import Turn

from .harness import Run, asked, dispatched, given_back, graph, names

LIMIT = {"maxConcurrentExecutions": 2}


def asking(**node: object) -> Run:
    run = Run(graph("a -> b; a -fail-> c; z", a={**LIMIT, **node}))
    turn = run.start({"zero": 0})
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=1)]
    assert dispatched(turn) == [("z", 1)]
    assert run.nodes["a"] == "ready"
    assert run.state("a").waits_for == "node:a"
    return run


def granted(**node: object) -> Run:
    run = asking(**node)
    run.take(inputs.AdmissionGranted(path="a", run=1))
    return run


def test_granted() -> None:
    run = granted()
    assert run.nodes["a"] == "running"
    assert run.state("a").waits_for == ""
    turn = run.take(inputs.AdmissionGranted(path="a", run=1))
    assert (turn.dropped, turn.effects) == ("stale", []), "granted twice, held once"
    assert given_back(run.finish("a")) == [("a", 1, 1, "ok")]


def test_refused_fails_the_node_with_the_figures() -> None:
    run = asking(retry={})
    run.take(inputs.AdmissionRefused(path="a", run=1, reason="the circuit is open", figures={"failures": 7, "of": 10}))
    assert run.state("a").error.type == "AdmissionRefused"
    assert run.state("a").error.message == "the circuit is open (failures 7, of 10)"
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running", "z": "running"}
    assert run.take(inputs.AdmissionRefused(path="a", run=1, reason="")).dropped == "stale"


def test_refused_without_figures() -> None:
    run = asking()
    run.take(inputs.AdmissionRefused(path="a", run=1, reason="closed"))
    assert run.state("a").error.message == "closed"


@pytest.mark.parametrize("error", ["AdmissionRefused", "CircuitOpen"])
def test_a_refusal_finds_a_parked_instance_and_is_asked_for_again(error: str) -> None:
    """An attempt that a breaker turns away counts like any other: not while nothing may start (simulator, seed 10498)."""
    run = asking(retry={})
    run.take(inputs.ParkInstance(reason="by hand"))
    turn = run.take(inputs.AdmissionRefused(path="a", run=1, reason="open", error=error))
    assert (turn.dropped, turn.events, turn.effects) == ("the instance is parked", [], [])
    assert run.nodes["a"] == "ready"
    turn = run.take(inputs.ResumeInstance())
    assert fx.AskAdmission("a", 1, "node:a", attempt=1) in asked(turn, fx.AskAdmission)


@pytest.mark.parametrize("stop", [inputs.ParkInstance(reason="by hand"), inputs.PauseInstance()])
def test_what_was_given_back_by_a_standstill_is_not_given_back_by_the_answer_too(stop: inputs.Input) -> None:
    """What it then asks for anew has the same name, and would be lost: a pool of 3 had 4 (simulator, seed 7822)."""
    run = asking()
    assert given_back(run.take(stop)) == [("a", 1, 1, "unused")]
    turn = run.take(inputs.AdmissionGranted(path="a", run=1))
    assert turn.dropped.startswith("the instance is pa")
    assert (turn.events, turn.effects) == ([], [])


@pytest.mark.parametrize(("now", "begins"), [(FREE, True), (WAIT, False)])
def test_an_answer_from_before_a_standstill_counts_only_where_it_is_still_true(now: Verdict, begins: bool) -> None:
    run = asking()
    run.take(inputs.PauseInstance())
    run.admission = lambda *asked: WAIT
    assert asked(run.take(inputs.ResumeInstance()), fx.AskAdmission)
    run.admission = lambda *asked: now
    turn = run.take(inputs.AdmissionGranted(path="a", run=1))  # the first one's: it was on its way all the time
    assert run.nodes["a"] == ("running" if begins else "ready")
    assert turn.dropped == ("" if begins else "given back meanwhile")


@pytest.mark.parametrize("kind", [inputs.AdmissionGranted, inputs.AdmissionRefused])
@pytest.mark.parametrize(("path", "run"), [("a", 2), ("b", 1), ("z", 1), ("nowhere", 1)])
def test_stale_answers(kind: type, path: str, run: int) -> None:
    answer = {"path": path, "run": run} | ({"reason": "x"} if kind is inputs.AdmissionRefused else {})
    turn = asking().take(kind(**answer))
    assert (turn.dropped, turn.events, turn.effects) == ("stale", [], [])


def test_each_attempt_asks_for_itself() -> None:
    run = granted(retry={"jitter": 0})
    assert given_back(run.fail("a")) == [("a", 1, 1, "failed")]
    turn = run.timer("a", fx.RETRY)
    assert names(turn) == ["NodeReady"]
    assert dispatched(run.take(inputs.AdmissionGranted(path="a", run=1))) == [("a", 2)]


def test_a_mapping_that_raises_gives_the_slot_back() -> None:
    run = asking(input={"x": "${ 1 / input.zero }"})
    turn = run.take(inputs.AdmissionGranted(path="a", run=1))
    assert given_back(turn) == [("a", 1, 1, "unused")]
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running", "z": "running"}


@pytest.mark.parametrize(("run", "outcome"), [(asking, "unused"), (granted, "stopped")])
def test_a_cancelled_node_gives_its_slot_back(run: Callable[[], Run], outcome: str) -> None:
    assert ("a", 1, 1, outcome) in given_back(run().take(inputs.CancelInstance()))


def test_a_request_is_made_again_by_a_new_process_without_a_second_event() -> None:
    run = asking()
    run.finish("z")
    turn = run.recover()
    assert turn.events == []
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=1)]


@pytest.mark.parametrize(
    "limit",
    [
        {"maxConcurrentExecutions": 1},
        {"rateLimit": {"rate": 5}},
        {"resources": {"cpu": 1}},
        {"circuitBreaker": {}},
        {"pool": "gpu"},
        {"adaptive": True},
    ],
    ids=lambda limit: next(iter(limit)),
)
def test_what_makes_a_node_ask(limit: dict[str, object]) -> None:
    run = Run(graph("a", a=limit))
    assert asked(run.start(), fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=1)]


def test_what_the_machine_does_by_itself_never_asks() -> None:
    decides = {"type": "if", "config": {"condition": "true"}, **LIMIT}
    run = Run(graph("a -@true-> b", a=decides))
    assert asked(run.start(), fx.AskAdmission) == []
    assert run.nodes["a"] == "completed"


# --- in the very turn (rule 72) ---


def at_once(verdict: Verdict, **node: object) -> tuple[Run, list[tuple[object, ...]], Turn]:
    """A node with a limit whose admission is asked within the turn, and answers this."""
    run = Run(graph("a -> b; a -fail-> c", a={**LIMIT, **node}))
    said: list[tuple[object, ...]] = []

    def admission(node: PlanNode, *about: object) -> Verdict:
        said.append((node.id, *about))
        return verdict

    run.admission = admission
    return run, said, run.start({"zero": 0})


def test_a_limit_that_is_free_lets_it_start_in_the_turn() -> None:
    run, said, turn = at_once(FREE)
    assert said == [("a", "a", 1, 1, run.now)]
    assert names(turn) == ["InstanceStarted", "NodeStarted"]
    assert dispatched(turn) == [("a", 1)]
    assert asked(turn, fx.AskAdmission) == []
    assert run.state("a").waits_for == ""


def test_a_limit_that_is_taken_makes_it_ready_and_it_asks() -> None:
    _, _, turn = at_once(WAIT)
    assert names(turn) == ["InstanceStarted", "NodeReady"]
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=1)]


def test_a_limit_that_refuses_fails_it_in_the_turn() -> None:
    refusal = Refusal("the circuit is open", {"failures": 7}, type="CircuitOpen")
    run, _, turn = at_once(refusal)
    assert run.state("a").error.type == "CircuitOpen"
    assert run.state("a").error.message == "the circuit is open (failures 7)"
    assert dispatched(turn) == [("c", 1)]


def test_what_was_taken_in_the_turn_is_given_back_where_it_cannot_begin() -> None:
    _, _, turn = at_once(FREE, input={"x": "${ 1 / 0 }"})
    assert given_back(turn) == [("a", 1, 1, "unused")]


def test_a_retry_whose_limit_is_free_starts_by_its_timer() -> None:
    run, _, _ = at_once(FREE, retry={"jitter": 0})
    run.fail("a")
    turn = run.timer("a", fx.RETRY)
    assert names(turn) == ["NodeStarted"]
    assert dispatched(turn) == [("a", 2)]


@pytest.mark.parametrize("again", [inputs.Recover(), inputs.ResumeInstance()])
def test_who_was_ready_may_be_refused_as_it_goes_on(again: inputs.Input) -> None:
    run = asking()
    run.finish("z")
    if isinstance(again, inputs.ResumeInstance):
        turn = run.take(inputs.ParkInstance(reason="r"))
        assert given_back(turn) == [("a", 1, 1, "unused")], "it keeps nobody waiting"
    run.admission = lambda *_: Refusal("no")
    run.take(again)
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running", "z": "completed"}


def test_a_retry_that_is_refused_goes_on_as_a_failure_does() -> None:
    run, _, _ = at_once(FREE, retry={"jitter": 0})
    run.fail("a")
    run.admission = lambda *_: Refusal("no")
    run.timer("a", fx.RETRY)
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running"}


def test_code_that_comes_later_asks_by_effect() -> None:
    """Its slot was given back by the turn before, which may not be durable yet: it would be taken twice under one name."""
    run, _, _ = at_once(FREE)
    run.take(inputs.HandlerMissing(path="a", run=1, attempt=1, handler="m:f"))
    turn = run.take(inputs.HandlersFound(paths=("a",)))
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a", attempt=2)]


OPEN = Refusal("the circuit is open", type="CircuitOpen", state="open")


def test_a_mapped_input_outlives_a_breaker_that_refuses() -> None:
    """The attempt that is not made has the input mapped: the next one cannot do so any more, and what stands in needs it."""
    run, _, _ = at_once(OPEN, retry={"jitter": 0}, input={"x": "${ input.zero }"})
    assert run.nodes["a"] == "retrying"
    run.admission = lambda *_: FREE
    assert dispatched(run.timer("a", fx.RETRY)) == [("a", 2)]
    assert run.input_of("a") == {"x": 0}


def test_what_stands_in_for_one_that_was_refused_gets_its_mapped_input() -> None:
    stands_in = {"fallbackActions": [{"type": "other"}]}
    run, _, _ = at_once(OPEN, resilience=stands_in, input={"x": "${ input.zero }"})
    assert run.input_of("a[0].other") == {"x": 0}


def test_a_mapping_that_raises_comes_before_a_breaker() -> None:
    run, _, _ = at_once(OPEN, retry={"jitter": 0}, input={"x": "${ 1 / 0 }"})
    assert run.state("a").error.type == "MappingError"
