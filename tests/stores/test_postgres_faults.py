"""A PostgreSQL server that goes away, comes back, dies or is full: nothing that was acknowledged is lost, and all go on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.errors import StoreError
from mainspring.stores.postgres import PostgresStore
from mainspring.testing.postgres_server import PrivateServer
from mainspring.testing.store_contract.ground import NOW, TTL, begin, more, numbers_of
from tests.engine.conftest import node, workflow

pytestmark = pytest.mark.apart

STEPS = 6
ran: list[str] = []


@ms.task(name="fault_step")
async def step(ctx: ms.TaskContext) -> str:
    ran.append(ctx.idempotency_key)
    return ctx.idempotency_key


CHAIN = workflow(*[node(f"n{i}", "fault_step", *([f"n{i - 1}"] if i else [])) for i in range(STEPS)], id="chain")


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    found = PrivateServer(settings={"max_connections": "40"})
    found.start()
    yield found
    found.remove()


@pytest.fixture
async def store(server: PrivateServer) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(f"{server.url}?schema=direct")
    await store.open()
    yield store
    await store.close()


async def tried(verb: Any) -> Any:
    """As whoever uses a store does: a StoreError is tried again a moment later."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await verb()
            except StoreError as error:
                assert type(error) is StoreError
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_store_outlives_its_server(server: PrivateServer, store: PostgresStore, mode: str) -> None:
    lease = await store.acquire("tests", NOW, TTL)
    number = await store.numbers(lease, 10)
    await store.commit(lease, [begin(number, lease.epoch)])
    await asyncio.to_thread(server.stop, mode)
    for verb in (
        lambda: store.commit(lease, [more(number, 2)]),
        lambda: store.find(f"i-{number}"),
        lambda: store.renew(lease, NOW, TTL),
        lambda: store.acquire("another", NOW, TTL),
        lambda: store.claim(lease, NOW, 10),
    ):
        with pytest.raises(StoreError):
            await verb()
    await asyncio.to_thread(server.start_again)
    await tried(lambda: store.commit(lease, [more(number, 2)]))
    assert await tried(lambda: store.renew(lease, NOW, TTL))
    loaded = await tried(lambda: store.load(f"i-{number}"))
    assert [row.seq for row in loaded.rows] == [1, 2]


async def test_engines_outlive_their_server(server: PrivateServer, caplog: pytest.LogCaptureFixture) -> None:
    """Two engines run chains while the server is restarted and killed under them."""
    caplog.set_level("CRITICAL")
    ran.clear()
    url, count = f"{server.url}?schema=engines", 60
    settings = ms.EngineSettings(lease_ms=3_000, store_retry_ms_max=100)
    async with (
        ms.Engine(PostgresStore(url), settings=settings) as first,
        ms.Engine(PostgresStore(url), settings=settings) as second,
    ):
        engines = (first, second)
        done: list[str] = []

        async def one(number: int) -> None:
            run = await tried(lambda: engines[number % 2].start(CHAIN, key=str(number)))
            result = await tried(lambda: engines[(number + 1) % 2].wait(run.id))
            assert result.status == "completed", result.errors
            done.append(run.id)

        async def harm() -> None:
            for mode in ("fast", "immediate", "immediate"):
                before = len(ran)
                while len(ran) < before + count:  # in the midst of it
                    await asyncio.sleep(0.002)
                await asyncio.to_thread(server.stop, mode)
                await asyncio.to_thread(server.start_again)

        async with asyncio.timeout(120):
            harming = asyncio.ensure_future(harm())
            number = 0
            while not harming.done() or number < count:
                await asyncio.gather(*[one(number + place) for place in range(20)])
                number += 20
            await harming
        assert first.host.loss is None
        assert second.host.loss is None
    assert len(done) == number
    assert len(set(ran)) == number * STEPS, "a step was lost"


async def test_a_full_disk_is_said_and_nothing_is_lost(server: PrivateServer, tmp_path: Path) -> None:
    place = await asyncio.to_thread(_small_disk)
    try:
        await _fill(server, place)
    finally:
        await asyncio.to_thread(subprocess.run, ["umount", "-l", str(place)], check=True)
        shutil.rmtree(place, ignore_errors=True)


def _small_disk() -> Path:
    """A file system of four megabytes that the server may write to, where we may make one."""
    place = Path("/tmp") / f"mainspring-small-{os.getpid()}"
    place.mkdir()
    made = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not made:
        place.rmdir()
        pytest.skip("only root can mount a small file system")
    folder = place / "space"
    folder.mkdir(mode=0o700)
    shutil.chown(folder, "postgres")
    return place


async def _fill(server: PrivateServer, place: Path) -> None:
    import asyncpg

    admin = await asyncpg.connect(server.url)
    await admin.execute(f"CREATE TABLESPACE small LOCATION '{place}/space'")
    store = PostgresStore(f"{server.url}?schema=small")
    await store.open()
    await admin.execute("ALTER TABLE small.turn SET TABLESPACE small")
    await admin.execute("CREATE TABLE small.filler (body BYTEA) TABLESPACE small")
    await admin.execute("ALTER TABLE small.filler ALTER body SET STORAGE EXTERNAL")
    await admin.execute("INSERT INTO small.filler VALUES ($1)", bytes(1_000_000))
    lease = await store.acquire("tests", NOW, TTL)
    number = 0
    with pytest.raises(StoreError, match="the server's disk is full"):
        while number < 100_000:
            await store.commit(lease, [begin(one, lease.epoch) for one in range(number + 1, number + 501)])
            number += 500
    assert number
    assert len(await numbers_of(store)) == min(number, 10_000)
    assert len(await store.follow(0, 1_000_000)) == number
    await admin.execute("DROP TABLE small.filler")
    await admin.execute("CHECKPOINT")
    await tried(lambda: store.commit(lease, [begin(number + 1, lease.epoch)]))
    await store.close()
    await admin.execute("DROP SCHEMA small CASCADE")
    await admin.execute("DROP TABLESPACE small")
    await admin.close()
