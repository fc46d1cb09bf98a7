"""Instances at their end that undo what they did: they come back into memory, and are open until that is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mainspring.engine.live import Live
from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.machine.inputs import Compensate
from mainspring.machine.policies.saga import why_not_again

if TYPE_CHECKING:
    from mainspring.engine.host import Host


class Reviving:
    """Has final instances in memory again."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def compensate(self, id: str, order: Compensate) -> None:
        """Have what is left undone, or all of it for a parent; that this has begun is durable when it returns.

        Raises UnknownInstance, CommandRefused (it is not at its end, or nothing is left), StoreCorrupt.
        """
        async with self._host.removal.holding(id):
            await self._compensate(id, order)

    async def _compensate(self, id: str, order: Compensate) -> None:
        host = self._host
        loaded = await host.store.load(id)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {host.store.url}")
        if loaded.record.open or id in host.by_id:
            raise CommandRefused(f"{id} is {loaded.record.status}: only one that is at its end can be compensated")
        program, instance, seq = await host.rebuilt(loaded)
        if order.message and order.message in instance.consumed:
            return  # it has had its effect, and the row that says so stayed
        reason = why_not_again(instance, bool(order.path))
        if reason:
            raise CommandRefused(f"{id} is {instance.status}, and {reason}")
        if id in host.by_id:
            raise CommandRefused(f"{id} is being compensated")
        if host.loss is not None:
            raise host.loss
        live = Live(loaded.record.number, loaded.record, program, instance, seq)
        live.snapshot_taken(loaded.snapshot)
        host.admit(live)
        begun = live.started = asyncio.get_running_loop().create_future()
        host.loop.post(live, order)
        host.recovery.want()  # what was posted to it before its end, and never taken, is seen to now
        await begun
