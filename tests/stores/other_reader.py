"""A process that looks at a store: `other_reader.py PATH list|hold`.

`list` opens, lists, follows and closes again and again until its stdin ends, and says how often. `hold` keeps one reading
transaction open until then.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading

from mainspring.stores.sqlite import SqliteStore


async def look(path: str, ended: threading.Event) -> None:
    rounds = 0
    while not ended.is_set():
        store = SqliteStore(path, read_only=True)
        await store.open()
        for record in await store.instances(limit=20):
            await store.load(record.id)
        await store.facts()
        await store.follow(0, 50)
        await store.close()
        rounds += 1
        if rounds == 3:
            print("looks", flush=True)
    print("rounds", rounds, flush=True)


def hold(path: str, ended: threading.Event) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM turn").fetchall()
    print("looks", flush=True)
    ended.wait()
    connection.close()
    print("rounds 1", flush=True)


over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
if sys.argv[2] == "hold":
    hold(sys.argv[1], over)
else:
    asyncio.run(look(sys.argv[1], over))
