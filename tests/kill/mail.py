"""Instances that live on what is sent to them: two signals and an event each, with a step before, between and after.

An event goes to all instances that may wait for it, so there are `NAMES` workflows, each with an event of its own: what is
published for one instance reaches the few others of its workflow that are open too, which keep it or drop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import mainspring as ms
from mainspring.definition.model import Node, Workflow
from mainspring.errors import CommandRefused
from tests.kill.victim import insist
from tests.kill.work import Load, tell

NAMES = 100
SIGNALS = ("one", "two")
STEPS = 4

seconds = 0.01
"""How long a step takes."""


@ms.task(name="mail_step")
async def step(ctx: ms.TaskContext, sum: int, got: Any = None) -> int:
    """Say that it runs, and add what came."""
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    await asyncio.sleep(seconds)
    return sum + (got if isinstance(got, int) else 0)


def workflow(name: int) -> Workflow:
    """The one with this event."""

    def a(id: str, wait: str, before: str) -> Node:
        given = {"sum": f"${{ nodes.{before}.output }}", "got": f"${{ nodes.{wait}.output }}"}
        return Node(id=id, type="function", config={"handler": "mail_step"}, depends_on=(wait,), input=given)

    one, two = SIGNALS
    nodes = (
        Node(id="a", type="function", config={"handler": "mail_step"}),
        Node(id="w1", type="wait", config={"signal": one}, depends_on=("a",)),
        a("b", "w1", "a"),
        Node(id="w2", type="wait", config={"signal": two}, depends_on=("b",)),
        a("c", "w2", "b"),
        Node(id="w3", type="wait", config={"event": f"news-{name}", "transient": False}, depends_on=("c",)),
        a("e", "w3", "c"),
    )
    return Workflow(id=f"mail-{name}", nodes=nodes)


def mail(instances: int) -> Load:
    """So many of them. What an event says is the same for all: which of several one gets is left to chance."""
    return Load(
        [f"mail-{number % NAMES}:{number}" for number in range(instances)],
        7,
        lambda number: number + 1 + 10 + 100,
        lambda number: (*SIGNALS, f"news-{number % NAMES}"),
    )


async def send_and_wait(engine: ms.Engine, numbers: Iterable[int], width: int) -> None:
    """Start these, send each what it waits for, in whatever order, and wait for its end. Tells what was acknowledged."""
    flows, todo = [workflow(name) for name in range(NAMES)], iter(numbers)

    async def one(number: int) -> None:
        run = await insist(lambda: engine.start(flows[number % NAMES], input={"sum": number}, key=str(number)))
        tell(f"S {run.id}")

        async def signal(name: str, value: int) -> None:
            with suppress(
                CommandRefused
            ):  # it is at its end: what it was sent before had arrived, though that was not told
                await insist(lambda: run.signal(name, value, key=name))
            tell(f"G {run.id}/{name}")

        async def publish() -> None:
            await insist(lambda: engine.publish(f"news-{number % NAMES}", 100, key=str(number)))
            tell(f"G event/{number}/{run.id}")

        await asyncio.gather(signal("two", 10), publish(), signal("one", 1))
        result = await insist(run.result)
        tell(f"E {run.id} {result.status}")

    async def worker() -> None:
        for number in todo:
            await one(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(worker())
