"""`run.state(at=...)` agrees with the live stream: whoever folds the events as they come has what is looked back at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import mainspring as ms
from mainspring.engine.settings import EngineSettings
from mainspring.journal.store import Store
from mainspring.machine.fold import fold
from mainspring.machine.instance import Instance
from tests.machine.harness import state_bytes

OFTEN = EngineSettings(snapshot_turns_min=1)


async def large() -> str:
    return "x" * 40_000


async def one(item: int) -> int:
    return item


def _workflow() -> ms.Workflow:
    body = ms.Body(nodes=[ms.Node("one", "function", config={"handler": one}, input={"item": "${ item }"})])
    each = {"items": 3, "concurrency": 2, "body": body}
    return ms.Workflow(
        "looking-back",
        nodes=[
            ms.Node("a", "function", config={"handler": large}),
            ms.Node("each", "forEach", config=each, depends_on=["a"]),
            ms.Node("b", "function", config={"handler": large}, depends_on=["each"]),
        ],
    )


async def test_each_event_of_the_stream_gives_what_is_looked_back_at(store: Store) -> None:
    async with ms.Engine(store, settings=OFTEN) as engine:
        run = await engine.start(_workflow())
        now = (await run.state()).instance
        streamed = Instance(now.plan, run.id)
        places = 0
        async for event in run.events():
            fold(streamed, event.event, event.at)
            past = await run.state(at=(event.seq, event.index))
            assert state_bytes(past.instance) == state_bytes(streamed), f"{event.seq}.{event.index}"
            places += 1
        assert places > 15
        last = event.seq
        assert state_bytes((await run.state(at=last)).instance) == state_bytes((await run.state()).instance)
        assert (await run.state(at=datetime.now(UTC))).status == "completed"
        assert (await run.state(at=1)).status == "running"
        with pytest.raises(ms.UnknownMoment, match=f"rows 1 to {last}"):
            await run.state(at=last + 1)
        with pytest.raises(ms.UnknownMoment, match="had not begun"):
            await run.state(at=datetime(2020, 1, 1, tzinfo=UTC))
        with pytest.raises(ms.UnknownInstance):
            await engine.inspect("nobody", until=1)
