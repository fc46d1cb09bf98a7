"""D7: bent definitions end in a definition or in findings within the file. The long form is `tests/definition/fuzz.py`."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text
from tests.definition.fuzz import check, document, run


@pytest.mark.apart
def test_two_thousand_bent_definitions() -> None:
    failures, slowest = run(1_000_000, 2_000)
    assert not failures, failures[0]
    assert slowest < 1


def test_the_documents_of_a_seed_are_always_the_same_and_of_all_kinds() -> None:
    made = [document(seed) for seed in range(500)]
    assert made == [document(seed) for seed in range(500)]
    assert {form for _, form in made} == {"json", "yaml"}
    found = [inspect_text(data, format=form) for data, form in made]  # type: ignore[arg-type]
    # Some are still right, some can no longer be read, and some are read with something to say.
    assert any(definition for definition, _ in found)
    assert {"MS004", "MS003", "MS104"} <= {one.code for _, findings in found for one in findings}


@pytest.mark.parametrize(
    "document",
    [
        # What the long form found, each once.
        ('{"id": "w", "nodes": [{"id": "a", "type": {"limit": 3}}]}', "yaml"),
        ('{"id": "w", "nodes": [{"id": "a", "type": ["log"]}]}', "json"),
        ("id: w\rname: \xff\r", "yaml"),
        ("id: w\u2028nodes: [", "yaml"),
        ("id: [", "yaml"),
        ("id: 'x\n", "yaml"),
        ("\n\n?", "yaml"),
        ("id: w\nnodes:\n ? ", "yaml"),
        ("id: w\nnodes:\n-", "yaml"),
        ('{"id":\r\r"w"', "json"),
        ("id: w\nnodes: [{id: a, type: if, config: {condition: input.x > 1\x8500}}]", "yaml"),
    ],
)
def test_what_the_long_form_found(document: tuple[str, str]) -> None:
    text, form = document
    check(text.encode("latin-1" if "\xff" in text else "utf-8"), form)
