"""The life of a worker process: one call after the other, until its engine closes the line or is no more.

A worker must not outlive its engine, however that ends. Its stdin is a pipe that only the engine holds the other end of: a
thread waits for its end, which comes even where the engine is killed outright, and then ends the worker and all it started.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import Any

import msgspec

from mainspring.errors import PayloadError
from mainspring.journal.payload import encode_payload
from mainspring.messaging.task import Output, TaskCall, TaskFault
from mainspring.tasks.binding import Caller
from mainspring.tasks.fault import describe
from mainspring.tasks.wire import Ended, Progress, Taken, Wire, Work

Callers = dict[tuple[str, str, str, bool], Caller]


def main(descriptor: int) -> None:
    """Serve the line that is open as this file descriptor."""
    _end_with_the_engine()
    wire = Wire(socket.socket(fileno=descriptor))
    sending = threading.Lock()
    callers: Callers = {}

    def report(percent: float, text: str) -> None:
        with sending:
            wire.send(Progress(percent, text))

    while True:
        try:
            work = wire.receive()
        except (EOFError, OSError):
            return
        assert isinstance(work, Work)
        try:
            wire.send(Taken())
            ended = _attempt(work, report, callers)
            with sending:
                wire.send(ended)
        except OSError:
            return


def _end_with_the_engine() -> None:
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a task that reads stdin finds it empty
    os.close(nothing)

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)  # the worker leads a group of its own

    threading.Thread(target=wait, name="mainspring-lifeline", daemon=True).start()


def _attempt(work: Work, report: Any, callers: Callers) -> Ended:
    call = TaskCall(
        work.instance,
        work.path,
        work.run,
        work.attempt,
        work.idempotency_key,
        work.input,
        work.variables,
        report,
        work.max_attempts,
        config=work.config,
        compensation=work.compensation,
    )
    try:
        output = _caller(work, callers)(call)
        if hasattr(output, "__await__"):
            output = asyncio.run(_awaited(output))
        return _ended(output, call.variables_set)
    except PayloadError as error:
        return Ended(fault=msgspec.structs.replace(describe(error), fatal=True))  # another attempt gives the same
    except BaseException as error:  # SystemExit too: the worker lives on
        return Ended(fault=_fault(error))


def _caller(work: Work, callers: Callers) -> Caller:
    """The code, found and its signature read once in the worker's life."""
    key = (work.reference, work.code, "" if work.config else work.folder, bool(work.config))
    found = callers.get(key)
    if found is None and work.config:
        from mainspring.tasks.custom import caller_of_kind, kind_at

        found = callers[key] = caller_of_kind(kind_at(work.reference))
    elif found is None:
        from mainspring.tasks.function import caller_of, function_of

        function = function_of(work.reference, work.code, work.folder)
        found = callers[key] = caller_of(function)
    return found


def _ended(output: Any, variables: dict[str, Any] | None) -> Ended:
    port = None
    if type(output) is Output:
        output, port = output.value, output.port
    values = None
    if variables is not None:
        values = {name: encode_payload(value, f"variables.{name}") for name, value in variables.items()}
    return Ended(encode_payload(output, "output"), port, values)


def _fault(error: BaseException) -> TaskFault:
    fault = describe(error)
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return msgspec.structs.replace(fault, message=f"the task raised {type(error).__name__}: {error}")
    return fault


async def _awaited(work: Any) -> Any:
    return await work
