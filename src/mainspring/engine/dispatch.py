"""Doing what was ordered: a node's work begins here once its start is durable, and its report goes back as an input."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from mainspring.engine.caching import Kept, ResultCache
from mainspring.engine.live import Live
from mainspring.engine.program import Program
from mainspring.engine.settings import EngineSettings
from mainspring.errors import DefinitionError, HandlerNotFound, PayloadError, PayloadTooLarge
from mainspring.graph.plan import PlanNode
from mainspring.journal.payload import encode_payload
from mainspring.machine.effects import AbandonTask, DispatchTask
from mainspring.machine.inputs import HandlerMissing, Input, TaskFailed, TaskFault, TaskFinished
from mainspring.machine.saga import Saga, context, undoing
from mainspring.machine.scope import Scope
from mainspring.machine.values import input_of
from mainspring.messaging.task import FaultDescriber, Output, PreparedTask, TaskCall

NULL = b"null"

logger = logging.getLogger("mainspring.engine")

Report = Callable[[Live, Input], None]
Finish = Callable[[Live, TaskCall, Any], None]


class _Reused(Struct, frozen=True):
    """A kept result, in the place of what a task gives."""

    result: Kept


class _Fresh(Struct, frozen=True):
    """What a task gave, to be kept by `key`."""

    value: Any
    key: bytes


class _Progress(Struct, gc=False):
    """Takes an attempt's progress. A `partial` of the same would be two more objects of each attempt for the collector."""

    take: Callable[[Live, str, float, str], None]
    live: Live
    path: str

    def __call__(self, percent: float, text: str) -> None:
        self.take(self.live, self.path, percent, text)


class Dispatcher:
    """`report` takes what became of an attempt; `progressed` is told of progress, which is not journaled."""

    def __init__(
        self,
        report: Report,
        describe: FaultDescriber,
        settings: EngineSettings,
        seed: Callable[[], int],
        progressed: Callable[[Live, str, float, str], None],
        cache: ResultCache,
    ) -> None:
        self._report = report
        self._describe = describe
        self._bytes_max = settings.payload_bytes_max
        self._seed = seed
        self._progressed = progressed
        self._cache = cache
        # Bound once, not for each attempt.
        self._finish: Finish = self._finished
        self._finish_looked_up: Finish = self._looked_up
        self._take_progress = self._progress
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.in_flight = 0
        self.missing: dict[int, set[str]] = {}

    def dispatch(self, live: Live, order: DispatchTask) -> None:
        """Begin an attempt."""
        path, run, attempt = order.path, order.run, order.attempt
        found = live.tasks.get(path)
        if found is not None:
            if (found[0].run, found[0].attempt) == (run, attempt):
                return  # it was ordered twice, because the instance was loaded again twice in a row
            self._drop(live, path)  # the order to stop it was lost with a commit that was reported as failed
        scope: Scope = live.instance
        node = live.instance.plan.by_id.get(path)  # as `locate` does, without a call for the usual node
        if node is None:
            try:
                scope, node = live.instance.locate(path)
            except KeyError:
                return  # its scope was stopped by a turn that followed, and the order to stop it is on its way
        state = scope.nodes[node.index]
        if state is None or state.status != "running" or state.attempt != attempt or state.run != run:
            return  # such a turn has ended the attempt, and what it worked on; were that turn lost, this is ordered again
        call = TaskCall(
            live.id,
            path,
            run,
            attempt,
            f"{live.id}/{path}/{run}",
            input_of(scope, node),
            order.variables,
            _Progress(self._take_progress, live, path),
            node.max_attempts,
            config=order.config,
        )
        if live.instance.saga is not None:
            _mark_undoing(call, live.instance.saga, scope)
        try:
            prepared = live.program.prepared(node)
            work: Awaitable[Any]
            if order.cache_key:
                work = self._through_cache(live.program, node, order.cache_key, call, prepared)
                finish = self._finish_looked_up
            else:
                work = prepared.invoke(call)
                finish = self._finish
        except HandlerNotFound as error:
            self.missing.setdefault(live.number, set()).add(path)
            logger.warning("%s: %s waits for its code: %s", live.id, path, error)
            self._report(live, HandlerMissing(path=path, run=run, attempt=attempt, handler=str(error)))
            return
        except Exception as error:
            self._failed(live, call, error)
            return
        # A name that says what it does in a list of tasks is also quicker than one that asyncio would make up.
        task = self._loop.create_task(self._attempt(live, call, work, finish), name=call.idempotency_key)
        live.tasks[path] = (call, task, work)
        self.in_flight += 1

    async def _through_cache(
        self, program: Program, node: PlanNode, key: bytes, call: TaskCall, prepared: PreparedTask
    ) -> _Reused | _Fresh:
        digest, found = await self._cache.find(program, node, key)
        return _Fresh(await prepared.invoke(call), digest) if found is None else _Reused(found)

    def abandon(self, live: Live, order: AbandonTask) -> None:
        """Stop an attempt, as well as that can be done."""
        found = live.tasks.get(order.path)
        if found is not None and (found[0].run, found[0].attempt) == (order.run, order.attempt):
            self._drop(live, order.path)

    def abandon_all(self, live: Live) -> None:
        """Stop all of an instance's attempts. None of them is reported."""
        for path in tuple(live.tasks):
            self._drop(live, path)

    def _drop(self, live: Live, path: str) -> None:
        _, task, work = live.tasks.pop(path)
        self.in_flight -= 1
        task.cancel()
        if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            work.close()  # the attempt is cancelled before its first step: nobody will ever await this

    async def _attempt(self, live: Live, call: TaskCall, work: Awaitable[Any], finish: Finish) -> None:
        """One attempt, as an asyncio task of its own, to its report. An abandoned one is not reported."""
        error: BaseException | None = None
        value = None
        try:
            value = await work
        except BaseException as caught:  # SystemExit too: a task's code does not end the engine
            error = caught
        found = live.tasks.get(call.path)
        if found is not None and found[0] is call:
            del live.tasks[call.path]
            self.in_flight -= 1
            if error is None:
                finish(live, call, value)
            else:
                self._failed(live, call, error)
        error = None  # its traceback knows this frame, which must not know it: only the collector would find them again

    def _finished(self, live: Live, call: TaskCall, value: Any, keep: bytes = b"") -> None:
        port = None
        if type(value) is Output:
            value, port = value.value, value.port
        try:
            output = encode_payload(value, "output")
            if len(output) > self._bytes_max:
                raise self._too_large(output, "output")
            variables = None
            if call.variables_set is not None:
                variables = encode_payload(call.variables_set, "variables")
                if len(variables) > self._bytes_max:
                    raise self._too_large(variables, "variables")
        except PayloadError as error:
            self._failed(live, call, error)
            return
        self._report(
            live,
            TaskFinished(
                path=call.path,
                run=call.run,
                attempt=call.attempt,
                output=output,
                port=port,
                variables=variables,
                keep=keep,
            ),
        )

    def _looked_up(self, live: Live, call: TaskCall, value: _Reused | _Fresh) -> None:
        if isinstance(value, _Reused):
            self._reuse(live, call, value.result)
        else:
            self._finished(live, call, value.value, value.key)

    def _reuse(self, live: Live, call: TaskCall, result: Kept) -> None:
        variables = bytes(result.variables)
        self._report(
            live,
            TaskFinished(
                path=call.path,
                run=call.run,
                attempt=call.attempt,
                output=bytes(result.output),
                port=result.port,
                variables=None if variables == NULL else variables,
                cached=True,
            ),
        )

    def _too_large(self, raw: bytes, what: str) -> PayloadTooLarge:
        message = f"the {what} has {len(raw)} bytes of JSON, and payload_bytes_max is {self._bytes_max}"
        return PayloadTooLarge(message, what)

    def _failed(self, live: Live, call: TaskCall, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):  # not by us, or it would not be reported
            fault = TaskFault("Cancelled", "the task was cancelled by its own code", ("Cancelled", "CancelledError"))
        else:
            fault = self._describe(error)
        if isinstance(error, (PayloadError, DefinitionError)):
            fault = TaskFault(fault.type, fault.message, fault.kinds, fatal=True)  # another attempt gives the same
        self._report(
            live, TaskFailed(path=call.path, run=call.run, attempt=call.attempt, fault=fault, seed=self._seed())
        )

    def _progress(self, live: Live, path: str, percent: float, text: str) -> None:
        if threading.get_ident() == self._thread:
            self._progressed(live, path, percent, text)
        else:
            self._loop.call_soon_threadsafe(self._progressed, live, path, percent, text)


def _mark_undoing(call: TaskCall, saga: Saga, scope: Scope) -> None:
    """Tell the task what it undoes. The undo node itself has the key of the run that it undoes (SEMANTICS 68)."""
    outer = undoing(scope)
    if outer is not None:
        call.compensation = context(saga, outer)
    if outer is scope:
        done = outer.done
        call.idempotency_key = f"{call.instance}/{done.path}/{done.run}:undo"
