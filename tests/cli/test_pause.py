"""`pause`, `resume`, and whatever else is said to an instance that another process runs: through its control socket."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mainspring.assembly import Engine
from mainspring.cli.session import Session, Wanted
from mainspring.cli.watching import NoView
from mainspring.messaging.control import socket_of
from tests.cli.shell import Shell, read_until


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def at_the_gate(shell: Shell, *words: str) -> subprocess.Popen[str]:
    process = shell.start("run", "gated.yaml", *words)
    read_until(process, "at the gate")
    return process


def test_paused_by_a_second_process_and_resumed_in_a_third(shell: Shell) -> None:
    process = at_the_gate(shell)
    done = told(shell("pause", "last", "--reason", "a look", "--by", "ann", "--no-wait", "--json"))
    assert done["status"] in ("running", "pausing")
    (shell.folder / "open").touch()
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 5, "paused"
    assert "is paused" in shown
    assert "a look" in shown
    assert f"mainspring run --resume {done['id']}" in shown
    seen = shell("show", "last")
    assert re.search(r"  paused    .* \(.*\) by ann; its clocks stand still", seen.stdout), seen.stdout
    assert "reason    a look" in seen.stdout
    assert f"to end the pause: mainspring resume {done['id']}" in seen.stdout
    as_data = told(shell("show", "last", "--json"))
    assert (as_data["pause"]["by"], as_data["pause"]["clocks"], as_data["pause"]["until"]) == ("ann", "stop", None)
    assert shell.ran() == ["first", "gate"]
    resumed = shell("resume", "last")
    assert f"{done['id']} goes on" in resumed.stdout
    assert shell("run", "--resume", "last").returncode == 0
    assert shell.ran() == ["first", "gate", "last"]


def test_somebody_elses_resume_comes_before_that_of_run(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading that it is paused and telling it to go on it went on: `run --resume` said that it could not."""
    process = at_the_gate(shell)
    assert shell("pause", "last", "--no-wait").returncode == 0
    (shell.folder / "open").touch()
    process.communicate(timeout=20)
    assert process.returncode == 5, "paused"
    original = Engine.resume

    async def late(self: Engine, id: str, **more: Any) -> None:
        await original(self, id, by="somebody else")
        while (await self.host.store.find(id)).status == "paused":
            await asyncio.sleep(0)
        await original(self, id, **more)

    monkeypatch.setattr(Engine, "resume", late)
    monkeypatch.chdir(shell.folder)
    monkeypatch.syspath_prepend(str(shell.folder))
    url = "sqlite:///.mainspring/store.db"
    outcome = asyncio.run(Session(Wanted(None, "last", None, None, url, "full", True), NoView(), print).conduct())
    assert (outcome.how, shell.ran()) == ("ended", ["first", "gate", "last"])


def test_pause_waits_until_what_runs_has_finished_and_says_for_what(shell: Shell) -> None:
    process = at_the_gate(shell)
    pausing = shell.start("pause", "last", "--for", "2h")
    assert pausing.stderr is not None
    assert pausing.stderr.readline() == "pausing: wait still runs\n"
    (shell.folder / "open").touch()
    out, _ = pausing.communicate(timeout=20)
    assert pausing.returncode == 0
    assert "is paused: nothing of it runs" in out
    assert process.wait(timeout=20) == 5
    process.communicate()
    assert re.search(r"it goes on by itself at .* \(in .*\)", shell("show", "last").stdout)


def test_resumed_while_its_process_still_drains_it_never_stops(shell: Shell) -> None:
    process = at_the_gate(shell)
    told(shell("pause", "last", "--no-wait", "--json"))
    told(shell("resume", "last", "--json"))
    (shell.folder / "open").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert shell.ran() == ["first", "gate", "last"]


def test_one_that_nobody_runs_is_paused_at_once(shell: Shell) -> None:
    process = at_the_gate(shell)
    process.kill()
    process.communicate()
    assert told(shell("pause", "last", "--json"))["status"] == "paused"
    assert shell.ran() == ["first", "gate"], "nothing was begun for that"
    again = shell("pause", "last")
    assert again.returncode == 2
    assert "is paused: only one that is running can be paused" in again.stderr


def test_all_of_a_workflow(shell: Shell) -> None:
    for _ in range(2):
        process = at_the_gate(shell)
        process.kill()
        process.communicate()
    assert "there is none" in shell("pause", "--workflow", "other").stdout
    assert len(told(shell("pause", "--workflow", "gated", "--json"))["ids"]) == 2
    assert [one["status"] for one in told(shell("list", "--json"))] == ["paused", "paused"]
    assert "2 instances are told to go on" in shell("resume", "--all").stdout


@pytest.mark.parametrize("words", [(), ("x", "--all"), ("--all", "--workflow", "w")])
def test_which_one_is_meant_must_be_said(shell: Shell, words: tuple[str, ...]) -> None:
    for command in ("pause", "resume"):
        done = shell(command, *words)
        assert (done.returncode, "give the ID of an instance" in done.stderr) == (2, True)


def test_a_time_that_is_none(shell: Shell) -> None:
    done = shell("pause", "x", "--for", "soon")
    assert (done.returncode, "--for takes a time, as 90s, 10m or 2h; not 'soon'" in done.stderr) == (2, True)


def test_an_instance_that_another_process_runs_can_be_cancelled(shell: Shell) -> None:
    process = at_the_gate(shell)
    done = told(shell("cancel", "last", "--reason", "ordered twice", "--json"))
    assert done["status"] == "cancelled"
    process.communicate(timeout=20)
    assert process.returncode == 4
    assert "ordered twice" in shell("show", "last").stdout


def test_a_signal_reaches_the_process_that_runs_the_instance(shell: Shell) -> None:
    (shell.folder / "waits.yaml").write_text("""
        id: waits
        nodes:
          - {id: paid, type: wait, config: {signal: paid}}
          - {id: gate, type: function, config: {handler: "jobs:gate"}}
          - {id: last, type: function, config: {handler: "jobs:quick"}, dependsOn: [paid]}
    """)
    process = shell.start("run", "waits.yaml")
    read_until(process, "at the gate")
    assert shell("signal", "last", "paid", "amount=3").returncode == 0
    while "last" not in shell.ran():
        pass
    (shell.folder / "open").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_an_engine_that_does_not_answer_is_said_to_hold_the_store(shell: Shell) -> None:
    process = at_the_gate(shell)
    Path(socket_of(str(shell.folder / ".mainspring" / "store.db"))).unlink()
    done = shell("cancel", "last")
    assert done.returncode == 2
    assert re.search(r"holds this store .*does not answer: stop that engine", done.stderr), done.stderr
    process.kill()
    process.communicate()
