"""Draw workflows in which a block runs for each of several messages, and all its runs are undone afterwards.

A run that does not begin all of its branches leaves a number of bodies that is no multiple of these: from then on the number
in an address says less simply of which branch a body is. Where what undoes differs from branch to branch, that shows.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from mainspring.definition.model import Body, Connection, Join, Node, Workflow

SHARE = 0.02
"""So many of the workflows are such ones: nothing of the sort comes of the others."""


def with_reruns(random: Random, workflow: Workflow, number: int) -> Workflow:
    """The workflow, or in its place one whose block runs several times and is undone."""
    return workflow if random.random() >= SHARE else _rerun(random, f"rerun{number}")


def _rerun(random: Random, id: str) -> Workflow:
    sources = [_work(f"n{index}", random) for index in range(random.randint(2, 3))]
    branches = [_branch(random) for _ in range(random.randint(2, 3))]
    block = Node(
        id="n7",
        type="parallel",
        config={"concurrency": 1, "succeedAt": random.choice((1, 1, 2)), "branches": branches},
        join=Join(kind="each"),
    )
    last = Node(id="n8", type="function", config={"fail": 1})
    edges = [Connection(source=node.id, target="n7") for node in sources]
    return Workflow(
        id=id,
        nodes=(*sources, block, last),
        connections=(*edges, Connection(source="n7", target="n8")),
        compensation_scope=random.choice((None, "branch")),
        failure_policy="continue",
    )


def _branch(random: Random) -> Any:
    undo = random.choice(
        (
            Node(id="u0", type="log"),
            Node(id="u1", type="function", config={"ms": 5}),
            Node(id="u2", type="function", config={"ms": 5, "fail": 0.3}),
        )
    )
    work = Node(
        id="n0", type="function", config={"ms": 5, "fail": random.choice((0, 0, 0.4))}, compensation_node_id=undo.id
    )
    return msgspec.to_builtins(Body(nodes=(work, undo)))


def _work(id: str, random: Random) -> Node:
    return Node(id=id, type="function", config={"ms": random.choice((0, 5, 40))})
