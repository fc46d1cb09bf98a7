"""`mainspring check` on the screen: what was explored, the run that breaks something, and the command that has it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mainspring.cli.main import main

BROKEN = """
id: order
nodes:
  - {id: charge, type: function, handler: "shop:charge", timeout: 1s}
  - {id: ship, type: function, handler: "shop:ship", dependsOn: [charge]}
invariants: nodes.ship.completed
"""
CLEAN = BROKEN.replace("nodes.ship.completed", "nodes.ship.completed || status == 'failed'")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "clean.yaml").write_text(CLEAN)
    return tmp_path


def test_a_clean_workflow(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "clean.yaml", "--failures", "2"]) == 0
    said, complained = capsys.readouterr()
    assert "order  clean: no run breaks an invariant" in said and not complained
    assert "failures   all 3 single, all 2 double (2 of these cannot happen)" in said
    assert "\x1b" not in said


def test_a_broken_one_and_the_command_that_has_it_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "broken.yaml"]) == 1
    said = capsys.readouterr().out
    assert "this is false: nodes.ship.completed" in said and "charge fails for good" in said
    command = next(line for line in said.splitlines() if "replay  " in line).split("replay  ")[1]
    assert shlex.split(command)[0] == "mainspring"
    assert main(shlex.split(command)[1:]) == 1
    again = capsys.readouterr().out
    assert "broken: invariant 1" in again
    trace = [line for line in said.splitlines() if line.startswith("    ")]
    assert trace == [line for line in again.splitlines() if line.startswith("    ")]


def test_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "broken.yaml", "--json", "--output", 'charge={"paid": 3}']) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["clean"] and told["crashPoints"] >= 0 and told["distinctStates"] > 1
    found = told["counterexample"]
    assert found["failures"] == ["charge fails for good"] and found["command"].endswith(f"--replay {found['replay']}")
    assert """--output 'charge={"paid": 3}'""" in found["command"]
    assert main(["check", "broken.yaml", "--json", "--replay", found["replay"]]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again["trace"] == found["trace"] and again["broken"]["text"] == found["text"]
    assert main(["check", "broken.yaml", "--json", "--replay", "@v0.s"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"]
    assert main(["check", "clean.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counterexample"] is None


def test_what_cannot_be_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, told in (
        (["nowhere.yaml"], "nowhere.yaml"),
        (["clean.yaml", "--output", "charge"], "is no NODE=JSON"),
        (["clean.yaml", "--replay", "charge=sings@v0.s"], "it has error, timeout"),
    ):
        assert main(["check", *given]) == 2
        assert told in capsys.readouterr().err
