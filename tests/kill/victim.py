"""The process that is killed: it works off all chains that the store does not have as finished, then ends."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

import mainspring as ms
from mainspring.machine.commands import lifecycle
from tests.kill import chains


async def work(store: str, count: int, width: int) -> None:
    """At most `width` chains at a time. A line says which start and which end has been acknowledged."""
    workflow = chains.chain()
    async with ms.Engine(f"sqlite:///{store}") as engine:
        over = {record.key for record in await engine.instances(limit=count) if not record.open}
        todo = iter([str(number) for number in range(count) if str(number) not in over])

        async def worker() -> None:
            for key in todo:
                run = await engine.start(workflow, input={"n": int(key), "trail": ""}, key=key)
                chains.tell(f"S {run.id}")
                result = await run.result()
                chains.tell(f"E {run.id} {result.status}")

        await asyncio.gather(*[worker() for _ in range(width)])


if __name__ == "__main__":
    signal.alarm(300)  # a victim whose parent is gone does not stay for ever
    parser = argparse.ArgumentParser()
    parser.add_argument("store")
    parser.add_argument("side")
    parser.add_argument("--chains", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--crashes-max", type=int, default=lifecycle.CRASHES_MAX)
    options = parser.parse_args()
    lifecycle.CRASHES_MAX = options.crashes_max
    chains.side_file = os.open(options.side, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    asyncio.run(work(options.store, options.chains, options.width))
