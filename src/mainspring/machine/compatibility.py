"""May an instance that is under way go on by another version of its workflow? (SEMANTICS 99 to 102)

What has happened stays as it happened. So whatever has begun must be there in the new version, of the same type; what has
ended keeps the connections by which it handed on what it gave; and what has not begun may change in any way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from msgspec import Struct

from mainspring.graph.plan import Graph, Plan, PlanConnection, PlanNode
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import NODE_FINAL
from mainspring.machine.scope import BodyScope, NodeState, Scope

Key = tuple[str, str, str | None, str | None, bool, bool, int]


class Difference(Struct, frozen=True):
    """What differs at a path ("": the whole). `what`: added, removed or changed. `obstacle` says why the instance cannot go
    on by the new version ("": it can)."""

    path: str
    what: str
    obstacle: str = ""


def differences(instance: Instance, plan: Plan, again: Collection[PlanNode] = ()) -> list[Difference]:
    """What differs between what the instance runs by and another plan. `again` are nodes that are to be run again."""
    if plan.workflow.id != instance.plan.workflow.id:
        return [Difference("", "changed", f"it is the workflow {plan.workflow.id}, not {instance.plan.workflow.id}")]
    skipped = {node.index for node in again}
    return list(_scope(instance, plan, skipped))


def obstacles(found: list[Difference]) -> list[str]:
    """Why it cannot be, each with its place."""
    return [f"{one.path}: {one.obstacle}" if one.path else one.obstacle for one in found if one.obstacle]


def keys_of(graph: Graph) -> list[Key]:
    """What each connection is known by in another version: all that it says but its condition."""
    seen: Counter[tuple[str, str, str | None, str | None, bool, bool]] = Counter()
    found = []
    for edge in graph.connections:
        says = _says(graph, edge)
        found.append((*says, seen[says]))
        seen[says] += 1
    return found


def _says(graph: Graph, edge: PlanConnection) -> tuple[str, str, str | None, str | None, bool, bool]:
    source, target = graph.nodes[edge.source].id, graph.nodes[edge.target].id
    return source, target, edge.port, edge.target_port, edge.on_complete, edge.on_fail


def body_in(new: PlanNode, scope: BodyScope) -> Graph:
    """The graph of an open body in the new version of its block, which has as many."""
    if scope.of.stands_in:
        return new.fallbacks[scope.index].graph
    return new.bodies[scope.index if len(new.bodies) > 1 else 0]


def _scope(scope: Scope, graph: Graph, again: Collection[int] = ()) -> Iterator[Difference]:
    old = scope.graph
    if _repeats(scope, graph) and _shape(old) != _shape(graph):
        where = scope.prefix.rstrip(".")
        yield Difference(where, "changed", "nodes run more than once here: only what they are told can change")
        return
    before, after = _leaving(old), _leaving(graph)
    for node in old.nodes:
        state = scope.nodes[node.index]
        begun = state is not None and node.index not in again and (state.status != "pending" or bool(state.tokens))
        new = graph.by_id.get(node.id)
        if new is None:
            reason = f"it is {_how(state)}, and is not there any more" if begun else ""
            yield Difference(scope.path(node), "removed", reason)
        elif begun and state is not None:
            yield from _begun(scope, node, new, state, rewired=before[node.id] != after[node.id])
        elif new.definition != node.definition or before[node.id] != after[node.id]:
            yield Difference(scope.path(node), "changed", _never_begins(node, new, state, node.index in again))
        else:
            reason = _never_begins(node, new, state, node.index in again)
            if reason:
                yield Difference(scope.path(node), "changed", reason)
    for new in graph.nodes:
        if new.id not in old.by_id:
            alone = not new.incoming and not new.off_graph
            reason = "nothing leads to it: entry nodes begin with their graph, and that has begun" if alone else ""
            yield Difference(f"{scope.prefix}{new.id}", "added", reason)


def _begun(scope: Scope, node: PlanNode, new: PlanNode, state: NodeState, rewired: bool) -> Iterator[Difference]:
    """A node that has begun, or that something has come to."""
    path, how = scope.path(node), _how(state)
    block = scope.blocks.get(node.index)
    reason = ""
    if new.definition.type != node.definition.type:
        reason = f"it is {how}, and was of type {node.definition.type}, not {new.definition.type}"
    elif new.off_graph != node.off_graph:
        reason = f"it is {how}, and stands {'in' if node.off_graph else 'not in'} for another one only in one version"
    elif rewired and state.status in NODE_FINAL:
        reason = f"it is {how}, and what it led to cannot be changed any more"
    elif state.status not in NODE_FINAL and new.definition.join != node.definition.join:
        reason = f"it is {how}, and counts what comes to it by another rule (join)"
    elif state.status in NODE_FINAL and new.definition.compensation_node_id != node.definition.compensation_node_id:
        reason = f"it is {how}, and what undoes it cannot be changed any more"
    elif block is not None and _around(node) != _around(new):
        reason = "it is under way, and only its bodies can change, not what it is itself (nor how many branches it has)"
    if reason or rewired or new.definition != node.definition:
        yield Difference(path, "changed", reason)
    if block is not None and not reason:
        for _, body in sorted(block.open.items()):
            yield from _scope(body, body_in(new, body))


def _never_begins(node: PlanNode, new: PlanNode, state: NodeState | None, again: bool) -> str:
    was_one = not node.incoming and not node.off_graph
    if new.incoming or new.off_graph or was_one or again:
        return ""
    return "nothing leads to it any more: entry nodes begin with their graph, and that has begun"


def _around(node: PlanNode) -> object:
    """A block, but for what is in its bodies; what stands in for a node, whole."""
    definition = node.definition
    told = {key: value for key, value in definition.config.items() if key not in ("body", "branches")}
    stands_in = [one.node.definition for one in node.fallbacks]
    return told, len(node.bodies), stands_in


def _repeats(scope: Scope, graph: Graph) -> bool:
    """Whether a node that has begun runs more than once, or has messages that wait, in either version."""
    for node in scope.graph.nodes:
        if scope.nodes[node.index] is not None:
            new = graph.by_id.get(node.id)
            if any(one is not None and (one.repeating or one.inbox is not None) for one in (node, new)):
                return True
    return False


def _shape(graph: Graph) -> object:
    nodes = [(node.id, node.definition.type, node.definition.join) for node in graph.nodes]
    return nodes, keys_of(graph)


def _leaving(graph: Graph) -> dict[str, list[Key]]:
    """The connections that leave each node."""
    found: dict[str, list[Key]] = {node.id: [] for node in graph.nodes}
    for key in keys_of(graph):
        found[key[0]].append(key)
    for keys in found.values():
        keys.sort(key=repr)
    return found


def _how(state: NodeState | None) -> str:
    status = "pending" if state is None else state.status
    return "waiting for more to come to it" if status == "pending" else status.replace("_", " ")
