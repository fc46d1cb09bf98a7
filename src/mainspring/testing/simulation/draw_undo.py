"""Draw undo nodes into a drawn workflow, into its own graph and its bodies: a share of the nodes can be undone then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from mainspring.definition.bodies import bodies, with_tree
from mainspring.definition.model import Body, Connection, Node, Resilience, Retry, Workflow

SHARE = 0.35
"""So many of the workflows have nodes that can be undone."""

Change = Callable[[list[Node], list[Connection]], tuple[list[Node], list[Connection]]]

MAPPINGS = (
    {"v": "${ compensation.output.v }", "left": "${ compensation.remaining }", "item": "${ item }"},
    {"of": "${ compensation.path }", "run": "${ compensation.run }", "why": "${ compensation.failed_node }"},
    {"v": "${ nodes.n0.output.v }", "last": "${ variables.last }", "error": "${ compensation.error.type }"},
    {"x": "${ 6 / (input.k - 2) }"},
)


def with_undo(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; a share of them has nodes that can be undone."""
    if random.random() >= SHARE:
        return workflow
    share = random.choice((0.3, 0.6, 1.0))
    nodes, connections = everywhere(
        list(workflow.nodes),
        list(workflow.connections),
        lambda nodes, connections: _undoable(random, nodes, connections, share),
    )
    return replace(
        workflow,
        nodes=tuple(nodes),
        connections=tuple(connections),
        compensation_scope=random.choice((None, "workflow", "branch")),
        compensate_on_cancel=random.random() < 0.6,
    )


def everywhere(
    nodes: Sequence[Node], connections: Sequence[Connection], change: Change
) -> tuple[list[Node], list[Connection]]:
    """A graph and all bodies in it, each changed likewise."""
    made = []
    for node in nodes:
        config = node.config
        for (_, *way), body in bodies(node):
            inner, between = everywhere(body.nodes, body.connections, change)
            changed: Body = replace(body, nodes=tuple(inner), connections=tuple(between))
            config = with_tree(config, tuple(way), msgspec.to_builtins(changed))
        made.append(node if config is node.config else replace(node, config=config))
    return change(made, list(connections))


def _undoable(
    random: Random, nodes: list[Node], connections: list[Connection], share: float
) -> tuple[list[Node], list[Connection]]:
    undoing = [_undo_node(random, f"u{number}") for number in range(random.randint(1, 3))]
    used: dict[str, Node] = {}
    made = []
    for node in nodes:
        if random.random() < share:
            by = random.choice(undoing)
            used[by.id] = by
            if random.random() < 0.25:
                connections.append(Connection(source=node.id, target=by.id, is_compensation=True))
            else:
                node = replace(node, compensation_node_id=by.id)
            told = node.resilience or Resilience()
            node = replace(
                node,
                resilience=replace(
                    told, compensate_failed=random.random() < 0.25, compensate_in_doubt=random.random() < 0.5
                ),
            )
        made.append(node)
    random.shuffle(connections)
    return [*made, *used.values()], connections


def _undo_node(random: Random, id: str) -> Node:
    """It may fail for good, take long, be tried again, be a block, be none of the world's business."""
    draw = random.random
    some: dict[str, Any] = {}
    if draw() < 0.3:
        some["input"] = random.choice(MAPPINGS)
    kind = draw()
    if kind < 0.08:
        return Node(id=id, type="delay", config={"duration": random.choice((0, 50, 400, 2_500))}, **some)
    if kind < 0.13:
        return Node(id=id, type="log", **some)
    if kind < 0.3:
        return undo_block(random, id, some)
    return function(random, id, some)


def function(random: Random, id: str, some: dict[str, Any]) -> Node:
    """One that does simulated work, off the graph or in a small body."""
    draw = random.random
    if draw() < 0.4:
        some["timeout"] = random.choice((60, 250, 1_000))
    if draw() < 0.6:
        some["retry"] = Retry(
            strategy=random.choice(("fixed", "exponential")),
            max_attempts=random.randrange(2, 5),
            initial_delay=random.choice((5, 60, 300)),
            max_delay=400,
            jitter=random.choice((0.0, 0.25)),
        )
    traits: dict[str, Any] = {"fail": random.choice((0, 0, 0.2, 0.5, 1)), "ms": random.choice((0, 5, 40, 200))}
    if "timeout" in some:
        traits["block"] = random.choice((0, 0.3))
        traits["lost"] = random.choice((0, 0.3))
    if draw() < 0.1:
        traits["absent"] = True
    if draw() < 0.3:
        traits["sets"] = True
    return Node(id=id, type="function", config=traits, **some)


def undo_block(random: Random, id: str, some: dict[str, Any]) -> Node:
    """A small block for a node that is off the graph."""
    inner = Body(nodes=(function(random, "n0", {}), function(random, "n1", {})))
    if random.random() < 0.5:
        inner = replace(inner, connections=(Connection(source="n0", target="n1"),))
    tree: dict[str, Any] = msgspec.to_builtins(inner)
    if random.random() < 0.5:
        return Node(
            id=id, type="forEach", config={"items": 2, "concurrency": random.randint(1, 2), "body": tree}, **some
        )
    return Node(id=id, type="subflow", config={"body": tree}, **some)
