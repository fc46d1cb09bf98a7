"""The processes that are killed. Each is a fork of the one that kills: it has everything imported, and is up at once."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import mainspring as ms
from mainspring.errors import CommandRefused, StoreError
from tests.kill import work

LIFE_SECONDS_MAX = 900
PR_SET_PDEATHSIG = 1

T = TypeVar("T")

STORE_SECONDS_MAX = 120.0
"""So long a store may be out of reach for whoever asks it."""


class Victim:
    """A process of its own, which carries out `main` and ends. `side` is the file that it tells what it does."""

    def __init__(self, side: Path, main: Callable[[], Awaitable[None]]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # what is there already is never looked through in the child, and so not copied
        self.pid = os.fork()
        if self.pid == 0:
            _live(side, main)
        self.code: int | None = None

    def over(self) -> bool:
        """Whether it has ended by itself. `code` is its exit code then."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def kill(self) -> bool:
        """SIGKILL. Whether it was alive until now."""
        if self.over():
            return False
        os.kill(self.pid, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return True


def _live(side: Path, main: Callable[[], Awaitable[None]]) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it does not outlive whoever kills it
        signal.alarm(LIFE_SECONDS_MAX)
        work.side_file = os.open(side, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        logging.disable(logging.WARNING)
        asyncio.run(main())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


async def go_through(
    engine: ms.Engine, numbers: Iterable[int], width: int, report: Callable[[str], None] = work.tell
) -> None:
    """Start these, at most `width` at a time, send each its signal, and wait for its end. Tells what was acknowledged.

    What the store refuses because it is out of reach is asked again.
    """
    workflow, todo = work.mixture(), iter(numbers)

    async def one(number: int) -> None:
        run = await insist(lambda: engine.start(workflow, input={"n": number, "trail": ""}, key=str(number)))
        report(f"S {run.id}")
        with suppress(CommandRefused):  # it is at its end already
            await insist(lambda: run.signal("go", number, key="go"))
            report(f"G {run.id}")
        result = await insist(run.result)
        report(f"E {run.id} {result.status}")

    async def worker() -> None:
        for number in todo:
            await one(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(worker())


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again where the store is out of reach. Raises StoreError where it stays so."""
    since = 0.0
    while True:
        try:
            return await ask()
        except StoreError as error:
            since = since or time.monotonic()
            if type(error) is not StoreError or time.monotonic() - since > STORE_SECONDS_MAX:
                raise
            await asyncio.sleep(0.05)


async def requeue_all(engine: ms.Engine) -> None:
    """Have what the crash limit has condemned run again, as a person would, until nothing is left of it."""
    while letters := await engine.dead_letters():
        for letter in letters:
            failed = [
                node for node in (await engine.inspect(letter.instance)).nodes.values() if node.status == "failed"
            ]
            with suppress(CommandRefused):  # a moment ago it was put back already
                if len(failed) == 1:
                    await engine.requeue(letter.id, by="the kill test")
                else:  # the join went on with the branches that it had, and failed: all that follows is run again
                    await engine.rerun(letter.instance, letter.path, by="the kill test")
        for letter in letters:
            result = await engine.wait(letter.instance)
            work.tell(f"E {letter.instance} {result.status}")
