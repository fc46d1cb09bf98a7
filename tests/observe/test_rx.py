"""Observables: what the streams have, a subscription at a time, and nothing that one does reaches the engine or another."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

import mainspring as ms
from mainspring.engine import tails
from mainspring.engine.following import Behind
from tests.engine.conftest import node, workflow

reactivex = pytest.importorskip("reactivex")


async def quick() -> int:
    return 1


def chain(length: int = 4) -> Any:
    return workflow(node("n0", quick), *[node(f"n{i}", quick, f"n{i - 1}") for i in range(1, length)])


class Told:
    """Keeps what an observable says."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.ended = asyncio.Event()
        self.error: Exception | None = None

    def fail(self, error: Exception) -> None:
        self.error = error
        self.ended.set()

    def to(self, observable: Any) -> Any:
        return observable.subscribe(self.items.append, self.fail, self.ended.set)


async def test_an_instance_from_its_start_to_its_end() -> None:
    from mainspring.observe.rx import observable

    async with ms.Engine("memory:") as engine:
        run = await engine.start(chain())
        told, late = Told(), Told()
        told.to(observable(engine, run.id))
        await asyncio.wait_for(told.ended.wait(), 10)
        late.to(observable(engine, run.id, after=2))
        await asyncio.wait_for(late.ended.wait(), 10)
        events = [one async for one in run.events()]
        assert told.items == events and told.error is None
        assert late.items == [one for one in events if one.seq > 2]
        assert len(engine._tails) == 0


async def test_operators_compose() -> None:
    from reactivex import operators

    from mainspring.observe.rx import observable

    async with ms.Engine("memory:") as engine:
        told = Told()
        done = operators.filter(lambda one: one.name == "InstanceCompleted")
        told.to(observable(engine).pipe(done, operators.map(lambda one: one.id), operators.take(3)))
        runs = [await engine.start(chain()) for _ in range(3)]
        await asyncio.wait_for(told.ended.wait(), 10)
        assert sorted(told.items) == sorted(run.id for run in runs)
        while len(engine._tails):  # `take` disposes of what it has had enough of
            await asyncio.sleep(0)


async def test_one_that_throws_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    from mainspring.observe.rx import observable

    def bad(item: Any) -> None:
        raise ValueError("no")

    async with ms.Engine("memory:") as engine:
        run = await engine.start(chain())
        told, all_of_it = Told(), observable(engine, run.id)
        with caplog.at_level(logging.CRITICAL, "mainspring.observe"):
            all_of_it.subscribe(bad)
            told.to(all_of_it)
            await asyncio.wait_for(told.ended.wait(), 10)
        assert (await run.result()).status == "completed"
        assert told.items == [one async for one in run.events()]
        assert len(engine._tails) == 0


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_disposing_ends_it_in_any_thread(elsewhere: bool) -> None:
    from mainspring.observe.rx import _running, observable

    async with ms.Engine("memory:") as engine:
        subscription = Told().to(observable(engine))
        while not engine._tails._of_all:
            await asyncio.sleep(0)
        if elsewhere:
            thread = threading.Thread(target=subscription.dispose)
            thread.start()
            await asyncio.to_thread(thread.join)
        else:
            subscription.dispose()
        while len(engine._tails) or _running:
            await asyncio.sleep(0)


async def test_failures_are_told() -> None:
    from mainspring.observe.rx import observable

    unknown, stopped = Told(), Told()
    async with ms.Engine("memory:") as engine:
        unknown.to(observable(engine, "nobody"))
        await asyncio.wait_for(unknown.ended.wait(), 10)
        stopped.to(observable(engine))
        while not engine._tails._of_all:
            await asyncio.sleep(0)
    await asyncio.wait_for(stopped.ended.wait(), 10)
    assert isinstance(unknown.error, ms.UnknownInstance)
    assert isinstance(stopped.error, ms.MainspringError) and "stopped" in str(stopped.error)


async def test_one_that_holds_the_loop_up_is_told_that_it_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.observe.rx import observable

    monkeypatch.setattr(tails, "TAIL_ROWS_MAX", 2)
    async with ms.Engine("memory:") as engine:
        told = Told()
        told.to(observable(engine))
        runs = [await engine.start(chain()) for _ in range(20)]
        for run in runs:
            await run.result()
        while sum(getattr(one, "name", "") == "InstanceCompleted" for one in told.items) < 20:
            await asyncio.sleep(0)
        assert any(isinstance(one, Behind) for one in told.items)
        places = [(one.id, one.seq, one.index) for one in told.items if not isinstance(one, Behind)]
        expected = {(run.id, one.seq, one.index) for run in runs async for one in run.events()}
        assert len(places) == len(set(places)) and set(places) == expected
