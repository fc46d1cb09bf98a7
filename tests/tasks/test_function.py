# ruff: noqa: ASYNC240
from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from mainspring.definition.model import Node
from mainspring.errors import DefinitionError, HandlerNotFound
from mainspring.messaging.task import TaskCall
from mainspring.tasks import Output, TaskContext, task
from mainspring.tasks.binding import MissingParameter
from mainspring.tasks.fault import describe
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.process import TaskProcessDied

NewCall = Callable[..., TaskCall]
HERE = os.path.dirname(__file__)


async def doubled(amount: int) -> int:
    return amount * 2


@task(process=True)
def in_process(ctx: TaskContext, amount: int) -> Any:
    ctx.progress(40, "there")
    ctx.variables["pid"] = os.getpid()
    return Output(amount * 2, port="done")


def failing_process() -> None:
    raise LookupError("not there")


def sleeping_process(ctx: TaskContext) -> None:
    ctx.progress(os.getpid())
    ctx.progress(1, str(os.getpid()))
    time.sleep(60)


def dying_process() -> None:
    os._exit(7)


@pytest.fixture
def kind() -> Iterator[FunctionKind]:
    made = FunctionKind(threads_max=2, processes_max=1)
    yield made
    made.close()


def read(output: Any) -> Any:
    """What crossed from another process, decoded: it comes as the JSON that is journaled."""
    return Output(msgspec.json.decode(output.value), output.port)


def prepare(kind: FunctionKind, handler: Any, **config: Any) -> Any:
    return kind.prepare(Node(id="n", type="function", config={"handler": handler, **config}), HERE)


async def test_an_async_functions_own_coroutine_comes_back(kind: FunctionKind, new_call: NewCall) -> None:
    work = prepare(kind, doubled).invoke(new_call({"amount": 2}))
    assert inspect.iscoroutine(work) and work.cr_code is doubled.__code__
    assert await work == 4
    assert await prepare(kind, "test_function:doubled").invoke(new_call(5)) == 10
    with pytest.raises(MissingParameter) as raised:
        await prepare(kind, doubled).invoke(new_call({"total": 2}))
    fault = describe(raised.value)
    assert fault.type == "MissingParameter" and fault.fatal and "`amount`" in fault.message


async def test_sync_functions_run_in_threads_with_the_context_variables(kind: FunctionKind, new_call: NewCall) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
    tenant.set("acme")
    seen = await prepare(kind, lambda: (threading.get_ident(), tenant.get())).invoke(new_call())
    assert seen[0] != threading.get_ident() and seen[1] == "acme"
    assert await prepare(kind, lambda amount: doubled(amount)).invoke(new_call(3)) == 6


async def test_threads_are_bounded_and_all_work_is_done(kind: FunctionKind, new_call: NewCall) -> None:
    idents: set[int] = set()
    prepared = prepare(kind, lambda: (idents.add(threading.get_ident()), time.sleep(0.001)))
    await asyncio.gather(*(prepared.invoke(new_call()) for _ in range(50)))
    assert len(idents) <= 2


async def test_work_in_a_thread_is_abandoned(kind: FunctionKind, new_call: NewCall) -> None:
    release, began = threading.Event(), threading.Event()
    prepared = prepare(kind, lambda: (began.set(), release.wait(10)))
    running = asyncio.ensure_future(prepared.invoke(new_call()))
    while not began.is_set():
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()


async def test_odd_ends_of_threads(kind: FunctionKind, new_call: NewCall) -> None:
    def leave() -> None:
        raise SystemExit(3)

    def stop() -> None:
        next(iter(()))

    for broken in (leave, stop):
        with pytest.raises(RuntimeError, match="the task raised"):
            await prepare(kind, broken).invoke(new_call())


async def test_the_context(kind: FunctionKind, new_call: NewCall, caplog: pytest.LogCaptureFixture) -> None:
    async def asks(ctx: TaskContext) -> Any:
        ctx.progress(250, "over")
        ctx.variables["b"] = ctx.variables["a"] + 1
        ctx.log.warning("seen")
        with pytest.raises(TypeError):
            del ctx.variables["a"]
        return ctx.idempotency_key, ctx.attempt, ctx.max_attempts, ctx.instance, ctx.path, ctx.run, dict(ctx.variables)

    call = new_call({}, {"a": 1}, attempt=2)
    assert await prepare(kind, asks).invoke(call) == ("i-1/charge/1", 2, 3, "i-1", "charge", 1, {"a": 1, "b": 2})
    assert call.variables_set == {"b": 2}
    assert list(call.report.__self__) == [(100.0, "over")]  # type: ignore[attr-defined]
    assert caplog.records[0].path == "charge"  # type: ignore[attr-defined]


async def test_a_process_of_its_own(kind: FunctionKind, new_call: NewCall) -> None:
    call = new_call({"amount": 4})
    assert read(await prepare(kind, "test_function:in_process").invoke(call)) == Output(8, port="done")
    assert call.variables_set and msgspec.json.decode(call.variables_set["pid"]) != os.getpid()
    assert list(call.report.__self__) == [(40.0, "there")]  # type: ignore[attr-defined]
    with pytest.raises(Exception) as raised:
        await prepare(kind, "test_function:failing_process", process=True).invoke(new_call())
    fault = describe(raised.value)
    assert fault.type == "LookupError" and fault.stack and "failing_process" in fault.stack


async def test_a_process_that_dies_fails_its_attempt_and_the_next_call_has_a_new_one(
    kind: FunctionKind, new_call: NewCall
) -> None:
    """N1: a crash of the child is an error with a name; the pool recovers."""
    for _ in range(2):
        with pytest.raises(TaskProcessDied, match="exit code 7") as raised:
            await prepare(kind, "test_function:dying_process", process=True).invoke(new_call())
        assert describe(raised.value).code == 7
        assert read(await prepare(kind, "test_function:in_process").invoke(new_call({"amount": 1}))).value == 2


async def test_cancelling_stops_the_process(kind: FunctionKind, new_call: NewCall) -> None:
    call = new_call()
    reports = call.report.__self__  # type: ignore[attr-defined]
    running = asyncio.ensure_future(prepare(kind, "test_function:sleeping_process", process=True).invoke(call))
    while len(reports) < 2:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pid = int(reports[1][1])
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the process lives on")


def test_what_cannot_run_is_refused_at_prepare(kind: FunctionKind) -> None:
    with pytest.raises(HandlerNotFound, match="closure"):
        prepare(kind, lambda: 1, process=True)
    with pytest.raises(DefinitionError, match="handler"):
        prepare(kind, None)
