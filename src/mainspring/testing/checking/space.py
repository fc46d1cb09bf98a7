"""What can go wrong in a workflow: its nodes that do work in the world, and the ways in which each may fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from msgspec import Struct

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.graph.family import family_of
from mainspring.graph.plan import Plan, PlanNode
from mainspring.testing.checking.faults import PORT, Fault
from mainspring.testing.checking.outputs import Modelled, modelled

PLACES_ASSUMED = 1
"""A pool whose size nobody has said has so many places: the fewer there are, the more has to wait."""

FALLBACK = "[fallback]."
"""What stands in for a node has its place in that of the node."""


class Part(Struct):
    """A workflow of the family: the one that is checked ("" by name), or one that subflows start."""

    name: str
    plan: Plan
    outputs: Modelled
    undoing: frozenset[str] = frozenset()

    @property
    def undoes(self) -> bool:
        """Whether anything in it can be undone."""
        return bool(self.undoing)


class Space(Struct):
    """All that a run is drawn from. `parts` by the ids of their workflows; `assumed`: pools whose size nobody has said."""

    root: Workflow
    definition: Definition | Workflow
    children: list[Definition]
    parts: dict[str, Part]
    faults: list[Fault]
    instances: int
    input: Any = None
    pools: dict[str, int] = {}
    assumed: tuple[str, ...] = ()

    @property
    def variants(self) -> int:
        """How many choices of modelled outputs there are."""
        return max(part.outputs.variants for part in self.parts.values())

    def sets(self, failures: int) -> Iterator[tuple[Fault, ...]]:
        """All sets of so many failures, of different nodes."""
        for chosen in combinations(self.faults, failures):
            if len({(fault.workflow, fault.place) for fault in chosen}) == failures:
                yield chosen

    def tokens(self) -> dict[str, Fault]:
        """The failures by what they are called in a token."""
        return {fault.token(): fault for fault in self.faults}


def space_of(
    definition: Definition | Workflow,
    *,
    input: Any = None,
    outputs: Mapping[str, Any] | None = None,
    instances: int | None = None,
    pools: Mapping[str, int] | None = None,
) -> Space:
    """What there is to explore of a definition, and of what its subflows start. Raises DefinitionError of a child's file."""
    workflow = definition.workflow if isinstance(definition, Definition) else definition
    children = family_of(definition) if isinstance(definition, Definition) else []
    parts = {workflow.id: _part("", workflow, outputs or {}, input)}
    for child in children:
        parts.setdefault(child.workflow.id, _part(child.workflow.id, child.workflow, {}, None))
    faults = sorted(fault for part in parts.values() for fault in _faults(part))
    wanted = instances or (2 if any(_is_shared(part.plan) for part in parts.values()) else 1)
    named = {node.definition.pool for part in parts.values() for node in part.plan.everywhere() if node.definition.pool}
    assumed = tuple(sorted(named - (pools or {}).keys()))
    places = dict.fromkeys(assumed, PLACES_ASSUMED) | dict(pools or {})
    return Space(workflow, definition, children, parts, faults, wanted, pools=places, assumed=assumed)


def works_there(part: Part, node: PlanNode) -> bool:
    """Whether a node begins at its place: one that stands in for others does so at theirs."""
    return not node.off_graph or any(node.id == undoing for undoing in part.undoing)


def _part(name: str, workflow: Workflow, outputs: Mapping[str, Any], input: Any) -> Part:
    plan = Plan(workflow)
    undoing = {node.undo.node.id for node in plan.everywhere() if node.undo is not None}
    return Part(name, plan, modelled(workflow, outputs, input), frozenset(undoing))


def _is_shared(plan: Plan) -> bool:
    """Whether instances share something that is limited: then one of them alone shows nothing."""
    return any(
        node.definition.max_concurrent_executions is not None
        or node.definition.pool is not None
        or node.machine_kind == "mutex"
        for node in plan.everywhere()
    )


def _faults(part: Part) -> Iterator[Fault]:
    seen: set[str] = set()
    for node in part.plan.everywhere():
        if node.place not in seen and works_there(part, node):
            seen.add(node.place)
            for way in _ways(node):
                yield Fault(part.name, node.place, way)


def _ways(node: PlanNode) -> Iterator[str]:
    if node.machine_kind == "wait":
        if node.told.kind == "approval":
            yield "rejected"
        if node.timeout is not None:
            yield "unanswered"
        if node.told.listed:  # of several names, each is a way out
            names = node.definition.config[node.told.kind]
            yield from (f"{PORT}{name}" for name in names[1:] if "${" not in str(name))
    if node.machine_kind:
        return
    yield "error"
    if node.max_attempts > 1:
        yield "once"
    if node.timeout is not None:
        yield "timeout"
    if ("." in node.place and FALLBACK not in node.place) or node.repeating:
        yield "second"
    for port in sorted(node.ports):
        yield f"{PORT}{port}"
