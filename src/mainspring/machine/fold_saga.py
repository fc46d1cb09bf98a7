"""The events of compensation become state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.block import merge_writes
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import IllegalTransition
from mainspring.machine.moving import move, move_instance
from mainspring.machine.saga import Left, Saga, UndoScope
from mainspring.machine.scope import NodeState, Scope

_outputs = msgspec.json.Decoder(list[Raw]).decode

WHY_MAX = 200
"""How many characters of an error are kept of each run that could not be undone."""


def _started(instance: Instance, event: ev.CompensationStarted, at: int) -> None:
    before = instance.saga
    move_instance(instance, event, at)
    instance.ended_at = 0
    saga = Saga(ends=event.ends, scope=event.scope, reason=event.reason, failed=event.failed, nodes=event.nodes)
    saga.error = None if event.error is None else msgspec.json.encode(event.error)
    if event.again and before is not None:
        saga.error = before.error
        saga.again, saga.resumed, saga.nodes = tuple(before.left), True, before.nodes
        saga.stopped, saga.stopped_at = (before.row, before.index), before.next
        saga.undone = before.undone
        saga.total = len(before.left) + before.untried
    else:
        saga.total = to_undo(instance, event.nodes)
    if event.order:  # of a version that listed them at once, and had no scopes for what undoes them
        saga.unscoped = True
        saga.runs = tuple(ev.Done(ref.path, ref.run, 0, 0) for ref in event.order)
        saga.outputs, saga.total, saga.started = [b"null"] * len(saga.runs), len(saga.runs), True
    saga.output = instance.output if before is not None or event.parent is not None else bytes(event.output)
    saga.child = None if event.parent is None else (event.parent.path, event.parent.run)
    saga.round = 1 if before is None else before.round + 1
    instance.saga = saga


def to_undo(instance: Instance, nodes: tuple[str, ...]) -> int:
    """How many runs a saga of these nodes (none: of all) would undo."""
    counts = instance.undoable
    return sum(counts.get(id, 0) for id in nodes) if nodes else sum(counts.values())


def _saga(instance: Instance, event: ev.Event, doing: bool) -> Saga:
    saga = instance.saga
    if saga is None or saga.over or saga.doing is not doing:
        raise IllegalTransition(f"the instance is {instance.status} and cannot take {type(event).__name__}")
    return saga


def _planned(instance: Instance, event: ev.CompensationPlanned, at: int) -> None:
    saga = _saga(instance, event, doing=False)
    move_instance(instance, event, at)
    saga.runs, saga.outputs, saga.at = event.runs, [bytes(one) for one in _outputs(event.outputs)], 0
    saga.row, saga.index, saga.started = event.row, event.index, True


def _ended(instance: Instance, event: ev.CompensationEnded, at: int) -> None:
    saga = _saga(instance, event, doing=False)
    move_instance(instance, event, at)
    if saga.at < len(saga.runs):  # it gave up: this is where it would go on
        following = saga.runs[saga.at]
        saga.row, saga.index, saga.next = following.row, following.index + 1, (following.path, following.run)
    else:  # all were tried, though perhaps not all of the journal was read: what is before is undone
        saga.row, saga.index = 0, 0
    saga.over = True
    saga.runs, saga.outputs, saga.at, saga.again = (), [], 0, ()


def _compensating(instance: Instance, event: ev.NodeCompensating, at: int) -> None:
    saga = _saga(instance, event, doing=False)
    if saga.at >= len(saga.runs) or (saga.runs[saga.at].path, saga.runs[saga.at].run) != (event.path, event.run):
        raise IllegalTransition(f"run {event.run} of {event.path!r} is not the next that is undone")
    again = event.path in instance.plan.by_id and instance.status_of(event.path) == "compensation_failed"
    moved = _own(instance, event.path, "NodeCompensating")
    if again and moved is not None:
        moved[2].error = None  # it is of the undoing before, which does not count any more
    saga.at += 1
    saga.taken += 1
    saga.doing = True
    if not saga.unscoped:
        instance.begin_undo(saga)


def _compensated(instance: Instance, event: ev.NodeCompensated, at: int) -> None:
    _end(instance, event, at)
    assert instance.saga is not None
    instance.saga.undone += 1


def _failed(instance: Instance, event: ev.NodeCompensationFailed, at: int) -> None:
    saga, done, state = _end(instance, event, at)
    why = f"{event.error.type}: {event.error.message}"
    saga.left.append(Left(done.path, done.run, done.row, done.index, why[:WHY_MAX]))
    if state is not None:
        state.error = event.error


def _end(
    instance: Instance, event: ev.NodeCompensated | ev.NodeCompensationFailed, at: int
) -> tuple[Saga, ev.Done, NodeState | None]:
    saga = _saga(instance, event, doing=True)
    done = saga.current
    if (done.path, done.run) != (event.path, event.run):
        raise IllegalTransition(f"run {event.run} of {event.path!r} is not the one that is being undone")
    moved = _own(instance, event.path, type(event).__name__)
    if moved is not None:
        moved[2].ended_at = at
    saga.doing = False
    if not saga.unscoped:
        scope = next(one for one in instance.open.values() if isinstance(one, UndoScope))
        del instance.open[scope.address]
        if scope.writes is not None:
            instance.variables = merge_writes(instance.variables, scope.writes)
    return saga, done, None if moved is None else moved[2]


def _own(instance: Instance, path: str, event: str) -> tuple[Scope, PlanNode, NodeState] | None:
    """Move the node, where its scope is still there."""
    return move(instance, path, event) if path in instance.plan.by_id else None


FOLD_SAGA: dict[type[ev.Event], Callable[[Instance, Any, int], None]] = {
    ev.CompensationStarted: _started,
    ev.CompensationPlanned: _planned,
    ev.CompensationEnded: _ended,
    ev.NodeCompensating: _compensating,
    ev.NodeCompensated: _compensated,
    ev.NodeCompensationFailed: _failed,
}
