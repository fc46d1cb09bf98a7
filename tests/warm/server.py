"""Forks a `mainspring` for whoever connects: `python -m tests.warm.server SOCKET`. It ends where its stdin does."""

from __future__ import annotations

import gc
import importlib
import io
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import coverage

import mainspring


@dataclass
class Given:
    """What a process was started with."""

    streams: list[int]
    folder: bytes
    arguments: list[str]
    environment: dict[bytes, bytes]


class Server:
    """`pids` are the processes of those that are connected."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(64)
        self._pids: dict[socket.socket, int] = {}
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wakes)
        self._selector = selectors.DefaultSelector()
        for one in (self._listener, self._woken, sys.stdin):
            self._selector.register(one, selectors.EVENT_READ)

    def serve(self) -> Given | None:
        """Gives what it is to become, in a process that was forked; None at the end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    for pid in self._pids.values():
                        os.kill(pid, signal.SIGKILL)
                    return None
                if key.fileobj is self._listener:
                    given = self._begin()
                    if given is not None:
                        return given
                elif key.fileobj == self._woken:
                    os.read(self._woken, 4096)
                    self._reap()
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)

    def _begin(self) -> Given | None:
        connection, _ = self._listener.accept()
        size, streams, _, _ = socket.recv_fds(connection, 8, 3)
        told = b""
        while len(told) < int.from_bytes(size, "big"):
            told += connection.recv(1 << 20)
        pid = os.fork()
        if pid:
            for stream in streams:
                os.close(stream)
            self._pids[connection] = pid
            self._selector.register(connection, selectors.EVENT_READ)
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (*self._pids, connection, self._listener):
            one.close()
        os.close(self._woken)
        os.close(self._wakes)
        folder, count, *parts = told.split(b"\0")
        arguments = [os.fsdecode(part) for part in parts[: int(count)]]
        return Given(streams, folder, arguments, dict(part.split(b"=", 1) for part in parts[int(count) :]))

    def _reap(self) -> None:
        for connection, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with suppress(OSError):
                    connection.send(b"%d" % os.waitstatus_to_exitcode(status))
                self._forget(connection)

    def _hear(self, connection: socket.socket) -> None:
        """A signal to pass on. Where it is gone, whom it stood for goes too."""
        if connection not in self._pids:
            return  # it ended in this very moment
        try:
            said = connection.recv(16)
        except OSError:
            said = b""
        for number in said or [signal.SIGKILL]:
            os.kill(self._pids[connection], number)
        if not said:
            os.waitpid(self._pids[connection], 0)
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        del self._pids[connection]
        self._selector.unregister(connection)
        connection.close()


def become(given: Given) -> None:
    """Be what `python -m mainspring` would be there."""
    for number, stream in enumerate(given.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(given.folder)
    os.environb.clear()
    os.environb.update(given.environment)
    time.tzset()
    coverage.process_startup()  # where the tests are traced the environment says so
    raw = "PYTHONUNBUFFERED" in os.environ
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        below: Any = io.FileIO(number, "w", closefd=False)
        below = below if raw else io.BufferedWriter(below)
        lines = os.isatty(number) or name == "stderr"
        stream = io.TextIOWrapper(below, "utf-8", errors, line_buffering=lines, write_through=raw)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["mainspring", *given.arguments]
    sys.path[0] = os.getcwd()
    runpy.run_module("mainspring", run_name="__main__", alter_sys=True)


def main() -> None:
    for module in pkgutil.walk_packages(mainspring.__path__, "mainspring."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    server = Server(sys.argv[1])
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    given = server.serve()
    if given is not None:
        become(given)


if __name__ == "__main__":
    main()
