"""One child process in a session of its own: its output read with caps, its whole group stopped.

Below asyncio's Process on purpose: `Process.wait` of some versions waits until all pipes are closed, and a script that
leaves something running in the background keeps its pipes open for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

STOP_GRACE_SECONDS = 2.0
DRAIN_SECONDS = 0.25
TICK_SECONDS = 0.2


class Child(asyncio.SubprocessProtocol):
    """What a child wrote and how it ended. `over` is set when it wrote more than `output_max` bytes to one stream."""

    def __init__(self, output_max: int) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.streams = {1: bytearray(), 2: bytearray()}
        self.over = ""
        self._output_max = output_max
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        stream = self.streams[fd]
        if len(stream) + len(data) > self._output_max:
            self.over = "stdout" if fd == 1 else "stderr"
            self.signal(signal.SIGKILL)
        else:
            stream += data

    def process_exited(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    @property
    def exit_code(self) -> int | None:
        return self._transport.get_returncode() if self._transport else None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group (the child leads it, and gave it its number)."""
        if self._transport is not None:
            try:
                os.killpg(self._transport.get_pid(), number)
            except (ProcessLookupError, PermissionError):
                pass

    async def run(
        self, command: Sequence[str], folder: str, environment: Mapping[str, str], tick: Callable[[], None]
    ) -> int:
        """Start, wait, and leave nothing behind; `tick` is called now and then. Cancelling stops the group."""
        lifeline = await self._begin(command, folder, environment)
        try:
            while not self.ended.done():
                await asyncio.wait((self.ended,), timeout=TICK_SECONDS)
                tick()
            # What it left running in the background may still be writing its last words (`> >(tee log)`).
            await asyncio.wait((self.closed,), timeout=DRAIN_SECONDS)
        except BaseException:
            await self._stop()
            raise
        finally:
            self.signal(signal.SIGKILL)
            os.close(lifeline)
            if self._transport is not None:
                self._transport.close()
        return self.exit_code or 0

    async def _begin(self, command: Sequence[str], folder: str, environment: Mapping[str, str]) -> int:
        """Start it. Gives the end of its stdin that only we hold: while it is open, we are alive (see `lifeline`)."""
        theirs, ours = os.pipe()
        begun = asyncio.ensure_future(
            asyncio.get_running_loop().subprocess_exec(
                lambda: self, *command, stdin=theirs, cwd=folder, env=dict(environment), start_new_session=True
            )
        )
        try:
            # Were that itself cancelled, only the child would be killed, and then its children's pipes waited for.
            await asyncio.shield(begun)
        except BaseException:
            os.close(ours)
            begun.add_done_callback(self._discarded)
            await asyncio.wait((begun,))
            if self._transport is not None:  # killed, and to be taken note of: the event loop may be about to close
                await asyncio.wait((self.ended,), timeout=STOP_GRACE_SECONDS)
                self._transport.close()
            raise
        finally:
            os.close(theirs)
        return ours

    def _discarded(self, begun: asyncio.Future[Any]) -> None:
        """It has started after all, and nobody wants it any more."""
        if not begun.cancelled() and begun.exception() is None:
            self.signal(signal.SIGKILL)  # closing its transport at once would reap it before asyncio can

    async def _stop(self) -> None:
        """Ask the group to end, and after a grace make it (at once where we are cancelled a second time)."""
        if self._transport is None or self.ended.done():
            return
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait((self.ended,), timeout=STOP_GRACE_SECONDS)
        finally:
            self.signal(signal.SIGKILL)
        await asyncio.wait((self.ended,), timeout=STOP_GRACE_SECONDS)
