"""A3: `mainspring init`: a project that runs at once, and nothing of anybody's that is overwritten."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.cli import init
from mainspring.errors import MainspringError
from tests.cli.shell import Shell

FILES = [".gitignore", "README.md", "expense.yaml", "pytest.ini", "tasks.py", "test_expense.py"]


def test_what_it_makes_validates_runs_and_passes_its_own_test(shell: Shell) -> None:
    """Each command that it says to type next is typed, then the rest of the README's."""
    done = shell("init", "my expenses")
    assert done.returncode == 0, done.stderr
    said = done.stdout.partition("Next:\n")[2].splitlines()
    assert said[0].strip() == "cd 'my expenses'"
    inside = Shell(shell.folder / "my expenses")
    readme = (inside.folder / "README.md").read_text()
    written = [line.split("  #")[0] for line in readme.splitlines() if line.startswith("    mainspring ")]
    assert len(written) >= 5
    for line in [*said[1:], "mainspring validate expense.yaml", *written]:
        ran = inside(*shlex.split(line)[1:])
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
        assert "warning" not in ran.stdout + ran.stderr
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=inside.folder, env=inside.env(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert tested.returncode == 0 and "3 passed" in tested.stdout, tested.stdout + tested.stderr


def test_the_workflow_has_a_condition_a_retry_and_a_failure_path(shell: Shell) -> None:
    shell("init", "made")
    inside = Shell(shell.folder / "made")
    paid = json.loads(inside("run", "expense.yaml", "--json").stdout)
    assert paid["output"] == {"confirm": {"text": "120.00 are on their way to Ada"}}
    assert paid["nodes"]["pay"]["attempts"] == 2
    closed = json.loads(inside("run", "expense.yaml", "-i", "account=closed", "--json").stdout)
    assert closed["nodes"]["pay"]["handled"] and "is closed" in closed["output"]["ask"]["text"]


def test_a_folder_that_is_not_empty_is_refused_and_nothing_is_written(shell: Shell) -> None:
    for number in range(7):
        shell.write(f"full/{number}.txt", "mine") if (shell.folder / "full").is_dir() else (
            (shell.folder / "full").mkdir(), shell.write("full/0.txt", "mine")
        )  # fmt: skip
    done = shell("init", "full")
    assert done.returncode == 2
    assert "full is not empty: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more" in done.stderr and "--force" in done.stderr
    assert len(list((shell.folder / "full").iterdir())) == 7


def test_force_adds_what_is_missing_and_overwrites_nothing(shell: Shell) -> None:
    folder = shell.folder / "there"
    folder.mkdir()
    (folder / "tasks.py").write_text("mine = 1\n")
    (folder / "README.md").symlink_to("nowhere.md")
    done = shell("init", "there", "--force", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kept"] == ["README.md", "tasks.py"]
    assert told["made"] == [".gitignore", "expense.yaml", "pytest.ini", "test_expense.py"]
    assert (folder / "tasks.py").read_text() == "mine = 1\n"
    assert not (folder / "nowhere.md").exists()
    again = shell("init", "there", "--force")
    assert again.returncode == 0 and "nothing was missing" in again.stdout


def test_json_and_the_current_folder(shell: Shell) -> None:
    empty = Shell(shell.folder / "empty")
    empty.folder.mkdir()
    told = json.loads(empty("init", ".", "--json").stdout)
    assert told["made"] == FILES and told["next"][0] == "mainspring run expense.yaml"
    assert sorted(os.listdir(empty.folder)) == FILES
    full = empty("init", ".")
    assert full.returncode == 2 and "the current folder is not empty" in full.stderr


@pytest.mark.parametrize("name", ["a-file", "a-file/below", "a-link"])
def test_a_file_in_the_way(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("mine")
    (tmp_path / "a-link").symlink_to("nowhere")
    with pytest.raises(MainspringError, match="is there, and is no folder"):
        init.make(tmp_path / name)
    assert (tmp_path / "a-file").read_text() == "mine"


def test_where_nobody_may_write(shell: Shell) -> None:
    done = shell("init", "/proc/mainspring")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write in /proc/mainspring: ") and "Traceback" not in done.stderr


def test_its_test_passes_within_another_project_too(shell: Shell) -> None:
    """As README has it: made in a clone, whose own settings of pytest are none of its business."""
    (shell.folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\nno_such = "x"\n'
    )
    assert shell("init", "inner").returncode == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=shell.folder / "inner", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
