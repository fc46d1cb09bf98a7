"""Time travel: an instance as it stood after any row of its journal, after any event of a row, or at a time.

What is folded is what was decided then, by the one `fold` that live runs use; nothing is decided again. It costs what lies
between the newest snapshot before that place and the place itself; of a long journal only the last snapshots are kept, so
a place early in it is folded from the first row on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct

from mainspring.errors import UnknownInstance, UnknownMoment
from mainspring.journal.codec import Body, decode_turn
from mainspring.journal.history import Known, rebuilt
from mainspring.journal.records import InstanceRecord, Loaded
from mainspring.journal.store import Store
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE_FINAL

PAGE = 1_000


class Moment(Struct, frozen=True):
    """A place in an instance's journal: after row `seq`, or after event `index` of that row (both as in `Recorded`)."""

    seq: int
    index: int | None = None

    def is_before(self, seq: int, index: int) -> bool:
        """Whether this event came later."""
        return seq > self.seq or (seq == self.seq and self.index is not None and index > self.index)

    def __str__(self) -> str:
        return str(self.seq) if self.index is None else f"{self.seq}.{self.index}"


At = int | tuple[int, int] | Moment | datetime
"""How a moment can be said: a row, a row and an event of it, or a time (one without a zone is local time)."""


class Past(Struct, frozen=True):
    """An instance as it stood at a moment, its record as it would have been, and when that was (UTC milliseconds)."""

    instance: Instance
    record: InstanceRecord
    moment: Moment
    at: int


class Following(Struct, frozen=True):
    """What came after a moment: so many events, the rest of its own row and those of so many further rows."""

    events: int
    rows: int


async def look_back(store: Store, plan_of: Known, id: str, at: At) -> Past:
    """An instance as it stood then. Raises UnknownInstance, UnknownMoment, StoreCorrupt."""
    moment = await _moment(store, id, at)
    page, body = await _row(store, id, moment)
    # With an event, up to the row before it: a snapshot may have been taken right after the row itself.
    loaded = await store.load(id, until=moment.seq if moment.index is None else moment.seq - 1)
    if loaded is None:
        raise UnknownInstance(f"there is no instance {id!r} in {store.url}")
    if moment.index is not None:
        loaded = msgspec.structs.replace(loaded, rows=loaded.rows + page.rows, blobs=loaded.blobs + page.blobs)
    instance, _ = await rebuilt(plan_of, loaded, until=moment.seq, index=moment.index)
    return Past(instance, _record_then(loaded.record, instance), moment, body.at)


async def following(store: Store, id: str, moment: Moment) -> Following:
    """How much came after a moment, up to now. Reads the rest of the journal."""
    _, body = await _row(store, id, moment)
    events = 0 if moment.index is None else len(body.events) - moment.index - 1
    after, rows = moment.seq, 0
    while True:
        page = await store.turns(id, after=after, limit=PAGE)
        if page is None or not page.rows:
            return Following(events, rows)
        events += sum(len(decode_turn(row, page.blobs).events) for row in page.rows)
        rows += len(page.rows)
        after = page.rows[-1].seq


async def _moment(store: Store, id: str, at: At) -> Moment:
    if isinstance(at, datetime):
        return Moment(await _row_at(store, id, at))
    if isinstance(at, Moment):
        return at
    return Moment(at) if isinstance(at, int) else Moment(*at)


async def _row(store: Store, id: str, moment: Moment) -> tuple[Loaded, Body]:
    """The row of a moment, alone on its page, and what is in it."""
    page = await store.turns(id, after=moment.seq - 1, limit=1) if moment.seq > 0 else None
    if page is None and await store.find(id) is None:
        raise UnknownInstance(f"there is no instance {id!r} in {store.url}")
    if page is None or not page.rows:
        raise UnknownMoment(f"{id} has no row {moment.seq}: its journal has rows 1 to {await _last_row(store, id)}")
    body = decode_turn(page.rows[0], page.blobs)
    if moment.index is not None and not 0 <= moment.index < len(body.events):
        last = len(body.events) - 1
        raise UnknownMoment(f"row {moment.seq} of {id} has no event {moment.index}: it has events 0 to {last}")
    return page, body


async def _last_row(store: Store, id: str) -> int:
    """The number of the last row, found in few reads however many there are."""
    return await _last_that(store, id, lambda body: True)


async def _row_at(store: Store, id: str, time: datetime) -> int:
    """The last row that was decided by then. Raises UnknownMoment where it had not begun."""
    limit = int(time.timestamp() * 1_000)
    found = await _last_that(store, id, lambda body: body.at <= limit)
    if not found:
        record = await store.find(id)
        if record is None:
            raise UnknownInstance(f"there is no instance {id!r} in {store.url}")
        began = datetime.fromtimestamp(record.created_at / 1_000).astimezone().isoformat(timespec="milliseconds")
        raise UnknownMoment(f"{id} had not begun at {time.astimezone().isoformat()}: it began at {began}")
    return found


async def _last_that(store: Store, id: str, holds: Callable[[Body], bool]) -> int:
    """The last of the first rows for all of which it holds (0: for none). The rows' times are taken to go forward."""

    async def is_so(seq: int) -> bool:
        page = await store.turns(id, after=seq - 1, limit=1)
        return page is not None and bool(page.rows) and holds(decode_turn(page.rows[0], page.blobs))

    end = 1
    while await is_so(end):
        end *= 2
    begin = end // 2
    while end - begin > 1:
        middle = (begin + end) // 2
        if await is_so(middle):
            begin = middle
        else:
            end = middle
    return begin


def _record_then(record: InstanceRecord, instance: Instance) -> InstanceRecord:
    """The record with what it said of the instance then. Who owned it, and whether it slept, is in no journal."""
    final = instance.status in INSTANCE_FINAL
    return msgspec.structs.replace(
        record,
        status=instance.status,
        open=not final,
        ended_at=instance.ended_at if final else None,
        reason=instance.reason,
        owner=0,
        wake_at=None,
    )
