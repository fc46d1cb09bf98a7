# ruff: noqa: ASYNC240
"""The control socket: every operation, what is refused, who may use it, and what becomes of it when an engine goes."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.cli.operating import ask, operate, socket_of
from mainspring.engine import control as serving
from mainspring.errors import CommandRefused, StoreError, StoreHeld, UnknownInstance
from mainspring.messaging import control
from tests.engine.conftest import node, workflow

WAITS = workflow(
    node("w", type="wait", config={"signal": "go"}), node("v", None, "w", type="wait", config={"approval": "boss"})
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[ms.Engine]:
    async with ms.Engine(url) as engine:
        yield engine


def socket(url: str) -> str:
    found = socket_of(url)
    assert found is not None
    return found


async def test_each_operation_does_what_the_engine_s_method_does(engine: ms.Engine, url: str) -> None:
    run = await engine.start(WAITS)
    told = await ask(socket(url), control.Ping())
    assert told == {"pid": os.getpid(), "instances": 1}
    assert await ask(socket(url), control.Pause(run.id, "ann", "why", wait_ms=10_000)) == {
        "id": run.id,
        "status": "paused",
    }
    assert await ask(socket(url), control.ResumeAll()) == {"ids": [run.id]}
    while (await run.state()).status != "running":
        await asyncio.sleep(0.001)
    assert await ask(socket(url), control.PauseAll("test")) == {"ids": [run.id]}
    await engine.standstill(run.id)
    assert await ask(socket(url), control.Resume(run.id)) == {"id": run.id}
    assert (await ask(socket(url), control.Signal(run.id, "go", b"3")))["new"]  # type: ignore[arg-type]
    assert await ask(socket(url), control.Approve(run.id, "boss", True, "fine", "ann")) == {"id": run.id}
    assert (await run.result()).output == {"approved": True, "comment": "fine", "by": "ann"}
    opened = await ask(socket(url), control.SwitchBreaker("bank", False, "ann", "they migrate"))
    assert (opened["state"], opened["why"]) == ("forced_open", "by ann: they migrate")
    assert (await ask(socket(url), control.SwitchBreaker("bank", True)))["state"] == "closed"
    assert await ask(socket(url), control.Purge(("nothing",))) == {"purged": 0}
    assert "limits" in await ask(socket(url), control.Limits())
    other = await engine.start(WAITS)
    cancelled = await ask(socket(url), control.Cancel(other.id, "ann", "enough", 10_000))
    assert cancelled == {"id": other.id, "status": "cancelled"}


async def test_errors_are_what_the_engine_raises(engine: ms.Engine, url: str) -> None:
    with pytest.raises(UnknownInstance, match="there is no instance 'x'"):
        await ask(socket(url), control.Cancel("x"))
    with pytest.raises(CommandRefused, match="there is no dead letter"):
        await ask(socket(url), control.Requeue("x"))


async def said(url: str, *lines: bytes) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(socket(url))
    writer.write(b"".join(lines))
    answers = [json.loads(await reader.readline()) for _ in lines]
    writer.close()
    return answers


async def test_what_it_does_not_know_it_says(engine: ms.Engine, url: str) -> None:
    unknown, nonsense, ping = await said(url, b'{"type":"fly"}\n', b"what?\n", b'{"type":"ping"}\n')
    assert unknown["error"] == nonsense["error"] == "CommandRefused"
    assert "this engine does not know what is asked" in unknown["message"]
    assert ping["done"]["instances"] == 0


async def test_a_defect_of_ours_is_told_and_the_socket_lives(
    engine: ms.Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "limits", lambda: 1 / 0)
    assert "ZeroDivisionError" in (await said(url, b'{"type":"limits"}\n'))[0]["message"]
    assert await ask(socket(url), control.Ping())


async def test_it_is_its_user_s_alone_and_goes_with_the_engine(url: str) -> None:
    async with ms.Engine(url):
        assert stat.S_IMODE(Path(socket(url)).stat().st_mode) == 0o600
    assert not Path(socket(url)).exists()
    assert await ask(socket(url), control.Ping()) is None


async def test_what_a_killed_engine_left_is_taken_away_and_what_the_next_has_stays(url: str) -> None:
    Path(socket(url)).write_text("left")
    async with ms.Engine(url):
        assert await ask(socket(url), control.Ping())
        Path(socket(url)).unlink()
        Path(socket(url)).write_text("the next owner's")
    assert Path(socket(url)).read_text() == "the next owner's"


async def test_a_folder_where_no_socket_can_be_does_not_stop_the_engine(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(socket(url)).mkdir()
    async with ms.Engine(url) as engine:
        assert (await engine.facts()).instances == 0
    assert "no other process can command this engine" in caplog.text


def test_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    long = str(tmp_path / ("d" * 90) / "store.db")
    assert control.socket_of(long) == control.socket_of(long)
    assert len(control.socket_of(long)) < control.PATH_BYTES_MAX
    assert control.socket_of(long) != control.socket_of(f"{long}2")


async def test_too_many_at_a_time_are_told_so(engine: ms.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CONNECTIONS_MAX", 1)
    reader, writer = await asyncio.open_unix_connection(socket(url))
    writer.write(b'{"type":"ping"}\n')
    await reader.readline()
    with pytest.raises(CommandRefused, match="connections_max"):
        await ask(socket(url), control.Ping())
    writer.close()
    await writer.wait_closed()


async def test_whoever_says_nothing_is_gone(engine: ms.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE_SECONDS_MAX", 0.01)
    reader, writer = await asyncio.open_unix_connection(socket(url))
    assert await reader.read() == b""
    writer.close()


async def test_an_answer_under_way_is_given_before_the_engine_goes(url: str) -> None:
    async with ms.Engine(url) as engine:
        run = await engine.start(WAITS)
        waiting = asyncio.ensure_future(ask(socket(url), control.Cancel(run.id, wait_ms=5_000)))
        await run.result()
    assert (await waiting)["status"] == "cancelled"


async def test_an_engine_that_goes_without_an_answer_is_told_of(url: str) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(rude, socket(url))
    with pytest.raises(StoreError, match="stopped before it answered"):
        await ask(socket(url), control.Ping())
    server.close()


async def test_where_nobody_holds_the_store_it_is_done_all_the_same(url: str) -> None:
    async with ms.Engine(url) as engine:
        run = await engine.start(WAITS)
    assert (await operate(url, control.Pause(run.id, wait_ms=10_000), {run.id}))["status"] == "paused"
    await operate(url, control.Signal(run.id, "go"))
    async with ms.Engine(url) as engine:
        assert (await engine.inspect(run.id)).status == "paused"


async def test_a_store_held_by_one_that_cannot_be_told_is_said_to_be(
    engine: ms.Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.cli.operating.STARTING_SECONDS_MAX", 0.1)
    Path(socket(url)).unlink()
    with pytest.raises(StoreHeld, match="does not answer: stop that engine"):
        await operate(url, control.Ping())
