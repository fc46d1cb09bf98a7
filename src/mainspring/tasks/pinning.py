"""A definition made in Python may hold callables; a store holds references that lead back to them (SEMANTICS 33)."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.definition.bodies import body_ways, tree_at, with_tree
from mainspring.definition.model import Node, Workflow
from mainspring.tasks.registry import reference_of


def pinned(workflow: Workflow) -> Workflow:
    """The same definition with each callable handler replaced by its reference.

    Raises HandlerNotFound where nothing leads back to one (a lambda, a closure without a registered name).
    """
    nodes = tuple(_pinned(node) for node in workflow.nodes)
    if all(new is old for new, old in zip(nodes, workflow.nodes, strict=True)):
        return workflow
    return msgspec.structs.replace(workflow, nodes=nodes)


def _pinned(node: Node) -> Node:
    config = node.config
    if callable(config.get("handler")):
        config = {**config, "handler": reference_of(config["handler"])}
    for way in body_ways(node.type, config):
        config = with_tree(config, way, _pinned_tree(tree_at(config, way)))
    return node if config is node.config else msgspec.structs.replace(node, config=config)


def _pinned_tree(value: Any) -> Any:
    """A body stands in the config as a plain tree: wherever a callable is left in it, it is a node's handler."""
    if isinstance(value, dict):
        return {name: _pinned_tree(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pinned_tree(item) for item in value]
    return reference_of(value) if callable(value) else value
