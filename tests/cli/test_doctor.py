"""A3: `mainspring doctor`: what is installed, the machine, the store; it looks at all of it and touches nothing."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.cli import checkup, checkup_store
from mainspring.journal.records import Lease
from mainspring.stores.sqlite import health, migrations
from tests.cli.shell import Shell, read_until

Told = dict[tuple[str, str], dict[str, Any]]


def looked(shell: Shell, *args: str) -> tuple[int, Told]:
    done = shell("doctor", "--json", *args)
    assert not done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["exitCode"] == done.returncode and told["ok"] == (done.returncode == 0)
    return done.returncode, {(one["group"], one["name"]): one for one in told["checks"]}


def folder(path: Path) -> dict[str, bytes]:
    """Every file with its contents."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def ran(shell: Shell) -> Iterator[Path]:
    """A store in which something has run."""
    assert shell("run", "echo.yaml").returncode == 0
    assert shell("run", "boom.yaml").returncode == 1
    yield shell.folder / ".mainspring" / "store.db"


def test_no_store_yet(shell: Shell) -> None:
    code, told = looked(shell)
    assert code == 0
    assert "the first run makes it" in told["store", "store"]["text"]
    assert not (shell.folder / ".mainspring").exists()


def test_what_is_installed(shell: Shell) -> None:
    told = looked(shell)[1]
    assert told["installed", "Python"]["text"].startswith(".".join(map(str, sys.version_info[:3])))
    assert told["installed", "SQLite"]["text"].startswith(sqlite3.sqlite_version)
    if sqlite3.sqlite_version_info < (3, 51, 3):
        assert "mainspring has one" in told["installed", "SQLite"]["text"]
    libraries = {name.lower() for group, name in told if group == "installed"}
    assert {"msgspec", "click", "rich", "pyyaml"} <= libraries and "pytest" not in libraries
    assert told["scripts", "python"]["level"] == "ok"
    for runtime, program in (("node", "node"), ("powershell", "pwsh"), ("csharp", "dotnet-script")):
        if not shutil.which(program):
            assert told["scripts", runtime]["level"] == "absent" and "install" in told["scripts", runtime]["hint"]


def test_for_a_person(shell: Shell, ran: Path) -> None:
    done = shell("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")][:4] == [
        "Installed", "For scripts", "This machine", "The store",
    ]  # fmt: skip
    assert lines[-1] == "✓ all is well" or lines[-1].endswith("warning") or lines[-1].endswith("warnings")
    assert "\x1b" not in done.stdout and max(map(len, lines)) > 0


def test_a_good_store_is_told_and_left_as_it_is(shell: Shell, ran: Path) -> None:
    before = folder(ran.parent)
    code, told = looked(shell)
    assert code == 0
    assert f"schema {len(migrations.MIGRATIONS)}" in told["store", "store"]["text"]
    assert told["store", "integrity"]["text"] == "no fault found (quick_check)"
    assert set(told["store", "instances"]["text"].split(", ")) == {"1 completed", "1 failed"}
    assert told["store", "owner"]["text"] == "nobody holds it"
    assert folder(ran.parent) == before, "nothing written, no -wal and no -shm left behind"


def test_a_store_that_is_held_and_then_left_by_a_kill(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml", anew=True)
    read_until(process, "at the gate")
    code, told = looked(shell)
    assert code == 0
    assert f":{process.pid} is alive and holds it" in told["store", "owner"]["text"]
    assert told["store", "instances"]["text"] == "1 running"
    process.kill()
    process.communicate()
    before = folder(shell.folder / ".mainspring")
    code, told = looked(shell)
    assert code == 0
    assert "is gone: the next engine takes over at once" in told["store", "owner"]["text"]
    assert "run --resume" in told["store", "instances"]["hint"]
    after = folder(shell.folder / ".mainspring")
    for name in ("store.db", "store.db-wal"):
        assert after[name] == before[name], "the log was not folded in by a look"
    (shell.folder / "open").touch()
    assert shell("run", "--resume", "last").returncode == 0


def test_an_owner_that_is_stopped(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.send_signal(signal.SIGSTOP)
    try:
        code, told = looked(shell)
        assert code == 0 and "is alive and holds it" in told["store", "owner"]["text"]
    finally:
        process.kill()


@pytest.mark.parametrize("size", [0.5, 0.9])
def test_a_truncated_store(shell: Shell, ran: Path, size: float) -> None:
    content = ran.read_bytes()
    ran.write_bytes(content[: int(len(content) * size)])
    code, told = looked(shell)
    assert code == 1
    assert told["store", "store"]["level"] == "problem"
    assert "cut off" in told["store", "store"]["text"] or "malformed" in told["store", "store"]["text"]
    assert "backup" in told["store", "store"]["text"]


def test_a_page_that_was_overwritten(shell: Shell, ran: Path) -> None:
    connection = sqlite3.connect(ran)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'turn'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with ran.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    code, told = looked(shell)
    assert code == 1 and "malformed" in told["store", "store"]["text"]


def test_a_page_that_does_not_add_up(shell: Shell, ran: Path) -> None:
    connection = sqlite3.connect(ran)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'turn'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with ran.open("r+b") as file:
        file.seek((page - 1) * size + 7)  # the count of its fragmented bytes
        file.write(b"\x33")
    code, told = looked(shell)
    assert code == 1
    assert told["store", "integrity"]["level"] == "problem"
    assert "Fragmentation" in told["store", "integrity"]["text"]
    assert "backup" in told["store", "integrity"]["hint"]


def test_a_newer_schema(shell: Shell, ran: Path) -> None:
    connection = sqlite3.connect(ran)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = ran.read_bytes()
    code, told = looked(shell)
    assert code == 1 and "has schema 99" in told["store", "store"]["text"]
    assert "upgrade" in told["store", "store"]["hint"] and ran.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "name", "said"),
    [
        ("sqlite:///jobs.py", "store", "not a database"),
        ("sqlite:///folder", "store", "it is a folder"),
        ("sqlite:///nowhere/store.db", "folder", "there is no folder"),
        ("sqlite:////proc/store.db", "folder", "cannot write in /proc"),
        ("mysql://x", "store", "unknown store"),
        ("sqlite:///", "store", "names no file"),
    ],
)
def test_what_is_no_store(shell: Shell, url: str, name: str, said: str) -> None:
    (shell.folder / "folder").mkdir()
    before = folder(shell.folder)
    code, told = looked(shell, "--store", url)
    assert code == 1
    assert told["store", name]["level"] == "problem" and said in told["store", name]["text"]
    assert folder(shell.folder) == before


def test_an_empty_file_and_one_that_is_not_ours(shell: Shell) -> None:
    (shell.folder / "empty.db").touch()
    code, told = looked(shell, "--store", "sqlite:///empty.db")
    assert code == 0 and told["store", "contents"]["text"] == "empty: the first run begins it"
    connection = sqlite3.connect(shell.folder / "other.db")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    code, told = looked(shell, "--store", "sqlite:///other.db")
    assert code == 1 and "not one of mainspring's" in told["store", "store"]["text"]


def test_memory(shell: Shell) -> None:
    code, told = looked(shell, "--store", "memory:")
    assert code == 0 and "gone with its process" in told["store", "store"]["text"]


def test_a_look_has_a_bound(shell: Shell, ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large store: what the time does not suffice for is left out and said to be."""
    monkeypatch.setattr(health, "OPS_PER_LOOK_AT_THE_CLOCK", 1)
    with pytest.raises(Exception, match="interrupted"):
        health.examine(str(ran), -1)  # not even the first statement
    monkeypatch.setattr(health, "_statuses", lambda connection: {})
    seen = health.Health(
        schema=1, bytes=1, wal_bytes=10**9, statuses={}, open=1, newest=None, lease=None, faults=(), checked=False
    )
    checks = {one.name: one for one in checkup_store._health("sqlite:///x", ran, seen)}
    assert "not all of it" in checks["integrity"].text and checks["instances"].text == "too many to count here"
    assert checks["log"].level == "warning"


def test_a_clock_that_went_back_and_a_lease_that_ran_out() -> None:
    from mainspring.cli.words import now_ms

    seen = health.Health(
        schema=1, bytes=1, wal_bytes=0, statuses={"parked": 2}, open=2, newest=now_ms() + 3_600_000,
        lease=Lease(7, "elsewhere:1", now_ms() - 5_000), faults=(), checked=True,
    )  # fmt: skip
    checks = {one.name: one for one in checkup_store._health("sqlite:///x", Path("x"), seen)}
    assert checks["clock"].level == "warning" and "began 1h 00m from now" in checks["clock"].text
    assert "let its lease run out" in checks["owner"].text
    assert checks["instances"].level == "warning" and "--status parked" in checks["instances"].hint
    me = checkup_store._owner(Lease(7, f"{checkup_store.socket.gethostname()}:{checkup_store.os.getpid()}", 1))
    assert me.level == "warning" and "is it stopped" in me.hint


@pytest.mark.parametrize(("kind", "level"), [("nfs4", "warning"), ("tmpfs", "warning"), ("ext4", "ok"), ("", "ok")])
def test_file_systems(kind: str, level: str) -> None:
    assert checkup_store._file_system_check(kind, "/data").level == level


def test_an_interpreter_that_does_not_work(tmp_path: Path) -> None:
    program = tmp_path / "node"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    assert checkup._interpreter("node", str(program)).text == f"{program} does not run: ends with 3"
    assert checkup._interpreter("node", str(tmp_path / "none")).level == "warning"


def test_a_library_that_is_missing_or_old() -> None:
    assert checkup._library("no-such-library", "1.0", None).level == "problem"
    absent = checkup._library("no-such-library", "1.0", "postgres")
    assert absent.level == "absent" and absent.hint == "pip install 'mainspring[postgres]'"
    assert "too old" in checkup._library("click", "99.1", None).text


def test_a_folder_of_json(shell: Shell) -> None:
    code, told = looked(shell, "--store", "file:orders")
    assert (code, "the first run makes it" in told["store", "store"]["text"]) == (0, True)
    (shell.folder / "open").touch()
    assert shell("run", "gated.yaml", "--store", "file:orders").returncode == 0
    code, told = looked(shell, "--store", "file:orders")
    assert code == 0
    assert "of log" in told["store", "store"]["text"]
    assert told["store", "instances"]["text"].startswith("1, ")
    assert told["store", "owner"]["text"] == "nobody holds it"
    log = shell.folder / "orders" / "groups.jsonl"
    log.write_bytes(log.read_bytes().replace(b"format", b"FORMAT"))
    code, told = looked(shell, "--store", "file:orders")
    assert code == 1
    assert "groups.jsonl, line 1" in told["store", "store"]["text"]
    code, told = looked(shell, "--store", "file:nowhere/orders")
    assert (code, told["store", "folder"]["level"]) == (1, "problem")
    code, told = looked(shell, "--store", "file:")
    assert (code, "names no folder" in told["store", "store"]["text"]) == (1, True)
