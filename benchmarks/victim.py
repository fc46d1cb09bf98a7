"""The process that `measured.recover` recovers from: it stops half way in all instances, says so, and is killed."""

from __future__ import annotations

import asyncio
import sys

import mainspring as ms
from benchmarks import workflows

_halfway = 0
_all_there = asyncio.Event()
_count = 0


async def stall() -> None:
    """Count who has come so far, and never go on."""
    global _halfway
    _halfway += 1
    if _halfway == _count:
        _all_there.set()
    await asyncio.Event().wait()


async def main(path: str, count: int, length: int) -> None:
    """Start `count` chains and stop in the middle of each."""
    global _count
    _count = count
    workflows.stall = stall
    workflow = workflows.chain_with_middle(length)
    async with ms.Engine(f"sqlite:///{path}") as engine:
        for begin in range(0, count, 500):
            await asyncio.gather(
                *[engine.start(workflow, input={"n": 1}) for _ in range(begin, min(begin + 500, count))]
            )
        await _all_there.wait()
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
