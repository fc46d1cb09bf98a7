"""The commands on a PostgreSQL store, also while engines of other processes run on it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.testing.postgres_server import drop, fresh_url
from tests import warm

FILE = """
id: order
nodes:
  - {id: take, type: log, input: {amount: "${ input.amount }"}}
  - {id: hold, type: wait, config: {signal: go}, dependsOn: [take]}
  - {id: ship, type: log, dependsOn: [hold]}
"""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    found = fresh_url()
    yield found
    await drop(found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "order.yaml"
    place.write_text(FILE)
    return place


async def said(*given: str, code: int = 0) -> str:
    """What a command says, in a process of its own."""
    command = [*warm.command(), *given]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def told(*given: str) -> Any:
    """What it says for programs."""
    return json.loads(await said(*given, "--json"))


async def waits(engine: ms.Engine, id: str) -> None:
    async with asyncio.timeout(20):
        while (await engine.inspect(id)).nodes["hold"].status != "waiting":
            await asyncio.sleep(0.005)


async def test_run_and_look(url: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text("id: plain\nnodes:\n  - {id: a, type: log, input: {n: 1}}\n")
    assert "plain completed" in await said("run", str(plain), "--store", url, "--key", "k")
    (row,) = await told("list", "--store", url)
    assert (row["id"], row["status"]) == ("plain:k", "completed")
    assert (await told("show", "plain:k", "--store", url))["status"] == "completed"
    lines = (await said("events", "plain:k", "--store", url, "--json")).splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "InstanceCompleted"
    assert "plain:k" in await said("list", "--store", url, "--status", "completed")


async def test_a_signal_while_an_engine_runs(url: str, file: Path) -> None:
    async with ms.Engine(url) as engine:
        run = await engine.start(ms.load(str(file)), input={"amount": 1}, key="a")
        await waits(engine, run.id)
        await said("signal", run.id, "go", "--store", url)
        assert (await asyncio.wait_for(run.result(), 20)).status == "completed"


async def test_a_cancel_while_an_engine_runs(url: str, file: Path) -> None:
    async with ms.Engine(url) as engine:
        run, other = [await engine.start(ms.load(str(file)), input={"amount": 1}, key=key) for key in "ab"]
        await waits(engine, run.id)
        assert "cancelled" in await said("cancel", run.id, "--store", url)
        assert (await asyncio.wait_for(run.result(), 20)).status == "cancelled"
        assert (await other.state()).status == "running"


async def test_a_run_beside_an_engine_takes_nothing_of_it(url: str, file: Path, tmp_path: Path) -> None:
    """What sleeps is the service's to wake, also while a command has a session on the same store."""
    plain = tmp_path / "plain.yaml"
    plain.write_text("id: plain\nnodes:\n  - {id: a, type: delay, config: {duration: 1500ms}}\n")
    async with ms.Engine(url, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        run = await engine.start(ms.load(str(file)), input={"amount": 1}, key="a")
        async with asyncio.timeout(20):
            while engine.host.lives:
                await asyncio.sleep(0.005)
        beside = asyncio.ensure_future(said("run", str(plain), "--store", url))
        async with asyncio.timeout(20):
            while len(await engine.instances()) < 2:
                await asyncio.sleep(0.005)
        await run.signal("go")
        assert (await asyncio.wait_for(run.result(), 20)).status == "completed"
        assert not beside.done()
        await beside


async def test_doctor(url: str, file: Path) -> None:
    assert "no store yet" in await said("doctor", "--store", url)
    async with ms.Engine(url) as engine:
        await engine.start(ms.load(str(file)), input={"amount": 1})
        looked = await said("doctor", "--store", url)
        assert "1, 1 of them open" in looked
        assert "session 1" in looked
    assert "none runs on it" in await said("doctor", "--store", url)
    far = "postgresql://postgres@127.0.0.1:1/x"
    assert "Does the server run" in await said("doctor", "--store", far, code=1)
