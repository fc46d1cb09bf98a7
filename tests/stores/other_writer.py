"""A process that writes to two instances in each group, and says which group is acknowledged: `other_writer.py STORE`."""

from __future__ import annotations

import asyncio
import sys
import time

from mainspring.assembly import open_store
from mainspring.testing.store_contract.ground import begin, more


async def main(url: str) -> None:
    store = open_store(url)
    await store.open()
    lease = await store.acquire("writer", time.time_ns() // 1_000_000, 60_000)
    number = await store.numbers(lease, 2)
    print("owns", number, flush=True)
    await store.commit(lease, [begin(number, lease.epoch), begin(number + 1, lease.epoch)])
    seq = 1
    while True:
        seq += 1
        await store.commit(lease, [more(number, seq), more(number + 1, seq)])
        print("wrote", seq, flush=True)


asyncio.run(main(sys.argv[1]))
