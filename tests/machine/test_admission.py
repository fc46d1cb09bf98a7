"""Slots: who must ask, what an answer does, and that none leaks."""

from __future__ import annotations

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import inputs

from .harness import Run, asked, dispatched, graph, names

LIMIT = {"maxConcurrentExecutions": 2}


def asking(**node: object) -> Run:
    run = Run(graph("a -> b; a -fail-> c; z", a={**LIMIT, **node}))
    turn = run.start({"zero": 0})
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a")]
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
    assert asked(run.finish("a"), fx.ReleaseAdmission) == [fx.ReleaseAdmission("a", 1)]


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


@pytest.mark.parametrize("kind", [inputs.AdmissionGranted, inputs.AdmissionRefused])
@pytest.mark.parametrize(("path", "run"), [("a", 2), ("b", 1), ("z", 1), ("nowhere", 1)])
def test_stale_answers(kind: type, path: str, run: int) -> None:
    answer = {"path": path, "run": run} | ({"reason": "x"} if kind is inputs.AdmissionRefused else {})
    turn = asking().take(kind(**answer))
    assert (turn.dropped, turn.events, turn.effects) == ("stale", [], [])


def test_each_attempt_asks_for_itself() -> None:
    run = granted(retry={"jitter": 0})
    assert asked(run.fail("a"), fx.ReleaseAdmission) == [fx.ReleaseAdmission("a", 1)]
    turn = run.timer("a", fx.RETRY)
    assert names(turn) == ["NodeReady"]
    assert dispatched(run.take(inputs.AdmissionGranted(path="a", run=1))) == [("a", 2)]


def test_a_mapping_that_raises_gives_the_slot_back() -> None:
    run = asking(input={"x": "${ 1 / input.zero }"})
    turn = run.take(inputs.AdmissionGranted(path="a", run=1))
    assert asked(turn, fx.ReleaseAdmission) == [fx.ReleaseAdmission("a", 1)]
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "running", "z": "running"}


@pytest.mark.parametrize("run", [asking, granted])
def test_a_cancelled_node_gives_its_slot_back(run: object) -> None:
    turn = run().take(inputs.CancelInstance())  # type: ignore[operator]
    assert fx.ReleaseAdmission("a", 1) in turn.effects


def test_a_request_is_made_again_by_a_new_process_without_a_second_event() -> None:
    run = asking()
    run.finish("z")
    turn = run.recover()
    assert turn.events == []
    assert asked(turn, fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a")]


@pytest.mark.parametrize(
    "limit",
    [{"maxConcurrentExecutions": 1}, {"rateLimit": {"rate": 5}}, {"resources": {"cpu": 1}}, {"circuitBreaker": {}}],
    ids=lambda limit: next(iter(limit)),
)
def test_what_makes_a_node_ask(limit: dict[str, object]) -> None:
    run = Run(graph("a", a=limit))
    assert asked(run.start(), fx.AskAdmission) == [fx.AskAdmission("a", 1, "node:a")]
