"""A Redis server for tests: the one that is named, or one that runs here, or else a private one in a folder of its own.

`MAINSPRING_TEST_REDIS` names one (a URL; tests use keys of their own there and delete them). Without it, a server on the
standard port is taken that lets us in without a password. Without that, a private one is started from the program
`redis-server`, and stopped when this process ends. To have none is an error, never a reason to leave tests out.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import redis

from mainspring.stores.redis.address import address_of

VARIABLE = "MAINSPRING_TEST_REDIS"
STANDARD = "redis://127.0.0.1:6379/0"
START_SECONDS_MAX = 20.0
LOOKED_AT_SECONDS = 0.01

_found: str | None = None


def server_url() -> str:
    """The URL of a server for tests; the same one for as long as this process lives. Raises RuntimeError."""
    global _found
    if _found is None:
        _found = os.environ.get(VARIABLE) or (STANDARD if _answers(STANDARD) else PrivateServer().start())
    return _found


def fresh_url(server: str | None = None) -> str:
    """A store's URL, with keys that nobody has used. `drop` it afterwards."""
    url = server or server_url()
    return f"{url}{'&' if '?' in url else '?'}prefix=test-{uuid.uuid4().hex[:16]}"


def drop(url: str) -> None:
    """Lose a store: all its keys."""
    address = address_of(url)
    with redis.Redis.from_url(address.dsn) as client:
        keys = list(client.scan_iter(f"{{{address.prefix}}}:*", count=10_000))
        for place in range(0, len(keys), 1_000):
            client.delete(*keys[place : place + 1_000])


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


class PrivateServer:
    """One that nobody else knows, on a free port, with its data in a temporary folder. Tests may kill and restart it."""

    def __init__(self, *, fsync: str = "always") -> None:
        self._fsync = fsync
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> str:
        """Make it and start it; gives its URL. It is stopped, and its data removed, when this process ends."""
        if shutil.which("redis-server") is None:
            raise RuntimeError(
                f"tests of the Redis store need a server, and there is none: set {VARIABLE} to the URL of one, start one on"
                " the standard port, or install Redis so that one can be started (redis-server was not found)"
            )
        self._folder = tempfile.mkdtemp(prefix="mainspring-redis-")
        atexit.register(self.remove)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start_again()
        return self.url

    def start_again(self) -> None:
        """Start it on the data and the port that it had."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder, "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", self._fsync]
        with Path(self._folder, "log").open("ab") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not _answers(self.url):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"redis-server did not start: {Path(self._folder, 'log').read_text()[-2_000:]}")
            time.sleep(LOOKED_AT_SECONDS)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it, whatever it does, and remove its data."""
        atexit.unregister(self.remove)
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
