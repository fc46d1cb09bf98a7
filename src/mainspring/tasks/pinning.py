"""A definition made in Python may hold callables; a store holds references that lead back to them (SEMANTICS 33)."""

from __future__ import annotations

import msgspec

from mainspring.definition.model import Node, Workflow
from mainspring.tasks.registry import reference_of


def pinned(workflow: Workflow) -> Workflow:
    """The same definition with each callable handler replaced by its reference.

    Raises HandlerNotFound where nothing leads back to one (a lambda, a closure without a registered name).
    """
    if not any(_has_callable(node) for node in workflow.nodes):
        return workflow
    return msgspec.structs.replace(workflow, nodes=tuple(_pinned(node) for node in workflow.nodes))


def _has_callable(node: Node) -> bool:
    return callable(node.config.get("handler"))


def _pinned(node: Node) -> Node:
    if not _has_callable(node):
        return node
    return msgspec.structs.replace(node, config={**node.config, "handler": reference_of(node.config["handler"])})
