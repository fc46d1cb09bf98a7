"""What happens, as an observable of ReactiveX: `pip install 'mainspring[rx]'`.

A thin face on the engine's streams. Each subscription is a task of its own that pulls: what a subscriber has not taken yet is
in its follower's bounded tail, and beyond that in the journal. An error that a subscriber raises ends its own subscription
and reaches nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

from mainspring.errors import MainspringError

try:
    from reactivex import Observable, abc
    from reactivex.disposable import Disposable
except ImportError as error:  # pragma: no cover (the tests have it)
    if error.name != "reactivex":
        raise
    raise MainspringError("observables need reactivex: pip install 'mainspring[rx]'") from None

logger = logging.getLogger("mainspring.observe")

SHARE = 100
"""After so many items in a row a subscription lets others go on: items that are there already come without a pause."""


class Stream(Protocol):
    """What an engine's `follow` and `events` give."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """It iterates over itself."""
        ...

    async def aclose(self) -> None:
        """Follow no longer."""
        ...


class Source(Protocol):
    """What an observable needs of an engine."""

    def follow(self, after: Any = None) -> Stream:
        """The events of all instances."""
        ...

    def events(self, id: str, *, after: int = 0) -> Stream:
        """Those of one."""
        ...


def observable(engine: Source, id: str | None = None, *, after: Any = None) -> Observable[Any]:
    """The events of an instance (`Recorded`), after row `after`; or, without an id, of all (`Followed`, and `Behind` for
    whoever is too slow), after that place.

    Cold: each subscription begins at `after`. Subscribe where the engine's event loop runs: items come there. It completes
    with the instance; where the engine ends first, or the instance is unknown, it fails. Disposing ends it, in any thread.
    """

    def subscribe(observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        loop = asyncio.get_running_loop()
        stream = engine.follow(after) if id is None else engine.events(id, after=after or 0)
        task = loop.create_task(_pump(stream, observer), name="mainspring-rx")
        _running.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(_running.discard)

        def dispose() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

        return Disposable(dispose)

    return Observable(subscribe)


_running: set[asyncio.Task[None]] = set()


async def _pump(stream: Stream, observer: abc.ObserverBase[Any]) -> None:
    """Hand on what comes, until its end, or until nobody wants it."""
    try:
        number = 0
        async for item in stream:
            if not _told(observer.on_next, item):
                return
            number += 1
            if number % SHARE == 0:
                await asyncio.sleep(0)
    except Exception as error:
        _told(observer.on_error, error)
    else:
        _told(observer.on_completed)
    finally:
        await stream.aclose()


def _told(tell: Any, *what: Any) -> bool:
    """Whether the subscriber took it. What it raises is its own affair."""
    try:
        tell(*what)
    except Exception:
        logger.exception("a subscriber failed; its subscription ends")
        return False
    return True
