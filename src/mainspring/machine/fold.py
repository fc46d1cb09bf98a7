"""An event becomes state. Live runs, recovery and time travel all fold with this one file.

Folding decides nothing: it evaluates no expression, reads no policy and no clock (SEMANTICS 4). What it checks is whether
the lifecycle tables have a row for the event; where they have none it raises `IllegalTransition` and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.inbox import RunResult
from mainspring.machine.instance import CONSUMED_MAX, Instance
from mainspring.machine.lifecycle import ACTIVE, INSTANCE, INSTANCE_FINAL, NODE, NODE_FINAL, IllegalTransition
from mainspring.machine.scope import NodeState, Scope


def fold(instance: Instance, event: ev.Event, at: int) -> None:
    """Make `event`, which happened at `at` (UTC milliseconds), part of the instance's state.

    Raises IllegalTransition, with nothing changed, where a lifecycle has no row for it.
    """
    FOLD[type(event)](instance, event, at)


def consume(instance: Instance, message: str) -> None:
    """Remember that the message with this inbox id has had its effect."""
    instance.consumed = (*instance.consumed[1 - CONSUMED_MAX :], message)


def _move(instance: Instance, path: str, event: str) -> tuple[Scope, PlanNode, NodeState]:
    """Move one node along its table, and keep its scope's counts of open and final nodes."""
    found = instance.plan.by_id.get(path)  # as `locate` does, without a call for the usual node
    scope, node = instance.locate(path) if found is None else (instance, found)
    state = scope.nodes[node.index]
    if state is None:
        state = NodeState()
    before = state.status
    after = NODE[event].get(before)
    if after is None:
        raise IllegalTransition(f"node {path!r} is {before} and cannot take {event}")
    scope.nodes[node.index] = state
    state.status = after
    scope.active += (after in ACTIVE) - (before in ACTIVE)
    scope.finished += (after in NODE_FINAL) - (before in NODE_FINAL)
    return scope, node, state


def _move_instance(instance: Instance, event: ev.Event, at: int) -> None:
    kind = type(event).__name__
    after = INSTANCE[kind].get(instance.status)
    if after is None:
        raise IllegalTransition(f"the instance is {instance.status} and cannot take {kind}")
    instance.status = after
    if after in INSTANCE_FINAL:
        instance.ended_at = at


# --- the instance ---------------------------------------------------------------------------------------------------


def _instance_started(instance: Instance, event: ev.InstanceStarted, at: int) -> None:
    _move_instance(instance, event, at)
    instance.started_at = at
    instance.input = bytes(event.input)
    instance.variables = bytes(event.variables)


def _instance_ended(instance: Instance, event: Any, at: int) -> None:
    _move_instance(instance, event, at)
    instance.output = bytes(event.output)
    instance.reason = getattr(event, "reason", "")


def _instance_reasoned(instance: Instance, event: Any, at: int) -> None:
    _move_instance(instance, event, at)
    instance.reason = event.reason


def _instance_resumed(instance: Instance, event: ev.InstanceResumed, at: int) -> None:
    _move_instance(instance, event, at)
    instance.reason = ""


def _variables_set(instance: Instance, event: ev.VariablesSet, at: int) -> None:
    merged = msgspec.json.decode(instance.variables, type=dict[str, Raw])
    merged.update(msgspec.json.decode(event.values, type=dict[str, Raw]))
    instance.variables = msgspec.json.encode(merged)


def _instance_reopened(instance: Instance, event: ev.InstanceReopened, at: int) -> None:
    _move_instance(instance, event, at)
    instance.ended_at = 0
    instance.reason = ""


# --- nodes ----------------------------------------------------------------------------------------------------------


def _input_mapped(instance: Instance, event: ev.InputMapped, at: int) -> None:
    _move(instance, event.path, "InputMapped")[2].input = bytes(event.input)


def _node_logged(instance: Instance, event: ev.NodeLogged, at: int) -> None:
    """It is in the history, and changes nothing but that."""
    _move(instance, event.path, "NodeLogged")


def _node_ready(instance: Instance, event: ev.NodeReady, at: int) -> None:
    _move(instance, event.path, "NodeReady")[2].waits_for = event.asks


def _node_started(instance: Instance, event: ev.NodeStarted, at: int) -> None:
    _, _, state = _move(instance, event.path, "NodeStarted")
    state.attempt = event.attempt
    state.started_at = at
    state.due = None
    state.waits_for = ""


def _node_waiting(instance: Instance, event: ev.NodeWaiting, at: int) -> None:
    _, _, state = _move(instance, event.path, "NodeWaiting")
    state.waits_for = f"{event.what} {event.detail}".rstrip()
    state.due = event.until


def _node_retrying(instance: Instance, event: ev.NodeRetrying, at: int) -> None:
    _, _, state = _move(instance, event.path, "NodeRetrying")
    state.failures += 1
    state.error = event.error
    state.due = event.due


def _node_fell_back(instance: Instance, event: ev.NodeFellBack, at: int) -> None:
    _, _, state = _move(instance, event.path, "NodeFellBack")
    state.error = event.error


def _node_completed(instance: Instance, event: ev.NodeCompleted, at: int) -> None:
    scope, node, state = _move(instance, event.path, "NodeCompleted")
    state.output = bytes(event.output)
    _run_ended_well(instance, state, event, at)
    if node.repeating:
        state.output = scope.inbox(node).outputs
    _tokens(scope, node, event.fired, at)


def _run_ended_well(instance: Instance, state: NodeState, event: ev.NodeCompleted | ev.RunCompleted, at: int) -> None:
    state.port = event.port
    state.cached = event.cached
    state.ended_at = at
    state.error = None
    state.waits_for = ""
    state.due = None
    if event.degraded:
        state.degraded = True
        instance.degraded += 1


def _node_failed(instance: Instance, event: ev.NodeFailed, at: int) -> None:
    scope, node, state = _move(instance, event.path, "NodeFailed")
    _run_ended_badly(state, event, at)
    if node.repeating:  # each run's failure was counted when it happened
        state.output = scope.inbox(node).outputs
    else:
        state.failures += 1
        scope.unhandled += not event.handled
    _tokens(scope, node, event.fired, at)


def _run_ended_badly(state: NodeState, event: ev.NodeFailed | ev.RunFailed, at: int) -> None:
    state.error = event.error
    state.handled = event.handled
    state.ended_at = at
    state.waits_for = ""
    state.due = None


# --- the runs of nodes that have an inbox ---------------------------------------------------------------------------


def _node_activated(instance: Instance, event: ev.NodeActivated, at: int) -> None:
    scope, node, state = _move(instance, event.path, "NodeActivated")
    inbox = scope.inbox(node)
    inbox.take(at)
    if tuple(lease.payload for lease in inbox.taken) != event.taken:
        raise IllegalTransition(f"the inbox of node {event.path!r} does not hold {event.taken}")
    state.run = event.run
    state.attempt = state.failures = state.crashes = state.crashes_alone = 0
    state.input = state.error = None


def _run_completed(instance: Instance, event: ev.RunCompleted, at: int) -> None:
    scope, node, state = _move(instance, event.path, "RunCompleted")
    _run_ended_well(instance, state, event, at)
    scope.inbox(node).settle(RunResult(event.run, bytes(event.output)), at)
    _messages(scope, event, at)


def _run_failed(instance: Instance, event: ev.RunFailed, at: int) -> None:
    scope, node, state = _move(instance, event.path, "RunFailed")
    _run_ended_badly(state, event, at)
    state.failures += 1
    scope.unhandled += not event.handled
    error = msgspec.json.encode(event.error)
    scope.inbox(node).settle(RunResult(event.run, None, error, event.handled), at)
    _messages(scope, event, at)


def _messages(scope: Scope, event: ev.RunCompleted | ev.RunFailed, at: int) -> None:
    """A run's messages go to the inboxes downstream. Its skips vanish: the connections stay open for the runs to come."""
    connections = scope.graph.connections
    for index in event.fired:
        _deliver(scope, connections[index].target, ev.Token(index, event.run), at)


def _deliver(scope: Scope, target: int, token: ev.Token, at: int) -> None:
    state = scope.nodes[target]
    if state is None:
        state = scope.nodes[target] = NodeState()
    if state.status not in NODE_FINAL:
        scope.inbox(scope.graph.nodes[target]).deliver(token, at)


def _tokens(scope: Scope, node: PlanNode, fired: tuple[int, ...], at: int) -> None:
    """The node is final: one token on each of its connections, which for an inbox downstream also closes it."""
    receivers, nodes = scope.graph.nodes, scope.nodes
    among = fired if len(fired) < 8 else frozenset(fired)
    for connection in node.outgoing:
        target = connection.target
        state = nodes[target]
        if state is None:
            state = nodes[target] = NodeState()
        state.tokens += 1
        receiver = receivers[target]
        if receiver.inbox is not None:
            if connection.index in among:
                _deliver(scope, target, ev.Token(connection.index), at)
            scope.inbox(receiver).close(connection.index)
        elif connection.index in among:
            if receiver.in_degree == 1:
                # One list a connection, shared by all instances: most nodes have no other.
                state.messages = connection.only
            elif state.status != "pending":
                continue  # absorbed: it must not change the input of what runs already
            elif state.messages is None:
                state.messages = [connection.index]
            else:
                state.messages.append(connection.index)


def _routing_failed(instance: Instance, event: ev.RoutingFailed, at: int) -> None:
    scope, node = instance.locate(event.path)
    scope.unhandled += 1
    state = scope.state(node)
    state.misrouted = [*(state.misrouted or ()), event.connection]


def _check_all(instance: Instance, paths: list[str], event: str) -> None:
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


def _nodes_skipped(instance: Instance, event: ev.NodesSkipped, at: int) -> None:
    _check_all(instance, [skip.path for skip in event.skips], "NodesSkipped")
    for skip in event.skips:
        fold_skip(instance, skip, at)


def fold_skip(instance: Instance, skip: ev.Skip, at: int) -> None:
    """One skip of a NodesSkipped. Routing folds each as it is decided and records them together (SEMANTICS 4)."""
    scope, node, state = _move(instance, skip.path, "NodesSkipped")
    state.reason = skip.reason
    state.because = skip.because
    state.ended_at = at
    _tokens(scope, node, (), at)


def _nodes_cancelled(instance: Instance, event: ev.NodesCancelled, at: int) -> None:
    _check_all(instance, [ref.path for ref in event.runs], "NodesCancelled")
    for ref in event.runs:
        scope, node, state = _move(instance, ref.path, "NodesCancelled")
        state.reason = event.reason
        state.ended_at = at
        state.waits_for = "in doubt" if ref.in_doubt else ""
        state.due = None
        _tokens(scope, node, (), at)


def _nodes_requeued(instance: Instance, event: ev.NodesRequeued, at: int) -> None:
    _check_all(instance, [ref.path for ref in event.runs], "NodesRequeued")
    for ref in event.runs:
        _, _, state = _move(instance, ref.path, "NodesRequeued")
        state.crashes += event.crashed
        state.crashes_alone += event.crashed and event.alone


def _node_compensating(instance: Instance, event: ev.NodeCompensating, at: int) -> None:
    _move(instance, event.path, "NodeCompensating")[2].attempt = event.attempt


def _node_compensated(instance: Instance, event: ev.NodeCompensated, at: int) -> None:
    _move(instance, event.path, "NodeCompensated")[2].ended_at = at


def _node_compensation_failed(instance: Instance, event: ev.NodeCompensationFailed, at: int) -> None:
    _, _, state = _move(instance, event.path, "NodeCompensationFailed")
    state.error = event.error
    state.ended_at = at


def _node_reset(instance: Instance, event: ev.NodeReset, at: int) -> None:
    scope, node = instance.locate(event.path)
    known = scope.nodes[node.index]
    failed = known is not None and known.status == "failed"
    _, _, before = _move(instance, event.path, "NodeReset")
    if failed and not before.handled:
        scope.unhandled -= 1
    instance.degraded -= before.degraded
    scope.nodes[node.index] = NodeState(run=event.run, tokens=before.tokens, messages=before.messages)


FOLD: dict[type[ev.Event], Callable[[Instance, Any, int], None]] = {
    ev.InstanceStarted: _instance_started,
    ev.InstancePauseRequested: _move_instance,
    ev.InstancePaused: _move_instance,
    ev.InstanceResumed: _instance_resumed,
    ev.InstanceParked: _instance_reasoned,
    ev.InstanceFailing: _instance_reasoned,
    ev.InstanceCancelRequested: _instance_reasoned,
    ev.CompensationStarted: _move_instance,
    ev.CompensationEnded: _move_instance,
    ev.InstanceCompleted: _instance_ended,
    ev.InstancePartiallySucceeded: _instance_ended,
    ev.InstanceFailed: _instance_ended,
    ev.InstanceCancelled: _instance_ended,
    ev.InstanceCompensated: _move_instance,
    ev.InstanceReopened: _instance_reopened,
    ev.VariablesSet: _variables_set,
    ev.InputMapped: _input_mapped,
    ev.NodeLogged: _node_logged,
    ev.NodeReady: _node_ready,
    ev.NodeStarted: _node_started,
    ev.NodeWaiting: _node_waiting,
    ev.NodeRetrying: _node_retrying,
    ev.NodeFellBack: _node_fell_back,
    ev.NodeCompleted: _node_completed,
    ev.NodeFailed: _node_failed,
    ev.RoutingFailed: _routing_failed,
    ev.NodesSkipped: _nodes_skipped,
    ev.NodesCancelled: _nodes_cancelled,
    ev.NodesRequeued: _nodes_requeued,
    ev.NodeCompensating: _node_compensating,
    ev.NodeCompensated: _node_compensated,
    ev.NodeCompensationFailed: _node_compensation_failed,
    ev.NodeReset: _node_reset,
    ev.NodeActivated: _node_activated,
    ev.RunCompleted: _run_completed,
    ev.RunFailed: _run_failed,
}
