"""What can be wrong with nodes that name others of their graph: cancels and milestones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.definition.findings import Pointer
from mainspring.definition.model import Node
from mainspring.graph.faults import Fault

NAMING = frozenset(("cancel", "milestone"))
_EXAMPLE = "as in `config: {nodes: [pack, bill]}`"


def names_in(node: Node, index: int) -> Iterator[tuple[str, str, Pointer]]:
    """Each node that one of them names: the key, the name, the place."""
    at: Pointer = ("nodes", index, "config")
    listed = node.config.get("nodes")
    if node.type == "cancel" and isinstance(listed, list):
        yield from (
            ("nodes", name, (*at, "nodes", place)) for place, name in enumerate(listed) if isinstance(name, str)
        )
    elif node.type == "milestone":
        for key in ("after", "before"):
            if isinstance(node.config.get(key), str):
                yield key, node.config[key], (*at, key)


def cancel(config: dict[str, Any]) -> Iterator[Fault]:
    """It lists nodes."""
    if "nodes" not in config:
        yield Fault("a cancel needs `nodes`, the ids of what it stops", (), _EXAMPLE)
    elif not isinstance(config["nodes"], list) or not config["nodes"]:
        yield Fault("`nodes` is a list of ids of nodes, one at least", ("nodes",), _EXAMPLE)
    else:
        for place, name in enumerate(config["nodes"]):
            if not isinstance(name, str):
                yield Fault("a node is named by its id, as text", ("nodes", place))
            elif name in config["nodes"][:place]:
                yield Fault(f"`{name[:80]}` is listed twice", ("nodes", place), "leave one out")


def milestone(config: dict[str, Any]) -> Iterator[Fault]:
    """It is told one node or two."""
    named = [key for key in ("after", "before") if key in config]
    if not named:
        hint = "as in `config: {after: paid}`; `before: shipped` closes it again"
        yield Fault("a milestone needs `after`, `before`, or both: the ids of nodes", (), hint)
    for key in named:
        if not isinstance(config[key], str):
            yield Fault(f"`{key}` is the id of a node, as text", (key,))
    if len(named) == 2 and config["after"] == config["before"]:
        yield Fault("it can never be open: the same node opens and closes it", ("before",), "name another node")
