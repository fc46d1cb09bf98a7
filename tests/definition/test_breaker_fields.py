"""What a circuit breaker can be told: each spelling, each range, and what is at odds."""

from __future__ import annotations

import pytest

from mainspring.definition.load import read_text
from mainspring.definition.model import CircuitBreaker
from mainspring.graph.check import check_workflow


def breaker(text: str) -> tuple[CircuitBreaker | None, list[str]]:
    """What the node's breaker is read as, and what is found wrong with it."""
    reading = read_text(f"id: w\nnodes:\n  - {{id: a, type: script, config: {{path: a.sh}}, circuitBreaker: {text}}}\n")
    assert reading.workflow is not None
    found = [one.message for one in check_workflow(reading.workflow) if one.severity == "error"]
    return reading.workflow.nodes[0].circuit_breaker, found


@pytest.mark.parametrize(
    "text",
    [
        "{target: pay, window: 20, windowTime: 1m, slowCall: 2s, slowCallThreshold: 0.8, canary: true, retryRatio: 0.1}",
        "{target: pay, slidingWindowSize: 20, window_duration: 60s, slowCallDuration: 2000, slow_call_rate_threshold: 0.8,"
        " canary: true, retryBudget: 0.1}",
    ],
)
def test_all_that_it_can_be_told(text: str) -> None:
    read, found = breaker(text)
    assert found == []
    assert read == CircuitBreaker(
        target="pay",
        window=20,
        window_time=60_000,
        slow_call=2_000,
        slow_call_threshold=0.8,
        canary=True,
        retry_ratio=0.1,
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{retryRatio: 1.5}", "`retryRatio` is 1.5; it must be from 0 to 1"),
        ("{windowTime: 0}", "`windowTime` is 0; it must be at least 1"),
        ("{window: 5}", "`window` is 5, and `minimumThroughput` is 10: it would never open"),
        (
            "{slowCallThreshold: 0.5}",
            "`slowCallThreshold` says nothing without `slowCall`: from when on is a call slow?",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, wrong: str) -> None:
    assert breaker(text)[1] == [wrong]


def test_a_minimum_beyond_the_usual_window_widens_it() -> None:
    assert breaker("{minimumThroughput: 200}")[1] == []
