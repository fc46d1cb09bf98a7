"""What is wrong with undo nodes: a node has one at most, one that works by itself, and nothing undoes what undoes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainspring.definition.findings import Pointer
from mainspring.definition.model import Workflow

NOT_ALONE = {
    "cancel": "a cancel has to do with others of its graph",
    "milestone": "a milestone has to do with others of its graph",
    "terminate": "nothing ends an instance while it undoes what it did",
}
"""Kinds of node that cannot undo, and why."""


def faults_of_undo(workflow: Workflow, index: Mapping[str, int]) -> Iterator[tuple[Pointer, str, str]]:
    """Where in the graph it is, what is wrong, and what to do."""
    undone: dict[str, str] = {}
    said = list(_said(workflow, index))
    undoing = {undo for _, undo, _ in said}
    for id, undo, at in said:
        if undone.setdefault(id, undo) != undo:
            yield (
                at,
                f"`{id}` is undone by `{undone[id]}` already",
                "name one node, which may be a forEach or a subflow",
            )
        elif id in undoing and id != undo:
            yield at, f"`{id}` undoes another node, and is not undone itself", "leave it out"
        kind = workflow.nodes[index[undo]].type
        if kind in NOT_ALONE:
            yield at, f"`{undo}` cannot undo a node: {NOT_ALONE[kind]}", "name a node that works by itself"


def _said(workflow: Workflow, index: Mapping[str, int]) -> Iterator[tuple[str, str, Pointer]]:
    """Who is undone by whom, and where that stands."""
    for place, node in enumerate(workflow.nodes):
        if node.compensation_node_id in index:
            yield node.id, node.compensation_node_id or "", ("nodes", place, "compensationNodeId")
    for place, one in enumerate(workflow.connections):
        if one.is_compensation and one.source in index and one.target in index:
            yield one.source, one.target, ("connections", place)
