"""A workflow in virtual time: `mainspring.testing.run` is `ms.run` without the waiting.

The production engine, the memory store and the real tasks, on an event loop whose time jumps to the next timer whenever
nothing else can happen. A back-off of an hour, a delay of a day, a timeout cost nothing, and are there to the millisecond in
`started_at` and `ended_at`. While a thread, a process or a socket is at work, time passes at its real pace: nobody can
know when that will be done, so jumping would fire timeouts that are none.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from mainspring.definition.load import Definition
from mainspring.definition.model import Node, Workflow
from mainspring.definition.vocabulary import node_types
from mainspring.engine.engine import Engine
from mainspring.engine.result import InstanceResult
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused, HandlerNotFound
from mainspring.graph.check import load
from mainspring.graph.family import family_of
from mainspring.messaging.task import PreparedTask, TaskCall, TaskKind
from mainspring.stores.memory import MemoryStore
from mainspring.tasks.checking import check_tasks, refuse_faulty_tasks
from mainspring.tasks.custom import usable
from mainspring.tasks.fault import describe
from mainspring.tasks.function import function_at, in_process, is_async
from mainspring.tasks.kinds import TaskKinds, task_kinds
from mainspring.tasks.pinning import pinned
from mainspring.testing.virtual import BEGINNING, Stalled

LONG_MS = 10**12
"""Nobody else can want a store in memory, and nobody is short of memory in a test: no virtual day is gone through in steps
of seconds for renewing a lease, or for looking who could go to sleep."""

Sent = tuple[float, str, Any]

DAYS_MAX = 400
"""Who waits longer waits for ever, unless `days_max` says otherwise. A virtual day takes less than a millisecond."""


def run(
    definition: str | Path | Definition | Workflow,
    *,
    input: Any = None,
    variables: Mapping[str, Any] | None = None,
    signals: Sequence[Sent] = (),
    events: Sequence[Sent] = (),
    approvals: Sequence[Sent] = (),
    seed: int = 0,
    days_max: int = DAYS_MAX,
) -> InstanceResult:
    """Run a workflow to its end in virtual time and give its result. The same seed gives the same jitter and the same id.

    `signals`, `events` and `approvals` are sent meanwhile: each is when (milliseconds after the start), the name, and the
    payload (of an approval: whether it is approved).

    Raises HandlerNotFound where code is not there (an engine would wait for it), what `ms.Engine.start` raises, and Stalled
    where the instance waits for what no time brings.
    """
    wanted = load(definition) if isinstance(definition, (str, Path)) else definition
    workflow, folder = (wanted.workflow, wanted.folder) if isinstance(wanted, Definition) else (wanted, "")
    children = family_of(wanted) if isinstance(wanted, Definition) else []
    for one, place in ((workflow, folder), *((child.workflow, child.folder) for child in children)):
        refuse_faulty_tasks(one, place)
        _refuse_missing(one, place)
    outside = _Outside()

    async def once() -> InstanceResult:
        kinds = TaskKinds({name: _Counted(kind, outside) for name, kind in task_kinds().items()})
        settings = EngineSettings(lease_ms=LONG_MS, sleep_after_ms=LONG_MS)
        engine = Engine(
            MemoryStore(), kinds, describe, clock=_Clock(outside, seed), settings=settings, recover=False, pin=pinned
        )
        async with engine:
            for child in children:
                engine.register(child)
            started = await engine.start(wanted, input=input, variables=variables)
            sending = _send(engine, started.id, signals, events, approvals)
            try:
                return await asyncio.wait_for(started.result(), days_max * 86_400)
            except TimeoutError:
                text = f"{days_max:,} days (days_max) have passed: the instance waits for what no time brings"
                raise Stalled(text) from None
            finally:
                for task in sending:
                    task.cancel()
                await asyncio.gather(*sending, return_exceptions=True)

    with asyncio.Runner(loop_factory=lambda: _Loop(outside)) as runner:
        return runner.run(once())


def _send(
    engine: Engine, id: str, signals: Sequence[Sent], events: Sequence[Sent], approvals: Sequence[Sent]
) -> list[asyncio.Task[None]]:
    """Have each sent at its time. What comes after the end has nobody to come to."""

    async def later(after_ms: float, send: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(after_ms / 1000)
        with suppress(CommandRefused):
            await send()

    orders: list[tuple[float, Callable[[], Awaitable[Any]]]] = [
        *((after, partial(engine.signal, id, name, payload)) for after, name, payload in signals),
        *((after, partial(engine.publish, name, payload)) for after, name, payload in events),
        *((after, partial(engine.approve, id, name, approved)) for after, name, approved in approvals),
    ]
    return [asyncio.get_running_loop().create_task(later(after, send)) for after, send in orders]


def _refuse_missing(workflow: Workflow, folder: str) -> None:
    missing = check_tasks(workflow, folder).missing
    if missing:
        raise HandlerNotFound("\n".join(f"{path}: {reason}" for path, reason in missing))


class _Outside:
    """The virtual time, and how much work is under way that the loop cannot see."""

    def __init__(self) -> None:
        self.now = 0.0
        self.working = 0

    async def counted(self, work: Awaitable[Any]) -> Any:
        self.working += 1
        try:
            return await work
        finally:
            self.working -= 1


class _Counted:
    """A kind of task whose attempts hold the time while they run outside of the loop."""

    def __init__(self, kind: TaskKind, outside: _Outside) -> None:
        self._kind = kind
        self._outside = outside

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        prepared = self._kind.prepare(node, folder)
        if node.type == "function":
            function = function_at(node, folder)
            if is_async(function) and not in_process(node, function):
                return prepared
        elif node.type not in node_types:
            kind = usable(node.type)
            if is_async(kind.handler) and not kind.process:
                return prepared
        return _CountedTask(prepared, self._outside)

    def close(self) -> None:
        self._kind.close()


class _CountedTask:
    def __init__(self, prepared: PreparedTask, outside: _Outside) -> None:
        self._prepared = prepared
        self._outside = outside

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        return self._outside.counted(self._prepared.invoke(call))


class _Clock:
    steady = True

    def __init__(self, outside: _Outside, seed: int) -> None:
        self._outside = outside
        self._random = Random(f"{seed}/running")

    def now(self) -> int:
        return BEGINNING + int(self._outside.now * 1000 + 1e-6)

    def seed(self) -> int:
        return self._random.getrandbits(64)


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's own, whose time is the virtual one."""

    def __init__(self, outside: _Outside) -> None:
        self._outside = outside
        super().__init__(_Selector(outside))
        # A nanosecond, the usual, is lost in a float after half a year: a timer would never be due.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._outside.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """What a task does in a thread of its own (`asyncio.to_thread`) holds the time too."""
        future = super().run_in_executor(executor, func, *args)
        self._outside.working += 1
        future.add_done_callback(self._one_less)
        return future

    def _one_less(self, future: object) -> None:
        self._outside.working -= 1


class _Selector(selectors.DefaultSelector):
    """Where the loop would sleep, time jumps; unless somebody outside is at work."""

    def __init__(self, outside: _Outside) -> None:
        super().__init__()
        self._outside = outside

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._outside.working or len(self.get_map()) > 1:  # one is the loop's own, to be woken by threads
            began = time.monotonic()
            ready = super().select(timeout)
            self._outside.now += time.monotonic() - began
            return ready
        if timeout is None:
            return super().select(None)
        self._outside.now += timeout
        return ready
