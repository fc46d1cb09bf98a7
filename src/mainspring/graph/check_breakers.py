"""Nodes that call the same target and do not agree on when to stop: what was said last would hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mainspring.definition.bodies import bodies, nesting_max
from mainspring.definition.findings import Pointer
from mainspring.definition.model import CircuitBreaker, Node, Workflow


def disagreeing(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    """Each node whose breaker differs from the first one of its target: what is to be said, and where."""
    first: dict[str, tuple[str, CircuitBreaker]] = {}
    for node, at in _everywhere(workflow.nodes, (), 0):
        told = node.circuit_breaker
        if told is None or told.target is None:
            continue
        name, known = first.setdefault(told.target, (node.id, told))
        if told != known:
            fields = [field for field in told.__struct_fields__ if getattr(told, field) != getattr(known, field)]
            what = ", ".join(_camel(field) for field in fields)
            yield f"`{node.id}` and `{name}` share the breaker of {told.target}, and differ in {what}", at


def _everywhere(nodes: Sequence[Node], at: Pointer, depth: int) -> Iterator[tuple[Node, Pointer]]:
    for index, node in enumerate(nodes):
        here = (*at, "nodes", index)
        yield node, (*here, "circuitBreaker")
        if depth < nesting_max:
            for way, body in bodies(node):
                yield from _everywhere(body.nodes, (*here, *way), depth + 1)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
