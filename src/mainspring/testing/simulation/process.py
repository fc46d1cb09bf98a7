"""One simulated process: a loop, a clock that may be wrong, its way to the store, and the production engine on top."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from mainspring.definition.load import Definition
from mainspring.engine.engine import Engine
from mainspring.errors import CommandRefused, DefinitionError, MainspringError, NotOwner, StoreError
from mainspring.machine.inputs import TaskFinished
from mainspring.testing.simulation.faults import SLOW_READ_MAX, STORE_TASK, FaultyStore
from mainspring.testing.simulation.work import WorkKind, describe
from mainspring.testing.virtual import VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from mainspring.testing.simulation.wishes import Wish
    from mainspring.testing.simulation.world import World

LOSS_NOTICED_SECONDS = 0.05


class Process:
    """`gone` once it is dead. `ending`: "" (it lives), crash, kill, orderly. `spoilt`: a fault came into an orderly stop."""

    def __init__(self, world: World, name: str, number: int, offset: int) -> None:
        self.world = world
        self.name = f"{name}{number}"
        self.role = name
        self.up = False
        self.gone = False
        self.stopping = False
        self.spoilt = False
        self.ending = ""
        self.epoch = 0
        self.up_at = 0.0
        self.complete_at = 0.0 if world.harm == 0 else world.random.random() * world.faults_until
        self.disturbed_until = 0.0
        self.results: list[tuple[str, asyncio.Task[Any]]] = []
        self.loop = VirtualLoop(world.scheduler, self.name, self._complain)  # type: ignore[abstract]
        self.clock = VirtualClock(world.scheduler, f"{world.seed}/{self.name}", offset)
        self.store = FaultyStore(world.connect(), self)
        kinds = {"function": WorkKind(world, self)}
        self.engine = Engine(self.store, kinds, describe, clock=self.clock, settings=world.settings, wait=True)
        self.allowance = world.settings.lease_ms / 3000 + 0.3
        self.do(self._main(), "process")

    # --- its life -----------------------------------------------------------------------------------------------------

    async def _main(self) -> None:
        try:
            await self.engine.__aenter__()
        except MainspringError as error:
            self.world.tell(f"{self.name}: could not start: {error}")
            self._check_left(self._left(told=True))
            self.finish("crash")
            return
        host = self.engine.host
        self.epoch = host.ownership.epoch()
        self.up = True
        self.up_at = self.world.scheduler.now
        self.disturb(self.allowance)
        self.world.tell(f"{self.name}: up with epoch {self.epoch}")
        if self.epoch == self.world.epoch and host.loss is None:
            windows = self.world.audit.windows
            self.engine.watch_breakers(lambda target, change: windows.changed(self, target, change))
            windows.up(self)
        ended, lost = host.ended, host.on_loss

        def on_end(live: Any) -> None:
            self.world.audit.ended_live(live)
            ended(live)

        def on_loss(error: Exception) -> None:
            lost(error)
            self.world.tell(f"{self.name}: lost the store")
            if not self.stopping:
                self.loop.call_later(LOSS_NOTICED_SECONDS, self.stop, "orderly")

        host.ended, host.on_loss = on_end, on_loss
        if host.loss is not None:
            on_loss(host.loss)

    def stop(self, how: str) -> None:
        """Leave in good order, or by the engine's own `kill`."""
        if not self.stopping and not self.gone:
            self.stopping = True
            self.world.tell(f"{self.name}: {how}")
            self.do(self._stop(how), "process")

    def do(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Have something done in this process. An error that comes out of it is one that nobody expected."""
        task = self.loop.create_task(work, name=name)
        task.add_done_callback(self._look)
        return task

    def _look(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.world.fail("no error is lost", f"{self.name}: {task.get_name()}: {task.exception()!r}")

    async def _stop(self, how: str) -> None:
        if how == "kill":
            self.gone = True  # the store is out of its reach from here on
            await self.engine.host.kill()
        else:
            self.spoilt = self.engine.host.loss is not None or self.world.scheduler.now < self.disturbed_until
            await self.engine.__aexit__(None, None, None)
            if not self.spoilt:
                self.world.audit.windows.stopped_well(self)
        self.up = False
        left: list[asyncio.Task[Any]] = []
        for _ in range(1 + int(SLOW_READ_MAX / 0.02)):
            await asyncio.sleep(
                0.02
            )  # those that waited for something have been told, and end: after a slow read, late
            left = self._left(told=how != "kill")
            if not left:
                break
        self._check_left(left)
        self.finish(how)

    def _left(self, told: bool) -> list[asyncio.Task[Any]]:
        """What goes on of the engine's parts. After an orderly stop (not a kill) nobody waits for an answer either."""
        me = asyncio.current_task()
        left = [task for task in self.loop.unfinished() if task is not me and task.get_name() != STORE_TASK]
        return left if told else [task for task in left if task.get_name().startswith("mainspring")]

    def _check_left(self, left: list[asyncio.Task[Any]]) -> None:
        if left:
            self.world.fail(
                "tasks left behind", f"{self.name} has stopped, and {left[0].get_name()} goes on: {left[0]!r}"
            )

    def finish(self, how: str) -> None:
        """The process is no more. Its loop is thrown away as soon as its turn is over."""
        if self.ending:
            return
        self.ending = how
        self.gone = True
        self.up = False
        if self.loop.is_running():
            self.loop.dead = True
        else:
            self.loop.dispose()
        self.world.finished(self)

    async def die(self, point: str) -> None:
        """Killed here and now; whoever awaits this never comes back."""
        self.world.points.hit(point)
        self.world.tell(f"{self.name}: {point}")
        self.finish("crash")
        await self.loop.create_future()

    # --- what happens to it -------------------------------------------------------------------------------------------

    def disturb(self, seconds: float) -> None:
        """Until then, being late is no fault of the engine's."""
        self.disturbed_until = max(self.disturbed_until, self.world.scheduler.now + seconds)
        self.spoilt = self.spoilt or self.stopping

    @property
    def serving(self) -> bool:
        """Whether it can be asked for something."""
        return self.up and not self.gone and not self.stopping and self.engine.host.loss is None

    def report_again(self, point: str, instance: str, report: TaskFinished) -> None:
        """A report comes a second time, or long after its attempt was given up."""
        if not self.up:
            return
        for live in self.engine.host.lives.values():
            if live.id == instance:
                self.world.points.hit(point)
                self.world.tell(f"{self.name}: {point}: {instance} {report.path} attempt {report.attempt}")
                self.engine.host.loop.post(live, report)

    async def start(self, order: Any) -> None:
        """Start what somebody ordered, and wait for its result."""
        try:
            starts = [
                self.loop.create_task(
                    self.engine.start(Definition(order.workflow), input=order.input, key=order.key), name="client twin"
                )
                for _ in range(order.times)
            ]
            runs = await asyncio.gather(*starts)
        except DefinitionError as error:  # it would be refused for ever
            self.world.fail("the drawn workflows are sound", f"{order.workflow.id}: {error}")
            return
        except (NotOwner, StoreError, MainspringError) as error:
            self.world.refused(order, self, error)
            return
        if len({run.id for run in runs}) != 1:
            self.world.fail("one start, one instance", f"key {order.key} started {[run.id for run in runs]}")
        self.world.acknowledged(order, runs[0].id)
        if order.follow:
            self.results.append((runs[0].id, self.do(self._result(runs[0]), "client result")))

    async def _result(self, run: Any) -> None:
        try:
            result = await run.result()
        except MainspringError:
            return  # told in an error that the engine is no more: that is an answer too
        self.world.audit.answered(run.id, result)

    async def cancel(self, id: str) -> None:
        """Have an instance ended."""
        try:
            await self.engine.cancel(id, reason="simulated")
        except MainspringError as error:
            self.world.tell(f"{self.name}: cancelling {id}: {error}")

    async def pause(self, id: str, for_ms: int | None) -> None:
        """Have an instance start nothing new."""
        try:
            await self.engine.pause(id, by="simulated", for_ms=for_ms)
        except MainspringError as error:
            self.world.tell(f"{self.name}: pausing {id}: {error}")

    async def compensate(self, id: str) -> None:
        """Have an instance take up again what its saga left."""
        try:
            await self.engine.compensate(id, by="simulated")
        except MainspringError as error:
            self.world.tell(f"{self.name}: compensating {id}: {error}")

    async def requeue(self, wish: Wish) -> None:
        """Have a letter put back to work."""
        watched = self.world.audit.by_id[wish.letter.instance]
        before = watched.seq
        try:
            await self.engine.requeue(wish.letter.id, by="simulated")
        except CommandRefused as error:
            wish.refused(self, str(error), watched.seq == before)
        except MainspringError as error:
            self.world.tell(f"{self.name}: requeueing {wish.letter.id}: {error}")
        else:
            wish.done()

    async def purge(self, wish: Wish) -> None:
        """Have a letter lost for good."""
        try:
            await self.engine.purge(wish.letter.id)
        except MainspringError as error:
            self.world.tell(f"{self.name}: purging {wish.letter.id}: {error}")
        else:
            wish.done()

    async def look_at_breakers(self) -> None:
        """Compare what has been counted, while nothing goes on."""
        if self.serving and self.engine.host.idle:
            self.world.audit.windows.look(self)

    async def resume(self, id: str) -> None:
        """Have a parked instance go on."""
        try:
            await self.engine.resume(id, by="simulated")
        except MainspringError as error:
            self.world.tell(f"{self.name}: resuming {id}: {error}")

    def _complain(self, context: dict[str, Any]) -> None:
        self.world.fail("no error is lost", f"{self.name}: {context.get('message')}: {context.get('exception')!r}")
