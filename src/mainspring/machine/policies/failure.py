"""What a failure that nobody handled means for the whole, and when the whole is at its end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.children import tell_parent
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.pause import is_drained
from mainspring.machine.policies import saga
from mainspring.machine.policies.deciding import TERMINATE, Decision, ending
from mainspring.machine.scope import NodeState, Scope
from mainspring.machine.stopping import stop_nodes
from mainspring.machine.turn import Turn
from mainspring.machine.values import leaf_outputs


def carry_out(turn: Turn, path: str, reason: str, decision: Decision) -> None:
    """What does not terminate is only counted. `terminate`: what runs is cancelled, and nothing new starts."""
    if decision.what != TERMINATE or turn.instance.status != "running":
        return
    why = stopped_because(path, decision.rule)
    if turn.scope is not turn.instance:  # the rest of the body stops; what that means is its block's matter
        stop_nodes(turn, turn.scope.graph.nodes, why, path)
    else:
        turn.emit(ev.InstanceFailing(reason, path))
        stop_all(turn, why, path)


def stopped_because(path: str, rule: str) -> str:
    """What is said of nodes that the failure of one stops."""
    return f"{path} failed: {rule}"


def catch_up(turn: Turn) -> None:
    """What `carry_out` could not do while the instance was parked or paused, it does when that ends."""
    for body in tuple(turn.instance.open.values()):
        found = _terminating(body) if body.unhandled else None
        if found is not None and turn.instance.open.get(body.address) is body:  # not stopped with one around it
            turn.scope = body
            path = turn.path(found[0])
            stop_nodes(turn, body.graph.nodes, f"{path} failed while the instance stood still: {found[1].reason}", path)
    turn.scope = turn.instance
    found = _terminating(turn.instance) if turn.instance.unhandled else None
    if found is not None:
        node, state = found
        reason = f"{_what_failed(turn, node, state)} failed while the instance stood still"
        carry_out(turn, turn.path(node), reason, Decision(TERMINATE, state.reason))


def _terminating(scope: Scope) -> tuple[PlanNode, NodeState] | None:
    """The first node of the graph whose failure ends it."""
    pairs = zip(scope.graph.nodes, scope.nodes, strict=True)
    return next(
        ((node, state) for node, state in pairs if state is not None and state.decision == TERMINATE),
        None,
    )


def _what_failed(turn: Turn, node: PlanNode, state: NodeState) -> str:
    """The node, one of its runs, or one of its conditions, where that failed and nobody took it."""
    inbox = turn.scope.inboxes.get(node.index)
    if inbox is not None and any(one.error is not None and not one.handled for one in inbox.results):
        return f"a run of {turn.path(node)}"
    return turn.path(node) if state.status == "failed" else f"a condition after {turn.path(node)}"


def stop_all(turn: Turn, reason: str, because: str) -> None:
    """Cancel what is under way and skip what has not begun."""
    turn.scope = turn.instance
    stop_nodes(turn, turn.instance.graph.nodes, reason, because)


def settle(turn: Turn) -> None:
    """End the instance where nothing is left that could go on: no token, task, timer or child. Say that it is drained, where
    it is pausing and nothing runs any more."""
    instance = turn.instance
    if instance.status == "pausing":
        if is_drained(instance):
            _drained(turn)
        return
    if instance.active or instance.status in INSTANCE_FINAL:
        return
    end: ev.Event | None
    if instance.status == "running":
        end = _end(turn)
    elif instance.status == "failing":
        end = ev.InstanceFailed(Raw(leaf_outputs(turn.instance)), instance.reason)
    elif instance.status == "cancelling":
        end = ev.InstanceCancelled(Raw(leaf_outputs(turn.instance)), instance.reason)
    else:
        end = saga.end(instance)
    if end is not None and not saga.begins(turn, end):
        turn.emit(end)
        _ended(turn)


def _drained(turn: Turn) -> None:
    pause = turn.instance.pause
    if pause is not None and pause.then_cancel:
        cancel_now(turn, pause.by, pause.reason)
    else:
        turn.emit(ev.InstancePaused())


def pause_ends(turn: Turn) -> None:
    """It ends while it stands still: it need not be told when to go on."""
    pause = turn.instance.pause
    if pause is not None and pause.until is not None:
        turn.ask(fx.DisarmTimer("", 0, 0, fx.RESUME))


def cancel_now(turn: Turn, by: str, reason: str) -> None:
    """The state changes here and now; the orders to the tasks are best effort (SEMANTICS 13)."""
    pause_ends(turn)
    turn.emit(ev.InstanceCancelRequested(by, reason))
    stop_all(turn, "the instance was cancelled", "")
    settle(turn)


def end_at_once(turn: Turn, why: str, because: str, ends: Sequence[ev.Event]) -> None:
    """Somebody has decided that this is the end, and how: nothing goes on, whatever there still was to do."""
    stop_all(turn, why, because)
    *before, end = ends
    for event in before:
        turn.emit(event)
    if not saga.begins(turn, end):
        turn.emit(end)
        _ended(turn)


def _ended(turn: Turn) -> None:
    """The instance is final: take back its own timer, and tell."""
    if turn.plan.timeout is not None:
        turn.ask(fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT))
    tell_parent(turn)
    turn.ask(fx.EndInstance(turn.instance.status))


def _end(turn: Turn) -> ev.Event:
    instance = turn.instance
    found = ending(instance) if instance.unhandled else None
    if found is not None and not found.partial:
        return ev.InstanceFailed(Raw(leaf_outputs(turn.instance)), found.reason)
    try:
        output = _output(turn)
    except (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError) as error:
        return ev.InstanceFailed(Raw(leaf_outputs(turn.instance)), mapping_fault("the output mapping", error))
    faults = () if turn.plan.output_check is None else turn.plan.output_check(output)
    if faults:
        return ev.InstanceFailed(Raw(output), f"the output does not match outputSchema: {'; '.join(faults)}")
    if found is not None:
        return ev.InstancePartiallySucceeded(Raw(output), found.reason)
    return ev.InstanceCompleted(Raw(output), instance.degraded > 0)


def _output(turn: Turn) -> bytes:
    template = turn.plan.output
    return (
        leaf_outputs(turn.instance)
        if template is None
        else msgspec.json.encode(template(Names(turn.instance, turn.instance)))
    )
