"""The engine's face: start workflows, follow them, get their results, stop them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.clock import Clock, SystemClock
from mainspring.engine.commands import Commands
from mainspring.engine.elsewhere import Elsewhere
from mainspring.engine.following import Behind, Followed, Following, follow_all, follow_one
from mainspring.engine.host import Host
from mainspring.engine.live import Entry, Live
from mainspring.engine.program import Program
from mainspring.engine.progress import Durations, Progress
from mainspring.engine.queries import Queries
from mainspring.engine.result import InstanceResult, Recorded
from mainspring.engine.settings import EngineSettings
from mainspring.engine.subflows import parts
from mainspring.engine.tails import Tails
from mainspring.errors import (
    InputInvalid,
    MainspringError,
    NotOwner,
    UnknownInstance,
)
from mainspring.graph.schemas import Check
from mainspring.journal.looking_back import At, look_back
from mainspring.journal.payload import encode_payload
from mainspring.journal.records import Committed, InstanceRecord, Position, StoreFacts
from mainspring.journal.store import Store
from mainspring.limits.standing import Standing
from mainspring.machine.policies.health import Health
from mainspring.messaging.task import FaultDescriber, TaskKind


class Run:
    """One instance, as whoever started it or asked for it sees it."""

    __slots__ = ("_engine", "id")

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self.id = id

    async def result(self) -> InstanceResult:
        """Wait until the instance is at its end. Raises NotOwner where this engine loses its store meanwhile."""
        return await self._engine.wait(self.id)

    async def state(self, at: At | None = None) -> InstanceResult:
        """How it stands now, without waiting; or how it stood then: after a row of its journal, after an event of a row
        (`(one.seq, one.index)`), or at a time. Raises UnknownMoment."""
        return await self._engine.inspect(self.id, until=at)

    async def progress(self) -> Progress:
        """How far it is: percent, nodes by status, and how long it will still take, where that can be said."""
        found = await self._engine.progress(self.id)
        if found is None:
            raise UnknownInstance(f"there is no instance {self.id!r} any more")
        return found

    async def health(self) -> Health:
        """How well it is now, from 0 to 1, and what is lost or degraded so far."""
        return (await self.state()).health

    def events(self, after: int = 0) -> Following[Recorded]:
        """All events from row `after` on, as they become durable; ends with the instance."""
        return self._engine.events(self.id, after=after)

    async def pause(self, reason: str = "", *, stop_clocks: bool = True, for_ms: int | None = None) -> str:
        """Have it start nothing new, and wait until nothing of it runs any more. Gives its status: `paused`, where it has
        not come to its end meanwhile. See `Engine.pause`."""
        await self._engine.pause(self.id, reason=reason, stop_clocks=stop_clocks, for_ms=for_ms)
        return await self._engine.standstill(self.id)

    async def checkpoint(self) -> None:
        """Have all that it has done so far durable when this returns. See `Engine.checkpoint`."""
        await self._engine.checkpoint(self.id)

    async def resume(self) -> None:
        """Have it go on. Raises CommandRefused where it is not paused or parked."""
        await self._engine.resume(self.id)

    async def cancel(self, reason: str = "") -> None:
        """Have it ended. Raises CommandRefused where it has ended already."""
        await self._engine.cancel(self.id, reason=reason)

    async def signal(self, name: str, payload: Any = None, *, by: str = "", key: str | None = None) -> bool:
        """Send it a signal. See `Engine.signal`."""
        return await self._engine.signal(self.id, name, payload, by=by, key=key)

    async def approve(self, name: str, approved: bool, comment: str = "", *, by: str = "") -> None:
        """Decide what it waits for. See `Engine.approve`."""
        await self._engine.approve(self.id, name, approved, comment, by=by)

    def __repr__(self) -> str:
        return f"<Run {self.id}>"


class Engine(Queries, Commands):
    """Runs workflows on one store. `async with` it; leaving gives what runs back in good order.

    Raises StoreHeld at the start where another engine has the store and `wait` is False.
    """

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, TaskKind],
        describe: FaultDescriber,
        *,
        clock: Clock | None = None,
        settings: EngineSettings | None = None,
        wait: bool = True,
        waiting: Callable[[str], None] | None = None,
        recover: bool = True,
        pin: Callable[[Workflow], Workflow] = lambda workflow: workflow,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._describe = describe
        self._clock = clock or SystemClock()
        self._settings = settings or EngineSettings()
        self._wait = wait
        self._waiting = waiting
        self._recover = recover
        self._pin = pin
        self._host: Host | None = None
        self._waiters: dict[str, list[asyncio.Future[InstanceResult | None]]] = {}
        self._followers: dict[int, set[asyncio.Event]] = {}
        self._tails = Tails()
        self._earlier: dict[str, Durations | None] = {}
        self._watchers: dict[str, list[Callable[[str, float, str], None]]] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._elsewhere = Elsewhere(store, self._waited_elsewhere, self._ended_elsewhere)

    @property
    def host(self) -> Host:
        """What is behind the face. Raises MainspringError where the engine does not run."""
        if self._host is None:
            raise MainspringError("the engine is not running: use `async with Engine(...) as engine`")
        return self._host

    @property
    def kinds(self) -> frozenset[str]:
        """The types of node that this engine can run."""
        return frozenset(self._kinds)

    async def __aenter__(self) -> Self:
        host = Host(self._store, self._kinds, self._describe, self._clock, self._settings, self._pin)
        host.ended = self._ended
        host.on_loss = self._on_loss
        host.on_turns = self._on_turns
        host.on_progress = self._on_progress
        host.on_news = self._on_news
        self._host = host
        await host.start(self._wait, self._waiting, self._recover)
        return self

    async def __aexit__(self, *exc: object) -> None:
        host = self.host
        try:
            await self._elsewhere.stop()
            await host.stop()
        finally:
            for kind in self._kinds.values():
                kind.close()
        self._host = self._signalling = None
        self._on_loss(MainspringError("the engine was stopped; the instance goes on when one runs again"))

    # --- starting -----------------------------------------------------------------------------------------------------

    async def start(
        self,
        definition: Definition | Workflow,
        *,
        input: Any = None,
        key: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> Run:
        """Start an instance; it is durable when this returns. With a `key`, the same one a second time gives the first.

        Raises DefinitionError (also where a subflow's workflow is not known), PayloadError, InputInvalid (by the
        workflow's inputSchema), and NotOwner where the store belongs to somebody else by now.
        """
        workflow, folder = parts(definition)
        program = self.host.programs.of(workflow, folder, checked=isinstance(definition, Definition))
        program.refuse_unsupported()
        raw = encode_payload({} if input is None else input, "input")
        refuse_invalid(program.plan.input_check, raw)
        values = encode_payload({**workflow.variables, **(variables or {})}, "variables")
        id = f"{workflow.id}:{key}" if key is not None else f"{workflow.id}-{_tail(self._clock)}"
        if key is not None:
            return await self._start_once(program, id, raw, values, key)
        await self.host.starting.begin(program, id, raw, values, key)
        return Run(self, id)

    async def _start_once(self, program: Program, id: str, raw: bytes, values: bytes, key: str) -> Run:
        task = self._starting.get(id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._begin_unless_known(program, id, raw, values, key))
            self._starting[id] = task
            task.add_done_callback(lambda _: self._starting.pop(id, None))
        await asyncio.shield(task)
        return Run(self, id)

    async def _begin_unless_known(self, program: Program, id: str, raw: bytes, values: bytes, key: str) -> None:
        if await self._store.find(id) is None:
            await self.host.starting.begin(program, id, raw, values, key)

    def register(self, definition: Definition | Workflow) -> None:
        """Have subflows find this workflow by its id, and by its version. Raises DefinitionError.

        Workflows that were run on this store before, and those in files beside their parent's, are found without.
        """
        self.host.starting.subflows.register(definition)

    # --- following ----------------------------------------------------------------------------------------------------

    async def get(self, id: str) -> Run:
        """A handle on an instance that is in the store. Raises UnknownInstance."""
        await self._record(id)
        return Run(self, id)

    async def wait(self, id: str) -> InstanceResult:
        """Wait for an instance's end."""
        future: asyncio.Future[InstanceResult | None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(id, []).append(future)
        try:
            if id not in self.host.by_id and not (await self._record(id)).open:
                return await self.inspect(id)
            if self.host.loss is not None:
                raise self.host.loss
            return await future or await self.inspect(id)
        finally:
            if future.done() and not future.cancelled():
                future.exception()  # told while the store was asked: then it is raised above, and nobody else hears it
            waiters = self._waiters.get(id)
            if waiters is not None and future in waiters:
                waiters.remove(future)
                if not waiters:
                    del self._waiters[id]

    async def inspect(self, id: str, *, until: At | None = None) -> InstanceResult:
        """An instance as it durably stands, or stood: after row `until`, after an event of a row (`(seq, index)`), or at a
        time. Raises UnknownInstance, UnknownMoment, StoreCorrupt."""
        if until is not None:
            return InstanceResult((await look_back(self._store, self.host.plan_of, id, until)).instance)
        loaded = await self._store.load(id)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {self._store.url}")
        return InstanceResult((await self.host.rebuilt(loaded))[1])

    def events(self, id: str, *, after: int = 0) -> Following[Recorded]:
        """An instance's events after row `after` as they become durable, until its end. `lag` says how far this is behind.

        Raises UnknownInstance, and NotOwner or MainspringError where the engine ends before the instance does.
        """
        return follow_one(self.host, self._tails, id, after)

    def follow(self, after: Position | Followed | None = None) -> Following[Followed | Behind]:
        """The events of all instances as they become durable, in the order of their commits: from the store's first on, or
        after a place that an earlier one had (`Followed.position`: after that row; the event itself: after that event).

        Whoever is too slow (`TAIL_ROWS_MAX` rows are left untaken) is told so by a `Behind`, and goes on from the journal
        without a gap: nothing more is kept for them. Ends with the engine: raises NotOwner, MainspringError.
        """
        return follow_all(self.host, self._tails, after)

    @contextmanager
    def _news_of(self, number: int) -> Iterator[asyncio.Event]:
        """An event that is set when the instance has a new durable turn, or the engine is lost."""
        news = asyncio.Event()
        self._followers.setdefault(number, set()).add(news)
        try:
            yield news
        finally:
            followers = self._followers.get(number, set())
            followers.discard(news)
            if not followers:
                self._followers.pop(number, None)

    def watch(self, id: str, callback: Callable[[str, float, str], None]) -> Callable[[], None]:
        """Have `callback(path, percent, text)` called with the progress that tasks report. Gives back how to stop."""
        watchers = self._watchers.setdefault(id, [])
        watchers.append(callback)
        return lambda: watchers.remove(callback) if callback in watchers else None

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Instances in the store, newest first."""
        return await self._store.instances(status=status, workflow=workflow, before=before, limit=limit)

    def peek(self, id: str) -> InstanceResult | None:
        """An instance as it stands in memory, at no cost: for progress displays. It may be ahead of what is durable.

        None where it is not in memory (asleep, ended, unknown, or being loaded again).
        """
        live = self.host.by_id.get(id)
        return None if live is None or live.held is not None else InstanceResult(live.instance)

    def limits(self) -> list[Standing]:
        """How each limit stands that something has asked for: what it is called, how many hold it and wait for it, and who.

        Raises MainspringError where the engine does not run.
        """
        return self.host.limits.standings()

    async def facts(self) -> StoreFacts:
        """What the store says of itself: counts, size, schema, lease."""
        return await self._store.facts()

    async def idle(self) -> None:
        """Wait until nothing moves: no task runs, no turn waits. What waits for a time or a message stays."""
        host = self.host
        while not host.idle and host.loss is None:
            tasks = [task for live in host.lives.values() for _, task, _ in live.tasks.values()]
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await host.writer.drained()
            await asyncio.sleep(0)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _record(self, id: str) -> InstanceRecord:
        record = await self._store.find(id)
        if record is None:
            raise UnknownInstance(f"there is no instance {id!r} in {self._store.url}")
        return record

    def _ended(self, live: Live) -> None:
        waiters = self._waiters.pop(live.id, None)
        if waiters:
            result = InstanceResult(live.instance)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(result)

    def _on_turns(self, group: list[Entry], committed: Committed) -> None:
        self._tails.committed(group, committed.position, committed.refused)
        if self._followers:
            for entry in group:
                for news in self._followers.get(entry.live.number, ()):
                    news.set()

    def _on_progress(self, live: Live, path: str, percent: float, text: str) -> None:
        for callback in tuple(self._watchers.get(live.id, ())):
            callback(path, percent, text)

    def _on_news(self) -> None:
        """Another session has committed something: those who follow or wait for what is not here look."""
        lives = self.host.lives
        self._tails.look(lambda number: number not in lives)
        for number, followers in self._followers.items():
            if number not in lives:
                for news in followers:
                    news.set()
        self._elsewhere.news()

    def _waited_elsewhere(self) -> list[str]:
        by_id = self.host.by_id
        return [id for id in self._waiters if id not in by_id]

    def _ended_elsewhere(self, id: str) -> None:
        for waiter in self._waiters.pop(id, ()):
            if not waiter.done():
                waiter.set_result(None)  # it reads how it ended in the store

    def _on_loss(self, error: Exception) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error if isinstance(error, MainspringError) else NotOwner(str(error)))
        self._waiters.clear()
        self._tails.wake_all()
        for followers in self._followers.values():
            for news in followers:
                news.set()
        if self._host is not None:
            for live in self._host.lives.values():
                live.begun(error)


def refuse_invalid(check: Check | None, input: bytes) -> None:
    """Raise InputInvalid where there is an inputSchema that the workflow's input does not match."""
    faults = () if check is None else check(input)
    if faults:
        raise InputInvalid(faults)


def _tail(clock: Clock) -> str:
    """Ten characters of base 32: 50 bits, told apart by eye and safe in a file name or a URL."""
    return base64.b32encode(clock.seed().to_bytes(8, "big")).decode().lower()[:10]
