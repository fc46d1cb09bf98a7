"""Stopping and going on, with real processes and signals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.cli.shell import Shell, read_until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_good_order_and_resume_goes_on(shell: Shell, number: signal.Signals) -> None:
    process = shell.start("run", "gated.yaml")
    seen = read_until(process, "at the gate")
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)
    assert process.returncode == 5, errors
    found = re.search(r"to go on: mainspring run --resume (\S+)\n", errors)
    assert found, errors
    assert found[1] in seen + rest
    (shell.folder / "open").touch()
    done = shell("run", "--resume", found[1], "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nodes"]["wait"].get("crashes") is None
    assert shell.ran() == ["first", "gate", "gate", "last"]
    # Once more: it is at its end, and nothing runs.
    assert shell("run", "--resume", "last").returncode == 0
    assert len(shell.ran()) == 4


def test_a_task_that_blocks_in_a_thread_does_not_hold_us_up(shell: Shell) -> None:
    process = shell.start("run", "blocked.yaml", "--store", "sqlite:///other.db")
    read_until(process, "blocked\n")
    while not (shell.folder / "blocked").exists():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 5
    assert "--store sqlite:///other.db" in errors


def test_json_says_that_it_was_stopped(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml", "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == "at the gate\n"
    process.send_signal(signal.SIGINT)
    told = json.loads(process.communicate(timeout=10)[0])
    assert (told["how"], told["exitCode"], process.returncode) == ("stopped", 5, 5)
    assert told["nodes"]["first"]["status"] == "completed"


def test_another_run_does_not_start_what_was_stopped(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.kill()
    process.communicate()
    assert shell("run", "echo.yaml").returncode == 0
    assert shell.ran() == ["first", "gate"]
    told = json.loads(shell("list", "--json").stdout)
    assert [one["status"] for one in told] == ["completed", "running"]
    (shell.folder / "open").touch()
    done = shell("run", "--resume", "gated", "--json")
    assert json.loads(done.stdout)["nodes"]["wait"]["crashes"] == 1
    assert shell.ran() == ["first", "gate", "gate", "last"]


def test_a_held_store_is_waited_for_or_not(shell: Shell) -> None:
    holder = shell.start("run", "gated.yaml", anew=True)
    read_until(holder, "at the gate")
    refused = shell("run", "echo.yaml", "--no-wait")
    assert refused.returncode == 2
    assert "holds this store" in refused.stderr and str(holder.pid) in refused.stderr
    # Looking needs no lease.
    assert "at the gate" not in shell("show", "last").stdout
    assert shell("events", "last").returncode == 0
    waiter = shell.start("run", "echo.yaml")
    assert waiter.stderr is not None
    assert "waiting until it is free" in waiter.stderr.readline()
    (shell.folder / "open").touch()
    assert holder.wait(10) == 0
    assert "echo completed" in waiter.communicate(timeout=20)[0]
    assert waiter.returncode == 0


def test_waiting_for_a_store_can_be_stopped(shell: Shell) -> None:
    holder = shell.start("run", "gated.yaml")
    read_until(holder, "at the gate")
    waiter = shell.start("run", "echo.yaml")
    assert waiter.stderr is not None
    waiter.stderr.readline()
    waiter.send_signal(signal.SIGINT)
    _, errors = waiter.communicate(timeout=10)
    assert waiter.returncode == 5
    assert "nothing was started" in errors


def test_code_that_went_away_is_named_and_nothing_hangs(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    text = (shell.folder / "jobs.py").read_text()
    (shell.folder / "jobs.py").unlink()
    done = shell("run", "--resume", "last")
    assert done.returncode == 5, done.stderr
    assert "waits for code" in done.stderr
    assert "wait: there is no module 'jobs'" in done.stderr
    assert "--import MODULE" in done.stderr
    (shell.folder / "jobs.py").write_text(text)
    (shell.folder / "open").touch()
    assert shell("run", "--resume", "last").returncode == 0


def test_cancel_ends_what_nobody_runs(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    done = shell("cancel", "gated", "--reason", "ordered twice")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cancelled" in done.stdout
    assert shell("cancel", "gated").returncode == 2
    assert shell("run", "--resume", "gated").returncode == 4
    assert "ordered twice" in shell("show", "gated").stdout
    assert "last" not in shell.ran()


def test_follow_ends_with_the_instance(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    follower = shell.start("events", "last", "--follow", "--json")
    read_until(follower, '"path": "wait"')
    (shell.folder / "open").touch()
    rest, _ = follower.communicate(timeout=10)
    assert json.loads(rest.splitlines()[-1])["event"] == "InstanceCompleted"
    assert follower.returncode == 0


def _in_terminal(shell: Shell, *args: str, **env: str) -> tuple[int, str]:
    """Run in a terminal of its own; gives the exit code and all that was written."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", *args],
        cwd=shell.folder, env=shell.env(**env), stdin=side, stdout=side, stderr=side, close_fds=True,
    )  # fmt: skip
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
        if b"wait" in seen and b"running" in seen:
            (shell.folder / "open").touch()
    os.close(main)
    return process.wait(20), seen.decode()


def test_a_terminal_gets_live_progress_and_colours(shell: Shell) -> None:
    code, seen = _in_terminal(shell, "run", "gated.yaml")
    assert code == 0
    assert "1/3 nodes" in seen and "33%" in seen and "1 running" in seen
    assert "\x1b[?25l" in seen and "\x1b[?25h" in seen
    assert "\x1b[32m✓\x1b[0m" in seen
    assert "gated completed in" in seen


def test_no_color_is_respected(shell: Shell) -> None:
    code, seen = _in_terminal(shell, "run", "gated.yaml", NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", seen)


def test_a_dumb_terminal_gets_lines(shell: Shell) -> None:
    (shell.folder / "open").touch()
    code, seen = _in_terminal(shell, "run", "gated.yaml", TERM="dumb")
    assert code == 0
    assert "\x1b" not in seen
