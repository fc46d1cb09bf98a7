"""Inputs in, turns out: the one place where `step` is called on live instances.

The instance decides on turns that are not durable yet; the writer makes them so in the same order; only then are their
effects released, by `released` (SEMANTICS 1). An input on which the machine fails is never tried again: the instance is
thrown away, loaded from what is durable, and parked (SEMANTICS 3).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import msgspec

from mainspring.engine import letters
from mainspring.engine.checkpoints import Checkpoints
from mainspring.engine.clock import Clock
from mainspring.engine.live import Entry, Live
from mainspring.engine.settings import EngineSettings
from mainspring.engine.writer import Writer
from mainspring.errors import CommandRefused
from mainspring.journal.codec import encode_snapshot, encode_turn
from mainspring.journal.outgoing import to_row
from mainspring.journal.records import CacheRow, Change, Write
from mainspring.machine.capturing import capture
from mainspring.machine.effects import AnyEffect, EndInstance
from mainspring.machine.inputs import Input, ParkInstance, Reattach, Recover, TaskFinished
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.step import step
from mainspring.machine.turn import Refused, Turn

logger = logging.getLogger("mainspring.engine")

GOING_ON: frozenset[type] = frozenset((Recover, Reattach))
"""That these were taken is told even where they led to nothing: who waits for a lock waits for that."""

FEW_ORDERS = 4
"""Who orders so few is no fan-out: to interrupt fifty chains after some of them would only leave two commits for one.
Where a server commits, it is better so: it has the first group while we decide the second."""


class TurnLoop:
    """`refused` is told of inputs that came at the wrong time, `reload` to load an instance again and take inputs anew.

    `results` makes rows for the result cache of a report that asks for it.
    """

    def __init__(
        self,
        clock: Clock,
        settings: EngineSettings,
        writer: Writer,
        checkpoints: Checkpoints,
        epoch: Callable[[], int],
        refused: Callable[[Live, Input, str], None],
        reload: Callable[[Live, list[Input]], None],
        results: Callable[[TaskFinished, Turn], tuple[CacheRow, ...]],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._writer = writer
        self._checkpoints = checkpoints
        self._epoch = epoch
        self._refused = refused
        self._reload = reload
        self._results = results
        self._queue: deque[tuple[Live, Input]] = deque()
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._drain_max = settings.drain_inputs_max
        self._drain_orders_max = settings.drain_orders_max
        self._few_orders = 0 if writer.remote else FEW_ORDERS
        self._room = 0
        self.turns = 0
        self.dropped = 0

    def post(self, live: Live, input: Input) -> None:
        """Queue an input. It is taken in this iteration of the event loop or the next."""
        if input.message:
            live.orders += 1
        self.report(live, input)

    def report(self, live: Live, input: Input) -> None:
        """Queue what became of an attempt: as any other input, but it is never a message."""
        self._queue.append((live, input))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    @property
    def empty(self) -> bool:
        """Whether no input waits."""
        return not self._queue

    def busy(self) -> set[int]:
        """The numbers of the instances for which an input waits."""
        return {live.number for live, _ in self._queue}

    def withdraw(self, live: Live) -> list[Input]:
        """Take the inputs that wait for this instance out of the queue."""
        found = [input for owner, input in self._queue if owner is live]
        if found:
            self._queue = deque(item for item in self._queue if item[0] is not live)
            live.orders = 0
        return found

    def clear(self) -> None:
        """Forget what waits, as a crash would."""
        self._queue.clear()

    def _drain(self) -> None:
        queue = self._queue
        try:
            now = self._clock.now()
            self._room = self._drain_orders_max
            for _ in range(min(self._drain_max, len(queue))):
                live, input = queue.popleft()
                if input.message:
                    live.orders -= 1
                if live.held is None:
                    self._take(live, input, now)
                    if self._room <= 0:
                        break
                else:
                    live.held.append(input)
        finally:  # whatever went wrong with one instance, the others go on
            if queue:
                self._loop.call_soon(self._drain)
            else:
                self._scheduled = False

    def _take(self, live: Live, input: Input, now: int) -> None:
        try:
            held = live.holdings
            turn = step(live.instance.plan, live.instance, input, now, None if held is None else held.admit)
            self.turns += 1
            self.dropped += bool(turn.dropped)
            # One that led to nothing is kept too while the turns before it are not durable: were they lost, it might count.
            if turn.events or turn.effects or turn.message or live.uncommitted or type(input) in GOING_ON:
                self._queue_turn(live, input, turn)
        except Refused as refusal:
            self._refused(live, input, str(refusal))
            if input.message:
                self._consume(live, input)
        except Exception as error:
            self._fault(live, input, error)

    def _queue_turn(self, live: Live, input: Input, turn: Turn) -> None:
        write: Write | None = None
        if turn.events or turn.message:
            write = Write(live.number)
            if turn.events:
                rows, blobs = encode_turn(live.number, live.seq + 1, turn.at, turn.message, turn.events)
                write.rows = rows
                write.blobs = blobs
                live.seq += len(rows)
                if turn.letters:
                    write.buried, write.raised = letters.of_turn(live, turn.letters, turn.at)
                self._attach(live, write)
                if turn.sends:
                    write.outbox = tuple(to_row(one, live.number, turn.at) for one in turn.sends)
                if type(input) is TaskFinished and input.keep:
                    write.cached = self._results(input, turn)
            if turn.message:
                write.consumed = (turn.message,)
        live.uncommitted += 1
        orders = len(turn.effects)
        if orders > self._few_orders:
            self._room -= orders
        entry = Entry(live, write, turn.effects, input, None, turn.at, turn.events)
        if live.ahead is None:
            self._writer.add(entry)
        else:
            self._checkpoints.add(live.ahead, entry)

    def _attach(self, live: Live, write: Write) -> None:
        """What goes with the turn's rows, where it is due: the record, a snapshot."""
        instance = live.instance
        if live.record is not None and not live.created:
            live.created = True
            live.status_written = instance.status
            write.created = msgspec.structs.replace(
                live.record,
                status=instance.status,
                open=instance.status not in INSTANCE_FINAL,
                created_at=instance.started_at,
                ended_at=instance.ended_at or None,
                reason=instance.reason,
                owner=0 if instance.status in INSTANCE_FINAL else self._epoch(),
            )
        elif instance.status != live.status_written or instance.status in INSTANCE_FINAL:
            # Whatever leaves it final has ended it, were it that it was opened and came to the same end in this very turn.
            live.status_written = instance.status
            final = instance.status in INSTANCE_FINAL
            write.change = Change(
                status=instance.status,
                open=not final,
                ended_at=instance.ended_at if final else None,
                reason=instance.reason,
                owner=0 if final else self._epoch(),
            )
        turns = live.seq - live.snapshot_seq
        # Never more often than nodes have finished, or a large graph would pay the square of its size.
        if turns >= self._settings.snapshot_turns_min and turns >= instance.finished and turns >= live.snapshot_every:
            write.snapshot = encode_snapshot(live.number, live.seq, capture(instance))
            live.snapshot_taken(write.snapshot)

    def _consume(self, live: Live, input: Input) -> None:
        write = Write(live.number, consumed=(input.message,))
        ends: list[AnyEffect] = []
        instance = live.instance
        if instance.status in INSTANCE_FINAL and not live.orders:
            # It was opened to be told, and refused: it is closed again. Not where it is to be told more, which may have it go
            # on.
            write.change = Change(
                status=instance.status, open=False, ended_at=instance.ended_at, reason=instance.reason
            )
            ends.append(EndInstance(instance.status))  # whoever waits for its end since it was opened is told
        live.uncommitted += 1
        entry = Entry(live, write, ends, input)
        if live.ahead is None:
            self._writer.add(entry)
        else:
            self._checkpoints.add(live.ahead, entry)

    def _fault(self, live: Live, input: Input, error: Exception) -> None:
        kind = type(input).__name__
        logger.error("%s: the machine failed on %s; the instance is parked", live.id, kind, exc_info=error)
        reason = f"the machine failed on {kind}: {type(error).__name__}: {error}"
        live.begun(CommandRefused(reason))
        if input.message:
            self._consume(live, input)
        self._reload(live, [ParkInstance(reason=reason, fault=repr(input)[:2_000])])
