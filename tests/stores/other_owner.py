"""A process that owns a store and writes for ever: `other_owner.py STORE LEASE_MS [stop]`, where STORE is a URL or a
SQLite file's path. It says why it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from zlib import crc32

from mainspring.assembly import open_store
from mainspring.errors import StoreError
from mainspring.journal.records import InstanceRecord, TurnRow, Write


async def main(place: str, lease_ms: int) -> None:
    store = open_store(place if ":" in place else f"sqlite:///{place}")
    await store.open()
    lease = await store.acquire("other", time.time_ns() // 1_000_000, lease_ms)
    number = await store.numbers(lease, 1)
    record = InstanceRecord(
        number=number,
        id=f"other-{number}",
        workflow="w",
        version="v",
        status="running",
        created_at=1,
        owner=lease.epoch,
    )
    body = b"x" * 200
    await store.commit(lease, [Write(number, (TurnRow(number, 1, body, crc32(body)),), created=record)])
    print("owns", number, flush=True)
    seq = 1
    try:
        while True:
            seq += 1
            await store.commit(lease, [Write(number, (TurnRow(number, seq, body, crc32(body)),))])
            if seq == 20:
                print("writes", flush=True)
                if len(sys.argv) > 3:  # stop, and not in the middle of a commit
                    os.kill(os.getpid(), signal.SIGSTOP)
    except StoreError as error:
        print("refused", type(error).__name__, flush=True)
    await store.close()
    print("closed", flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
