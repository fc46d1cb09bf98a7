"""Write the golden store of the present version: `python -m tests.golden.make`.

It gives `v<N>.db` (N: the codec's version) and `v<N>.json`, what each instance in it folds to. A file that was released is
never made again: a change of the codec raises its VERSION, adds the next file, and all of them keep opening.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

import mainspring as ms
from mainspring.definition import canonical
from mainspring.engine.program import Program
from mainspring.journal import codec
from mainspring.journal.codec import decode_turn
from mainspring.journal.history import rebuilt
from mainspring.journal.records import DefinitionRecord, InboxMessage, OutboxRow, Write
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.capturing import capture
from mainspring.stores.sqlite import SqliteStore
from tests.golden import reserved, work

HERE = Path(__file__).parent
NEUTRAL = Path("/tmp/mainspring")


async def fill(path: Path) -> None:
    """Every kind of instance; the engine is then killed, so some are left in flight."""
    store = SqliteStore(str(path))
    settings = ms.EngineSettings(snapshot_turns_min=4)
    work.blocks = True
    async with ms.Engine(store, settings=settings) as engine:
        for workflow in (work.COMPLETED, work.FAILED, work.FAST, work.ROUTED, work.DECIDED, work.UNDONE):
            await (await engine.start(workflow, input={"n": 1}, key="1")).result()
        for known in (work.CHILD, work.AWAITED):
            engine.register(known)
        for workflow in (work.LOOPED, work.PARENT):
            await (await engine.start(workflow, input={"n": 1}, key="1")).result()
        await _signalled(engine)
        await engine.start(work.SLOW_PARENT, input={"n": 1}, key="1")
        awaited = await engine.start(work.AWAITED, input={"n": 1}, key="1")
        await awaited.signal("later", {"n": 9}, by="ada")
        await engine.start(work.LOOPING, key="1")
        await engine.start(work.UNDOING, key="1")
        keys = ("running", "cancelled", "mail", "parked", "lost")
        running = [await engine.start(work.OPEN, input={}, key=key) for key in keys]
        await engine.start(work.LONG, key="1")
        moved = await engine.start(work.BEFORE, key="1")
        while (await moved.state()).nodes["busy"].status != "running":
            await asyncio.sleep(0.001)
        await engine.migrate(moved.id, work.AFTER, by="ada", reason="a newer version")
        joined = await engine.start(work.JOINED, key="1")
        asleep = await engine.start(work.ASLEEP, key="1")
        while len([task for live in engine.host.lives.values() for task in live.tasks]) < 12:
            await asyncio.sleep(0.001)
        while (await joined.state()).nodes["work"].runs < 2 or (await joined.state()).nodes["work"].status == "running":
            await asyncio.sleep(0.001)
        await running[1].cancel("not wanted")
        await running[1].result()
        lives = {live.id: live for live in engine.host.lives.values()}
        engine.host.loop.post(lives[running[3].id], inputs.ParkInstance(reason="by hand", fault="none"))
        engine.host.loop.post(lives[running[4].id], inputs.Recover(seed=1))
        while (await running[3].state()).status != "parked":
            await asyncio.sleep(0.001)
        await engine.resume(running[3].id)
        while (await running[3].state()).status != "running":
            await asyncio.sleep(0.001)
        engine.host.sleep.check(after_ms=0)
        while (await _record(store, asleep.id)).owner:
            await asyncio.sleep(0.001)
        await _by_hand(store, engine, (await _record(store, running[2].id)).number)
        # What is in memory is lost, as in a crash; leaving the block finds nothing more to do.
        await engine.host.kill()
        await store.open()


async def _signalled(engine: ms.Engine) -> None:
    """One that is kept, one that is dropped, one that is taken as it comes."""
    run = await engine.start(work.SIGNALLED, key="1")
    await run.signal("second", {"n": 2}, by="ada")
    await run.signal("unknown")
    await run.signal("first", {"n": 1}, by="bob")
    await run.result()


async def _record(store: Store, id: str) -> Any:
    record = await store.find(id)
    assert record is not None
    return record


async def _by_hand(store: Store, engine: ms.Engine, mailed: int) -> None:
    """What no engine of this version writes: reserved events, an outbox row. And mail that nobody took yet."""
    program = Program(work.RESERVED, _reserved_body(), "", {})
    await store.define(DefinitionRecord(program.version, "reserved", program.body, "", 1))
    lease = engine.host.ownership.lease()
    first = await store.numbers(lease, 2)
    partial = reserved.write(
        first, "reserved:partial", program.version, "partial_success", reserved.partial(program.version)
    )
    undone = reserved.write(
        first + 1, "reserved:undone", program.version, "compensated", reserved.undone(program.version)
    )
    await store.commit(lease, [partial, undone, Write(first, outbox=(OutboxRow("out-1", first, "event", b"{}", 1),))])
    await engine.host.recovery.stop()
    await store.post(InboxMessage("mail-1", mailed, b'{"type":"cancel","by":"post","reason":"by mail"}', 1))


def _reserved_body() -> bytes:
    return canonical.encode(work.RESERVED)


async def folded(store: Store) -> dict[str, Any]:
    """What each instance of a store folds to, as JSON. Fields at their defaults are left out, so new ones do no harm."""
    found: dict[str, Any] = {}
    for record in await store.instances(limit=10_000):
        loaded = await store.load(record.id)
        whole = await store.turns(record.id, limit=10_000)
        assert loaded is not None and whole is not None

        async def plan_of(version: str) -> Any:
            there = await store.definition(version)
            assert there is not None, f"{version} is gone"
            return _plan(there)

        state = capture((await rebuilt(plan_of, loaded))[0])
        assert state == capture((await rebuilt(plan_of, whole))[0]), f"{record.id}: its snapshot and its rows disagree"
        found[record.id] = {
            "record": msgspec.to_builtins(record),
            "state": msgspec.json.decode(msgspec.json.encode(state, enc_hook=_text)),
            "inbox": [message.id for message in loaded.inbox],
            "snapshot": 0 if loaded.snapshot is None else loaded.snapshot.seq,
            "blobs": len(whole.blobs),
            "events": [type(event).__name__ for row in whole.rows for event in decode_turn(row, whole.blobs).events],
        }
    return dict(sorted(found.items()))


def _plan(definition: DefinitionRecord) -> Any:
    return Program(canonical.decode(definition.body), definition.body, "", {}).plan


def _text(value: Any) -> Any:
    return base64.b64encode(value).decode()


async def filled(path: Path) -> dict[str, Any]:
    """Fill a new store; gives what is in it."""
    await fill(path)
    store = SqliteStore(str(path))
    await store.open()
    try:
        return await folded(store)
    finally:
        await store.close()


def make() -> None:
    """Both files. The store keeps the folders of its workflows, so it is made from a checkout whose own says nothing."""
    if HERE.parents[1] != NEUTRAL:
        sys.exit(
            f"make it from a clone in {NEUTRAL}, then copy both files: the store names the folder that it is made in"
        )
    path = HERE / f"v{codec.VERSION}.db"
    path.unlink(missing_ok=True)
    expected = asyncio.run(filled(path))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        connection.execute("VACUUM")
    connection.close()
    Path(f"{path}-owner").unlink(missing_ok=True)
    path.with_suffix(".json").write_text(json_text(expected))
    there = {name for one in expected.values() for name in one["events"]}
    missing = {kind.__name__ for kind in get_args(ev.AnyEvent)} - there
    print(f"{path.name}: {path.stat().st_size} bytes, {len(expected)} instances, {len(there)} kinds of event")
    if missing:
        sys.exit(f"not in it: {', '.join(sorted(missing))}")


def json_text(value: Any) -> str:
    """For a diff that can be read."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1).decode() + "\n"


if __name__ == "__main__":
    make()
