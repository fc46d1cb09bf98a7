"""An instance in memory, with what the engine must know about it beside its state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.engine.program import Program
from mainspring.journal.records import InstanceRecord, SnapshotRow, Write
from mainspring.machine.effects import AnyEffect
from mainspring.machine.events import Event
from mainspring.machine.inputs import Input
from mainspring.machine.instance import Instance
from mainspring.messaging.task import TaskCall

if TYPE_CHECKING:
    from mainspring.engine.checkpoints import Ahead
    from mainspring.engine.holdings import Holdings

SNAPSHOT_BYTES_PER_TURN = 256
"""A turn pays for so much of a snapshot: one of 1 MB is followed by the next after 4,096 turns, not after 256, and costs a
long loop some 2 % of its time. To fold so many rows takes 15 ms."""

NO_TIMERS: dict[tuple[str, int, int, str], int] = {}
"""Never added to: most instances never have a timer, and would not have to pay for a place of their own to keep them."""


Running = tuple[TaskCall, asyncio.Task[None], Awaitable[object]]
"""An attempt under way: what it was given, the task that awaits it, and the work itself."""


class Live:
    """`seq` is the last row decided, which may not be durable yet; `uncommitted` counts the turns that are not, `orders` the
    messages that wait to be taken.

    `snapshot_seq` is the row after which the last snapshot was taken, `snapshot_every` how many more rows the next one
    has to wait for because of its size. `timers` says when each armed timer is due. `held` is not None while the instance
    is being loaded again: inputs wait there. `holdings` is what it has of its limits (None: it has none). `ahead` is not
    None while its tasks may begin before the turns that ordered them are durable.
    """

    __slots__ = (
        "ahead",
        "created",
        "held",
        "holdings",
        "id",
        "instance",
        "number",
        "orders",
        "program",
        "record",
        "seq",
        "snapshot_every",
        "snapshot_seq",
        "started",
        "status_written",
        "tasks",
        "timers",
        "uncommitted",
    )

    def __init__(self, number: int, record: InstanceRecord, program: Program, instance: Instance, seq: int) -> None:
        self.number = number
        self.id = record.id
        self.record: InstanceRecord | None = record
        self.program = program
        self.instance = instance
        self.seq = seq
        self.snapshot_seq = seq
        self.snapshot_every = 0
        self.created = seq > 0
        self.status_written = record.status
        self.uncommitted = 0
        self.orders = 0
        self.tasks: dict[str, Running] = {}
        self.timers: dict[tuple[str, int, int, str], int] = NO_TIMERS
        self.held: list[Input] | None = None
        self.started: asyncio.Future[None] | None = None
        self.holdings: Holdings | None = None
        self.ahead: Ahead | None = None

    def snapshot_taken(self, snapshot: SnapshotRow | None) -> None:
        """What a large snapshot costs is spread over many turns: the next one waits for so many."""
        self.snapshot_seq = 0 if snapshot is None else snapshot.seq
        self.snapshot_every = 0 if snapshot is None else len(snapshot.body) // SNAPSHOT_BYTES_PER_TURN

    def begun(self, error: Exception | None = None) -> None:
        """Tell whoever started the instance that it is durable, or why it never will be."""
        started, self.started = self.started, None
        if started is not None and not started.done():
            if error is None:
                started.set_result(None)
            else:
                started.set_exception(error)


class Entry(Struct, eq=False):
    """A turn on its way to the store: what to write, what was ordered, and the input, in case it must be taken again.

    `events`, which happened at `at`, are those in what is written: whoever follows them needs not decode them. The garbage
    collector sees it (`gc=False` hides what an object refers to): the engine keeps the newest ones, and would never be freed.
    """

    live: Live
    write: Write | None
    effects: list[AnyEffect]
    input: Input
    done: Callable[[], None] | None = None
    at: int = 0
    events: Sequence[Event] = ()
