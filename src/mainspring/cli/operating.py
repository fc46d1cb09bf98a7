"""Having something done to instances that another process may be running: by the engine that holds the store, where one
does, else by one that is there for this alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from mainspring.cli import places
from mainspring.messaging import control

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKED_AT_SECONDS = 0.1
STARTING_SECONDS_MAX = 3.0
"""An engine that has only just taken the store listens a moment later."""

ANSWER_SECONDS_MAX = 120


async def operate(
    url: str,
    operation: control.Operation,
    ids: set[str] | None = None,
    *,
    children: bool = False,
    alone: Callable[[Any], Any] | None = None,
) -> Any:
    """Have it done, and give what is told of it.

    Where no engine holds the store, one is started that takes `ids` alone (None: nothing) and ends when it is done; `alone`
    is what it does instead. Raises what the engine raises, and StoreHeld where one holds the store that can't be told.
    """
    from mainspring.assembly import Engine, open_store
    from mainspring.cli.focused import FocusedStore
    from mainspring.engine.control import carry_out
    from mainspring.errors import StoreHeld

    socket = socket_of(url)
    for _ in range(round(STARTING_SECONDS_MAX / LOOKED_AT_SECONDS)):
        if socket is not None:
            answer = await ask(socket, operation)
            if answer is not None:
                return answer
        focused = FocusedStore(open_store(url), ids or set(), children=children)
        try:
            async with Engine(cast(Any, focused), wait=False, recover=False) as engine:
                return await (carry_out(engine, operation) if alone is None else alone(engine))
        except StoreHeld as held:
            refused = held
            await asyncio.sleep(LOOKED_AT_SECONDS)
    raise StoreHeld(f"{refused}, and does not answer: stop that engine (Ctrl-C), then do it again")


def socket_of(url: str) -> str | None:
    """Where the engine listens that holds this store (None: such a store is held by nobody, or by this process)."""
    from mainspring.assembly import open_store

    return open_store(url).control


async def ask(socket: str, operation: control.Operation) -> Any:
    """What the engine at this socket answers; None where nobody listens. Raises the error that it tells."""
    from mainspring import errors

    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=control.LINE_BYTES_MAX)
    except (OSError, AttributeError):  # no such socket, nobody behind it; Windows
        return None
    try:
        writer.write(control.line(operation))
        await writer.drain()
        said = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS_MAX)
    except TimeoutError:
        raise errors.StoreHeld(f"the engine at {socket} has not answered for {ANSWER_SECONDS_MAX} s") from None
    except OSError:
        said = b""
    finally:
        writer.close()
    if not said.endswith(b"\n"):
        raise errors.StoreError("the engine stopped before it answered: look whether it was done (mainspring show)")
    answer = control.decode_answer(said)
    if answer.error:
        kind = getattr(errors, answer.error, errors.MainspringError)
        raise kind(answer.message) if kind is not errors.DefinitionError else errors.MainspringError(answer.message)
    import msgspec

    return msgspec.json.decode(answer.done)


def user() -> str:
    """Who commands, where nobody says so."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


async def resolved(url: str, wanted: str) -> Any:
    """The record of the instance that is meant, read without taking the store."""
    from mainspring.cli.reading import opened

    async with opened(url) as store:
        return await places.resolve(store, wanted)
