"""The engine's face: start workflows, follow them, get their results, stop them."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.clock import Clock, SystemClock
from mainspring.engine.host import Host
from mainspring.engine.live import Entry, Live
from mainspring.engine.program import Program
from mainspring.engine.result import InstanceResult, Recorded, recorded
from mainspring.engine.settings import EngineSettings
from mainspring.errors import (
    CommandRefused,
    DefinitionError,
    InputInvalid,
    MainspringError,
    NotOwner,
    UnknownInstance,
)
from mainspring.graph.schemas import Check
from mainspring.graph.support import unsupported
from mainspring.journal import messages
from mainspring.journal.history import rebuild
from mainspring.journal.payload import encode_payload
from mainspring.journal.records import DefinitionRecord, InboxMessage, InstanceRecord, StoreFacts
from mainspring.journal.store import Store
from mainspring.machine.inputs import StartInstance
from mainspring.machine.instance import Instance
from mainspring.messaging.task import FaultDescriber, TaskKind

EVENTS_AT_ONCE = 500


class Run:
    """One instance, as whoever started it or asked for it sees it."""

    __slots__ = ("_engine", "id")

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self.id = id

    async def result(self) -> InstanceResult:
        """Wait until the instance is at its end. Raises NotOwner where this engine loses its store meanwhile."""
        return await self._engine.wait(self.id)

    async def state(self) -> InstanceResult:
        """How it stands now, without waiting."""
        return await self._engine.inspect(self.id)

    def events(self, after: int = 0) -> AsyncIterator[Recorded]:
        """All events from row `after` on, as they become durable; ends with the instance."""
        return self._engine.events(self.id, after=after)

    async def cancel(self, reason: str = "") -> None:
        """Have it ended. Raises CommandRefused where it has ended already."""
        await self._engine.cancel(self.id, reason=reason)

    def __repr__(self) -> str:
        return f"<Run {self.id}>"


class Engine:
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
        self._watchers: dict[str, list[Callable[[str, float, str], None]]] = {}
        self._defined: dict[str, asyncio.Task[None]] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}

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

    async def __aenter__(self) -> Engine:
        host = Host(self._store, self._kinds, self._describe, self._clock, self._settings, self._pin)
        host.ended = self._ended
        host.on_loss = self._on_loss
        host.on_turns = self._on_turns
        host.on_progress = self._on_progress
        self._host = host
        await host.start(self._wait, self._waiting, self._recover)
        return self

    async def __aexit__(self, *exc: object) -> None:
        host = self.host
        try:
            await host.stop()
        finally:
            for kind in self._kinds.values():
                kind.close()
        self._host = None
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

        Raises DefinitionError, PayloadError, InputInvalid (by the workflow's inputSchema), and NotOwner where the store
        belongs to somebody else by now.
        """
        workflow, folder = _parts(definition)
        program = self.host.programs.of(workflow, folder, checked=isinstance(definition, Definition))
        if program.version not in self._defined:
            refuse_unsupported(workflow)
        raw = encode_payload({} if input is None else input, "input")
        refuse_invalid(program.plan.input_check, raw)
        values = encode_payload({**workflow.variables, **(variables or {})}, "variables")
        id = f"{workflow.id}:{key}" if key is not None else f"{workflow.id}-{_tail(self._clock)}"
        if key is not None:
            return await self._start_once(program, id, raw, values, key)
        await self._begin(program, id, raw, values, key)
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
            await self._begin(program, id, raw, values, key)

    async def _begin(self, program: Program, id: str, raw: bytes, values: bytes, key: str | None) -> None:
        host = self.host
        await self._define(program)
        number = await host.next_number()
        workflow = program.plan.workflow.id
        record = InstanceRecord(
            number=number, id=id, workflow=workflow, version=program.version, status="pending", created_at=0, key=key
        )
        live = Live(number, record, program, Instance(program.plan, id), 0)
        if host.loss is not None:
            raise host.loss
        host.admit(live)
        started = live.started = asyncio.get_running_loop().create_future()
        request = StartInstance(
            workflow=workflow, version=program.version, input=raw, variables=values, key=key, seed=self._clock.seed()
        )
        host.loop.post(live, request)
        await started

    async def _define(self, program: Program) -> None:
        """The definition is in the store before the first instance that is pinned to it."""
        task = self._defined.get(program.version)
        if task is None or (task.done() and task.exception() is not None):
            record = DefinitionRecord(
                program.version, program.plan.workflow.id, program.body, program.folder, self._clock.now()
            )
            task = asyncio.get_running_loop().create_task(self._store.define(record))
            self._defined[program.version] = task
        if not task.done():
            await asyncio.shield(task)

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

    async def inspect(self, id: str, *, until: int | None = None) -> InstanceResult:
        """An instance as it durably stands (or stood after row `until`). Raises UnknownInstance, StoreCorrupt."""
        loaded = await self._store.load(id, until=until)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {self._store.url}")
        program = await self.host.program_of(loaded.record.version)
        return InstanceResult(rebuild(program.plan, loaded, until=until)[0])

    async def events(self, id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Events as they become durable. A slow reader reads from the store: nothing is buffered for it."""
        number = (await self._record(id)).number
        news = asyncio.Event()
        self._followers.setdefault(number, set()).add(news)
        try:
            while True:
                news.clear()
                page = await self._store.turns(id, after=after, limit=EVENTS_AT_ONCE)
                if page is None:
                    return
                for one in recorded(page):
                    yield one
                if page.rows:
                    after = page.rows[-1].seq
                elif not page.record.open:
                    return
                else:
                    await news.wait()
                    if self.host.loss is not None:
                        raise self.host.loss
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

    async def facts(self) -> StoreFacts:
        """What the store says of itself: counts, size, schema, lease."""
        return await self._store.facts()

    async def idle(self) -> None:
        """Wait until nothing moves: no task runs, no turn waits. What waits for a time or a message stays."""
        host = self.host
        while not host.idle:
            tasks = [task for live in host.lives.values() for _, task, _ in live.tasks.values()]
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await host.writer.drained()
            await asyncio.sleep(0)

    # --- commands -----------------------------------------------------------------------------------------------------

    async def cancel(self, id: str, *, by: str = "", reason: str = "") -> None:
        """Have an instance ended. Raises UnknownInstance, CommandRefused."""
        await self._command(id, messages.Cancel(by=by, reason=reason))

    async def resume(self, id: str, *, by: str = "") -> None:
        """Have a parked or paused instance go on. Raises UnknownInstance, CommandRefused."""
        record = await self._record(id)
        if record.status not in ("parked", "paused", "pausing"):
            raise CommandRefused(f"{id} is {record.status}: only one that is paused or parked can be resumed")
        await self._command(id, messages.Resume(by=by))

    async def _command(self, id: str, message: messages.Message) -> None:
        record = await self._record(id)
        if not record.open:
            raise CommandRefused(f"{id} is {record.status}: it is at its end")
        body = messages.encode(message)
        await self._store.post(
            InboxMessage(str(uuid.UUID(int=_wide(self._clock))), record.number, body, self._clock.now())
        )

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

    def _on_turns(self, group: list[Entry]) -> None:
        if self._followers:
            for entry in group:
                for news in self._followers.get(entry.live.number, ()):
                    news.set()

    def _on_progress(self, live: Live, path: str, percent: float, text: str) -> None:
        for callback in tuple(self._watchers.get(live.id, ())):
            callback(path, percent, text)

    def _on_loss(self, error: Exception) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error if isinstance(error, MainspringError) else NotOwner(str(error)))
        self._waiters.clear()
        for followers in self._followers.values():
            for news in followers:
                news.set()
        if self._host is not None:
            for live in self._host.lives.values():
                live.begun(error)


def refuse_unsupported(workflow: Workflow) -> None:
    """Raise DefinitionError for what the model knows and this version cannot run yet: never run it as something else."""
    findings = unsupported(workflow)
    if findings:
        raise DefinitionError(findings)


def refuse_invalid(check: Check | None, input: bytes) -> None:
    """Raise InputInvalid where there is an inputSchema that the workflow's input does not match."""
    faults = () if check is None else check(input)
    if faults:
        raise InputInvalid(faults)


def _parts(definition: Definition | Workflow) -> tuple[Workflow, str]:
    if isinstance(definition, Definition):
        return definition.workflow, definition.folder
    return definition, ""


def _wide(clock: Clock) -> int:
    return clock.seed() << 64 | clock.seed()


def _tail(clock: Clock) -> str:
    """Ten characters of base 32: 50 bits, told apart by eye and safe in a file name or a URL."""
    return base64.b32encode(clock.seed().to_bytes(8, "big")).decode().lower()[:10]
