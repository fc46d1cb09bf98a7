"""MS269: one target, several rules."""

from __future__ import annotations

from mainspring.graph.check import inspect_text

HEAD = "id: w\nnodes:\n"


def found(*lines: str) -> list[tuple[str, str, tuple[str | int, ...]]]:
    definition, findings = inspect_text(HEAD + "".join(f"  {line}\n" for line in lines))
    assert definition is not None, "it is a warning"
    return [(one.code, one.message, tuple(one.pointer)) for one in findings if one.code == "MS269"]


def test_nodes_of_one_target_that_differ_are_told_wherever_they_are() -> None:
    assert found(
        "- {id: pay, type: log, circuitBreaker: {target: bank, openFor: 1m}}",
        "- {id: each, type: forEach, config: {items: [1], body: "
        "[{id: refund, type: log, circuitBreaker: {target: bank, openFor: 1m, slowCall: 2s}}]}}",
    ) == [
        (
            "MS269",
            "`refund` and `pay` share the breaker of bank, and differ in slowCall",
            ("nodes", 1, "config", "body", "nodes", 0, "circuitBreaker"),
        )
    ]


def test_the_same_rules_other_targets_and_breakers_of_their_own_are_right() -> None:
    assert not found(
        "- {id: a, type: log, circuitBreaker: {target: bank, openFor: 1m}}",
        "- {id: b, type: log, circuitBreaker: {target: bank, openFor: 60s}}",
        "- {id: c, type: log, circuitBreaker: {target: post, openFor: 5m}}",
        "- {id: d, type: log, circuitBreaker: {openFor: 7m}}",
        "- {id: e, type: log, circuitBreaker: {openFor: 8m}}",
    )
