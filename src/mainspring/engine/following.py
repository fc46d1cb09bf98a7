"""Following what happens: the events of one instance, or of all in the order of their commits, from any place, without a gap.

Each follower pulls. It is handed the newest turns from its tail (`tails.py`) while it keeps up, and reads pages from the
store where it does not; which of the two it was, nobody can tell from the events.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from mainspring.engine.host import Host
from mainspring.engine.result import Recorded, recorded
from mainspring.engine.tails import Tail, Tails
from mainspring.errors import UnknownInstance
from mainspring.journal.codec import decode_bare, with_blobs
from mainspring.journal.records import Position, TurnRow

T = TypeVar("T")

PAGE = 500
"""So many rows are read at once."""

IDS_MAX = 10_000
"""Of so many instances the ids are kept beside their numbers, by each who follows everything from the store."""


EVENTS_MAX = 2**62
"""More than there are in any row."""


class Followed(Recorded, frozen=True, gc=False):
    """An event of any instance. `position` is the place of its row among all rows; give it, or this, to go on after it."""

    id: str
    position: Position


class Behind(Struct, frozen=True):
    """A follower was not quick enough: so many commits came since `after`, the last place that it was given.

    What follows is read from the journal. Nothing is left out.
    """

    after: Position | None
    commits: int


class Following(AsyncIterator[T], Generic[T]):
    """What a follower iterates over. Ended by `aclose`, or by letting go of it."""

    __slots__ = ("_items", "_lag")

    def __init__(self, items: AsyncGenerator[T, None], lag: Callable[[], int]) -> None:
        self._items = items
        self._lag = lag

    def __aiter__(self) -> AsyncGenerator[T, None]:
        return self._items  # not itself: that would be one call more for each item

    def __anext__(self) -> AsyncGenerator[T, None]:  # type: ignore[override]
        return self._items.__anext__()  # type: ignore[return-value]

    async def aclose(self) -> None:
        """Follow no longer."""
        await self._items.aclose()

    @property
    def lag(self) -> int:
        """How far it is behind: rows of the instance, or commits of the whole store, that this engine has made since the one
        that was handed out last."""
        return self._lag()


# --- one instance


class _OfOne:
    """The events of an instance. `seq` is the last row that was handed out."""

    def __init__(self, host: Host, tails: Tails, id: str, after: int) -> None:
        self._host = host
        self._tails = tails
        self._id = id
        self.seq = after

    def lag(self) -> int:
        """Rows."""
        live = self._host.by_id.get(self._id)
        return 0 if live is None else max(live.seq - self.seq, 0)

    async def items(self) -> AsyncGenerator[Recorded, None]:
        """Until its end."""
        host, tails, tail = self._host, self._tails, Tail()
        number, known = await self._number(), False
        try:
            while True:
                if tail.look or tail.behind:
                    tail.look = False
                    tails.join(tail, number)  # before it is read: what is committed meanwhile is in the tail
                    if self._id in host.by_id and tails.fill(tail, number, self.seq):
                        known = True
                        continue
                    page = await host.store.turns(self._id, after=self.seq, limit=PAGE)
                    if page is None and not known:
                        raise self._unknown()  # its start is not durable
                    if page is None or page.record.number != number:
                        return  # it was removed; another one may have its id by now
                    known = True
                    for one in recorded(page):
                        self.seq = one.seq
                        yield one
                    if len(page.rows) == PAGE:
                        tail.look = True
                    elif not page.record.open:
                        return
                elif tail.queue:
                    last = False
                    for seq, at, events, ends in tail.take():
                        last = ends
                        if seq > self.seq + 1:
                            tail.look = True  # something is missing: it is read
                            break
                        if seq == self.seq + 1:
                            self.seq = seq
                            for index, event in enumerate(events):
                                yield Recorded(seq, index, at, event)
                    if last and seq == self.seq and not (tail.look or tail.behind or tail.queue):
                        return  # and it was not opened again meanwhile
                else:
                    await tail.news()
                    if host.loss is not None and not tail.queue:
                        raise host.loss
        finally:
            tails.leave(tail, number)

    async def _number(self) -> int:
        """Of one in memory nothing is asked: until the store answers much may happen, which would have to be read then."""
        live = self._host.by_id.get(self._id)
        if live is not None:
            return live.number
        record = await self._host.store.find(self._id)
        if record is None:
            raise self._unknown()
        return record.number

    def _unknown(self) -> UnknownInstance:
        return UnknownInstance(f"there is no instance {self._id!r} in {self._host.store.url}")


def follow_one(host: Host, tails: Tails, id: str, after: int) -> Following[Recorded]:
    """The events of an instance after row `after`, until its end."""
    source = _OfOne(host, tails, id, after)
    return Following(source.items(), source.lag)


# --- everything


class _OfAll:
    """The events of all instances. `group` is the last that was handed out whole, `last` the last row that was."""

    def __init__(self, host: Host, tails: Tails, after: Position | Followed | None) -> None:
        self._host = host
        self._tails = tails
        self._ids: OrderedDict[int, str] = OrderedDict()
        position = after.position if isinstance(after, Followed) else after
        self.last = position
        self._group = 0 if position is None else position.group - 1  # its other rows are still to come
        self._skipped = None if position is None else (position.group, position.index, _event_of(after))

    def lag(self) -> int:
        """Commits."""
        return max(self._tails.latest - max(self._group, 0 if self.last is None else self.last.group), 0)

    async def items(self) -> AsyncGenerator[Followed | Behind, None]:
        """Without end, as long as the engine runs."""
        host, tails, tail = self._host, self._tails, Tail()
        try:
            while True:
                if tail.look or tail.behind:
                    if tail.behind:
                        yield Behind(self.last, self.lag())
                    tail.look = False
                    tails.join(tail, None)  # before it is read: what is committed meanwhile is in the tail
                    page = await host.store.follow(max(self._group, 0), PAGE)
                    tail.look = tail.look or bool(page)
                    for position, row in page:
                        for one in await self._read(position, row):
                            self.last = position
                            yield one
                        self._group = max(self._group, position.group - 1)
                    if page:
                        self._group = page[-1][0].group
                elif tail.queue:
                    for group, rows in tail.take():
                        if group > self._group + 1:
                            tail.look = True  # something is missing: it is read
                            break
                        if group == self._group + 1:
                            for place, (number, id, seq, at, events) in enumerate(rows):
                                self.last = position = Position(group, place, number, seq)
                                for index, event in enumerate(events):
                                    yield Followed(seq, index, at, event, id, position)
                            self._group = group
                else:
                    await tail.news()
                    if host.loss is not None and not tail.queue:
                        raise host.loss
        finally:
            tails.leave(tail, None)

    async def _read(self, position: Position, row: TurnRow) -> list[Followed]:
        """A row's events, but for those that it is to begin after."""
        first = 0
        if self._skipped is not None:
            group, index, event = self._skipped
            if (position.group, position.index) < (group, index):
                return []
            if (position.group, position.index) == (group, index):
                first = event + 1
            else:
                self._skipped = None
        body = decode_bare(row)
        id = await self._id(row.instance)
        if id is None:
            return []
        if body.blobs:
            page = await self._host.store.turns(id, after=row.seq - 1, limit=1)
            if page is None or page.record.number != row.instance:
                return []
            body = with_blobs(row, body, page.blobs)
        return [
            Followed(row.seq, index, body.at, event, id, position)
            for index, event in enumerate(body.events)
            if index >= first
        ]

    async def _id(self, number: int) -> str | None:
        """What an instance is called; None where it was removed since its row was read."""
        live = self._host.lives.get(number)
        if live is not None:
            return live.id
        known = self._ids.get(number)
        if known is None:
            found = await self._host.store.instances(before=number + 1, limit=1)
            if not found or found[0].number != number:
                return None
            known = found[0].id
            self._ids[number] = known
            if len(self._ids) > IDS_MAX:
                self._ids.popitem(last=False)
        return known


def _event_of(after: Position | Followed | None) -> int:
    """The last event of its row that is not wanted again: of a place without one, all."""
    return after.index if isinstance(after, Followed) else EVENTS_MAX


def follow_all(host: Host, tails: Tails, after: Position | Followed | None) -> Following[Followed | Behind]:
    """The events of all instances, after a place, or (None) from the store's first on."""
    source = _OfAll(host, tails, after)
    return Following(source.items(), source.lag)
