"""Instances that an instance starts: their ids, and what goes back and forth. All of it leaves by the outbox."""

from __future__ import annotations

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.graph.plan_waits import Child
from mainspring.machine import effects as fx
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.turn import Turn

DEPTH_MAX = 16
"""How deep children may nest."""


def child_id(parent: str, path: str, run: int) -> str:
    """SEMANTICS 28."""
    return f"{parent}/{path}/{run}"


def children_ids(instance: Instance, *, detached: bool = True) -> list[str]:
    """The children of the nodes that there are, one for each run; but for the last one where that could not be started.

    `detached`: those that nobody waits for, too.
    """
    return [
        child_id(instance.id, scope.path(node), run)
        for scope in instance.scopes
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
        if state is not None and isinstance(node.told, Child) and (detached or node.told.waits)
        for run in range(1, state.run + _was_started(state))
    ]


def _was_started(state: NodeState) -> bool:
    refused = state.error is not None and state.error.type in ("ChildRefused", "DepthLimit")
    return state.attempt > 0 and not refused


def cancel_child(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """The node is stopped: so is the child that it waits for, if it waits for one."""
    if state.status == "waiting" and node.machine_kind == "subflow" and isinstance(node.told, Child):
        child = child_id(turn.instance.id, turn.path(node), state.run)
        turn.send(fx.Send(f"{child}/cancel", child, fx.CancelChild(f"{turn.path(node)} was stopped", turn.instance.id)))


def open_children(turn: Turn) -> list[str]:
    """The children that nodes wait for now."""
    return [
        child_id(turn.instance.id, scope.path(node), state.run)
        for scope in turn.instance.scopes
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
        if state is not None
        and state.status == "waiting"
        and node.machine_kind == "subflow"
        and isinstance(node.told, Child)
    ]


def tell_parent(turn: Turn) -> None:
    """The instance is at its end: a parent that waits for that is told, once; and again where it has had the child undone."""
    instance = turn.instance
    lineage, saga = instance.lineage, instance.saga
    if lineage.parent is None or lineage.path is None or lineage.detached:
        return
    id, path, run = f"{instance.id}/end", lineage.path, lineage.run
    if saga is not None and saga.child is not None:
        id, (path, run) = f"{instance.id}/undone/{saga.round}", saga.child
    elif saga is not None and saga.round > 1:
        return
    told = fx.TellParent(path, run, instance.status, Raw(instance.output), instance.reason)
    turn.send(fx.Send(id, lineage.parent, told))
