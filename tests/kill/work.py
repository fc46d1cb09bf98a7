"""What the victims run: a workflow whose steps tell a file of their own that they ran, so no store is asked about itself.

Chains, a fork into three branches (one waits for a timer, one fails at its first attempt), a join, a wait for a signal. What
an instance has to come to follows from its number alone (`expected`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mainspring as ms
from mainspring.definition.model import Node, Retry, Workflow

BEFORE, AFTER = 8, 8
"""How many steps stand before the fork, and after the wait."""

PAUSE = "150ms"

slow = 1
"""How much longer each step takes than it says."""

side_file = -1


@dataclass
class Load:
    """What goes through, and what is known of it beforehand. Each function takes an instance's number."""

    ids: list[str]
    nodes: int
    expected: Callable[[int], Any]
    signals: Callable[[int], tuple[str, ...]]


def tell(line: str) -> None:
    """One write of one line on a file opened with O_APPEND: it is there whole, or not at all, when the process is killed.

    A kill takes nothing away that the kernel has; so no fsync, which only a power loss would ask for.
    """
    os.write(side_file, f"{line}\n".encode())


async def _work(ctx: ms.TaskContext, n: int) -> None:
    tell(f"X {ctx.idempotency_key} {ctx.attempt}")
    await asyncio.sleep((4 + (n * 7 + len(ctx.path) * 5 + ord(ctx.path[-1])) % 16) * slow / 1000)


@ms.task(name="kill_step")
async def step(ctx: ms.TaskContext, n: int, trail: str) -> dict[str, Any]:
    """Say that it runs, take 4 to 19 ms, and give a value that depends on every step before."""
    await _work(ctx, n)
    return _next(n, trail, ctx.path)


@ms.task(name="kill_flaky")
async def flaky(ctx: ms.TaskContext, n: int, trail: str) -> dict[str, Any]:
    """A step whose first attempt fails, unless a kill was faster."""
    await _work(ctx, n)
    if ctx.attempt == 1:
        raise ConnectionError("the first attempt fails")
    return _next(n, trail, ctx.path)


@ms.task(name="kill_join")
async def join(ctx: ms.TaskContext, a2: dict[str, Any], b1: dict[str, Any], c1: dict[str, Any]) -> dict[str, Any]:
    """A step after three others."""
    await _work(ctx, a2["n"])
    return _joined(a2, b1, c1)


@ms.task(name="kill_go_on")
async def go_on(ctx: ms.TaskContext, told: int, made: dict[str, Any]) -> dict[str, Any]:
    """A step after the wait: what was signalled is a part of its value."""
    await _work(ctx, told)
    return _told(told, made)


def _next(n: int, trail: str, path: str) -> dict[str, Any]:
    return {"n": n * 3 % 1_000_003 + len(path), "trail": f"{trail}{path}"}


def _joined(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"n": sum(part["n"] for part in parts) % 1_000_003, "trail": "|".join(part["trail"] for part in parts)}


def _told(told: int, made: dict[str, Any]) -> dict[str, Any]:
    return {"n": made["n"] + told, "trail": f"{made['trail']}!{told}"}


def _names() -> tuple[list[str], list[str]]:
    return [f"s{i}" for i in range(BEFORE)], [f"t{i}" for i in range(AFTER)]


def mixture() -> Workflow:
    """All of it."""
    before, after = _names()

    def a(id: str, *depends_on: str, handler: str = "kill_step", **more: Any) -> Node:
        return Node(id=id, type="function", config={"handler": handler}, depends_on=depends_on, **more)

    fork = before[-1]
    nodes = [
        *[a(id, *before[max(i - 1, 0) : i]) for i, id in enumerate(before)],
        a("a0", fork),
        a("a1", "a0"),
        a("a2", "a1"),
        a("b0", fork),
        Node(id="d", type="delay", config={"duration": PAUSE}, depends_on=("b0",)),
        a("b1", "d"),
        a("c0", fork, handler="kill_flaky", retry=Retry(max_attempts=3, initial_delay=5)),
        a("c1", "c0"),
        a("j", "a2", "b1", "c1", handler="kill_join"),
        Node(id="w", type="wait", config={"signal": "go"}, depends_on=("j",)),
        a("t0", "w", handler="kill_go_on", input={"told": "${ nodes.w.output }", "made": "${ nodes.j.output }"}),
        *[a(id, after[i]) for i, id in enumerate(after[1:])],
    ]
    return Workflow(id="storm", nodes=tuple(nodes))


TASKS = BEFORE + 3 + 2 + 2 + 1 + AFTER
NODES = TASKS + 2
LINES = TASKS + 1 + 3
"""How many lines an instance writes that nobody kills: its tasks (one of them twice), its start, its signal, its end."""


def expected(number: int) -> dict[str, Any]:
    """The output of the last node, by plain Python."""
    before, after = _names()

    def chain(value: dict[str, Any], *names: str) -> dict[str, Any]:
        for name in names:
            value = _next(value["n"], value["trail"], name)
        return value

    forked = chain({"n": number, "trail": ""}, *before)
    branches = (chain(forked, *names) for names in (("a0", "a1", "a2"), ("b0", "b1"), ("c0", "c1")))
    return chain(_told(number, _joined(*branches)), *after[1:])


def storm(instances: int) -> Load:
    """So many of the mixture."""
    ids = [f"storm:{number}" for number in range(instances)]
    return Load(ids, NODES, expected, lambda number: ("go",))
