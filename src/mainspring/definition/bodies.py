"""The graphs within a node: what a loop repeats, what runs side by side. They stand in its config, as plain trees.

Each is a scope of its own, with nodes and connections like those of a workflow, and may have such nodes again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from mainspring.definition.findings import Pointer
from mainspring.definition.model import Body, Node

body_types = frozenset(("subflow", "while", "until", "forEach", "parallel", "race", "mutex"))
"""The kinds of node that have a `body` (a subflow may have one), or `branches`: a list of bodies."""

nesting_max = 16
"""How deep bodies may be nested."""


def body_ways(type: Any, config: Any) -> Iterator[Pointer]:
    """Where the bodies of a node stand, within its config."""
    if not isinstance(type, str) or type not in body_types or not isinstance(config, dict):
        return
    if isinstance(config.get("body"), dict | list):
        yield ("body",)
    branches = config.get("branches")
    if isinstance(branches, list):
        yield from (("branches", index) for index, branch in enumerate(branches) if isinstance(branch, dict | list))


def tree_at(config: dict[str, Any], way: Pointer) -> Any:
    """The tree of one body."""
    here: Any = config
    for part in way:
        here = here[part]
    return here


def with_tree(config: dict[str, Any], way: Pointer, tree: Any) -> dict[str, Any]:
    """The same config with one body replaced; nothing of the old one is changed, it may be shared."""
    if len(way) == 1:
        return {**config, str(way[0]): tree}
    name, index = str(way[0]), way[1]
    return {**config, name: [tree if at == index else item for at, item in enumerate(config[name])]}


def bodies(node: Node) -> Iterator[tuple[Pointer, Body]]:
    """The bodies of a node, each with the way to it from the node. What is no body was told when it was read."""
    for way in body_ways(node.type, node.config):
        try:
            yield ("config", *way), msgspec.convert(tree_at(node.config, way), Body)
        except (msgspec.ValidationError, RecursionError):
            continue
