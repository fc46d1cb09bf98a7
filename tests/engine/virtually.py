"""An engine in virtual time that a test drives by itself: it starts, stops and looks, and no wait costs anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mainspring.engine.engine import Engine
from mainspring.engine.settings import EngineSettings
from mainspring.journal.store import Store
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.testing.running import LONG_MS, _Clock, _Loop, _Outside

T = TypeVar("T")


def virtually(test: Callable[[Callable[[Store], Engine]], Awaitable[T]]) -> T:
    """Run a test on a loop whose time jumps. It gets what makes an engine on a store, all of them on the one clock."""
    outside = _Outside()
    clock = _Clock(outside, 0)

    def engine(store: Store, **settings: Any) -> Engine:
        given = EngineSettings(**{"lease_ms": LONG_MS, "sleep_after_ms": LONG_MS, **settings})
        return Engine(store, task_kinds(), describe, clock=clock, settings=given)

    async def once() -> T:
        return await test(engine)

    with asyncio.Runner(loop_factory=lambda: _Loop(outside)) as runner:
        return runner.run(once())
