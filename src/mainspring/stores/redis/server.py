"""A server: how it is reached, what its errors mean, and what it says that it survives. Nothing here tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from mainspring.errors import NothingYet, NotOwner, StoreCorrupt, StoreError, StoreTooNew
from mainspring.stores.redis.address import Address

VERSION = 1
"""The version of what our keys hold."""

CONNECT_SECONDS_MAX = 10.0
"""How long a server may take to let us in."""

ANSWER_SECONDS_MAX = 60.0
"""How long it may take to answer. Then the connection is given up; what was asked for may be done all the same."""

CONNECTIONS_MAX = 5

_SCRIPT = files("mainspring.stores.redis").joinpath("verbs.lua").read_text("utf-8")

Argument = str | bytes | int

T = TypeVar("T")


class Server:
    """The server at an address, and the keys of one store on it. Belongs to the event loop in which it is first used."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.begin = f"{{{address.prefix}}}:"
        pool = BlockingConnectionPool.from_url(
            address.dsn,
            max_connections=CONNECTIONS_MAX,
            timeout=ANSWER_SECONDS_MAX,
            socket_connect_timeout=CONNECT_SECONDS_MAX,
            socket_timeout=ANSWER_SECONDS_MAX,
            # To ask again on our behalf would have done twice what was done while its answer was lost.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self.client: Any = Redis(connection_pool=pool)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._script: Any = self.client.register_script(_SCRIPT)

    async def close(self) -> None:
        """Finish what is under way, and give the connections back."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.client.aclose()
        await self.client.connection_pool.disconnect()

    async def _do(self, asked: Coroutine[Any, Any, T]) -> T:
        """What the server answers. A caller that is cancelled stops waiting; the question itself is asked to its end.

        For one thing, to break it off would leave open whether it was done. For another, redis-py can lose a cancellation
        that comes while it waits with a time limit, and then its caller would never end.
        """
        task = asyncio.get_running_loop().create_task(asked)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except Exception as error:
            raise explained(self.address, error) from error

    async def verb(self, name: str, *given: Argument) -> Any:
        """What a verb of verbs.lua gives. Raises NotOwner, StoreError."""
        return await self._do(self._script(keys=[self.begin], args=[name, *given]))

    async def ask(self, command: str, key: str, *given: Argument) -> Any:
        """What the server gives for a command on one of our keys."""
        return await self._do(self.client.execute_command(command, f"{self.begin}{key}", *given))

    async def whole(self, key: str) -> list[bytes]:
        """A whole hash: names and values by turns."""
        found: dict[bytes, bytes] = await self._do(self.client.hgetall(f"{self.begin}{key}"))
        return [part for pair in found.items() for part in pair]

    async def hashes(self, wanted: Mapping[str, Sequence[Argument]]) -> list[list[bytes | None]]:
        """Fields of several hashes, in one round trip."""
        pipeline = self.client.pipeline(transaction=False)
        for key, fields in wanted.items():
            pipeline.hmget(f"{self.begin}{key}", list(fields))
        found: list[list[bytes | None]] = await self._do(pipeline.execute())
        return found

    async def begin_store(self, *, read_only: bool) -> None:
        """Note the format, or look at it. Raises NothingYet, StoreTooNew, StoreCorrupt, StoreError."""
        if not read_only:
            await self.ask("SETNX", "format", VERSION)
        found = await self.ask("GET", "format")
        if found is None:
            raise NothingYet(f"there is no store yet at {self.address.shown}: nothing has been run there")
        if not found.isdigit():
            raise StoreCorrupt(f"{self.address.shown}: {self.begin}format is {found!r}, which is no store's")
        if int(found) > VERSION:
            raise StoreTooNew(f"{self.address.shown} has format {int(found)}; this mainspring reads up to {VERSION}")

    async def cautions(self) -> list[str]:
        """What may be lost on this server as it is set up, in sentences; nothing where nothing is."""
        info = await self._info()
        found: list[str] = []
        if not info.get("aof_enabled"):
            found.append(
                "the server keeps no append-only file: what was acknowledged since its last snapshot is lost when it ends"
                " (set appendonly yes)"
            )
        else:
            sync = await self._setting("appendfsync")
            if sync is not None and sync != "always":
                lost = "last second" if sync == "everysec" else "last half minute or so"
                found.append(f"appendfsync is {sync}: a power loss takes the {lost} (set appendfsync always)")
        policy = await self._setting("maxmemory-policy")
        if policy not in (None, "noeviction"):
            found.append(f"maxmemory-policy is {policy}: a full server throws parts of the store away (set noeviction)")
        return found

    async def _info(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = await self._do(self.client.info("persistence"))
        except StoreError:  # whoever may not ask: nothing is known, so nothing is said
            return {"aof_enabled": 1}
        return found

    async def _setting(self, name: str) -> str | None:
        try:
            found = await self._do(self.client.config_get(name))
        except StoreError:  # hosted servers let nobody ask
            return None
        value = found.get(name)
        return value.decode() if isinstance(value, bytes) else value


def explained(address: Address, error: BaseException) -> BaseException:
    """What an error of the server or of the way to it is to our callers. Any other is itself."""
    told = str(error)
    if isinstance(error, ResponseError) and not isinstance(error, NoScriptError):
        if told.startswith("NOTOWNER "):
            return NotOwner(told.removeprefix("NOTOWNER "))
        if told.startswith("BROKEN "):
            return StoreError(f"a group breaks the store's rules: {told.removeprefix('BROKEN ')}")
        return StoreError(f"{address.shown}: {told}")
    if isinstance(error, (RedisError, OSError, TimeoutError, EOFError)):
        return StoreError(f"{address.shown} cannot be reached: {told or type(error).__name__}. Does the server run?")
    return error


def is_ours(error: BaseException) -> bool:
    """Whether it comes from the server or from the way to it."""
    return isinstance(error, (RedisError, OSError, TimeoutError, EOFError, StoreError)) and not isinstance(
        error, asyncio.CancelledError
    )
