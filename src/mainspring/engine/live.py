"""An instance in memory, with what the engine must know about it beside its state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mainspring.engine.program import Program
from mainspring.journal.records import InstanceRecord, Write
from mainspring.machine.effects import AnyEffect
from mainspring.machine.inputs import Input
from mainspring.machine.instance import Instance
from mainspring.messaging.task import TaskCall

NO_TIMERS: dict[tuple[str, int, int, str], int] = {}
"""Never added to: most instances never have a timer, and would not have to pay for a place of their own to keep them."""


class Live:
    """`seq` is the last row decided, which may not be durable yet; `uncommitted` counts the turns that are not.

    `timers` says when each armed timer is due. `held` is not None while the instance is being loaded again: inputs wait
    there.
    """

    __slots__ = (
        "created",
        "held",
        "id",
        "instance",
        "number",
        "program",
        "record",
        "seq",
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
        self.created = seq > 0
        self.status_written = record.status
        self.uncommitted = 0
        self.tasks: dict[str, tuple[TaskCall, asyncio.Task[None], Awaitable[object]]] = {}
        self.timers: dict[tuple[str, int, int, str], int] = NO_TIMERS
        self.held: list[Input] | None = None
        self.started: asyncio.Future[None] | None = None

    def begun(self, error: Exception | None = None) -> None:
        """Tell whoever started the instance that it is durable, or why it never will be."""
        started, self.started = self.started, None
        if started is not None and not started.done():
            if error is None:
                started.set_result(None)
            else:
                started.set_exception(error)


class Entry:
    """A turn on its way to the store: what to write, what was ordered, and the input, in case it must be taken again."""

    __slots__ = ("done", "effects", "input", "live", "write")

    def __init__(
        self,
        live: Live,
        write: Write | None,
        effects: list[AnyEffect],
        input: Input,
        done: Callable[[], None] | None = None,
    ) -> None:
        self.live = live
        self.write = write
        self.effects = effects
        self.input = input
        self.done = done
