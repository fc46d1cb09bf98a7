"""The guide to tasks, the script protocol and the example of scripts are true: all of it runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests import warm

from mainspring.tasks.inline import CODE_BYTES_MAX
from mainspring.tasks.script import OUTPUT_BYTES_MAX, SCRIPT_KEYS
from mainspring.tasks.threads import THREADS_MAX

ROOT = Path(__file__).parents[2]
GUIDE, SCRIPTS = ROOT / "docs" / "guides" / "tasks.md", ROOT / "docs" / "reference" / "scripts.md"
EXAMPLE = ROOT / "examples" / "scripts"

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no Node.js here")


def said(command: str, folder: Path) -> str:
    given = shlex.split(command)
    assert given[0] == "mainspring"
    done = subprocess.run(
        [*warm.command(), *given[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return f"{done.stdout}exit {done.returncode}\n"


def alike(text: str, folder: Path) -> str:
    """What does not differ from run to run: no ids, no folder."""
    return re.sub(r"\b([a-z]+)-[a-z2-7]{10}\b", r"\1-ID", text.replace(f"{folder}/", ""))


@pytest.mark.parametrize(
    ("document", "sessions"),
    [(GUIDE, 7), pytest.param(SCRIPTS, 5, marks=needs_node)],
    ids=lambda value: str(value)[-10:],
)
def test_each_command_says_what_is_shown(document: Path, sessions: int, tmp_path: Path) -> None:
    ran = 0
    for language, text in re.findall(r"```(\w+)\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
        name = re.match(r"# ([\w.]+)\n", text)
        if name is not None:
            # Without its name, so that lines count as in a file of one's own.
            (tmp_path / name[1]).write_text(text.removeprefix(name[0]) if language == "yaml" else text)
        if language == "console":
            for session in text.split("$ ")[1:] if text.startswith("$ ") else ():
                command, _, shown = session.partition("\n")
                assert alike(said(command, tmp_path), tmp_path) == alike(shown, tmp_path), command
                ran += 1
    assert ran == sessions


def test_bounds_and_keys_are_those_of_the_code() -> None:
    guide, scripts = GUIDE.read_text("utf-8"), SCRIPTS.read_text("utf-8")
    assert f"at most {THREADS_MAX} at once" in guide
    assert f"at most {CODE_BYTES_MAX >> 10} KiB" in guide
    assert f"{OUTPUT_BYTES_MAX >> 20} MiB where left out" in scripts
    for key in SCRIPT_KEYS:
        assert "_" in key or f"| `{key}` |" in scripts


@needs_node
def test_the_example_runs(tmp_path: Path) -> None:
    """N2: three languages hand each other inputs, outputs and variables."""
    folder = tmp_path / "scripts"
    shutil.copytree(EXAMPLE, folder)
    assert "ok" in said("mainspring validate nightly.yaml", folder)
    done = said("mainspring run nightly.yaml --quiet", folder)
    assert done == '{"report":"2 orders, 16.50 in all, 1 dropped (report.mjs)"}\nexit 0\n'
    (folder / "orders.csv").unlink()
    done = said("mainspring run nightly.yaml", folder)
    assert "there is no file orders.csv" in done and "✓ alarm" in done
