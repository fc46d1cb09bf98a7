"""The guides are true: each file in one is written as it stands, and each command gives what is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests import warm

GUIDES = Path(__file__).parent.parent.parent / "docs" / "guides"
CONSOLE = ("schemas", "caching", "limits")
"""Guides whose console blocks are sessions: each line with `$` a command, what follows what it says."""


def blocks(guide: str) -> list[tuple[str, str]]:
    """The code blocks of a guide, in order, each with its language."""
    return re.findall(r"```(\w+)\n(.*?)```", (GUIDES / f"{guide}.md").read_text("utf-8"), re.DOTALL)


def alike(text: str) -> list[str]:
    """A session's lines without what differs from run to run: ids, times, the widths of columns."""
    text = re.sub(r"\b([a-z]+)-[a-z2-7]{10}\b", r"\1-ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b\d+ ms\b", "N ms", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def said(command: str, folder: Path) -> str:
    """What a command says in a folder, and its exit code where it is one of ours."""
    given = shlex.split(command)
    ours = given[0] == "mainspring"
    if ours:
        given = [*warm.command(), *given[1:]]
    done = subprocess.run(
        given,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout + (f"exit {done.returncode}\n" if ours else "")


@pytest.mark.parametrize("guide", CONSOLE)
def test_each_command_says_what_the_guide_shows(guide: str, tmp_path: Path) -> None:
    commands = 0
    for language, text in blocks(guide):
        name = re.match(r"# ([\w.]+)\n", text)
        if name is not None:
            (tmp_path / name[1]).write_text(text.removeprefix(name[0]) if language == "yaml" else text)
        if language == "console":
            for session in text.split("$ ")[1:] if text.startswith("$ ") else ():
                command, _, shown = session.partition("\n")
                commands += 1
                assert alike(said(command, tmp_path)) == alike(shown), command
    assert commands >= 3


def test_the_program_of_the_schemas_guide(tmp_path: Path) -> None:
    for language, text in blocks("schemas"):
        name = re.match(r"# ([\w.]+)\n", text)
        if name is not None and language in ("yaml", "python"):
            (tmp_path / name[1]).write_text(text)
    assert said(f"{sys.executable} program.py", tmp_path) == "('input: \"items\" is a required property',)\n"
