"""Bounds on what passing nodes hand on, and what an expression sees of the nodes."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine.nodes import running

from .harness import Run, graph


@pytest.mark.parametrize(("size", "status"), [(42, "completed"), (43, "failed")])
@pytest.mark.parametrize("kind", ["log", "trigger", "delay"])
def test_passing_nodes_keep_the_payload_bound(
    monkeypatch: pytest.MonkeyPatch, kind: str, size: int, status: str
) -> None:
    """Joins nest what they pass on, so what is small enough for each task can grow in between."""
    monkeypatch.setattr(running, "PAYLOAD_BYTES_MAX", 100)
    run = Run(graph("a -> p; b -> p -> z", p={"type": kind, "config": {"duration": 1} if kind == "delay" else {}}))
    run.start()
    run.finish("a", "x" * size)
    run.finish("b", "y" * 43)
    if kind == "delay":
        run.timer("p", "delay")
    assert run.nodes["p"] == status, """{"a":"","b":""} has 15 bytes of its own"""
    if status == "failed":
        assert run.state("p").error.type == "PayloadTooLarge"
        assert "payload_bytes_max is 100" in run.state("p").error.message


def seen(expression: str) -> Any:
    """What the expression gives as node c's input, after a completed, b failed and s was skipped."""
    run = Run(graph("a -> c; b -all-> c; b -> s; a -> x", c={"input": {"it": f"${{ {expression} }}"}}))
    run.start({"n": 1})
    run.finish("a", {"v": [1, 2]})
    run.fail("b", "Boom", "no", code=7)
    return run.input_of("c")["it"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("nodes.a.status", "completed"),
        ("nodes.a.completed && !nodes.a.failed", True),
        ("nodes.a.output.v[1]", 2),
        ("nodes.a.error", None),
        ("nodes.b.error.code", 7),
        ("nodes.b.failed", True),
        ("nodes.b.attempts", 1),
        ("nodes.s.skipped", True),
        ("nodes.nowhere.output", None),
        ("len(nodes)", 5),
        ("keys(nodes)", ["a", "c", "b", "s", "x"]),
        ("workflow.instance", "i"),
        ("variables.none", None),
        ("output", None),
    ],
)
def test_what_an_expression_sees(expression: str, expected: Any) -> None:
    assert seen(expression) == expected
