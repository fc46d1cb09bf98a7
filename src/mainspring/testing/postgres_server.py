"""A PostgreSQL server for tests: the one that is named, or one that runs here, or else a private one in a folder of its own.

`MAINSPRING_TEST_POSTGRES` names one (a URL, with a database that tests may make schemas in). Without it, a server on the
standard port is taken that lets us into its database `test` or `postgres` without a password. Without that, a private one is
started from the programs `initdb` and `pg_ctl`, and stopped when this process ends. To have none is an error, never a reason
to leave tests out.
"""

from __future__ import annotations

import asyncio
import atexit
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

import asyncpg

VARIABLE = "MAINSPRING_TEST_POSTGRES"

CANDIDATES = tuple(
    f"postgresql://{user}@{host}:5432/{database}"
    for host in ("localhost", "127.0.0.1")
    for user in ("postgres", getpass.getuser())
    for database in ("test", "postgres")
)

START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 3.0

_found: str | None = None


def server_url() -> str:
    """The URL of a server for tests; the same one for as long as this process lives. Raises RuntimeError."""
    global _found
    if _found is None:
        _found = os.environ.get(VARIABLE) or _running() or PrivateServer().start()
    return _found


def fresh_url() -> str:
    """A store's URL, with a schema that nobody has used. `drop` it afterwards."""
    url = server_url()
    return f"{url}{'&' if '?' in url else '?'}schema=test_{uuid.uuid4().hex[:16]}"


async def drop(url: str) -> None:
    """Lose a store: its schema, with all that is in it."""
    from mainspring.stores.postgres.address import address_of

    address = address_of(url)
    connection = await asyncpg.connect(address.dsn)
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {address.schema} CASCADE")
    finally:
        await connection.close()


def _running() -> str | None:
    """One that runs here and lets us in. In a thread: whoever asks may have an event loop that runs."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(_first_that_answers())).result()


async def _first_that_answers() -> str | None:
    for url in CANDIDATES:
        try:
            connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS_MAX)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            continue
        try:
            if await connection.fetchval("SELECT has_database_privilege(current_database(), 'CREATE')"):
                return url
        finally:
            await connection.close()
    return None


class PrivateServer:
    """One that nobody else knows, on a free port, with its data in a temporary folder. Tests may kill and restart it."""

    def __init__(self, *, settings: dict[str, str] | None = None) -> None:
        self._settings = settings or {}
        self._folder = ""
        self.port = 0

    @property
    def url(self) -> str:
        """A database of it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> str:
        """Make it and start it; gives its URL. It is stopped, and its data removed, when this process ends."""
        self._folder = tempfile.mkdtemp(prefix="mainspring-postgres-")
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            shutil.chown(self._folder, "postgres")
        atexit.register(self.remove)
        self._call("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start_again()
        return self.url

    def start_again(self, *, wait: bool = True) -> None:
        """Start it on the data and the port that it had. Without `wait` it may not be up when this returns."""
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **self._settings,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in given.items())
        log = str(Path(self._folder, "log"))
        waiting = ("-w", "-t", str(START_SECONDS_MAX)) if wait else ("-W",)
        self._call("pg_ctl", "-D", self._data, "-l", log, *waiting, "-o", options, "start")
        end = time.monotonic() + START_SECONDS_MAX
        while not Path(self._data, "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.002)  # who does not wait for it to serve waits for it to be: else there is nothing to stop

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `smart`, `fast` or `immediate` (as a crash would)."""
        self._call("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", str(START_SECONDS_MAX), "stop")

    def processes(self) -> tuple[int, list[int]]:
        """Its first process, and those that this has started. Raises OSError where it does not run."""
        first = int(Path(self._data, "postmaster.pid").read_text().split()[0])
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False)
        return first, [int(pid) for pid in found.stdout.split()]

    def kill(self) -> None:
        """SIGKILL to all its processes. It can be started again when this returns."""
        first, others = self.processes()
        for pid in (first, *others):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + START_SECONDS_MAX
        while any(Path(f"/proc/{pid}").exists() for pid in (first, *others)) and time.monotonic() < end:
            time.sleep(0.002)

    def remove(self) -> None:
        """Stop it, whatever it does, and remove its data."""
        atexit.unregister(self.remove)
        try:
            self.stop("immediate")
        except RuntimeError:
            pass  # it does not run
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(Path(self._folder, "data"))

    def _call(self, program: str, *given: str) -> None:
        place = _program(program)
        as_whom = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # Not a pipe: the server that is started would keep it open.
        with tempfile.TemporaryFile("w+") as said:
            command = [*as_whom, place, *given]
            done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, cwd="/", check=False)
            said.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program} ended with {done.returncode}: {said.read()[-2_000:]}")


def _program(name: str) -> str:
    """Where a program of PostgreSQL is: on the path, or where Debian has it."""
    found = shutil.which(name)
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if debian and (found is None or os.geteuid() == 0):
        return str(debian[-1])
    if found is None:
        raise RuntimeError(
            f"tests of the PostgreSQL store need a server, and there is none: set {VARIABLE} to the URL of one, start one on"
            f" the standard port, or install PostgreSQL so that one can be started ({name} was not found)"
        )
    return found
