"""D2: however long a delay is said to be, it lasts that long; what is no duration is refused, never run as no delay."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text, loads
from mainspring.graph.support import unsupported


def text(config: str) -> str:
    return f"id: w\nnodes:\n- {{id: a, type: delay, config: {{{config}}}}}\n"


@pytest.mark.parametrize(
    ("said", "duration"),
    [
        ("duration: 5s", "5s"),
        ("delayValue: 20", 20),
        ("delayType: fixed, delayValue: 20", 20),
        ("delayMs: 7", 7),
        ("ms: 7", 7),
        ("for: 2m", "2m"),
        ("seconds: 3", 3_000),
        ("seconds: 0.5", 500),
        ("minutes: 2", 120_000),
        ("delay: '${ input.wait }'", "${ input.wait }"),
    ],
)
def test_spellings(said: str, duration: object) -> None:
    workflow = loads(text(said)).workflow
    assert workflow.nodes[0].config["duration"] == duration
    assert unsupported(workflow) == []


def test_editor_style() -> None:
    editor = "id: w\nnodes:\n- {id: a, type: delay, data: {delayType: fixed, delayValue: 20}}\n"
    assert loads(editor).workflow.nodes[0].config == {"delayType": "fixed", "duration": 20}


@pytest.mark.parametrize("said", ["seconds: soon", "minutes: '${ input.minutes }'", "expression: x"])
def test_what_is_no_duration_is_refused_by_name(said: str) -> None:
    found = unsupported(loads(text(said)).workflow)
    assert [one.code for one in found] == ["MS901"]


def test_two_ways_at_once_are_told_at_their_places() -> None:
    _, found = inspect_text(text("duration: 5s, ms: 3"))
    assert [(one.code, one.line, one.column) for one in found] == [("MS106", 3, 47)]


def test_a_bad_duration_is_told_where_it_was_said() -> None:
    _, found = inspect_text(text("ms: soon"))
    assert [(one.code, one.line, one.column) for one in found] == [("MS105", 3, 37)]
