"""What leaves an instance for another: children are started and cancelled, parents told of their ends.

An outbox row is written in the commit of the turn that sends it, and taken out once it has had its effect. Between the two a
crash may fall, so each has its effect by something that is there once: an instance by its id, an inbox row by its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mainspring.engine import letters
from mainspring.engine.starting import Origin, Starting
from mainspring.errors import CommandRefused, DefinitionError, NotOwner, StoreCorrupt, StoreError, UnknownInstance
from mainspring.journal import messages
from mainspring.journal.outgoing import from_row, to_row
from mainspring.journal.payload import encode_payload
from mainspring.journal.records import InboxMessage, InstanceRecord, OutboxRow, Write
from mainspring.machine.effects import (
    CancelChild,
    CompensateChild,
    PauseChild,
    ResumeChild,
    Send,
    StartChild,
    TellParent,
)
from mainspring.machine.inputs import Compensate

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")

ROWS_AT_ONCE = 200
"""How many rows are delivered together. Those for one receiver go one after the other."""


class Outbox:
    """Delivers what the store's outbox holds: when a commit has put something there, and at the start."""

    def __init__(self, host: Host, starting: Starting) -> None:
        self._host = host
        self._starting = starting
        self._wanted = asyncio.Event()
        self._waiting = True
        self._task: asyncio.Task[None] | None = None
        self._deliveries: dict[type[Any], Callable[[Send, Any], Awaitable[None]]] = {
            StartChild: self._start,
            CancelChild: self._cancel,
            PauseChild: self._pause,
            ResumeChild: self._resume,
            CompensateChild: self._compensate,
            TellParent: self._tell,
        }

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name="mainspring-outbox")

    def want(self) -> None:
        """There may be something to deliver."""
        self._wanted.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is known to wait."""
        return self._waiting and not self._wanted.is_set()

    async def stop(self) -> None:
        """Stop at once: what is not delivered yet stays where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _serve(self) -> None:
        while True:
            self._waiting = True
            await self._wanted.wait()
            self._waiting = False
            self._wanted.clear()
            try:
                await self.deliver()
            except NotOwner as error:
                self._host.lost(error)
                return
            except StoreError as error:
                logger.warning("what instances send could not be delivered, and will be tried again: %s", error)

    async def deliver(self) -> None:
        """All that is there. Raises StoreError; what had its effect before that is taken out all the same."""
        host = self._host
        while host.loss is None:
            rows = await host.store.outbox(host.ownership.lease(), ROWS_AT_ONCE)
            if not rows:
                return
            done, faults = await self._deliver(rows)
            if done:
                await host.store.sent(host.ownership.lease(), done)
            if faults:
                raise faults[0]
            if not done:
                return  # of kinds that this version does not know: they are left for one that does

    async def _deliver(self, rows: Sequence[OutboxRow]) -> tuple[list[str], list[StoreError]]:
        """What has arrived, and what came between."""
        lines: dict[str, list[Send]] = {}
        done: list[str] = []
        for row in rows:
            try:
                send = from_row(row)
            except StoreCorrupt as error:
                logger.error("a message cannot be read, and is a dead letter now: %s", error)
                if await self._bury("outbox", row, str(error)):
                    done.append(row.id)
                continue
            if send is not None:
                lines.setdefault(send.to, []).append(send)
        ends = await asyncio.gather(*(self._one_by_one(line, done) for line in lines.values()), return_exceptions=True)
        faults = []
        for end in ends:
            if isinstance(end, StoreError):
                faults.append(end)
            elif isinstance(end, BaseException):
                raise end
        return done, faults

    async def _one_by_one(self, line: list[Send], done: list[str]) -> None:
        for send in line:
            await self._deliveries[type(send.what)](send, send.what)
            done.append(send.id)

    async def _bury(self, kind: str, row: OutboxRow, reason: str) -> bool:
        """Keep it where somebody can see it. Before it is taken out: a crash between the two has it buried once more.

        False where another session has the instance: then the row stays, for that one or for later.
        """
        host = self._host
        letter = letters.of_message(kind, row, reason, host.clock.now())
        kept = await host.store.commit(host.ownership.lease(), [Write(row.instance, buried=(letter,))])
        return not kept.refused

    async def _start(self, send: Send, start: StartChild) -> None:
        host = self._host
        if await host.store.find(send.to) is not None:
            return  # it was started before the crash that had this row stay
        try:
            program = await host.program_of(start.version)
            check = program.plan.input_check
            faults = () if check is None else check(bytes(start.input))
            if faults:
                await self._refuse(send, start, f"the input does not match its inputSchema: {'; '.join(faults)}")
                return
            values = encode_payload(program.plan.workflow.variables, "variables")
            origin = Origin(start.parent, start.path, start.run, start.depth, start.detached)
            await self._starting.begin(program, send.to, bytes(start.input), values, None, origin)
        except (DefinitionError, StoreCorrupt) as error:
            await self._refuse(send, start, str(error))

    async def _refuse(self, send: Send, start: StartChild, reason: str) -> None:
        """Its parent is told; where nobody waits for it, it is a dead letter."""
        logger.warning("%s could not be started: %s", send.to, reason)
        if not start.detached:
            ended = messages.ChildEnded(start.path, start.run, "refused", reason=reason)
            await self._post(start.parent, f"{send.to}/refused", ended)
            return
        parent = await self._host.store.find(start.parent)
        if parent is not None:
            row = to_row(send, parent.number, self._host.clock.now())
            if not await self._bury("child", row, reason):
                raise StoreError(f"{send.to} cannot be buried now: another engine has {start.parent}")

    async def _cancel(self, send: Send, order: CancelChild) -> None:
        await self._post(send.to, send.id, messages.Cancel(by=order.by, reason=order.reason))

    async def _pause(self, send: Send, order: PauseChild) -> None:
        message = messages.Pause(by=order.by, reason=order.reason, stop_clocks=order.stop_clocks)
        await self._post(send.to, send.id, message)

    async def _resume(self, send: Send, order: ResumeChild) -> None:
        await self._post(send.to, send.id, messages.Resume(by=order.by, paused_by=order.parent))

    async def _compensate(self, send: Send, order: CompensateChild) -> None:
        """A child at its end is open again until it has undone itself. One that is open is told when it is not."""
        host = self._host
        record = await host.store.find(send.to)
        status, reason = "refused", "there is no such child"
        try:
            if record is not None and record.status != "compensated":
                request = Compensate(
                    by=order.parent, path=order.path, run=order.run, seed=host.clock.seed(), message=send.id
                )
                await host.reviving.compensate(send.to, request)
                return
            if record is not None:
                status, reason = "compensated", ""
        except CommandRefused as error:
            live = host.by_id.get(send.to)
            if live is not None and send.id in live.instance.consumed:
                return
            if record is not None and record.open:
                raise StoreError(f"{send.to} cannot be undone yet: {error}") from None
            reason = str(error)
        except (DefinitionError, StoreCorrupt) as error:
            reason = str(error)
        ended = messages.ChildEnded(order.path, order.run, status, reason=reason)
        await self._post(order.parent, f"{send.id}/answer", ended)

    async def _tell(self, send: Send, told: TellParent) -> None:
        ended = messages.ChildEnded(told.path, told.run, told.status, told.output, told.reason)
        await self._post(send.to, send.id, ended)

    async def _post(self, to: str, id: str, message: messages.Message) -> None:
        """Into the receiver's inbox; nothing where it is at its end, or never was."""
        record: InstanceRecord | None = await self._host.store.find(to)
        if record is not None and record.open:
            body = messages.encode(message)
            with suppress(UnknownInstance):  # it ended and was removed meanwhile
                await self._host.store.post(InboxMessage(id, record.number, body, self._host.clock.now()))
