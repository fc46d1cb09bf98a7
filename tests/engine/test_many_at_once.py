"""What one of many instances costs does not grow with how many of them come to the same thing at once."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

import mainspring as ms


async def cpu_of_an_end(count: int) -> float:
    """Seconds of CPU for each of so many instances that end together: half by their work, half by a signal."""
    go = asyncio.Event()

    @ms.task(name="ends_together")
    async def work() -> None:
        await go.wait()

    by_work = ms.Workflow("by_work", nodes=[ms.Node("a", "function", config={"handler": "ends_together"})])
    by_signal = ms.Workflow("by_signal", nodes=[ms.Node("a", "wait", config={"signal": "go"})])
    async with ms.Engine("memory:") as engine:
        runs = [await engine.start(by_work if at % 2 else by_signal) for at in range(count)]
        gc.collect()
        began = time.process_time()
        go.set()
        await asyncio.gather(*(run.signal("go") for run in runs[::2]))
        for run in runs:
            assert (await run.result()).status == "completed"
        return (time.process_time() - began) / count


@pytest.mark.timed
async def test_thousands_that_end_together_cost_each_what_a_few_cost() -> None:
    """Each end looked through all inputs that waited: 66 us of each of 1,000, 1,900 us of each of 32,000."""
    gc.disable()  # its full collections grow with the heap, not with what we do
    try:
        await cpu_of_an_end(200)
        few, many = await cpu_of_an_end(500), await cpu_of_an_end(10_000)
    finally:
        gc.enable()
    assert many < 2.5 * few, f"{few * 1e6:.0f} us each of 500, {many * 1e6:.0f} us each of 10,000"
