"""What is in the bodies of a workflow's nodes: for pictures, which show a block as one node, and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mainspring.definition.bodies import bodies, body_types, nesting_max
from mainspring.definition.model import Body, Node


class Inner(NamedTuple):
    """One body: the path of its block, the branch it is where there are several, how deep it stands."""

    path: str
    branch: str
    depth: int
    body: Body


def inner_bodies(nodes: Sequence[Node], path: str = "", depth: int = 0) -> Iterator[Inner]:
    """All bodies, each followed by those within it."""
    for node in nodes:
        for way, body in bodies(node) if node.type in body_types and depth <= nesting_max else ():
            branch = body.name or (str(way[-1]) if isinstance(way[-1], int) else "")
            here = f"{path}{node.id}"
            yield Inner(here, branch, depth, body)
            yield from inner_bodies(body.nodes, f"{here}[{branch}]." if branch else f"{here}.", depth + 1)


def body_data(node: Node, depth: int = 0) -> list[dict[str, Any]]:
    """The bodies of a node as plain values."""
    if node.type not in body_types or depth > nesting_max:
        return []
    return [
        {
            "name": body.name,
            "nodes": [
                {"id": one.id, "name": one.name, "type": one.type, "bodies": body_data(one, depth + 1)}
                for one in body.nodes
            ],
            "connections": [
                *({"source": edge.source, "target": edge.target} for edge in body.connections),
                *({"source": source, "target": one.id} for one in body.nodes for source in one.depends_on),
            ],
        }
        for _, body in bodies(node)
    ]
