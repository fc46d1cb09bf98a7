"""What a failure that nobody handled means for the whole, and when the whole is at its end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.scope import NodeState
from mainspring.machine.stopping import stop_nodes
from mainspring.machine.turn import Turn


def unhandled(turn: Turn, path: str, reason: str) -> None:
    """`continue`: nothing more (the failure is counted). `fail_fast`: what runs is cancelled, nothing new starts."""
    if turn.plan.failure_policy == "fail_fast" and turn.instance.status == "running":
        turn.emit(ev.InstanceFailing(reason, path))
        stop_all(turn, f"{path or 'routing'} failed, and the failure policy is fail_fast", path)


def catch_up(turn: Turn) -> None:
    """What `unhandled` could not do while the instance was parked or paused, it does when that ends."""
    if turn.instance.unhandled:
        pairs = zip(turn.scope.graph.nodes, turn.scope.nodes, strict=True)
        path, what = next(
            (turn.path(node), what)
            for node, state in pairs
            if state is not None and (what := _what_failed(turn, node, state))
        )
        unhandled(turn, path, f"{what} failed while the instance stood still")


def _what_failed(turn: Turn, node: PlanNode, state: NodeState) -> str:
    """The node, one of its runs, or one of its conditions, where that failed and nobody took it. Else ""."""
    inbox = turn.scope.inboxes.get(node.index)
    if inbox is not None and any(one.error is not None and not one.handled for one in inbox.results):
        return f"a run of {turn.path(node)}"
    if state.status == "failed" and not state.handled:
        return turn.path(node)
    return f"a condition after {turn.path(node)}" if state.misrouted else ""


def stop_all(turn: Turn, reason: str, because: str) -> None:
    """Cancel what is under way and skip what has not begun."""
    stop_nodes(turn, turn.scope.graph.nodes, reason, because)


def settle(turn: Turn) -> None:
    """End the instance where nothing is left that could go on: no token, task, timer or child."""
    instance = turn.instance
    if instance.active or instance.status in INSTANCE_FINAL:
        return
    if instance.status == "running":
        _end(turn)
    elif instance.status == "failing":
        turn.emit(ev.InstanceFailed(Raw(_leaf_outputs(turn)), instance.reason))
    elif instance.status == "cancelling":
        turn.emit(ev.InstanceCancelled(Raw(_leaf_outputs(turn)), instance.reason))
    else:
        return
    _ended(turn)


def end_at_once(turn: Turn, why: str, because: str, ends: Sequence[ev.Event]) -> None:
    """Somebody has decided that this is the end, and how: nothing goes on, whatever there still was to do."""
    stop_all(turn, why, because)
    for event in ends:
        turn.emit(event)
    _ended(turn)


def _ended(turn: Turn) -> None:
    """The instance is final: take back its own timer, and tell."""
    if turn.plan.timeout is not None:
        turn.ask(fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT))
    turn.ask(fx.EndInstance(turn.instance.status))


def _end(turn: Turn) -> None:
    instance = turn.instance
    if instance.unhandled:
        failures = "failure" if instance.unhandled == 1 else "failures"
        turn.emit(ev.InstanceFailed(Raw(_leaf_outputs(turn)), f"{instance.unhandled} unhandled {failures}"))
        return
    try:
        output = _output(turn)
    except (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError) as error:
        turn.emit(ev.InstanceFailed(Raw(_leaf_outputs(turn)), mapping_fault("the output mapping", error)))
        return
    faults = () if turn.plan.output_check is None else turn.plan.output_check(output)
    if faults:
        turn.emit(ev.InstanceFailed(Raw(output), f"the output does not match outputSchema: {'; '.join(faults)}"))
        return
    turn.emit(ev.InstanceCompleted(Raw(output), instance.degraded > 0))


def _output(turn: Turn) -> bytes:
    template = turn.plan.output
    return (
        _leaf_outputs(turn) if template is None else msgspec.json.encode(template(Names(turn.instance, turn.instance)))
    )


def _leaf_outputs(turn: Turn) -> bytes:
    """Without an output mapping: the output of the only leaf, or an object of the completed leaves' outputs by id."""
    leaves = turn.plan.leaves
    states = turn.scope.nodes
    if len(leaves) == 1:
        only = states[leaves[0].index]
        return b"null" if only is None or only.output is None else only.output
    parts = []
    for leaf in leaves:
        state = states[leaf.index]
        if state is not None and state.status == "completed" and state.output is not None:
            parts.append(msgspec.json.encode(leaf.id) + b":" + state.output)
    return b"{" + b",".join(parts) + b"}"
