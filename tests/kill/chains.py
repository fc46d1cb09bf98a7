"""What the victim runs: chains whose steps tell a file of their own that they ran, so the store is not asked about itself."""

from __future__ import annotations

import asyncio
import os

import mainspring as ms
from mainspring.definition.model import Node, Workflow

STEPS = 10

side_file = -1


def tell(line: str) -> None:
    """One write of one line on a file opened with O_APPEND: it is there whole, or not at all, when the process is killed."""
    os.write(side_file, f"{line}\n".encode())


@ms.task(name="kill_step")
async def step(ctx: ms.TaskContext, n: int, trail: str) -> dict[str, object]:
    """Say that it runs, take 4 to 19 ms, and give a value that depends on every step before."""
    tell(f"X {ctx.instance} {ctx.path} {ctx.attempt}")
    index = int(ctx.path[1:])
    await asyncio.sleep((4 + (n * 7 + index * 5) % 16) / 1000)
    return {"n": n * 3 % 1_000_003 + index, "trail": f"{trail}{ctx.path}"}


def chain() -> Workflow:
    """Ten steps, one after another."""
    nodes = [
        Node(id=f"s{i}", type="function", config={"handler": "kill_step"}, depends_on=(f"s{i - 1}",) if i else ())
        for i in range(STEPS)
    ]
    return Workflow(id="kill", nodes=tuple(nodes))
