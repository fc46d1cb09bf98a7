"""Processes of their own for functions that hold the interpreter (`@task(process=True)`).

Each worker is a Python of its own at the end of a socket (`worker`). A call takes an idle worker, sends it a reference and
the payload, and reads progress until the outcome comes. Cancelling kills the worker: its work is truly stopped, which a
ProcessPoolExecutor cannot do without breaking all its other calls.

Not multiprocessing: its workers run the program's main file once more when they start, and a file without the guard
`if __name__ == "__main__"` would start its engine again in each of them. Here a worker runs what a call names, and nothing
else. Workers begin when they are needed, at most `processes_max`, and are kept for the next call.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import msgspec

from mainspring.messaging.task import Output, TaskCall
from mainspring.tasks.fault import FaultElsewhere, Reported
from mainspring.tasks.threads import Threads
from mainspring.tasks.wire import Ended, Progress, Taken, Wire, Work

END_SECONDS_MAX = 5.0
"""How long a worker may take to be gone once its line has ended."""


class TaskProcessDied(Reported):
    """The process that ran a task ended without an outcome. `code` is its exit code, negative for a signal."""


class _Worker:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        program = (
            f"import sys; sys.path[:] = {[each for each in sys.path if isinstance(each, str)]!r}; "
            f"from mainspring.tasks.worker import main; main({theirs.fileno()})"
        )
        self.wire = Wire(ours)
        with theirs:
            self.process = self._started(program, theirs.fileno())

    def _started(self, program: str, line: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=_stdout(),
                pass_fds=(line,),
                start_new_session=True,  # its own group: Ctrl-C is the engine's affair, and what it starts dies with it
            )
        except BaseException:
            self.wire.close()
            raise

    def kill(self) -> None:
        if self.process.returncode is not None:
            return  # its number may be another's by now
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def stop(self) -> None:
        """End it and wait for that."""
        self.kill()
        self.process.wait()
        self.wire.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Processes:
    """At most `processes_max` workers, kept for the next call."""

    def __init__(self, processes_max: int | None = None) -> None:
        self.processes_max = processes_max or os.cpu_count() or 1
        self._threads = Threads(self.processes_max)  # one to read each worker's line; so the bound is kept here too
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    async def run(self, reference: str, code: str, folder: str, call: TaskCall) -> Any:
        """One call in a worker. What the function set and reported arrives in `call`."""
        work = Work(
            reference,
            code,
            folder,
            call.instance,
            call.path,
            call.run,
            call.attempt,
            call.idempotency_key,
            call.input,
            call.variables,
            call.max_attempts,
            call.config,
            call.compensation,
        )
        talk = _Talk(work, call)
        future = self._threads.submit(lambda: self._conduct(talk))
        try:
            return await future
        except asyncio.CancelledError:
            with self._lock:
                talk.cancelled = True
                if talk.worker is not None:
                    talk.worker.kill()  # the thread that reads its line sees the end, and clears up
            raise

    def close(self) -> None:
        """End all workers. A call that is under way ends with TaskProcessDied."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()
        for worker in idle:
            worker.stop()
        self._threads.close()

    def _conduct(self, talk: _Talk) -> Any:
        ended = None
        while ended is None:
            ended = self._attempted(talk)
        if ended.fault is not None:
            raise FaultElsewhere(ended.fault)
        # What crossed as JSON goes on as JSON: it is not read and written once more.
        if ended.variables is not None:
            talk.call.variables_set = {name: msgspec.Raw(value) for name, value in ended.variables.items()}
        return Output(msgspec.Raw(ended.output), ended.port)

    def _attempted(self, talk: _Talk) -> Ended | None:
        """How it ended with one worker. None where that had been ended from outside, idle, before it could take the work."""
        worker, kept = self._take(talk)
        healthy = False
        try:
            ended = talk.hold(worker.wire)
            healthy = True
            return ended
        except (EOFError, OSError) as error:
            if kept and not (talk.taken or talk.cancelled or self._closed):
                return None
            code = _exit_code(worker)
            raise TaskProcessDied(_death(talk.work.reference, code), code=code) from error
        finally:
            self._give_back(talk, worker, healthy)

    def _take(self, talk: _Talk) -> tuple[_Worker, bool]:
        """An idle worker (True) or a new one."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        worker = kept or _Worker()
        with self._lock:
            self._busy.add(worker)
            talk.worker = worker
            if talk.cancelled or self._closed:
                worker.kill()
        return worker, kept is not None

    def _give_back(self, talk: _Talk, worker: _Worker, healthy: bool) -> None:
        with self._lock:
            talk.worker = None  # a late order to stop must not hit the call that has the worker next
            self._busy.discard(worker)
            keep = healthy and not self._closed and worker.process.poll() is None
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.stop()


class _Talk:
    """One call's conversation with a worker."""

    def __init__(self, work: Work, call: TaskCall) -> None:
        self.work = work
        self.call = call
        self.worker: _Worker | None = None
        self.cancelled = False
        self.taken = False

    def hold(self, wire: Wire) -> Ended:
        wire.send(self.work)
        while True:
            message = wire.receive()
            if isinstance(message, Ended):
                return message
            if isinstance(message, Taken):
                self.taken = True
            elif isinstance(message, Progress):
                self.call.report(message.percent, message.text)


def _exit_code(worker: _Worker) -> int | None:
    try:
        return worker.process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return None


def _death(reference: str, code: int | None) -> str:
    how = f"ended with exit code {code}"
    if code is None:
        how = "closed its line"
    elif code < 0:
        how = f"was killed by {_signal_name(-code)}"
    return f"the process that ran {reference or 'the code'} {how} before there was an output"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _stdout() -> int | None:
    """Where this process prints to now: `print` in a task goes there too."""
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return None
