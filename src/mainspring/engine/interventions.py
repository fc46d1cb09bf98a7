"""What people do to single instances by hand: first what would happen, then the order itself.

The machine is pure, so a dry run is the real rule on what is durable: what it tells is what happens, unless the instance
moves on before the order is taken. An order names the run that it is for; one that is over by then is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.journal import messages
from mainspring.journal.records import Change, InboxMessage, Write
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.step import step
from mainspring.machine.turn import Refused

if TYPE_CHECKING:
    from mainspring.engine.host import Host


class Preview(Struct, frozen=True):
    """What an order would lead to, in the turn that takes it. `status` is the instance's after it.

    `starts` are the nodes whose work would begin, `waits` those that would wait for their limits first, `stops` those whose
    work would be stopped.
    """

    id: str
    status: str
    events: tuple[ev.Event, ...]
    starts: tuple[str, ...]
    waits: tuple[str, ...]
    stops: tuple[str, ...]


class Interventions:
    """Orders for instances, in memory or not, open or at their end."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opening = asyncio.Lock()
        self._ordered: dict[str, tuple[str, asyncio.Event]] = {}

    async def preview(self, id: str, message: messages.Message) -> Preview:
        """What would happen. Nothing does. Raises UnknownInstance, CommandRefused, StoreCorrupt."""
        host = self._host
        loaded = await host.store.load(id)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {host.store.url}")
        _, instance, _ = await host.rebuilt(loaded)
        input = messages.to_input("", messages.encode(message), host.clock.seed())
        try:
            turn = step(instance.plan, instance, input, host.clock.now())
        except Refused as refused:
            raise CommandRefused(f"{id}: {refused}") from None
        called_off = {one.path for one in turn.effects if isinstance(one, fx.AbandonTask)}
        starts = [one.path for one in turn.effects if isinstance(one, fx.DispatchTask)]
        return Preview(
            id=id,
            status=instance.status,
            events=tuple(turn.events),
            starts=tuple(path for path in starts if path not in called_off),
            waits=tuple(one.path for one in turn.effects if isinstance(one, fx.AskAdmission)),
            stops=tuple(sorted(called_off.difference(starts))),
        )

    async def order(self, id: str, message: messages.Message) -> Preview:
        """Have it done, and give what that leads to as things stand. The order is durable when this returns.

        An instance at its end is opened for it, so that whoever looks for due work finds it with its mail. Raises as
        `preview` does.
        """
        async with (
            self._host.removal.holding(id),
            self._opening,
        ):  # or the second of two would open what the first has had run to another end meanwhile
            if self._host.loss is not None:  # while others were first
                raise self._host.loss
            told = await self.preview(id, message)
            ident = f"by hand/{self._host.clock.seed():016x}"
            news = self._ordered[ident] = (id, asyncio.Event())
            try:
                await self._post(id, ident, message)
                with suppress(TimeoutError):  # it is durable; whoever has the instance is busy, and takes it in time
                    async with asyncio.timeout(self._host.settings.lease_ms / 1000):
                        await self._see_to(id, ident, news[1])
            finally:
                del self._ordered[ident]
        return told

    def taken(self, idents: Iterable[str]) -> None:
        """These messages have had their effect, durably."""
        for ident in idents:
            if ident in self._ordered:
                self._ordered[ident][1].set()

    def stop(self) -> None:
        """The engine is no more: nobody waits for it any longer."""
        for _, news in self._ordered.values():
            news.set()

    def left(self, id: str) -> None:
        """This instance has left memory."""
        for whose, news in self._ordered.values():
            if whose == id:
                news.set()

    async def _post(self, id: str, ident: str, message: messages.Message) -> None:
        host = self._host
        record = await host.store.find(id)
        if record is None:
            raise _removed(id)
        await host.store.post(InboxMessage(ident, record.number, messages.encode(message), host.clock.now()))
        host.recovery.begin()

    async def _see_to(self, id: str, ident: str, news: asyncio.Event) -> None:
        """See to it that somebody takes the order: whoever has the instance in memory, or whoever finds it open.

        One in memory may come to its end before it reads its mail. Then it is opened, as one is that was at its end before.
        """
        host = self._host
        while True:
            if host.loss is not None:
                raise host.loss  # whether anybody opens it nobody knows by now
            news.clear()
            loaded = await host.store.load(id)
            if loaded is None:
                raise _removed(id)
            if all(message.id != ident for message in loaded.inbox):
                return
            # Where there is news it has left while we read: as it stood before, perhaps.
            if id not in host.by_id and not news.is_set():
                break
            await news.wait()
        record = loaded.record
        if not record.open:
            # Due by time too: whoever had it until now may have refused its message, and nobody would look at it again.
            now = host.clock.now()
            opened = Change(status=record.status, open=True, reason=record.reason, wake_at=now)
            done = await host.store.commit(host.ownership.lease(), [Write(record.number, change=opened)])
            if done.refused and await host.store.find(id) is None:
                raise _removed(id)
            host.recovery.want()


def _removed(id: str) -> UnknownInstance:
    return UnknownInstance(f"there is no instance {id!r} any more: another engine has just removed it (retention)")
