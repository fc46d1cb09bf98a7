"""The workflows that are measured, and the task that does nothing."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import msgspec

import mainspring as ms
from mainspring.definition.model import Connection, Node, Workflow


@ms.task(name="bench_noop")
async def noop(n: int = 0) -> dict[str, int]:
    """A step that costs nothing itself."""
    return {"n": 1}


def _node(id: str, *depends_on: str) -> Node:
    return Node(id=id, type="function", config={"handler": "bench_noop"}, depends_on=depends_on)


def chain(length: int = 10) -> Workflow:
    """One step after another."""
    return Workflow(id="chain", nodes=tuple(_node(f"n{i}", *([f"n{i - 1}"] if i else [])) for i in range(length)))


def chain_with_middle(length: int = 10) -> Workflow:
    """A chain whose middle step is `bench_middle`: whoever runs it says what that is."""
    nodes = list(chain(length).nodes)
    middle = nodes[length // 2]
    nodes[length // 2] = msgspec.structs.replace(middle, config={"handler": "bench_middle"})
    return Workflow(id="halfway", nodes=tuple(nodes))


def fan_out(width: int) -> Workflow:
    """A root, `width` parallel steps, a join."""
    middle = [f"m{i}" for i in range(width)]
    nodes = [_node("root"), *(_node(id, "root") for id in middle), _node("join", *middle)]
    return Workflow(id="fan-out", nodes=tuple(nodes))


def layered(nodes: int, width: int = 50) -> Workflow:
    """Layers of `width` nodes, each node after two of the layer before: twice as many connections as nodes."""
    draw = random.Random(nodes)
    made, connections = [], []
    for index in range(nodes):
        made.append(Node(id=f"n{index}", type="function", config={"handler": "bench_noop"}))
        layer = index // width
        if layer:
            for source in draw.sample(range((layer - 1) * width, layer * width), 2):
                connections.append(Connection(source=f"n{source}", target=f"n{index}"))
    return Workflow(id=f"layered-{nodes}", nodes=tuple(made), connections=tuple(connections))


def waiting(length: int = 10) -> Workflow:
    """Ten nodes, the last of which waits for an hour."""
    steps = chain(length - 1).nodes
    last = Node(id="wait", type="delay", config={"duration": "1h"}, depends_on=(steps[-1].id,))
    return Workflow(id="waiting", nodes=(*steps, last))


@ms.task(name="bench_middle")
async def middle(n: int = 0) -> dict[str, int]:
    """The middle step, which ends unless this process is the victim."""
    if stall is not None:
        await stall()
    return {"n": 1}


stall: Callable[[], Awaitable[None]] | None = None
"""Set by `victim`: what its middle steps wait for."""
