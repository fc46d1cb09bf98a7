"""Instances that only wait for a time further off, or for a message, leave memory; the store knows when to wake them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mainspring.engine.live import Entry, Live
from mainspring.journal.records import Change, Write
from mainspring.machine.inputs import Reattach
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import STARTING

if TYPE_CHECKING:
    from mainspring.engine.host import Host

CHECKS_PER_SLEEP = 2
"""How often in `sleep_after_ms` those in memory are looked through."""


class Sleep:
    """Looks through the instances in memory, and puts to sleep those that have nothing to do for long."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._task: asyncio.Task[None] | None = None
        self.asleep = 0

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name="mainspring-sleep")

    async def stop(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(self._host.settings.sleep_after_ms / 1000 / CHECKS_PER_SLEEP)
            self.check()

    def check(self, after_ms: int | None = None) -> None:
        """Put to sleep whoever waits longer than `after_ms` from now (by default the setting's time)."""
        wait = self._host.settings.sleep_after_ms if after_ms is None else after_ms
        limit = self._host.clock.now() + wait
        host = self._host
        busy = host.loop.busy() | host.dispatcher.missing.keys() | host.admission.busy() | host.limits.busy()
        busy |= host.reader.busy()
        idle = [live for live in self._host.lives.values() if live.number not in busy and _idle(live)]
        if not idle:
            return
        wakes = self._host.timers.earliest_of(idle)
        for live in idle:
            wake_at = wakes.get(live.number)
            if wake_at > limit if wake_at is not None else waits_for_others(live.instance):
                self._lay_down(live, wake_at)

    def _lay_down(self, live: Live, wake_at: int | None) -> None:
        """From here on the instance is the store's. The commit is fenced like any other."""
        host = self._host
        change = Change(status=live.instance.status, open=True, reason=live.instance.reason, owner=0, wake_at=wake_at)
        live.uncommitted += 1
        # Should the commit fail, the instance is loaded again and finds out anew what it waits for.
        # Mail that came while the commit was under way found nobody at home: look again once it is durable.
        again = Reattach(seed=host.clock.seed())
        entry = Entry(live, Write(live.number, change=change), [], again, host.recovery.want)
        live.held = []
        host.writer.add(entry)
        host.remove(live)
        if live.ahead is not None:
            host.checkpoints.asleep.add(live.number)
        self.asleep += 1
        if wake_at is not None:
            host.recovery.wake_by(wake_at)


def waits_for_others(instance: Instance) -> bool:
    """Whether it is a message that will wake it: one from outside, or of a child's end; or that it goes on after a pause."""
    return instance.status == "paused" or (instance.status in STARTING and bool(instance.waits))


def _idle(live: Live) -> bool:
    return not (live.tasks or live.uncommitted) and live.held is None
