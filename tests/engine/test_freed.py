"""An engine that is over leaves nothing in memory, however it ended and whatever was under way."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

import mainspring as ms


@ms.task(name="freed_hangs")
async def hangs() -> None:
    await asyncio.sleep(1_000)


def played(how: str) -> weakref.ref[ms.Engine]:
    """An engine with instances that run, wait for a place, and wait for a signal, until it stops or is killed."""

    async def play() -> weakref.ref[ms.Engine]:
        limited = ms.Node("a", "function", config={"handler": "freed_hangs"}, max_concurrent_executions=2)
        workflow = ms.Workflow("w", nodes=[limited, ms.Node("b", "wait", config={"signal": "go"})])
        engine = await ms.Engine("memory:").__aenter__()
        for _ in range(4):
            await engine.start(workflow)
        await asyncio.sleep(0)
        if how == "killed":
            await engine.host.kill()
        else:
            await engine.__aexit__(None, None, None)
        return weakref.ref(engine)

    return asyncio.run(play())


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_nothing_of_an_engine_stays(how: str) -> None:
    """Whoever opens engines again and again, as tests do, kept each of them with all of its store. (Python itself, and the
    tracing of coverage, may keep what ran last a little longer.)"""
    engines = [played(how) for _ in range(8)]
    gc.collect()
    assert [engine() for engine in engines[:4]] == [None] * 4


@ms.task(name="freed_fails")
async def fails() -> None:
    raise ValueError("no")


@ms.task(name="freed_ends")
async def ends() -> int:
    return 1


async def left_to_the_collector(handler: str, **more: object) -> list[str]:
    """What ten instances of such nodes leave that only the garbage collector can find."""
    nodes = [ms.Node(f"n{i}", "function", config={"handler": handler}, **more) for i in range(5)]  # type: ignore[arg-type]
    workflow = ms.Workflow("w", nodes=nodes, failure_policy="partial_success")
    async with ms.Engine("memory:") as engine:
        await (await engine.start(workflow)).result()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await (await engine.start(workflow)).result()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            return sorted({type(one).__name__ for one in gc.garbage})
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


@pytest.mark.parametrize(
    ("handler", "more"),
    [
        ("freed_ends", {}),
        ("freed_ends", {"max_concurrent_executions": 2}),
        ("freed_fails", {}),
        ("freed_fails", {"retry": ms.Retry(max_attempts=3, initial_delay=1)}),
        ("freed_hangs", {"timeout": 5}),
    ],
)
async def test_attempts_leave_nothing_to_the_collector(handler: str, more: dict[str, object]) -> None:
    """A failed one left its error, the error's traceback, and by that its frames and its task: twelve objects."""
    assert await left_to_the_collector(handler, **more) == []
