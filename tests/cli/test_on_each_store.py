"""The commands on the folder of JSON and on Redis: run, look, and reach what another process runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mainspring.testing import redis_server
from tests.cli.shell import Shell, read_until


@pytest.fixture(params=["file", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "file":
        yield "file:orders"
        return
    url = redis_server.fresh_url()
    yield url
    redis_server.drop(url)


def test_paused_by_a_second_process_and_resumed_in_a_third(shell: Shell, store: str) -> None:
    process = shell.start("run", "gated.yaml", "--key", "k", "--store", store)
    read_until(process, "at the gate")
    (listed,) = json.loads(shell("list", "--store", store, "--json").stdout)
    assert (listed["id"], listed["status"]) == ("gated:k", "running")
    paused = shell("pause", "gated:k", "--by", "ann", "--no-wait", "--store", store)
    assert paused.returncode == 0, paused.stderr
    (shell.folder / "open").touch()
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 5, shown
    assert "by ann" in shell("show", "gated:k", "--store", store).stdout
    assert shell.ran() == ["first", "gate"]
    assert shell("resume", "gated:k", "--store", store).returncode == 0
    again = shell("run", "--resume", "gated:k", "--store", store)
    assert again.returncode == 0, again.stderr
    assert shell.ran() == ["first", "gate", "last"]
    told = shell("events", "gated:k", "--json", "--store", store).stdout.splitlines()
    assert json.loads(told[-1])["event"] == "InstanceCompleted"


def test_cancelled_by_a_second_process(shell: Shell, store: str) -> None:
    process = shell.start("run", "gated.yaml", "--key", "k", "--store", store)
    read_until(process, "at the gate")
    cancelled = shell("cancel", "gated:k", "--store", store)
    assert cancelled.returncode == 0, cancelled.stderr
    process.communicate(timeout=20)
    assert process.returncode == 4
    assert json.loads(shell("show", "gated:k", "--store", store, "--json").stdout)["status"] == "cancelled"


def test_doctor_says_what_redis_may_lose(shell: Shell) -> None:
    server = redis_server.PrivateServer(fsync="everysec")
    url = redis_server.fresh_url(server.start())
    try:
        assert "no store yet" in shell("doctor", "--store", url).stdout
        assert shell("run", "echo.yaml", "--store", url).returncode == 0
        looked = shell("doctor", "--store", url)
        assert looked.returncode == 0
        assert "appendfsync is everysec" in looked.stdout
        assert "1, 0 of them open" in looked.stdout
    finally:
        server.remove()
