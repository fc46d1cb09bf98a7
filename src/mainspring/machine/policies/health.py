"""How well an instance is: worked out from its state when somebody asks, and never stored (SEMANTICS 60-63)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import Instance
from mainspring.machine.policies.deciding import TERMINATE, failed_nodes
from mainspring.machine.scope import NodeState

TIMED_OUT = "the workflow timed out"
"""Why nodes are stopped when the instance has taken too long."""

MESSAGE_MAX = 120


class Function(Struct, frozen=True):
    """What a business does, as far as this workflow does it: the nodes with one tag. `status` is working, degraded or
    unavailable."""

    name: str
    status: str
    nodes: tuple[str, ...]


class Health(Struct, frozen=True):
    """How well an instance is. `value` is from 0 to 1; `continuity` is full, degraded, at_risk or interrupted.

    `lost` and `degraded` are the ids of nodes, `recommendations` a line for each of them, heaviest first.
    """

    value: float
    continuity: str
    functions: tuple[Function, ...] = ()
    lost: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()


def health_of(instance: Instance) -> Health:
    """The health of an instance as it stands, whether or not it is at its end."""
    policies = instance.plan.policies
    nodes = [node for node in instance.graph.nodes if not node.off_graph]
    lost = _lost(instance)
    degraded = {node.index for node in nodes if _is_degraded(instance, node) and node.index not in lost}
    if not lost and not degraded:
        return Health(1.0, "full", tuple(_functions(instance, nodes, lost, degraded)))
    weights = {node.index: policies.of(node).weight for node in nodes}
    missing = sum(weights[index] for index in lost) + sum(weights[index] for index in degraded) / 2
    functions = tuple(_functions(instance, nodes, lost, degraded))
    hit = [node for node in nodes if node.index in lost or node.index in degraded]
    hit.sort(key=lambda node: -weights[node.index])
    return Health(
        1 - missing / sum(weights.values()),
        _continuity(functions, any(policies.of(instance.graph.nodes[index]).critical for index in lost)),
        functions,
        tuple(node.id for node in nodes if node.index in lost),
        tuple(node.id for node in nodes if node.index in degraded),
        tuple(_advice(instance, node, node.index in lost) for node in hit),
    )


def _is_degraded(instance: Instance, node: PlanNode) -> bool:
    state = instance.nodes[node.index]
    return state is not None and state.degraded


def _lost(instance: Instance) -> set[int]:
    """The nodes whose work will not be done: they failed, were stopped with the rest, or nothing is left to start them."""
    graph, states = instance.graph, instance.nodes
    lost = {node.index for node in failed_nodes(instance)}
    reasons = {TIMED_OUT, *_terminations(instance)}
    for index, state in enumerate(states):
        if state is not None and state.status in ("cancelled", "skipped") and state.reason in reasons:
            lost.add(index)
    line = list(lost)
    for index in line:  # which grows meanwhile
        for edge in graph.nodes[index].outgoing:
            target, state = graph.nodes[edge.target], states[edge.target]
            if edge.target in lost or state is None or state.status != "skipped":
                continue
            if all(one.source in lost for one in target.incoming):
                lost.add(edge.target)
                line.append(edge.target)
    return {index for index in lost if not graph.nodes[index].off_graph}


def _terminations(instance: Instance) -> Iterator[str]:
    """Why nodes were stopped with the whole: what `failure.carry_out` says of it."""
    for node, state in zip(instance.graph.nodes, instance.nodes, strict=True):
        if state is not None and state.decision == TERMINATE:
            yield f"{node.path} failed: {state.reason}"


def _functions(instance: Instance, nodes: list[PlanNode], lost: set[int], degraded: set[int]) -> Iterator[Function]:
    """The tags of nodes, in the order in which they are met; without any, the whole is one function."""
    tagged: dict[str, list[PlanNode]] = {}
    for node in nodes:
        for tag in node.definition.tags:
            tagged.setdefault(tag, []).append(node)
    policies = instance.plan.policies
    for name, having in (tagged or {instance.plan.workflow.id: nodes}).items():
        gone = [node for node in having if node.index in lost]
        if gone and (len(gone) == len(having) or any(policies.of(node).critical for node in gone)):
            status = "unavailable"
        else:
            status = "degraded" if gone or any(node.index in degraded for node in having) else "working"
        yield Function(name, status, tuple(node.id for node in having))


def _continuity(functions: tuple[Function, ...], critical_lost: bool) -> str:
    """What is left, where something is lost or degraded."""
    statuses = [function.status for function in functions]
    if critical_lost or all(status == "unavailable" for status in statuses):
        return "interrupted"
    return "at_risk" if "unavailable" in statuses else "degraded"


def _advice(instance: Instance, node: PlanNode, lost: bool) -> str:
    """What happened to a node, by which decision, and what can be done."""
    state = instance.nodes[node.index] or NodeState()
    if not lost:
        what = f"{state.because} stood in for {node.id}{_error(state)}"
        return f"{what}: mend it, and do its own work once more where that matters"
    if state.status in ("cancelled", "skipped"):
        why = state.reason if state.status == "cancelled" else f"nothing is left to start it ({state.reason})"
        return f"{node.id} was {state.status}: {why}; start the instance anew once that is mended"
    by_rule = state.reason if state.reason.startswith(state.decision) else f"{state.decision} by {state.reason}"
    said = f", {by_rule}" if state.decision else ""
    return f"{node.id} failed{_error(state)}{said}: mend it, or give it a fallback"


def _error(state: NodeState) -> str:
    return "" if state.error is None else f" ({state.error.type}: {state.error.message[:MESSAGE_MAX]})"
