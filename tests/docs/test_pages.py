"""Docs by intent, tested (T3): README, start, concepts and guides are gone through as a reader would, command by command."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import BLOCK, ROOT, Session, alike, same, server_for

PAGES = {
    "docs/start.md": 10,
    "docs/concepts.md": 6,
    "docs/guides/write.md": 7,
    "docs/guides/test.md": 2,
    "docs/guides/custom-kinds.md": 4,
    "docs/guides/production.md": 5,
    "docs/guides/waiting.md": 10,
    "docs/guides/stores.md": 4,
    "docs/guides/failures.md": 6,
    "docs/guides/sagas.md": 5,
    "docs/guides/breakers.md": 15,
    "docs/guides/observe.md": 4,
    "README.md": 1,
}
"""Each with how many commands it has at least."""


@pytest.mark.parametrize("page", PAGES)
def test_each_command_says_what_the_page_shows(page: str, tmp_path: Path) -> None:
    whole = (ROOT / page).read_text("utf-8")
    with server_for(whole) as url:
        session, commands = Session(tmp_path, url), 0
        for language, text in BLOCK.findall(whole):
            for command, shown, said in session.block(language, text):
                assert same(shown, said), f"{command}\n--- shown\n{alike(shown)}\n--- said\n{alike(said)}"
                commands += 1
    assert commands >= PAGES[page]


def test_every_page_is_in_the_index() -> None:
    """From docs/README.md each page can be reached."""
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        assert name == "README.md" or f"({name})" in index, f"docs/README.md does not lead to {name}"
