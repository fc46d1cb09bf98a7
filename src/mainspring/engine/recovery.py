"""Instances that nobody has in memory: of a dead process, asleep until their time, or with mail. And those thrown away.

Claims are made at start, when a sleeper's time comes, when mail arrives, and as often as the lease is renewed: never only
once (DESIGN.md, promise 3).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from mainspring.engine.live import Entry, Live, Running
from mainspring.engine.program import Program
from mainspring.errors import DefinitionError, NotOwner, StoreCorrupt, StoreError, StoreTooNew
from mainspring.journal.messages import stops, to_input, version_of
from mainspring.journal.records import Change, InboxMessage, InstanceRecord, Loaded, Write
from mainspring.limits.limit import Lease
from mainspring.machine.effects import EndInstance
from mainspring.machine.inputs import (
    AdmissionGranted,
    AdmissionRefused,
    HandlerMissing,
    Input,
    Reattach,
    Recover,
    StartInstance,
    TaskFailed,
    TaskFinished,
)
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE_FINAL, IllegalTransition

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")

UNREADABLE = (StoreCorrupt, StoreTooNew, DefinitionError, LookupError, IllegalTransition)
"""What says that an instance's rows, or its definition, cannot be understood: trying again would not help."""

ASKED_ANEW = (Recover, Reattach, AdmissionGranted, AdmissionRefused, HandlerMissing)
"""Inputs that are not taken again after a reload, because what it orders leads to them anew."""


class Recovery:
    """One runs at a time; a wish that comes while it runs makes it run once more."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._wanted = asyncio.Event()
        self._held_off = False
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at: int | None = None
        self._reloads: set[asyncio.Task[None]] = set()
        self._reloading: set[Live] = set()
        self._taken_back: set[Live] = set()
        self._failures = 0
        self._delivered: set[str] = set()
        self._nobody_home = 0
        self._left: list[Loaded] = []
        self._asked: int | None = None
        self._sweeping = asyncio.Lock()
        self.recovered = 0
        self.failures = 0

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name="mainspring-recovery")

    def consumed(self, ids: tuple[str, ...]) -> None:
        """These messages have had their effect, durably: the store will not give them again."""
        self._delivered.difference_update(ids)

    def want(self) -> None:
        """There may be something to claim, or mail."""
        self._wanted.set()

    def hold_off(self) -> None:
        """Claim nothing, whatever the store says, before this engine has been told something itself (`begin`)."""
        self._held_off = True

    def begin(self) -> None:
        """This engine has been told something: from now on it goes on with what is due."""
        if self._held_off:
            self._held_off = False
            self.want()

    async def stop(self) -> None:
        """Stop at once."""
        if self._wake is not None:
            self._wake.cancel()
        tasks = [task for task in (self._task, *self._reloads) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._held_off:
                continue
            try:
                await self.sweep()
            except NotOwner as error:
                self._host.lost(error)
                return
            except StoreError as error:
                logger.warning("a sweep for due work failed, and will be made again: %s", error)

    async def sweep(self) -> None:
        """Claim all that is due, deliver mail, and arrange to be woken for the next sleeper.

        One at a time (the first one of a start, and those that serve wishes): two would have an instance in memory twice.
        """
        async with self._sweeping:
            await self._sweep()

    async def _sweep(self) -> None:
        host = self._host
        batch = host.settings.claim_max
        await self._claim_all(batch)
        host.admission.swept()
        # Those that are delivered and not yet consumed come again, and so do those for whom nobody is at home (who is on its
        # way to sleep, or cannot be read): they must not take the place of new ones.
        limit = batch + len(self._delivered) + self._nobody_home
        mail = await host.store.mail(host.ownership.lease(), limit)
        known_before, nobody_before = len(self._delivered), self._nobody_home
        self._nobody_home = 0
        for message in mail:
            live = host.lives.get(message.instance)
            if live is not None:
                await self._prepare(message)
                self._deliver(live, message)
            else:
                self._nobody_home += 1
        # Only where this one got further: with a store that answers at once, the commit that it waits for would never come.
        if len(mail) == limit and (len(self._delivered) > known_before or self._nobody_home > nobody_before):
            self.want()
        self._asked = None
        known = await host.store.next_wake(host.ownership.lease())
        # Whoever fell asleep meanwhile may have been too late for that answer.
        self._arrange(min((time for time in (known, self._asked) if time is not None), default=None))

    def _arrange(self, wake_at: int | None) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._wake_at = wake_at
        if wake_at is not None:
            wait = max(wake_at - self._host.clock.now(), 1) / 1000
            self._wake = asyncio.get_running_loop().call_later(wait, self.want)

    def wake_by(self, wake_at: int) -> None:
        """A sleeper has to be woken at this time: sooner than we would have woken, perhaps."""
        self._asked = wake_at if self._asked is None else min(self._asked, wake_at)
        if self._wake_at is None or wake_at < self._wake_at:
            self._arrange(wake_at)

    async def _claim_all(self, batch: int) -> None:
        """Have all that is due in memory, and go on with it.

        Whether a node was alone in its process is known once two that ran are found, or none is left to be claimed.
        """
        host = self._host
        admitted: list[tuple[Live, Loaded]] = []
        ran = 0
        claimed = self._left
        more = True
        try:
            while claimed or more:
                for index, loaded in enumerate(claimed):
                    self._left = claimed[index:]  # ours already: what fails here is tried again at the next sweep
                    ran += await self._admit(loaded, admitted)
                self._left = []
                if ran > 1:
                    self._go_on(admitted, alone=False)
                if more:
                    claimed = await host.store.claim(host.ownership.lease(), host.clock.now(), batch)
                    more = len(claimed) == batch
                else:
                    claimed = []
        except StoreError:
            ran = 0  # what could not be claimed may have run too
            raise
        finally:
            self._go_on(admitted, alone=ran == 1)

    async def _admit(self, loaded: Loaded, admitted: list[tuple[Live, Loaded]]) -> int:
        """Have a claimed instance in memory; gives how many of its nodes ran when its process ended."""
        host = self._host
        if loaded.record.number in host.lives:
            return 0
        try:
            program, instance, seq = await host.rebuilt(loaded)
            for message in loaded.inbox:
                await self._prepare(message)
        except UNREADABLE as error:
            await self._set_aside(loaded, error)
            return 0
        live = Live(loaded.record.number, loaded.record, program, instance, seq)
        live.snapshot_taken(loaded.snapshot)
        host.checkpoints.claimed(live)
        host.admit(live)
        host.admission.expect(live)
        self.recovered += 1
        admitted.append((live, loaded))
        return sum(1 for _ in _running(live))

    def _go_on(self, admitted: list[tuple[Live, Loaded]], *, alone: bool) -> None:
        for live, loaded in admitted:
            if live.instance.status in INSTANCE_FINAL and not loaded.inbox:
                self._close(live)
                continue
            for message in loaded.inbox:
                self._delivered.discard(message.id)  # if at all, it was delivered to one on its way to sleep
                if stops(message.body):  # first, or what waits for a start would be started only to be stopped
                    self._deliver(live, message)
            recover = Recover(ran=tuple(_running(live)), alone=alone, seed=self._host.clock.seed())
            self._host.loop.post(live, recover)
            for message in loaded.inbox:
                self._deliver(live, message)
        admitted.clear()

    def _close(self, live: Live) -> None:
        """It was opened at its end for an order that somebody else has seen to meanwhile: it is closed again."""
        host, instance = self._host, live.instance
        change = Change(status=instance.status, open=False, ended_at=instance.ended_at, reason=instance.reason)
        live.uncommitted += 1
        again = Reattach(ended=True, seed=host.clock.seed())
        host.writer.add(Entry(live, Write(live.number, change=change), [EndInstance(instance.status)], again))

    async def _set_aside(self, loaded: Loaded, error: Exception) -> None:
        """An instance that cannot be read is put in a named state and left as it is. The others go on.

        It stays this session's, so that it is not claimed again before the next one: perhaps a newer version can read it.
        """
        host = self._host
        record = loaded.record
        logger.error("instance %s cannot be loaded and is parked: %s", record.id, error)
        change = Change(status="parked", open=True, reason=str(error), owner=host.ownership.epoch())
        await host.store.commit(host.ownership.lease(), [Write(record.number, change=change)])

    async def _prepare(self, message: InboxMessage) -> None:
        """Have at hand what taking it needs: the version that it has an instance go over to."""
        version = version_of(message.body)
        if version and self._host.programs.known(version) is None:
            try:
                await self._host.program_of(version)
            except StoreCorrupt as error:  # whoever takes it is parked, and says so
                logger.error("%s", error)

    def _deliver(self, live: Live, message: InboxMessage) -> None:
        if message.id in self._delivered:
            return
        self._delivered.add(message.id)
        try:
            self._host.loop.post(live, to_input(message.id, message.body, self._host.clock.seed()))
        except StoreError as error:
            logger.error("%s: a message is left lying: %s", live.id, error)

    # --- instances thrown away ---------------------------------------------------------------------------------------

    def reload(self, live: Live, inputs: list[Input]) -> None:
        """Throw the instance away, load what is durable, and take these inputs, then those that came meanwhile."""
        if self._host.loss is not None:
            return
        host = self._host
        host.checkpoints.flush(live)
        host.checkpoints.forget(live)
        # One that is on its way to sleep holds its inputs too.
        live.held = [*inputs, *(live.held or ())]
        if live in self._reloading:
            return
        self._reloading.add(live)
        task = asyncio.get_running_loop().create_task(self._reload(live))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def lost_group(self, entries: Iterable[Entry], error: Exception) -> None:
        """A commit failed: every instance with a turn in it is loaded again, and takes its inputs again, in order."""
        self._failures += 1
        self.failures += 1
        logger.warning("a commit failed, and its turns are taken again: %s", error)
        # By what is in memory, not by number: one that came to its end, and was opened again, is there twice for a moment.
        again: dict[Live, list[Input]] = {}
        for entry in entries:
            entry.live.uncommitted -= 1
            again.setdefault(entry.live, []).append(entry.input)
        for live, inputs in again.items():
            if live.ahead is not None:  # what was decided on top of that is lost too, and orders that ran ahead with it
                kept_back = self._host.checkpoints.drop(live)
                live.uncommitted -= len(kept_back)
                inputs += [entry.input for entry in kept_back]
                self._taken_back.add(live)
            self.reload(live, inputs)

    def written(self) -> None:
        """A commit succeeded: the next failure is a first one."""
        self._failures = 0

    async def _reload(self, live: Live) -> None:
        host = self._host
        while True:
            pause = min(10 * 2 ** min(self._failures, 12), host.settings.store_retry_ms_max) if self._failures else 0
            await asyncio.sleep(pause / 1000)
            if host.loss is not None:
                return  # its turns will never be durable, and nothing is loaded for an engine that stops
            if live.uncommitted:  # turns from before the fault are still on their way
                await host.writer.drained()
                continue
            loaded: Loaded | None = None
            try:
                loaded = await host.store.load(live.id)
                self._replace(live, loaded, None if loaded is None else await host.rebuilt(loaded))
                return
            except UNREADABLE as error:
                if loaded is not None:
                    self._give_up(live, loaded, error)
                    return
                self._cannot_load(live, error)
            except StoreError as error:
                self._cannot_load(live, error)

    def _cannot_load(self, live: Live, error: Exception) -> None:
        self._failures += 1
        logger.warning("%s cannot be loaded, and will be tried again: %s", live.id, error)

    def _give_up(self, live: Live, loaded: Loaded, error: Exception) -> None:
        """The next sweep finds it unreadable too, and sets it aside."""
        self._reloading.discard(live)
        self._taken_back.discard(live)
        live.begun(error)
        self._host.remove(live)
        self._left.append(loaded)
        self.want()

    def _is_elsewhere(self, live: Live, record: InstanceRecord) -> bool:
        """Whether the store is shared, and has given the instance to another session, or has it asleep for anybody."""
        if not self._host.store.shared:
            return False
        ours = record.owner == self._host.ownership.epoch() or not record.open
        return record.number != live.number or not ours

    def _replace(self, live: Live, loaded: Loaded | None, found: tuple[Program, Instance, int] | None) -> None:
        held, live.held = [*(live.held or ()), *self._host.loop.withdraw(live)], None
        self._reloading.discard(live)
        tasks = list(live.tasks.items())
        if live in self._taken_back:
            # Timers that were armed ahead must not go off for what is decided anew, later; so all are armed anew, and
            # whatever runs is ordered again for that: the dispatcher knows it by its number.
            self._taken_back.discard(live)
            self._host.timers.forget(live)
            tasks = []
        if loaded is not None and self._is_elsewhere(live, loaded.record):
            self._host.taken(live, begun=any(isinstance(one, StartInstance) for one in held))
            self.want()  # it may be asleep, and due
            return
        present = self._host.lives.get(live.number, live)
        if present is not live:  # it was asleep after all, and has been claimed again meanwhile
            for input in held:
                if not isinstance(input, Reattach) and not input.message:
                    self._host.loop.post(present, input)
            return
        self._host.admit(live)  # it may have been on its way to sleep
        if loaded is None or found is None:
            self._host.limits.ask_anew(live, lambda lease: "unknown")
            live.instance, live.seq = Instance(live.program.plan, live.id), 0
            live.instance.plans = self._host.programs.plans
            live.created = False
        else:
            program, live.instance, live.seq = found
            if program is not live.program:  # it went over to another version, or that was lost
                live.program = program
                self._host.limits.renew(live)
            live.created = True
            live.status_written = loaded.record.status
            # A Recover that was not durable is taken again, and sees to all. One that was (though its commit was reported as
            # failed) would count a crash that was none: of what it found running nothing is now. One Reattach is enough.
            running = set(_running(live))
            again = [one for one in held if isinstance(one, Recover) and running.intersection(one.ran)]
            # It also asks again for every slot and for missing code; a release may have been lost with the group.
            held = [one for one in held if not isinstance(one, ASKED_ANEW)]
            self._host.admission.ask_anew(live, partial(_is_running, live))
            self._host.limits.ask_anew(live, partial(_standing, live))
            seed = self._host.clock.seed()
            if live.instance.status in INSTANCE_FINAL:
                # Somebody has it go on, perhaps: only if it does not, it is told of as ended, and leaves memory.
                held.append(Reattach(ended=True, seed=seed))
            else:
                self._host.loop.post(live, again[0] if again else Reattach(known=_known(tasks, held), seed=seed))
        live.snapshot_taken(None if loaded is None else loaded.snapshot)
        for input in held:
            self._host.loop.post(live, input)


def _is_running(live: Live, path: str, run: int) -> bool:
    try:
        scope, node = live.instance.locate(path)
    except KeyError:
        return False
    state = scope.nodes[node.index]
    if state is None or state.run != run:
        return False
    return state.status == "running" or (state.status == "waiting" and node.index in scope.blocks)


def _standing(live: Live, lease: Lease) -> str:
    """Whether an attempt that took its lease is running, has begun (and ended), or never began as far as is durable."""
    try:
        scope, node = live.instance.locate(lease.path)
    except KeyError:
        return "begun"  # its body is over; or it never was, and then a token is lost
    state = scope.nodes[node.index]
    if state is None or (state.run, state.attempt) < (lease.run, lease.attempt):
        return "unknown"
    same = (state.run, state.attempt) == (lease.run, lease.attempt)
    return "running" if same and state.status == "running" else "begun"


def _running(live: Live) -> Iterator[tuple[str, int, int]]:
    """The attempts under way, as far as is durable."""
    for scope in live.instance.scopes:
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True):
            if state is not None and state.status == "running":
                yield scope.path(node), state.run, state.attempt


def _known(tasks: list[tuple[str, Running]], held: list[Input]) -> tuple[tuple[str, int, int], ...]:
    reported = [(one.path, one.run, one.attempt) for one in held if isinstance(one, (TaskFinished, TaskFailed))]
    return (*((path, call.run, call.attempt) for path, (call, _, _) in tasks), *reported)
