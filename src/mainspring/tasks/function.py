"""Nodes of type "function": a Python callable or inline code, async, in a thread, or in a process of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.messaging.task import PreparedTask, TaskCall
from mainspring.tasks import config
from mainspring.tasks.annotations import title_of
from mainspring.tasks.binding import Caller, MissingParameter, caller
from mainspring.tasks.process import Processes
from mainspring.tasks.registry import find, importable_reference, spec_of
from mainspring.tasks.threads import THREADS_MAX, Threads
from mainspring.tasks.typed import output_check

Check = Callable[[Any], Any]


class FunctionKind:
    """Config: `handler`, a reference (see `registry`) or a callable, or `code` (see `inline`); `process: true` as the
    decorator has it."""

    def __init__(self, threads_max: int = THREADS_MAX, processes_max: int | None = None) -> None:
        self._threads = Threads(threads_max)
        self._processes = Processes(processes_max)

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        function = function_at(node, folder)
        if in_process(node, function):
            return self.in_worker(reference_for_worker(node, function), node.config.get("code") or "", folder)
        check = output_check(function)
        if check is None or not is_async(function):
            return self.called(caller_of(function), is_async(function))
        return _CheckedAsync(caller(function), check)

    def called(self, call: Caller, is_async: bool) -> PreparedTask:
        """Work that is done by a call: awaited where it gives a coroutine, in a thread where it does not."""
        return _Async(call) if is_async else _InThread(self._threads, call)

    def in_worker(self, reference: str, code: str, folder: str) -> PreparedTask:
        """Work that is done in a process of its own, by the function (or the kind) that the reference means there."""
        return _InProcess(self._processes, reference, code, folder)

    def close(self) -> None:
        """Let idle threads go, and end all processes."""
        self._threads.close()
        self._processes.close()


def function_at(node: Node, folder: str) -> Callable[..., Any]:
    """The function that a node means. Raises DefinitionError, HandlerNotFound."""
    handler, code = node.config.get("handler"), config.text(node, "code")
    if handler and code:
        raise config.reject(node, "a function node has either `handler` or `code`", "code")
    if code:
        return _inline(node, code)
    if not handler or not (isinstance(handler, str) or callable(handler)):
        raise config.reject(node, "a function node needs `handler`, a reference such as `module:function`", "handler")
    return find(handler, folder) if isinstance(handler, str) else handler


def _inline(node: Node, code: str) -> Callable[..., Any]:
    # Few definitions have code, and this brings the compiler's tools.
    from mainspring.tasks.inline import CodeFault, compiled

    try:
        return compiled(code)
    except CodeFault as error:
        raise config.reject(node, str(error), "code") from None


def function_of(reference: str, code: str, folder: str) -> Callable[..., Any]:
    """What inline code or else a reference means."""
    if not code:
        return find(reference, folder)
    from mainspring.tasks.inline import compiled

    return compiled(code)


def caller_of(function: Callable[..., Any]) -> Caller:
    """`binding.caller`, with the output held to what the function says that it returns."""
    call, check = caller(function), output_check(function)
    if check is None:
        return call

    def call_checked(order: TaskCall) -> Any:
        output = call(order)
        return _checked(output, check) if inspect.isawaitable(output) else check(output)

    return call_checked


def in_process(node: Node, function: Callable[..., Any]) -> bool:
    """Whether a function runs in a process of its own: the node says so, or its decorator."""
    spec = spec_of(function)
    return bool(node.config.get("process", spec is not None and spec.process))


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004 - not a test: an object's own async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


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


class _CheckedAsync:
    __slots__ = ("_call", "_check")

    def __init__(self, call: Caller, check: Check) -> None:
        self._call = call
        self._check = check

    async def invoke(self, call: TaskCall) -> Any:
        return self._check(await self._call(call))


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
    __slots__ = ("_code", "_folder", "_processes", "_reference")

    def __init__(self, processes: Processes, reference: str, code: str, folder: str) -> None:
        self._processes = processes
        self._reference = reference
        self._code = code
        self._folder = folder

    async def invoke(self, call: TaskCall) -> Any:
        return await self._processes.run(self._reference, self._code, self._folder, call)


async def _failed(error: Exception) -> Any:
    raise error


async def _checked(output: Awaitable[Any], check: Check) -> Any:
    return check(await output)


def reference_for_worker(node: Node, function: Callable[..., Any]) -> str:
    """How a worker finds the function again. Raises HandlerNotFound where it cannot."""
    handler = node.config.get("handler")
    if not handler:
        return ""  # it gets the code itself
    if isinstance(handler, str) and ":" in handler:
        return handler
    found = importable_reference(function)
    if found is None:
        raise HandlerNotFound(
            f"{title_of(function)!r} cannot run in a process of its own: another process "
            f"must be able to import it, so it must stand at the top of a module (no lambda, no closure)"
        )
    return found


__all__ = ["FunctionKind", "MissingParameter"]
