"""Nodes of type "function": a Python callable, async, in a thread, or in a process of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.messaging.task import PreparedTask, TaskCall
from mainspring.tasks.binding import Caller, MissingParameter, caller
from mainspring.tasks.config import reject
from mainspring.tasks.process import Processes
from mainspring.tasks.registry import find, importable_reference, spec_of
from mainspring.tasks.threads import THREADS_MAX, Threads


class FunctionKind:
    """Config: `handler`, a reference (see `registry`) or a callable; `process: true` as the decorator has it."""

    def __init__(self, threads_max: int = THREADS_MAX, processes_max: int | None = None) -> None:
        self._threads = Threads(threads_max)
        self._processes = Processes(processes_max)

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        handler = node.config.get("handler")
        if not handler or not (isinstance(handler, str) or callable(handler)):
            raise reject(node, "a function node needs `handler`, a reference such as `module:function`", "handler")
        function = find(handler, folder) if isinstance(handler, str) else handler
        spec = spec_of(function)
        if node.config.get("process") or (spec is not None and spec.process):
            reference = handler if isinstance(handler, str) and ":" in handler else importable_reference(function)
            return _InProcess(self._processes, _found_elsewhere(reference, function), folder)
        if _is_async(function):
            return _Async(caller(function))
        return _InThread(self._threads, caller(function))

    def close(self) -> None:
        """Let idle threads and processes go."""
        self._threads.close()
        self._processes.close()


class _Async:
    """The hot path: what the function returns is handed on as it is, with no coroutine around it."""

    __slots__ = ("_call",)

    def __init__(self, call: Caller) -> None:
        self._call = call

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        try:
            coroutine: Awaitable[Any] = self._call(call)
        except Exception as error:
            return _failed(error)
        return coroutine


class _InThread:
    __slots__ = ("_call", "_threads")

    def __init__(self, threads: Threads, call: Caller) -> None:
        self._threads = threads
        self._call = call

    async def invoke(self, call: TaskCall) -> Any:
        output = await self._threads.submit(functools.partial(self._call, call))
        # A plain function may still hand back an awaitable, as a lambda around an async function does.
        return await output if inspect.isawaitable(output) else output


class _InProcess:
    __slots__ = ("_folder", "_processes", "_reference")

    def __init__(self, processes: Processes, reference: str, folder: str) -> None:
        self._processes = processes
        self._reference = reference
        self._folder = folder

    async def invoke(self, call: TaskCall) -> Any:
        return await self._processes.run(self._reference, self._folder, call)


async def _failed(error: Exception) -> Any:
    raise error


def _found_elsewhere(reference: str | None, function: Callable[..., Any]) -> str:
    if reference is None:
        raise HandlerNotFound(
            f"{getattr(function, '__qualname__', function)!r} cannot run in a process of its own: another process "
            f"must be able to import it, so it must stand at the top of a module (no lambda, no closure)"
        )
    return reference


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004 - not a test: an object's own async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


__all__ = ["FunctionKind", "MissingParameter"]
