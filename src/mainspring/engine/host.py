"""The engine's parts, put together: what is in memory, who owns it, how turns become durable and orders become deeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from mainspring.definition.model import Workflow
from mainspring.engine.admission import Admission
from mainspring.engine.breakers import Breakers
from mainspring.engine.caching import ResultCache
from mainspring.engine.checkpoints import Checkpoints
from mainspring.engine.clock import Clock
from mainspring.engine.deeds import Deeds
from mainspring.engine.dispatch import Dispatcher
from mainspring.engine.interventions import Interventions
from mainspring.engine.letters import Letters
from mainspring.engine.limits import Limits
from mainspring.engine.live import Entry, Live
from mainspring.engine.loop import GOING_ON, TurnLoop
from mainspring.engine.outbox import Outbox
from mainspring.engine.ownership import Ownership
from mainspring.engine.program import Program, Programs
from mainspring.engine.reading_back import Reader
from mainspring.engine.recovery import Recovery
from mainspring.engine.removal import Removal
from mainspring.engine.reviving import Reviving
from mainspring.engine.settings import EngineSettings
from mainspring.engine.sleep import Sleep
from mainspring.engine.starting import Starting
from mainspring.engine.timers import Timers
from mainspring.engine.versions import Versions
from mainspring.engine.writer import Writer
from mainspring.errors import CommandRefused, MainspringError, NotOwner, StoreCorrupt
from mainspring.graph.plan import Plan
from mainspring.journal.history import rebuilt
from mainspring.journal.records import Committed, Loaded
from mainspring.journal.store import Store
from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.instance import Instance
from mainspring.messaging.task import FaultDescriber, TaskKind

logger = logging.getLogger("mainspring.engine")
NUMBERS_AT_ONCE = 1_000


class Host:
    """Everything that one session on one store has. `Engine` is its face."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, TaskKind],
        describe: FaultDescriber,
        clock: Clock,
        settings: EngineSettings,
        pin: Callable[[Workflow], Workflow] = lambda workflow: workflow,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.lives: dict[int, Live] = {}
        self.by_id: dict[str, Live] = {}
        self.ending: set[Live] = set()
        self.progress: dict[int, dict[str, tuple[float, str]]] = {}
        self.programs = Programs(kinds, pin)
        self.ownership = Ownership(store, clock, settings, self.lost, self._ticked)
        self.writer = Writer(
            store, self.ownership.lease, self._committed, self._failed, self._writer_broke, settings.group_turns_max
        )
        self.deeds = Deeds(self)
        self.checkpoints = Checkpoints(self.writer, settings, self.deeds.carry_out)
        self.recovery = Recovery(self)
        self.cache = ResultCache(store, clock, settings, self.ownership.lease)
        self.loop = TurnLoop(
            clock,
            settings,
            self.writer,
            self.checkpoints,
            self.ownership.epoch,
            self._refused,
            self.recovery.reload,
            self.cache.rows,
        )
        self.dispatcher = Dispatcher(
            self.loop.report, describe, settings, clock.seed, self.deeds.progressed, self.cache
        )
        self.timers = Timers(clock, self._fire)
        self.breakers = Breakers(self)
        self.admission = Admission(self.deeds.let_in, clock.seed)
        self.limits = Limits(
            clock,
            settings,
            self.by_id.get,
            self.loop.post,
            lambda: self.ownership.epoch() == 1,
            self.breakers.needs,
            self.admission,
        )
        self.sleep = Sleep(self)
        self.reader = Reader(self)
        self.removal = Removal(self)
        self.reviving = Reviving(self)
        self.starting = Starting(self)
        self.outbox = Outbox(self, self.starting)
        self.interventions = Interventions(self)
        self.letters = Letters(self)
        self.versions = Versions(self)
        self.loss: Exception | None = None
        self.ended: Callable[[Live], None] = lambda live: None
        self.on_loss: Callable[[Exception], None] = lambda error: None
        self.on_turns: Callable[[list[Entry], Committed], None] | None = None
        self.on_progress: Callable[[Live, str, float, str], None] | None = None
        self.on_news: Callable[[], None] = lambda: None
        self._numbers = (0, 0)
        self.stopping = False
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self._unlisten: Callable[[], None] = lambda: None
        self.deeds.begin()

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, wait: bool, waiting: Callable[[str], None] | None, recover: bool = True) -> None:
        """Take the store, and go on with whatever is open in it."""
        await self.store.open()
        try:
            await self.ownership.begin(wait, waiting)
        except BaseException:
            await self.store.close()
            raise
        self.limits.began = self.clock.now()
        try:
            await self.breakers.load()
        except BaseException:
            await self.ownership.end(True)
            await self.store.close()
            raise
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self.recovery.want)

        def news() -> None:
            loop.call_soon_threadsafe(self._elsewhere)

        self._unlisten = self.store.listen(wake, news)
        if not recover:
            self.recovery.hold_off()
        self.writer.start()
        self.recovery.start()
        self.sleep.start()
        self.cache.start()
        self.removal.start()
        self.outbox.start()
        self.outbox.want()
        if not recover:
            self.admission.swept()
        else:
            try:
                await self.recovery.sweep()
            except BaseException:  # or the lease would be renewed for ever, by an engine that nobody has
                await self.kill(release=True)
                raise

    async def stop(self) -> None:
        """In good order: what runs is given back (and counts as no crash), what is decided becomes durable."""
        await self._close()
        self._unlisten()
        self.stopping = True
        self.timers.close()
        self.limits.close()
        await self.outbox.stop()
        await self.reader.stop()
        await self.sleep.stop()
        await self.cache.stop()
        self.checkpoints.close()
        await self.removal.stop()
        if self.loss is None:
            for live in tuple(self.lives.values()):
                if live.tasks:
                    self.dispatcher.abandon_all(live)
                    self.deeds.interrupt(live)
            try:
                async with asyncio.timeout(self.settings.shutdown_ms / 1000):
                    while not (self.loop.empty and self.writer.quiet):
                        await asyncio.sleep(0)
                        await self.writer.drained()
            except TimeoutError:
                logger.warning(
                    "the last turns could not be written in time; they will be taken again by the next owner"
                )
        await self.kill(release=True)

    async def kill(self, *, release: bool = False) -> None:
        """At once: nothing more is written. What a crash leaves is left."""
        await self._close()
        release = release and self.loss is None
        stopped = MainspringError("the engine was stopped; what was durable goes on when one runs again")
        self.loss = self.loss or stopped  # whoever is about to start something is told so, and nothing is loaded again
        # First of all: a turn that fails now is not taken again, and one that rests on it must not be written.
        await self.writer.stop()
        self.interventions.stop()
        self._unlisten()
        self.timers.close()
        self.limits.close()
        await self.outbox.stop()
        await self.reader.stop()
        await self.sleep.stop()
        await self.cache.stop()
        await self.removal.stop()
        await self.recovery.stop()
        await self.breakers.stop(write=release)
        for live in self.lives.values():
            self.checkpoints.drop(live)
            self.dispatcher.abandon_all(live)
            live.begun(stopped)
        self.lives.clear()
        self.by_id.clear()
        self.loop.clear()
        await self.ownership.end(release)
        await self.store.close()

    async def _close(self) -> None:
        """Whoever serves others by this host stops doing so."""
        while self.closers:
            await self.closers.pop()()

    def lost(self, error: Exception) -> None:
        """We can write nothing any more, mostly since somebody else owns the store. Our tasks are stopped."""
        if self.loss is None:
            self.loss = error
            logger.error("this engine stops: %s", error)
            self.timers.close()
            self.limits.close()
            for live in self.lives.values():
                self.dispatcher.abandon_all(live)
            self.interventions.stop()
            self.on_loss(error)

    # --- instances ----------------------------------------------------------------------------------------------------

    async def next_number(self) -> int:
        """A number for a new instance."""
        number, end = self._numbers
        if number == end:
            number = await self.store.numbers(self.ownership.lease(), NUMBERS_AT_ONCE)
            if self._numbers[0] != self._numbers[1]:  # somebody else fetched some while we waited
                number, end = self._numbers
            else:
                end = number + NUMBERS_AT_ONCE
        self._numbers = (number + 1, end)
        return number

    async def program_of(self, version: str) -> Program:
        """The program of a version in the store. Raises StoreCorrupt where the definition is gone."""
        record = await self.store.definition(version)
        if record is None:
            raise StoreCorrupt(f"definition {version} is not in the store")
        return self.programs.restored(record)

    async def rebuilt(self, loaded: Loaded) -> tuple[Program, Instance, int]:
        """An instance as it durably stands, the program of the version that it runs by now, and its last row's number."""
        instance, seq = await rebuilt(self.plan_of, loaded)
        instance.plans = self.programs.plans
        program = self.programs.known(instance.plan.version)
        assert program is not None, "its plan is that of a program"
        return program, instance, seq

    async def plan_of(self, version: str) -> Plan:
        """The plan of a version, at hand or in the store. Raises StoreCorrupt where the definition is gone."""
        known = self.programs.known(version)
        return (await self.program_of(version) if known is None else known).plan

    def admit(self, live: Live) -> None:
        """The instance is in memory."""
        self.lives[live.number] = live
        self.by_id[live.id] = live
        if live.holdings is None:
            live.holdings = self.limits.holdings(live)

    def remove(self, live: Live) -> None:
        """The instance leaves memory."""
        self.lives.pop(live.number, None)
        self.ending.discard(live)
        if self.by_id.get(live.id) is live:  # one that another engine began under the same id may have come here since
            del self.by_id[live.id]
        self.interventions.left(live.id)
        self.checkpoints.drop(live)
        self.progress.pop(live.number, None)
        self.dispatcher.missing.pop(live.number, None)
        self.timers.forget(live)
        self.dispatcher.abandon_all(live)
        self.admission.forget(live)
        self.limits.forget(live)

    def taken(self, live: Live, *, begun: bool = False) -> None:
        """Another session has the instance: nothing of what we know of it counts any more, and its tasks are stopped.

        `begun`: it was about to begin, and somebody else has begun it, which is as good for whoever asked for that.
        """
        self.loop.withdraw(live)
        live.held = []  # what still comes for it is laid there, and what it ordered is not carried out
        if not begun:
            logger.warning("%s is another engine's by now: what it did here since is dropped", live.id)
        live.begun(None if begun else CommandRefused(f"{live.id} is in another engine's hands"))
        if self.lives.get(live.number) is live:
            self.remove(live)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: no task, no input, no turn that is not durable."""
        at_rest = self.loop.empty and self.writer.quiet and self.outbox.idle and self.reader.idle
        return at_rest and not self.dispatcher.in_flight

    # --- what the parts report ----------------------------------------------------------------------------------------

    def _committed(self, group: list[Entry], committed: Committed) -> None:
        """The group is durable: its effects may leave the house."""
        self.recovery.written()
        self.limits.at = self.clock.now()
        orders = self.deeds.orders
        for entry in group:
            live = entry.live
            live.uncommitted -= 1
            if live.number in committed.refused:
                self.taken(live, begun=type(entry.input) is inputs.StartInstance)
                continue
            if live.started is not None:
                live.begun()
                live.record = None
            if entry.write is not None and entry.write.consumed:
                self.recovery.consumed(entry.write.consumed)
                self.interventions.taken(entry.write.consumed)
            if live.held is None:
                try:
                    for effect in entry.effects:
                        orders[type(effect)](live, effect)
                except Exception as error:  # the others of the group go on
                    self.deeds.not_done(live, effect, error)
                if live in self.ending:
                    self.deeds.end(live)
                if type(entry.input) in GOING_ON:
                    self.admission.recovered(live)
            if entry.done is not None:
                entry.done()
        if self.on_turns is not None:
            self.on_turns(group, committed)

    def _writer_broke(self, error: Exception) -> None:
        """Nothing can be written any more, for a fault of ours: an engine that stops is better than one that hangs."""
        logger.error("the writer failed", exc_info=error)
        self.lost(
            MainspringError(
                f"the engine failed: {type(error).__name__}: {error}; what was durable goes on when one runs again"
            )
        )

    def _failed(self, lost: list[Entry], error: Exception) -> None:
        if isinstance(error, NotOwner):
            self.lost(error)
        elif self.loss is None:
            self.recovery.lost_group(lost, error)
        else:  # nobody takes these turns again, so nothing that rests on them may be written
            self.writer.halt()

    def _refused(self, live: Live, input: inputs.Input, reason: str) -> None:
        if isinstance(input, inputs.StartInstance):
            # The start was durable after all: the commit had been reported as failed.
            live.begun()
        elif not isinstance(input, inputs.Interrupt):
            logger.info("%s: %s was refused: %s", live.id, type(input).__name__, CommandRefused(reason))

    def _fire(self, live: Live, timer: fx.ArmTimer) -> None:
        self.loop.post(
            live,
            inputs.TimerFired(
                path=timer.path, run=timer.run, attempt=timer.attempt, purpose=timer.purpose, seed=self.clock.seed()
            ),
        )

    def _ticked(self) -> None:
        """As often as the lease is renewed: look for due work, and for code that was missing."""
        self.recovery.want()
        self.outbox.want()
        self._elsewhere()
        self.deeds.look_for_code()
        self.cache.tick()
        self.breakers.tick()

    def _elsewhere(self) -> None:
        """Other sessions may have brought something further that somebody here waits for."""
        if self.store.shared and self.loss is None:
            self.on_news()
