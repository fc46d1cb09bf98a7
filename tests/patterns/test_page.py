"""docs/patterns.md and the examples agree: 43 patterns, each with a file that does it, or with the reason why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.sessions import BLOCK, ROOT, Session, alike, same
from tests.patterns.catalogue import FILES, told

PAGE = (ROOT / "docs" / "patterns.md").read_text("utf-8")
ROW = re.compile(
    r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|(?: \[[^\]]+\]\(\.\./examples/patterns/([^)]+)\))? \|$", re.MULTILINE
)
ROWS = {int(number): (name, how, file) for number, name, how, file in ROW.findall(PAGE)}
UNSUPPORTED = {10}


def test_the_page_has_all_patterns_once() -> None:
    numbers = [int(row[0]) for row in ROW.findall(PAGE)]
    assert sorted(numbers) == list(range(1, 44))
    assert len(re.findall(r"(?m)^\| \d", PAGE)) == 43, "a row that is not read"


def test_the_page_leads_to_every_example_and_tells_why_where_there_is_none() -> None:
    assert {number: file for number, (_, _, file) in ROWS.items() if file} == {
        int(file.name[:2]): file.name for file in FILES
    }
    without = {number: how for number, (_, how, file) in ROWS.items() if not file}
    assert without.keys() == UNSUPPORTED
    assert all(how.startswith("not at all: ") for how in without.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_called_what_it_is(file: Path) -> None:
    text, pattern = file.read_text("utf-8"), told(file)
    assert text.startswith(f"# {pattern['number']} {pattern['name']}: ")
    assert file.name.startswith(f"{pattern['number']:02}-")
    assert re.search(r"(?m)^id: (.*)$", text)[1] == file.stem[3:]  # type: ignore[index]
    assert ROWS[pattern["number"]][0] == pattern["name"]
    assert "\n# Here: " in text


def test_each_command_says_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    session, commands = Session(tmp_path), 0
    for language, text in BLOCK.findall(PAGE):
        for command, shown, said in session.block(language, text):
            assert same(shown, said), f"{command}\n--- shown\n{alike(shown)}\n--- said\n{alike(said)}"
            commands += 1
    assert commands == 6
