"""A fault of the engine's own code stops what it must, says so, and hangs nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mainspring as ms
from mainspring.engine.live import Live
from mainspring.errors import MainspringError
from mainspring.machine import effects as fx


@ms.task(name="own_fault_step")
async def step() -> str:
    return "done"


def chain(id: str) -> ms.Workflow:
    nodes = [
        ms.Node("a", "function", config={"handler": "own_fault_step"}),
        ms.Node("b", "function", config={"handler": "own_fault_step"}, depends_on=["a"], timeout="1m"),
    ]
    return ms.Workflow(id, nodes=nodes)


async def test_an_order_that_cannot_be_carried_out_parks_its_instance_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ms.Engine("memory:") as engine:
        right = engine.host.deeds.orders[fx.ArmTimer]

        def arm(live: Live, order: Any) -> None:
            if live.program.plan.workflow.id == "broken":
                raise ZeroDivisionError("a planted fault")
            right(live, order)

        engine.host.deeds.orders[fx.ArmTimer] = arm
        broken = await engine.start(chain("broken"))
        assert (await (await engine.start(chain("sound"))).result()).status == "completed"
        async with asyncio.timeout(10):
            while (await broken.state()).status != "parked":
                await engine.host.writer.drained()
                await asyncio.sleep(0)
        assert (await broken.state()).reason.startswith(
            "the engine failed on ArmTimer: ZeroDivisionError: a planted fault"
        )
        assert "could not be carried out; the instance is parked" in caplog.text
        # Once the fault is mended, it goes on from where it stood.
        engine.host.deeds.orders[fx.ArmTimer] = right
        await engine.resume(broken.id)
        assert (await broken.result()).status == "completed"


async def test_a_writer_that_breaks_ends_the_engine_and_whoever_waits_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with ms.Engine("memory:") as engine:
        right, groups = engine.host.recovery.written, [0]

        def written() -> None:
            right()
            groups[0] += 1
            if groups[0] == 2:
                raise ZeroDivisionError("a planted fault")

        engine.host.recovery.written = written  # type: ignore[method-assign]
        run = await engine.start(chain("broken"))
        with pytest.raises(MainspringError, match="the engine failed: ZeroDivisionError: a planted fault"):
            async with asyncio.timeout(10):
                await run.result()
    assert "the writer failed" in caplog.text
