"""What goes no further: parked instances, a second Ctrl-C, defects of our own."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys

import pytest

from mainspring.cli import main as entry
from tests.cli.shell import Shell, read_until


def test_an_instance_that_cannot_be_read_is_parked_and_says_why(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    connection = sqlite3.connect(shell.folder / ".mainspring" / "store.db")
    connection.execute("UPDATE turn SET body = zeroblob(8) WHERE seq = 2")
    connection.commit()
    connection.close()
    done = shell("run", "--resume", "last")
    assert done.returncode == 5, done.stderr
    assert "is parked" in done.stderr and "Traceback" not in done.stderr
    assert "parked" in shell("list").stdout
    shown = shell("show", "last")
    assert shown.returncode == 2 and "cannot be read" in shown.stderr


def test_a_second_signal_leaves_at_once(shell: Shell) -> None:
    code = "\n".join(
        [
            "import asyncio, sys",
            "from mainspring.engine.host import Host",
            "async def stop(self):",
            "    print('stopping', flush=True)",
            "    await asyncio.sleep(3600)",
            "Host.stop = stop",
            "from mainspring.cli.main import main",
            "sys.exit(main(['run', 'gated.yaml']))",
        ]
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=shell.folder, env=shell.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    shell.running.append(process)
    read_until(process, "at the gate")
    process.send_signal(signal.SIGINT)
    read_until(process, "stopping")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 5
    (shell.folder / "open").touch()
    assert shell("run", "--resume", "last").returncode == 0
    assert shell.ran() == ["first", "gate", "gate", "last"]


def test_a_defect_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(url: str | None) -> str:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("mainspring.cli.places.store_url", broken)
    assert entry.main(["list"]) == 2
    told = capsys.readouterr().err
    assert "defect: ZeroDivisionError: oh" in told and "Traceback" not in told
    monkeypatch.setenv("MAINSPRING_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        entry.main(["list"])
