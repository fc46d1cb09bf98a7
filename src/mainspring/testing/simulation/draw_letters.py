"""Draw nodes whose work ends its own process: tried again and again they are condemned, and leave a dead letter."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from mainspring.definition.model import Connection, Node, Workflow
from mainspring.testing.simulation.draw_undo import everywhere

SHARE = 0.1
"""So many of the workflows have nodes that end their process: each of these costs the run some processes."""

JOINING_SHARE = 0.5
"""Of those with an inbox of their own so many: what they took from it makes a difference."""

CHANCES = (0.5, 0.8, 1.0)
"""How likely one run of such a node is to be cursed, with all its attempts."""


def with_killers(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; a share of them has nodes that end the process which they run in."""
    if random.random() >= SHARE:
        return workflow
    share = random.choice((0.15, 0.3))
    chance = random.choice(CHANCES)

    def deadly(node: Node) -> Node:
        joins = node.join is not None and node.join.kind in ("ports", "each")
        if node.type != "function" or random.random() >= (JOINING_SHARE if joins else share):
            return node
        made: Node = replace(node, config={**node.config, "kills": chance})
        return made

    def change(nodes: list[Node], edges: list[Connection]) -> tuple[list[Node], list[Connection]]:
        return [deadly(one) for one in nodes], edges

    nodes, connections = everywhere(workflow.nodes, workflow.connections, change)
    return replace(workflow, nodes=tuple(nodes), connections=tuple(connections))
