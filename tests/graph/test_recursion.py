"""Workflows that call themselves whatever happens are refused; those that may stop are not."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text

AGAIN = "- {id: again, type: subflow, config: {workflow: self}"


def codes(*lines: str, head: str = "id: w") -> list[str]:
    return [one.code for one in inspect_text("\n".join([head, "nodes:", *lines]) + "\n")[1]]


@pytest.mark.parametrize(
    "lines",
    [
        [AGAIN + "}"],
        ["- {id: a, type: function, handler: 'm:f'}", AGAIN + ", dependsOn: a}"],
        ["- {id: again, type: subflow, config: {workflow: w, wait: false}}"],
        ["- {id: again, type: subflow, config: {workflow: w, version: '2'}}"],
        ["- {id: m, type: mutex, config: {name: x}, body: [{id: again, type: subflow, config: {workflow: self}}]}"],
        ["- {id: u, type: until, config: {condition: value}, body: [{id: x, type: log}, {id: again, type: subflow,"
         " config: {workflow: self}, dependsOn: x}]}"],
        ["- {id: i, type: if, config: {condition: input.x}}", AGAIN + "}", "- {id: b, type: log}", "connections:",
         "- {source: i, target: again, sourcePort: then}", "- {source: i, target: b, sourcePort: else}",
         "- {source: b, target: again}"],
    ],
)  # fmt: skip
def test_endless(lines: list[str]) -> None:
    assert codes(*lines, head="id: w\nversion: '2'") == ["MS268"]


@pytest.mark.parametrize(
    "lines",
    [
        ["- {id: other, type: subflow, config: {workflow: other}}"],
        ["- {id: again, type: subflow, config: {workflow: w, version: '1'}}"],
        ["- {id: a, type: log}", AGAIN + "}", "connections:", "- {source: a, target: again, condition: input.n > 0}"],
        ["- {id: i, type: if, config: {condition: input.x}}", AGAIN + "}", "connections:",
         "- {source: i, target: again, sourcePort: then}"],
        ["- {id: f, type: function, handler: 'm:f'}", AGAIN + "}", "- {id: b, type: log}", "connections:",
         "- {source: f, target: again}", "- {source: f, target: b, sourcePort: done}"],
        ["- {id: a, type: log}", AGAIN + "}", "connections:", "- {source: a, target: again, trigger: fail}"],
        ["- {id: l, type: while, config: {condition: value}, body: [{id: again, type: subflow, config: {workflow: self}}]}"],
        ["- {id: l, type: forEach, config: {items: input}, body: [{id: again, type: subflow, config: {workflow: self}}]}"],
        ["- {id: a, type: terminate}", AGAIN + "}"],
    ],
)  # fmt: skip
def test_not_endless(lines: list[str]) -> None:
    assert codes(*lines, head="id: w\nversion: '2'") == []


def test_it_is_told_at_the_call() -> None:
    text = f"id: w\nnodes:\n{AGAIN}}}\n"
    (one,) = inspect_text(text)[1]
    assert one.pointer == ("nodes", 0, "config", "workflow") and "`again` starts this same workflow" in one.message
