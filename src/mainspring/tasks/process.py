"""Processes of their own for functions that hold the interpreter (`@task(process=True)`).

Each worker is one spawned process at the end of a pipe. A call takes an idle worker, sends it a reference and the
payload, and reads progress until the outcome comes. Cancelling kills the worker: its work is truly stopped, which a
ProcessPoolExecutor cannot do without breaking all its other calls.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from mainspring.messaging.task import TaskCall, TaskFault
from mainspring.tasks.fault import FaultElsewhere, Reported, describe
from mainspring.tasks.threads import Threads

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess


class ProcessDied(Reported):
    """The process that ran a task ended without an outcome."""


class _Worker:
    def __init__(self) -> None:
        context = get_context("spawn")
        self.pipe: Connection[Any, Any]
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Processes:
    """At most `processes_max` workers, kept for the next call."""

    def __init__(self, processes_max: int | None = None) -> None:
        self.processes_max = processes_max or os.cpu_count() or 1
        self._threads = Threads(self.processes_max)  # one to read each worker's pipe; so the bound is kept here too
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    async def run(self, reference: str, folder: str, call: TaskCall) -> Any:
        """One call in a worker. What the function set and reported arrives in `call`."""
        busy: list[_Worker] = []
        cancelled = threading.Event()
        talk = self._threads.submit(lambda: self._talk(reference, folder, call, busy, cancelled))
        try:
            return await talk
        except asyncio.CancelledError:
            cancelled.set()
            with self._lock:
                for worker in busy:
                    worker.process.kill()  # the thread that reads the pipe sees its end, and clears up
            raise

    def close(self) -> None:
        """Stop the idle workers; those at work stop when their call ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()
        self._threads.close()

    def _talk(
        self, reference: str, folder: str, call: TaskCall, busy: list[_Worker], cancelled: threading.Event
    ) -> Any:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker()
        with self._lock:
            busy.append(worker)
        healthy = False
        try:
            if cancelled.is_set():
                raise ProcessDied("cancelled")
            worker.pipe.send((reference, folder, _portable(call)))
            outcome = _outcome(worker.pipe, call.report)
            healthy = True
        except (EOFError, OSError) as error:
            worker.process.join(1)
            raise ProcessDied(_death(reference, worker.process.exitcode), code=worker.process.exitcode) from error
        finally:
            self._release(worker, busy, healthy)
        output, variables_set, fault = outcome
        if fault is not None:
            raise FaultElsewhere(fault)
        call.variables_set = variables_set
        return output

    def _release(self, worker: _Worker, busy: list[_Worker], healthy: bool) -> None:
        with self._lock:
            busy.remove(worker)
            keep = healthy and not self._closed and worker.process.is_alive()
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.stop()


def _outcome(pipe: Connection[Any, Any], report: Callable[[float, str], None]) -> Any:
    while True:
        kind, content = pipe.recv()
        if kind == "progress":
            report(*content)
        else:
            return content


def _portable(call: TaskCall) -> dict[str, Any]:
    return {name: getattr(call, name) for name in TaskCall.__struct_fields__ if name != "report"}


def _death(reference: str, code: int | None) -> str:
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return f"the process that ran {reference} {how} before there was an output"


def _serve(pipe: Connection[Any, Any]) -> None:
    """The worker's life: one call after the other, until the pipe ends."""
    sending = threading.Lock()

    def send(message: tuple[str, Any]) -> None:
        with sending:
            pipe.send(message)

    while True:
        try:
            reference, folder, fields = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        call = TaskCall(report=lambda percent, text: send(("progress", (percent, text))), **fields)
        output, fault = _attempt(reference, folder, call)
        try:
            send(("ended", (output, call.variables_set, fault)))
        except Exception as error:  # the output cannot be pickled
            send(("ended", (None, None, describe(error))))


def _attempt(reference: str, folder: str, call: TaskCall) -> tuple[Any, TaskFault | None]:
    from mainspring.tasks.binding import caller
    from mainspring.tasks.registry import find

    try:
        output = caller(find(reference, folder))(call)
        if hasattr(output, "__await__"):
            output = asyncio.run(_awaited(output))
        return output, None
    except BaseException as error:
        return None, describe(error)


async def _awaited(work: Any) -> Any:
    return await work
