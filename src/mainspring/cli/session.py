"""One instance from its start to its end, or to the point where it can go no further here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from mainspring.assembly import Engine, open_store
from mainspring.cli import exits, places
from mainspring.cli.awaited import Wait
from mainspring.cli.focused import FocusedStore
from mainspring.cli.standing import standing
from mainspring.cli.watching import View
from mainspring.cli.words import now_ms
from mainspring.definition.load import Definition
from mainspring.engine.live import Live
from mainspring.engine.result import InstanceResult
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused
from mainspring.machine.instance import Instance

T = TypeVar("T")

TICK_SECONDS = 0.1
BIG_GRAPH = 20_000
BIG_GRAPH_TICK_SECONDS = 0.5
ABSENT_TICKS = 10
"""An instance that is not in memory is asleep, or parked: every so many ticks the store is asked which."""

PROGRESS_MAX = 1_000
"""Of so many nodes the progress is kept: a loop has more of them than anybody looks at."""

STILL = frozenset({"paused", "parked"})


@dataclass
class Wanted:
    """What to run: a definition, or an instance that is in the store. `compensate`: one that is to undo what it had left."""

    definition: Definition | None
    resume: str | None
    input: Any
    key: str | None
    store: str
    durability: str
    wait: bool
    compensate: bool = False
    pools: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """How it went. `how`: at its end; stopped by a signal; parked or paused; stuck for want of code; waiting for somebody
    (`waits`: each with the instance that waits, which may be a child). `before`: it was at
    its end before this session began, which had nothing to do."""

    how: Literal["ended", "stopped", "still", "stuck", "waiting"]
    id: str = ""
    result: InstanceResult | None = None
    missing: tuple[tuple[str, str], ...] = ()
    before: bool = False
    waits: tuple[tuple[str, Wait], ...] = ()


class Session:
    """`say` is told in words what keeps us waiting."""

    def __init__(self, wanted: Wanted, view: View, say: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._view = view
        self._say = say
        self._stop = asyncio.Event()
        self._focused = FocusedStore(open_store(wanted.store, durability=wanted.durability), set())
        self._absent = 0
        self._began = now_ms()
        self._progress: dict[str, tuple[float, str]] = {}

    async def conduct(self) -> Outcome:
        """Run it. Leaves the store in good order, whatever comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError):  # Windows; or not the main thread
                loop.add_signal_handler(number, self._signalled)
        if self._wanted.resume is not None:
            self._focused.ids.add(await self._resolved(self._wanted.resume))
        elif self._wanted.key is not None and self._wanted.definition is not None:
            self._focused.ids.add(f"{self._wanted.definition.workflow.id}:{self._wanted.key}")
        settings = EngineSettings(pools=self._wanted.pools)
        engine = Engine(cast(Any, self._focused), wait=self._wanted.wait, waiting=self._waiting, settings=settings)
        if await self._unless_stopped(engine.__aenter__()) is None:
            return Outcome("stopped")
        try:
            return await self._run(engine)
        finally:
            await engine.__aexit__(None, None, None)

    async def _run(self, engine: Engine) -> Outcome:
        id = await self._begin(engine)
        self._focused.ids.add(id)
        result = asyncio.ensure_future(engine.wait(id))
        stop = asyncio.ensure_future(self._stop.wait())
        unwatch = engine.watch(id, self._progressed)
        live = engine.host.by_id.get(id)
        last = None if live is None else live.instance
        self._view.begin(_title(self._wanted.definition, last, id), id, self._began)
        self._seen(live)
        try:
            while True:
                nodes = 0 if last is None else len(last.nodes)
                pause = TICK_SECONDS if nodes < BIG_GRAPH else BIG_GRAPH_TICK_SECONDS
                await asyncio.wait((result, stop), timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if result.done():
                    ended = result.result()
                    if last is None:
                        self._view.seen(ended.instance, 0)
                    while await self._view.read(self._focused):
                        pass
                    return Outcome("ended", id, ended, before=(ended.ended_at or self._began) < self._began)
                if stop.done():
                    return Outcome("stopped", id)
                live = engine.host.by_id.get(id)
                if live is not None:
                    if last is None:
                        self._seen(live)
                    last = live.instance
                    await self._view.read(self._focused)
                    self._view.tick(last, self._progress)
                halted = await self._halted(engine, id, live)
                if halted is not None:
                    return halted
        finally:
            self._view.end(last)  # folded in place to its end, whether or not it is still in memory
            unwatch()
            result.cancel()
            stop.cancel()
            await asyncio.gather(result, stop, return_exceptions=True)

    async def _begin(self, engine: Engine) -> str:
        wanted = self._wanted
        if wanted.definition is not None:
            engine.register_family(wanted.definition)
            return (await engine.start(wanted.definition, input=wanted.input, key=wanted.key)).id
        (id,) = self._focused.ids
        await engine.get(id)
        if wanted.compensate:
            await engine.compensate(id, by="mainspring compensate")
            return id
        record = await self._focused.find(id)
        if record.status in ("paused", "parked", "pausing"):
            with suppress(CommandRefused):  # a `mainspring resume` that was in its mail came first
                await engine.resume(id, by="mainspring run --resume")
            self._absent = -ABSENT_TICKS  # its mail is on its way
        return id

    def _seen(self, live: Live | None) -> None:
        if live is not None:
            self._view.seen(live.instance, live.seq)

    async def _halted(self, engine: Engine, id: str, live: Live | None) -> Outcome | None:
        """Whether it can go no further without somebody."""
        if live is None:
            self._absent += 1
            if self._absent < ABSENT_TICKS:
                return None
            self._absent = 0
            record = await self._focused.find(id)
            return Outcome("still", id, None) if record.status in STILL else await self._standing(engine, id)
        if self._absent < 0:
            self._absent += 1
        elif live.instance.status in STILL and not live.tasks:
            return Outcome("still", id)
        if not live.tasks and not live.uncommitted:
            return await self._standing(engine, id)
        return None

    async def _standing(self, engine: Engine, id: str) -> Outcome | None:
        found = await standing(engine, self._focused, id, now_ms())
        if found is None:
            return None
        if not found.code:
            return Outcome("waiting", id, waits=tuple(found.waits))
        missing = []
        for one in found.code:
            live = engine.host.by_id.get(one.id)
            known = {} if live is None else dict(live.program.missing())
            path = one.path if one.id == id else f"{one.path} of {one.id}"
            missing.append((path, known.get(one.place, "")))
        return Outcome("stuck", id, None, tuple(missing))

    async def _resolved(self, wanted: str) -> str:
        """The instance's full id, read without taking the store."""
        store = open_store(self._wanted.store, read_only=True)
        try:
            await store.open()
            return (await places.resolve(store, wanted)).id
        finally:
            await store.close()

    async def _unless_stopped(self, awaited: Awaitable[T]) -> T | None:
        task = asyncio.ensure_future(awaited)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        stop.cancel()
        return task.result()

    def _progressed(self, path: str, percent: float, text: str) -> None:
        self._progress.pop(path, None)
        self._progress[path] = (percent, text)
        if len(self._progress) > PROGRESS_MAX:
            del self._progress[next(iter(self._progress))]  # whoever reported longest ago

    def _waiting(self, holder: str) -> None:
        self._say(f"{holder}; waiting until it is free (Ctrl-C to stop, --no-wait not to wait)")

    def _signalled(self) -> None:
        if self._stop.is_set():
            os._exit(exits.WAITING)  # asked twice: at once, as a crash would; the store is made for that
        self._stop.set()


def _title(definition: Definition | None, instance: Instance | None, id: str) -> str:
    if definition is not None:
        workflow = definition.workflow
    elif instance is not None:
        workflow = instance.plan.workflow
    else:
        return id
    return workflow.name or workflow.id
