"""Somebody has a failed node run again: with it, whatever was skipped or cancelled because it had failed.

What ran all the same stays as it is: a completed node never runs again. A token that comes late, because it comes from the
new run, is absorbed there like any other that finds its join started.
"""

from __future__ import annotations

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import waves
from mainspring.machine.commands import pausing
from mainspring.machine.inputs import RetryNode
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE, INSTANCE_FINAL, STARTING
from mainspring.machine.nodes import running
from mainspring.machine.pause import timeout_due
from mainspring.machine.policies import failure
from mainspring.machine.scope import NodeState, Scope
from mainspring.machine.turn import Refused, Turn

OPEN = frozenset({"running", "pausing", "paused", "parked"})
"""An instance in one of these is open to a hand; one that ends or undoes itself is left alone."""


def retry_node(turn: Turn, request: RetryNode) -> None:
    """Reopen the instance where it is at its end, and have the node decide anew with the messages that it had; or with the
    input that is given. One that waits for its next attempt makes it now."""
    instance = turn.instance
    if _retries_now(turn, request):
        return
    reason = why_not(instance, request.path, request.run, turn.at)
    if reason:
        raise Refused(reason)
    scope, node = instance.locate(request.path)
    again = with_what_followed(scope, node)
    turn.emit(ev.Intervened("retry", request.path, request.run, request.by, request.reason))
    if instance.status in INSTANCE_FINAL:
        open_again(turn, request.by, request.reason)
    for one in again:
        turn.emit(ev.NodeReset(scope.path(one), scope.state(one).run + 1, request.by))
    if request.input is not None:
        turn.emit(ev.InputMapped(request.path, scope.state(node).run, Raw(request.input)))
    turn.letters = (*turn.letters, fx.Raise(request.path, request.run))
    decide_anew(turn)


def open_again(turn: Turn, by: str, reason: str) -> None:
    """The instance is no longer at its end, and its timeout begins anew: what was left of it was not meant for this."""
    turn.emit(ev.InstanceReopened(by, reason))
    pausing.arm_timeout(turn)


def decide_anew(turn: Turn) -> None:
    """After nodes were reset: at once, or when the instance goes on where it stands still."""
    if turn.instance.status in STARTING:
        waves.go_on(turn)
    failure.settle(turn)


def _retries_now(turn: Turn, request: RetryNode) -> bool:
    """Whether the node waits for its next attempt, which is made at once, then (or when the instance goes on)."""
    instance = turn.instance
    found = turn.turn_to(request.path) if instance.status in ("running", "pausing", "paused", "parked") else None
    if found is None or found[1].status != "retrying" or found[1].run != request.run:
        return False
    node, state = found
    if request.input is not None:
        raise Refused(f"{request.path} is in the middle of a run, which keeps its input: skip it, or wait for its end")
    turn.emit(ev.Intervened("retry", request.path, request.run, request.by, request.reason))
    turn.ask(fx.DisarmTimer(request.path, state.run, state.attempt, fx.RETRY))
    if instance.status in STARTING:
        waves.follow(turn, node, running.start(turn, node))
    return True


def why_not(instance: Instance, path: str, run: int, now: int) -> str:
    """Why this run of a node cannot be followed by another one ("": it can)."""
    if instance.status not in OPEN and instance.status not in INSTANCE["InstanceReopened"]:
        return f"the instance is {instance.status}"
    if instance.status == "cancelled":
        return "the instance was cancelled"
    due = timeout_due(instance)
    if instance.status not in INSTANCE_FINAL and due is not None and now >= due:
        return f"the instance's timeout ({instance.plan.timeout} ms) is over"
    try:
        scope, node = instance.locate(path)
    except KeyError:
        return f"the body that {path} was in has ended: what failed with it is its block"
    state = scope.nodes[node.index]
    if state is None or state.status != "failed" or state.run != run:
        return (
            f"{path} is {'pending' if state is None else state.status}, in its run {1 if state is None else state.run}"
        )
    if state.handled:
        return f"a connection took the failure of {path}, and what it leads to has run"
    if instance.saga is not None:
        return "what had completed has been undone"
    for one in with_what_followed(scope, node):
        if one.inbox is not None and not one.repeating:
            return f"{scope.path(one)} has an inbox, and what it took from that is done with"
        receivers = [scope.graph.nodes[edge.target] for edge in one.outgoing]
        if one.repeating or any(receiver.inbox is not None for receiver in receivers):
            return f"{scope.path(one)} leads to nodes that run more than once: their inboxes are closed"
    return ""


def with_what_followed(scope: Scope, failed: PlanNode) -> list[PlanNode]:
    """The node, what ended in the same turn because it had failed, and all that was skipped for want of these."""
    states = scope.nodes
    first = states[failed.index]
    assert first is not None
    found: dict[int, PlanNode] = {failed.index: failed}
    for node, state in zip(scope.graph.nodes, states, strict=True):
        if state is not None and _stopped_with(state, scope.path(failed), first):
            found[node.index] = node
    line = list(found.values())
    while line:
        for edge in line.pop().outgoing:
            state = states[edge.target]
            if state is not None and state.status == "skipped" and edge.target not in found:
                found[edge.target] = scope.graph.nodes[edge.target]
                line.append(found[edge.target])
    return list(found.values())


def _stopped_with(state: NodeState, path: str, failed: NodeState) -> bool:
    """Whether it was stopped by what that node's failure meant for the whole: not by what else came in that millisecond."""
    if state.ended_at != failed.ended_at:
        return False
    if state.status == "cancelled":
        return state.reason == failure.stopped_because(path, failed.reason)
    return state.status == "skipped" and state.because == path
