"""From one state to the next by the lifecycle tables: the one place where a node, or the instance, changes its state."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import ACTIVE, INSTANCE, INSTANCE_FINAL, NODE, NODE_FINAL, IllegalTransition
from mainspring.machine.scope import NodeState, Scope

_Step = tuple[str, int, int]
"""The state after, and what the move adds to the scope's counts of open and of final nodes."""


def _counted(rows: dict[str, str]) -> dict[str, _Step]:
    return {
        before: (after, (after in ACTIVE) - (before in ACTIVE), (after in NODE_FINAL) - (before in NODE_FINAL))
        for before, after in rows.items()
    }


_STEPS = {event: _counted(rows) for event, rows in NODE.items()}


def move(instance: Instance, path: str, event: str) -> tuple[Scope, PlanNode, NodeState]:
    """Move one node along its table, and keep its scope's counts of open and final nodes."""
    scope: Scope = instance
    node = instance.plan.by_id.get(path)  # as `locate` does, without a call for the usual node
    if node is None:
        scope, node = instance.locate(path)
    state = scope.nodes[node.index]
    before = "pending" if state is None else state.status
    step = _STEPS[event].get(before)
    if step is None:
        raise IllegalTransition(f"node {path!r} is {before} and cannot take {event}")
    if state is None:
        state = scope.nodes[node.index] = NodeState()
    after, opened, ended = step
    state.status = after
    if instance.waits and before == "waiting" and after != before:
        instance.waits.pop(path, None)
    if opened:
        scope.active += opened
    if ended:
        scope.finished += ended
    return scope, node, state


def move_instance(instance: Instance, event: ev.Event, at: int) -> None:
    kind = type(event).__name__
    after = INSTANCE[kind].get(instance.status)
    if after is None:
        raise IllegalTransition(f"the instance is {instance.status} and cannot take {kind}")
    instance.status = after
    if after in INSTANCE_FINAL:
        instance.ended_at = at


def check_all(instance: Instance, paths: list[str], event: str) -> None:
    """An event about several nodes is refused whole: no node has moved when the last one cannot."""
    rows = NODE[event]
    for path in paths:
        scope, node = instance.locate(path)
        state = scope.nodes[node.index]
        status = "pending" if state is None else state.status
        if status not in rows:
            raise IllegalTransition(f"node {path!r} is {status} and cannot take {event}")
    if len(set(paths)) != len(paths):
        raise IllegalTransition(f"{event} names a node twice")
