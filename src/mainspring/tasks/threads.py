"""The threads that synchronous tasks run in.

Not a ThreadPoolExecutor: its threads are joined when the interpreter exits, and one task that hangs would keep a
process from ever ending. Work in a thread cannot be stopped, so what is cancelled is abandoned: nobody waits for it,
here or at exit. An abandoned thread counts against the bound until its work ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

from msgspec import Struct

THREADS_MAX = 32


class _Job(Struct, eq=False):
    work: Callable[[], Any]
    context: contextvars.Context
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Threads:
    """At most `threads_max` threads, begun when they are needed."""

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        self.threads_max = threads_max
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unclaimed = 0  # idle threads less waiting jobs
        self._closed = False

    def submit(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do `work` in a thread, with a copy of the context variables as they are now."""
        loop = asyncio.get_running_loop()
        job = _Job(work, contextvars.copy_context(), loop, loop.create_future())
        with self._lock:
            if self._closed:
                raise RuntimeError("the threads for synchronous tasks are closed")
            self._unclaimed -= 1
            self._jobs.put(job)
            if self._unclaimed < 0 and self._threads < self.threads_max:
                self._threads += 1
                self._unclaimed += 1
                threading.Thread(target=self._serve, name=f"mainspring-task-{self._threads}", daemon=True).start()
        return job.future

    def close(self) -> None:
        """Let the threads end as they become idle."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.future.cancelled():
                self._do(job)
            del job  # an idle thread must not keep the last payload alive
            with self._lock:
                self._unclaimed += 1

    def _do(self, job: _Job) -> None:
        output, error = None, None
        try:
            output = job.context.run(job.work)
        except BaseException as raised:
            error = raised
        try:
            job.loop.call_soon_threadsafe(_settle, job.future, output, error)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more


def _settle(future: asyncio.Future[Any], output: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(output)
    elif isinstance(error, StopIteration | SystemExit | KeyboardInterrupt):
        # A future cannot carry the first, and the others would take the whole engine down with one task.
        wrapped = RuntimeError(f"the task raised {type(error).__name__}: {error}")
        wrapped.__cause__ = error
        future.set_exception(wrapped)
    else:
        future.set_exception(error)
