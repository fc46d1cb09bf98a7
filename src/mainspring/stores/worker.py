"""One thread with one connection: calls that wait for a disk happen here and never in the event loop.

`inline=True` makes the calls in the caller's thread instead. The simulator uses that: no thread, no real time, and the same
seed gives the same bytes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar


class Closable(Protocol):
    """What a worker works on: a database's connection, the books of a folder."""

    def close(self) -> None:
        """Give everything back."""
        ...


T = TypeVar("T")
C = TypeVar("C", bound=Closable)
F = TypeVar("F", bound=Exception)
_Job = tuple[Callable[[C], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Worker(Generic[C, F]):
    """Runs functions of a connection, one after another. Errors of the kind `fault` come out as `explain` says."""

    def __init__(
        self,
        connect: Callable[[], C],
        fault: type[F],
        explain: Callable[[F], Exception],
        name: str,
        *,
        inline: bool = False,
    ) -> None:
        self._connect = connect
        self._fault = fault
        self._explain = explain
        self._name = name
        self._inline = inline
        self._connection: C | None = None
        self._jobs: SimpleQueue[_Job[C] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[C], T]) -> asyncio.Future[T]:
        """Have `work` done on the connection, which is opened when first needed. It is queued at once, not when awaited.

        Its exceptions come out of the future, those of the medium explained. A caller that is cancelled stops waiting; the
        work itself is done to its end.
        """
        loop = asyncio.get_running_loop()
        if self._inline:
            inline: asyncio.Future[T] = loop.create_future()
            _settle(inline, *self._do(work))
            return inline
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((work, loop, future))
        return future

    async def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if self._inline:
            self._shut()
            return
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _do(self, work: Callable[[C], Any]) -> tuple[Any, BaseException | None]:
        try:
            return work(self._open()), None
        except self._fault as caught:
            error = self._explain(caught)
            error.__cause__ = caught
            return None, error
        except BaseException as caught:
            return None, caught

    def _open(self) -> C:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, loop, future = job
            result, error = self._do(work)
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more
            del job, work, future, result, error
        self._shut()


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
