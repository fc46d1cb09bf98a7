"""Where a step's CPU time goes: each stage of the hot path by itself, on the rows of ten-step chains."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from benchmarks import workflows
from mainspring.definition import canonical
from mainspring.engine.clock import SystemClock
from mainspring.graph.plan import Plan
from mainspring.journal.codec import decode_turn, encode_turn
from mainspring.journal.history import rebuild
from mainspring.journal.payload import encode_payload
from mainspring.journal.records import Change, InstanceRecord, Loaded, TurnRow, Write
from mainspring.machine.fold import fold
from mainspring.machine.inputs import StartInstance, TaskFinished
from mainspring.machine.instance import Instance
from mainspring.machine.step import step
from mainspring.machine.turn import Turn
from mainspring.stores.sqlite import SqliteStore
from mainspring.tasks.function import FunctionKind

CHAINS = 1_000
LENGTH = 10


def _plan() -> Plan:
    workflow = workflows.chain(LENGTH)
    return Plan(workflow, canonical.content_hash(canonical.encode(workflow)))


def _decide(plan: Plan) -> list[list[Turn]]:
    made = []
    for number in range(CHAINS):
        instance = Instance(plan, f"chain-{number}")
        turns = [step(plan, instance, StartInstance(workflow="chain", version="v", input=b'{"n":1}'), 1_000)]
        for index in range(LENGTH):
            turns.append(
                step(plan, instance, TaskFinished(path=f"n{index}", run=1, attempt=1, output=b'{"n":1}'), 1_000)
            )
        made.append(turns)
    return made


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e6 / (CHAINS * LENGTH)


async def stages(path: str) -> dict[str, float]:
    """Microseconds of CPU a step, by stage."""
    plan = _plan()
    decided = _decide(plan)
    figures = {"machine.step": _timed(lambda: _decide(plan))}
    encoded: list[TurnRow] = []

    def encode() -> None:
        for number, turns in enumerate(decided, start=1):
            for seq, turn in enumerate(turns, start=1):
                encoded.extend(encode_turn(number, seq, turn.at, "", turn.events)[0])

    figures["codec.encode"] = _timed(encode)
    figures["codec.decode"] = _timed(lambda: [decode_turn(row) for row in encoded])
    figures["journal.rebuild"] = _timed(lambda: _rebuild(plan, encoded))
    figures["machine.fold"] = _timed(lambda: _fold(plan, decided))
    figures["payload.encode"] = _timed(lambda: [encode_payload({"n": 1}, "output") for _ in range(CHAINS * LENGTH)])
    figures["task"] = await _tasks(plan)
    figures["store.commit"] = await _commit(path, encoded)
    return figures


def _rebuild(plan: Plan, rows: list[TurnRow]) -> None:
    per = LENGTH + 1
    for number in range(CHAINS):
        record = InstanceRecord(
            number=number, id=f"chain-{number}", workflow="chain", version="v", status="running", created_at=0
        )
        rebuild(plan, Loaded(record, None, tuple(rows[number * per : (number + 1) * per]), (), ()))


def _fold(plan: Plan, decided: list[list[Turn]]) -> None:
    for turns in decided:
        instance = Instance(plan, "chain")
        for turn in turns:
            for event in turn.events:
                fold(instance, event, turn.at)


async def _tasks(plan: Plan) -> float:
    """The task itself: decode its input, call it, await it as an asyncio task."""
    from mainspring.messaging.task import TaskCall

    prepared = FunctionKind().prepare(plan.nodes[0].definition, "")
    loop = asyncio.get_running_loop()
    began = time.process_time()
    for _ in range(CHAINS * LENGTH // 50):
        tasks = []
        for _ in range(50):
            call = TaskCall("i", "n0", 1, 1, "i/n0/1", b'{"n":1}', b"{}", lambda percent, text: None)
            tasks.append(loop.create_task(prepared.invoke(call)))  # type: ignore[arg-type]
        await tasks[-1]
    return (time.process_time() - began) * 1e6 / (CHAINS * LENGTH)


async def _commit(path: str, rows: list[TurnRow]) -> float:
    """Commits of 50 rows each, with the record of each chain as it begins and ends."""
    store = SqliteStore(path)
    await store.open()
    lease = await store.acquire("stages", SystemClock().now(), 60_000)
    writes = [_write(row, lease.epoch) for row in rows]
    began = time.process_time()
    for begin in range(0, len(writes), 50):
        await store.commit(lease, writes[begin : begin + 50])
    took = (time.process_time() - began) * 1e6 / (CHAINS * LENGTH)
    await store.close()
    return took


def _write(row: TurnRow, epoch: int) -> Write:
    write = Write(row.instance, (row,))
    record = InstanceRecord(
        number=row.instance,
        id=f"chain-{row.instance}",
        workflow="chain",
        version="v",
        status="running",
        created_at=1_000,
        owner=epoch,
    )
    if row.seq == 1:
        write.created = msgspec.structs.replace(record)
    elif row.seq == LENGTH + 1:
        write.change = Change(status="completed", open=False, ended_at=2_000)
    return write
