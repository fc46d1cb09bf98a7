"""What people do to single instances by hand: first what would happen, then the order itself.

The machine is pure, so a dry run is the real rule on what is durable: what it tells is what happens, unless the instance
moves on before the order is taken. An order names the run that it is for; one that is over by then is left alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.journal import messages
from mainspring.journal.history import rebuild
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

    async def preview(self, id: str, message: messages.Message) -> Preview:
        """What would happen. Nothing does. Raises UnknownInstance, CommandRefused, StoreCorrupt."""
        host = self._host
        loaded = await host.store.load(id)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {host.store.url}")
        program = await host.program_of(loaded.record.version)
        instance, _ = rebuild(program.plan, loaded)
        input = messages.to_input("", messages.encode(message), host.clock.seed())
        try:
            turn = step(program.plan, instance, input, host.clock.now())
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
        async with self._opening:  # or the second of two would open what the first has had run to another end meanwhile
            told = await self.preview(id, message)
            await self._post(id, message)
            await self._open(id)
        return told

    async def _post(self, id: str, message: messages.Message) -> None:
        host = self._host
        record = await host.store.find(id)
        assert record is not None, f"{id} is gone"
        ident = f"by hand/{host.clock.seed():016x}"
        await host.store.post(InboxMessage(ident, record.number, messages.encode(message), host.clock.now()))

    async def _open(self, id: str) -> None:
        """See to it that somebody takes the order: whoever has the instance in memory, or whoever finds it open.

        Its record is read after the order was posted: an instance may have come to its end since it was loaded.
        """
        host = self._host
        record = await host.store.find(id)
        assert record is not None, f"{id} is gone"
        if record.open or id in host.by_id:
            return
        opened = Change(status=record.status, open=True, reason=record.reason)
        await host.store.commit(host.ownership.lease(), [Write(record.number, change=opened)])
        host.recovery.want()
