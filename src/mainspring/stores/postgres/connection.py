"""How a connection is made, and what its errors mean. Whoever loses one makes a new one: nothing here tries again."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import asyncpg

from mainspring.errors import NotOwner, StoreCorrupt, StoreError
from mainspring.stores.postgres.address import Address

Durability = Literal["full", "normal"]

Connection = Any
"""An asyncpg.Connection, or a pool's stand-in for one: asyncpg has no types that a checker would take."""

CONNECT_SECONDS_MAX = 10.0
"""How long a server may take to let us in."""

VERB_SECONDS_MAX = 60.0
"""How long a statement may take, waiting for locks included. Then the connection is given up, and with it the statement."""

OVER = "MS001"
"""The code of the error that `fence` raises."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,
    TimeoutError,
    EOFError,
)
"""What says that the connection is gone, or was never there. Whether a statement under way was carried out is not known."""

BROKEN_RULES = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


class Bare(asyncpg.Connection):  # type: ignore[misc]
    """Given back to the pool as it is: nothing of ours outlives a statement, and a round trip is saved."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


def settings_of(address: Address, durability: Durability, read_only: bool) -> dict[str, str]:
    """What holds for every statement of a connection, whatever the server's own settings say."""
    found = {
        "search_path": address.schema,
        "application_name": "mainspring",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "on" if read_only else "off",
        "idle_in_transaction_session_timeout": "30000",
        "jit": "off",
        # All that is asked often is asked by key. A plan is made while the tables are nearly empty, when to read them
        # whole seems cheaper, and then kept.
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }
    if durability == "normal":
        found["synchronous_commit"] = "off"
    return found


async def connect(
    address: Address, durability: Durability = "full", *, read_only: bool = False, commits: bool = False
) -> Connection:
    """A connection of our own. Raises what asyncpg raises: see `explained`.

    `commits`: nothing else is done with it. Then plans need not look at how long the arrays of a call are, and are made
    once: a quarter of the server's time for a small group.
    """
    settings = settings_of(address, durability, read_only)
    if commits:
        settings["plan_cache_mode"] = "force_generic_plan"
    connection = await asyncpg.connect(
        address.dsn,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=VERB_SECONDS_MAX,
        server_settings=settings,
        connection_class=Bare,
    )
    try:
        await prepare(connection, durability)
    except BaseException:  # an engine that stops as soon as it has begun takes back that it wanted to listen
        connection.terminate()
        raise
    return connection


async def connect_pool(address: Address, durability: Durability, size_max: int, *, read_only: bool = False) -> Any:
    """Connections for whoever needs one for a moment."""

    async def init(connection: Connection) -> None:
        await prepare(connection, durability)

    return await asyncpg.create_pool(
        address.dsn,
        min_size=1,
        max_size=size_max,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=VERB_SECONDS_MAX,
        server_settings=settings_of(address, durability, read_only),
        connection_class=Bare,
        init=init,
    )


async def prepare(connection: Connection, durability: Durability) -> None:
    """Full durability means what it says, also where the server's own setting is not to wait for the disk."""
    if durability == "full":
        await connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )


def explained(address: Address, error: BaseException) -> StoreError:
    """An error in words that say where and what to do. Those that are a StoreError already stay what they are."""
    if isinstance(error, StoreError):
        return error
    where, text = address.shown, str(error) or type(error).__name__
    if getattr(error, "sqlstate", None) == OVER:
        return NotOwner(f"{text}: another engine has seen its lease expire, or it was given back")
    if isinstance(error, BROKEN_RULES):
        return StoreError(f"a group breaks the store's rules: {text}")
    if isinstance(error, asyncpg.DiskFullError):
        return StoreError(f"{where}: the server's disk is full ({text}). Nothing was lost; free some space and go on.")
    if isinstance(error, (asyncpg.DataCorruptedError, asyncpg.IndexCorruptedError)):
        return StoreCorrupt(f"{where}: {text}. Restore it from a backup.")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreError(f"cannot open {where}: {text}. Create it first (createdb), or name another.")
    if isinstance(error, (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)):
        return StoreError(f"cannot open {where}: {text}")
    if isinstance(error, (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)):
        return StoreError(f"{where}: {text}. Was its schema dropped while it was in use?")
    if isinstance(error, TimeoutError):
        return StoreError(f"{where}: no answer in time. Is the server overloaded, or cut off?")
    if isinstance(error, LOST):
        return StoreError(f"{where}: no connection ({text}). Does the server run? It is tried again at the next use.")
    return StoreError(f"{where}: {text}")


def is_ours(error: BaseException) -> bool:
    """Whether it comes from the server or the way to it, not from a fault in our own code."""
    return isinstance(error, (asyncpg.PostgresError, *LOST)) and not isinstance(error, asyncio.CancelledError)
