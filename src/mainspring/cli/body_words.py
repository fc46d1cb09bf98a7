"""What is said of a block: how far it is, and which nodes are under way in its bodies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mainspring.cli.words import count, one_line
from mainspring.engine.bodies import Bodies
from mainspring.engine.result import NodeResult
from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import ACTIVE
from mainspring.machine.scope import Scope

NODES_LOOKED_AT_MAX = 2_000
"""So many nodes in open bodies are looked at, at most, each time that something is drawn."""

BRANCHES_NAMED_MAX = 4
NAME_MAX = 30

_PASSES = frozenset({"while", "until"})
_SIDE_BY_SIDE = frozenset({"parallel", "race"})


class Inner(NamedTuple):
    """A node under way in a body, so many bodies deep. `branch` is the name of that, where it has one."""

    depth: int
    node: NodeResult
    branch: str = ""


@dataclass
class Budget:
    """How many nodes may still be looked at."""

    left: int = NODES_LOOKED_AT_MAX


def is_open(node: NodeResult) -> bool:
    """Whether it is a block with bodies under way: then it counts as running, whatever it waits for."""
    if node.status not in ACTIVE:
        return False
    bodies = node.bodies
    return bodies is not None and bodies.open > 0


def look_of(node: NodeResult) -> str:
    """The status by whose symbol and colour it is shown."""
    if is_open(node):
        return "running"
    return "partial_success" if node.degraded and node.status == "completed" else node.status


def block_words(node: NodeResult) -> str:
    """`forEach 412/1,000, 50 at once, 3 failed`; once it has ended, what it did; "" where it is no block."""
    bodies, kind = node.bodies, node.definition.type
    if bodies is None:
        return ""
    failed = f"{bodies.failed:,} failed" if bodies.failed else ""
    if node.status != "waiting":
        if kind not in ("forEach", *_PASSES):
            return failed
        return _listed(count(bodies.begun, "pass", "passes") if kind in _PASSES else _bodies(bodies.begun), failed)
    if kind in _PASSES:
        most = node.definition.config.get("maxIterations")
        return f"{kind} pass {bodies.begun:,}" + (f" of at most {most:,}" if isinstance(most, int) else "")
    if kind in _SIDE_BY_SIDE:
        return _listed(f"{kind} {bodies.ended:,}/{bodies.total:,}", failed, _branches_open(node, bodies))
    if kind == "forEach":
        return _listed(f"{kind} {bodies.ended:,}/{bodies.total:,}", f"{bodies.open:,} at once", failed)
    return kind


def _bodies(number: int) -> str:
    return count(number, "body", "bodies")


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _branches_open(node: NodeResult, bodies: Bodies) -> str:
    names = [branch_name(node.definition.config, index) for index in bodies.branches]
    shown = ", ".join(names[:BRANCHES_NAMED_MAX])
    return f"open: {shown}{' …' if len(names) > BRANCHES_NAMED_MAX else ''}" if names else ""


def branch_name(config: dict[str, object], index: int) -> str:
    """What a branch is called, or else its number in brackets."""
    branches = config.get("branches")
    branch = branches[index] if isinstance(branches, list) and index < len(branches) else None
    name = branch.get("name") if isinstance(branch, dict) else None
    return one_line(name, NAME_MAX) if isinstance(name, str) else f"[{index}]"


def inside(block: NodeResult, budget: Budget, depth: int = 1) -> Iterator[Inner]:
    """What is under way in a block's bodies: the bodies that began first come first, a block's own bodies right after it."""
    branches = () if block.bodies is None else block.bodies.branches
    for number, body in enumerate(block.open_bodies()):
        branch = branch_name(block.definition.config, branches[number]) if branches else ""
        for node in body.values():
            budget.left -= 1
            if budget.left < 0:
                return
            if node.status in ACTIVE:
                yield Inner(depth, node, "" if branch.startswith("[") else branch)
                yield from inside(node, budget, depth + 1)


def body_states(instance: Instance, budget: Budget) -> Iterator[tuple[Scope, PlanNode, str]]:
    """The nodes in open bodies that have begun, with their statuses, as many as may be looked at."""
    for scope in instance.open.values():
        budget.left -= len(scope.nodes)
        if budget.left < 0:
            return
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True):
            if state is not None:
                yield scope, node, state.status
