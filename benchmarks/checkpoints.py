"""What a checkpoint of 50 nodes takes on each store: `python -m benchmarks.checkpoints`.

All that is in memory of an instance, an input and an output of 200 bytes for each of its 50 nodes, made durable: the turn
that ends the last node and a snapshot of the state, encoded and committed. On a disk that is waited for (`durability: full`).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.definition.model import Node, Workflow
from mainspring.graph.plan import Plan
from mainspring.journal.codec import decode_turn, encode_snapshot, encode_turn
from mainspring.journal.history import rebuild
from mainspring.journal.records import Write
from mainspring.journal.store import Store
from mainspring.machine.capturing import capture
from mainspring.testing import postgres_server, redis_server

NODES = 50
TIMES = 100


@ms.task
async def work(text: str) -> dict[str, str]:
    return {"text": text}


async def measured(store: Store) -> list[float]:
    """How long each of them took, in milliseconds."""
    nodes = [Node(id="n0", type="function", config={"handler": work}, input={"text": "x" * 200})]
    for number in range(1, NODES):
        before = f"n{number - 1}"
        given = {"text": "${ nodes." + before + ".output.text }"}
        nodes.append(
            Node(id=f"n{number}", type="function", config={"handler": work}, input=given, depends_on=(before,))
        )
    workflow = Workflow(id="fifty", nodes=tuple(nodes))
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow)
        assert (await run.result()).status == "completed"
        loaded = await store.load(run.id)
    assert loaded is not None
    instance = rebuild(Plan(workflow, loaded.record.version), loaded)[0]
    last = decode_turn(loaded.rows[-1], loaded.blobs)
    await store.open()
    lease = await store.acquire("benchmark", time.time_ns() // 1_000_000, 60_000)
    number, seq, taken = loaded.record.number, loaded.rows[-1].seq, []
    for _ in range(TIMES):
        seq += 1
        began = time.perf_counter()
        rows, blobs = encode_turn(number, seq, last.at, "", last.events)
        snapshot = encode_snapshot(number, seq, capture(instance))
        await store.commit(lease, [Write(number, rows, blobs=blobs, snapshot=snapshot)])
        taken.append((time.perf_counter() - began) * 1000)
    await store.release(lease)
    await store.close()
    return taken


async def main() -> None:
    """A line for each store."""
    server = redis_server.PrivateServer()
    server.start()
    postgres = postgres_server.fresh_url()
    try:
        with tempfile.TemporaryDirectory(prefix="mainspring-checkpoints-", dir=Path.cwd()) as folder:
            places = {
                "memory:": "memory:",
                "sqlite:///": f"sqlite:///{folder}/store.db",
                "file:": f"file:{folder}/store",
                "postgresql://": postgres,
                "redis:// (appendfsync always)": redis_server.fresh_url(server.url),
            }
            for name, url in places.items():
                taken = sorted(await measured(open_store(url)))
                print(
                    f"{name:30} p50 {statistics.median(taken):6.2f} ms   p99 {taken[98]:6.2f} ms   max {taken[-1]:6.2f} ms"
                )
    finally:
        await postgres_server.drop(postgres)
        server.remove()


if __name__ == "__main__":
    asyncio.run(main())
