"""What the model knows and this version does not run, or does not enforce, yet.

The first is refused with its name, never run as something else; the second is said as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.definition.bodies import bodies, body_types
from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.model import Body, Node, Workflow
from mainspring.definition.vocabulary import node_types
from mainspring.graph.plan_node import MACHINE_TYPES

BLOCKS_AND_WAITS = frozenset(
    {*body_types, "wait", "cancel", "milestone"}  # forEach, while, until, parallel, race, mutex, subflow
)
RUNNABLE_TYPES = frozenset({"function", "script", *MACHINE_TYPES, *BLOCKS_AND_WAITS})


def unsupported(workflow: Workflow) -> list[Finding]:
    """One finding for each place."""
    return [
        finding("MS901", f"{what} is not run by this version of mainspring yet", at) for what, at in _places(workflow)
    ]


def _places(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    yield from _graph(workflow, ())


def _graph(graph: Workflow | Body, at: Pointer) -> Iterator[tuple[str, Pointer]]:
    """The nodes and connections of a graph, and of the bodies within it."""
    for index, node in enumerate(graph.nodes):
        for what, key in _node(node):
            yield f"{what} of node {node.id}", (*at, "nodes", index, key)
        for way, body in bodies(node):
            yield from _graph(body, (*at, "nodes", index, *way))


def _node(node: Node) -> Iterator[tuple[str, str]]:
    if node.type in node_types and node.type not in RUNNABLE_TYPES:  # others are custom kinds
        yield f"the type {node.type}", "type"
    if node.type == "delay" and not node.config.keys() & {"duration", "until"}:
        yield "a delay that is neither a `duration` nor `until` a time", "config"


def not_enforced(workflow: Workflow) -> list[Finding]:
    """What this version runs without: thresholds, triggers, limits where there is no work to be limited. It is said, so that
    nobody counts on it."""
    late = [
        finding("MS903", f"{what} is not enforced by this version of mainspring yet", at)
        for what, at in _promises(workflow)
    ]
    return late + [finding("MS903", what, at) for what, at in _limits_of_nothing(workflow, ())]


_OF_WORK = {
    "circuit_breaker": "circuitBreaker",
    "priority": "priority",
    "max_concurrent_executions": "maxConcurrentExecutions",
    "rate_limit": "rateLimit",
    "resources": "resources",
    "pool": "pool",
    "adaptive": "adaptive",
}
"""Limits, which only nodes have that do work in the world (SEMANTICS 72)."""


def _promises(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    if workflow.triggers:
        yield "what starts the workflow by itself (triggers)", ("triggers",)


def _limits_of_nothing(graph: Workflow | Body, at: Pointer) -> Iterator[tuple[str, Pointer]]:
    for index, node in enumerate(graph.nodes):
        if node.type in MACHINE_TYPES:
            for field, key in _OF_WORK.items():
                if getattr(node, field):
                    text = f"{key} of node {node.id} limits nothing: nodes of type {node.type} do no work of their own"
                    yield text, (*at, "nodes", index, key)
        for way, body in bodies(node):
            yield from _limits_of_nothing(body, (*at, "nodes", index, *way))
