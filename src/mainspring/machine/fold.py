"""An event becomes state. Live runs, recovery and time travel all fold with this one file.

Folding decides nothing: it evaluates no expression, reads no policy and no clock (SEMANTICS 4). What it checks is whether
the lifecycle tables have a row for the event; where they have none it raises `IllegalTransition` and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine import signals
from mainspring.machine.block import Block, merge_writes
from mainspring.machine.capturing import become
from mainspring.machine.fold_blocks import FOLD_BLOCKS, end_block
from mainspring.machine.fold_saga import FOLD_SAGA
from mainspring.machine.inbox import RunResult
from mainspring.machine.instance import CONSUMED_MAX, Instance
from mainspring.machine.lifecycle import NODE_FINAL, IllegalTransition
from mainspring.machine.moving import check_all, move, move_instance
from mainspring.machine.pause import Pause, clock, went_on
from mainspring.machine.scope import BodyScope, NodeState, Scope

_decode_error = msgspec.json.Decoder(ev.ErrorRecord).decode


def fold(instance: Instance, event: ev.Event, at: int) -> None:
    """Make `event`, which happened at `at` (UTC milliseconds), part of the instance's state.

    Raises IllegalTransition, with nothing changed, where a lifecycle has no row for it.
    """
    FOLD[type(event)](instance, event, at)


def consume(instance: Instance, message: str) -> None:
    """Remember that the message with this inbox id has had its effect."""
    instance.consumed = (*instance.consumed[1 - CONSUMED_MAX :], message)


# --- the instance ---------------------------------------------------------------------------------------------------


def _instance_started(instance: Instance, event: ev.InstanceStarted, at: int) -> None:
    move_instance(instance, event, at)
    instance.started_at = at
    instance.input = bytes(event.input)
    instance.variables = bytes(event.variables)
    if event.parent is not None or event.children:
        instance.lineage = signals.Lineage(
            event.parent, event.parent_path, event.parent_run, event.depth, event.children, event.detached
        )


def _instance_ended(instance: Instance, event: Any, at: int) -> None:
    move_instance(instance, event, at)
    instance.output = bytes(event.output)
    instance.reason = getattr(event, "reason", "")


def _instance_reasoned(instance: Instance, event: Any, at: int) -> None:
    move_instance(instance, event, at)
    instance.reason = event.reason


def _instance_pausing(instance: Instance, event: ev.InstancePauseRequested, at: int) -> None:
    move_instance(instance, event, at)
    instance.reason = event.reason
    instance.pause = Pause(at, event.by, event.reason, event.stop_clocks, event.until, event.then_cancel)
    instance.pauses += 1


def _instance_stopping(instance: Instance, event: ev.InstanceFailing | ev.InstanceCancelRequested, at: int) -> None:
    _instance_reasoned(instance, event, at)
    instance.pause = None


def _instance_resumed(instance: Instance, event: ev.InstanceResumed, at: int) -> None:
    move_instance(instance, event, at)
    instance.reason = ""
    if instance.pause is not None:
        went_on(instance, at, event.stopped_for)
    if instance.saga is not None and not instance.saga.over:
        instance.status = "compensating"  # it was parked in the middle of its saga, which goes on


def _variables_set(instance: Instance, event: ev.VariablesSet, at: int) -> None:
    """They belong to the instance, but what a body sets stays there until it has ended (SEMANTICS 27)."""
    scope: Scope = instance.locate(event.path)[0] if event.path else instance
    if isinstance(scope, BodyScope):
        scope.writes = merge_writes(scope.writes or b"{}", bytes(event.values))
    else:
        instance.variables = merge_writes(instance.variables, bytes(event.values))


def _instance_undone(instance: Instance, event: ev.InstanceCompensated, at: int) -> None:
    move_instance(instance, event, at)
    instance.reason = event.reason


def _instance_migrated(instance: Instance, event: ev.InstanceMigrated, at: int) -> None:
    move_instance(instance, event, at)
    become(instance, instance.plans(event.version))
    if instance.lineage.children != event.children:
        instance.lineage = msgspec.structs.replace(instance.lineage, children=event.children)


def _instance_reopened(instance: Instance, event: ev.InstanceReopened, at: int) -> None:
    move_instance(instance, event, at)
    instance.opened_at = at
    instance.ended_at = 0
    instance.reason = ""
    for state in instance.nodes:
        # What failed before does not end it again, were it that it is parked, and resumed.
        if state is not None and state.decision == "terminate":
            state.decision = "continue"


# --- nodes ----------------------------------------------------------------------------------------------------------


def _input_mapped(instance: Instance, event: ev.InputMapped, at: int) -> None:
    move(instance, event.path, "InputMapped")[2].input = bytes(event.input)


def _node_logged(instance: Instance, event: ev.NodeLogged, at: int) -> None:
    """It is in the history, and changes nothing but that."""
    move(instance, event.path, "NodeLogged")


def _node_ready(instance: Instance, event: ev.NodeReady, at: int) -> None:
    move(instance, event.path, "NodeReady")[2].waits_for = event.asks


def _node_started(instance: Instance, event: ev.NodeStarted, at: int) -> None:
    _, _, state = move(instance, event.path, "NodeStarted")
    state.attempt = event.attempt
    state.started_at = at
    state.due = None
    state.waits_for = ""


def _node_waiting(instance: Instance, event: ev.NodeWaiting, at: int) -> None:
    _, _, state = move(instance, event.path, "NodeWaiting")
    state.waits_for = f"{event.what} {event.detail}".rstrip()
    state.due = event.until
    signals.began_to_wait(instance, event)


def _node_retrying(instance: Instance, event: ev.NodeRetrying, at: int) -> None:
    _, _, state = move(instance, event.path, "NodeRetrying")
    state.failures += 1
    state.error = event.error
    state.due = event.due
    if instance.plan.policies.retry_budget is not None and instance.status != "compensating":
        instance.retries += 1


def _node_fell_back(instance: Instance, event: ev.NodeFellBack, at: int) -> None:
    """From its first fallback on its bodies are those that stand in for it. Its error stays the one that it failed with."""
    scope, node, state = move(instance, event.path, "NodeFellBack")
    if not event.reason:  # a row from before fallbacks ran
        state.error = event.error
        return
    block = scope.blocks.get(node.index)
    if block is None or not block.stands_in:
        scope.block(node, Block(event.run, state.bodies, stands_in=True))
        state.error = event.error
        state.due = None
        state.waits_for = ""
    state.because = event.action


def _node_completed(instance: Instance, event: ev.NodeCompleted, at: int) -> None:
    scope, node, state = move(instance, event.path, "NodeCompleted")
    output = bytes(event.output)
    state.output = end_block(scope, node, event.port, output) if node.nests and scope.blocks else output
    _run_ended_well(instance, state, event, at)
    if node.repeating:
        state.output = scope.inbox(node).outputs
    elif node.undo is not None:
        instance.may_undo(event.path, node.undo)
    _tokens(scope, node, event.fired, at)


def _run_ended_well(instance: Instance, state: NodeState, event: ev.NodeCompleted | ev.RunCompleted, at: int) -> None:
    state.port = event.port
    state.cached = event.cached
    state.ended_at = at
    state.waits_for = ""
    state.due = None
    if event.degraded:
        state.degraded = True
        instance.degraded += 1
    if not event.degraded or not state.because:  # else it stays: something stood in, because of it
        state.error = None


def _node_failed(instance: Instance, event: ev.NodeFailed, at: int) -> None:
    scope, node, state = move(instance, event.path, "NodeFailed")
    _run_ended_badly(state, event, at)
    if node.repeating:  # each run's failure was counted when it happened
        state.output = scope.inbox(node).outputs
    else:
        state.failures += 1
        if not event.handled:
            scope.failed(event.error)
        if node.undo is not None and node.undo.failed:
            instance.may_undo(event.path, node.undo)
    scope.blocks.pop(node.index, None)
    _tokens(scope, node, event.fired, at)


def _run_ended_badly(state: NodeState, event: ev.NodeFailed | ev.RunFailed, at: int) -> None:
    state.error = event.error
    state.handled = event.handled
    if event.decision:
        state.decision = event.decision
        state.reason = event.rule
    state.ended_at = at
    state.waits_for = ""
    state.due = None


# --- the runs of nodes that have an inbox ---------------------------------------------------------------------------


def _node_activated(instance: Instance, event: ev.NodeActivated, at: int) -> None:
    scope, node, state = move(instance, event.path, "NodeActivated")
    inbox = scope.inbox(node)
    inbox.take(at)
    if tuple(lease.payload for lease in inbox.taken) != event.taken:
        raise IllegalTransition(f"the inbox of node {event.path!r} does not hold {event.taken}")
    state.run = event.run
    state.attempt = state.failures = state.crashes = state.crashes_alone = 0
    state.input = state.error = None


def _run_completed(instance: Instance, event: ev.RunCompleted, at: int) -> None:
    scope, node, state = move(instance, event.path, "RunCompleted")
    _run_ended_well(instance, state, event, at)
    output = end_block(scope, node, event.port, bytes(event.output)) if node.nests else bytes(event.output)
    scope.inbox(node).settle(RunResult(event.run, output), at)
    if node.undo is not None:
        instance.may_undo(event.path, node.undo)
    _messages(scope, event, at)


def _run_failed(instance: Instance, event: ev.RunFailed, at: int) -> None:
    scope, node, state = move(instance, event.path, "RunFailed")
    _run_ended_badly(state, event, at)
    state.failures += 1
    if not event.handled:
        scope.failed(event.error)
    if node.undo is not None and node.undo.failed:
        instance.may_undo(event.path, node.undo)
    scope.blocks.pop(node.index, None)
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
    outgoing = node.outgoing
    every = len(fired) == len(outgoing)
    among = fired if every or len(fired) < 8 else frozenset(fired)
    for connection in outgoing:
        target = connection.target
        state = nodes[target]
        if state is None:
            state = nodes[target] = NodeState()
        state.tokens += 1
        receiver = receivers[target]
        if receiver.inbox is not None:
            if every or connection.index in among:
                _deliver(scope, target, ev.Token(connection.index), at)
            scope.inbox(receiver).close(connection.index)
        elif every or connection.index in among:
            if receiver.in_degree == 1:
                # One list a connection, shared by all instances: most nodes have no other.
                state.messages = connection.only
            elif state.status != "pending":
                continue  # absorbed: it must not change the input of what runs already
            elif state.messages is None:
                state.messages = [connection.index]
            else:
                state.messages.append(connection.index)


def _signal_kept(instance: Instance, event: ev.SignalKept, at: int) -> None:
    move_instance(instance, event, at)
    signals.keep(instance, event, at)


def _signal_taken(instance: Instance, event: ev.SignalTaken, at: int) -> None:
    move(instance, event.path, "SignalTaken")
    signals.take(instance, event)


def _routing_failed(instance: Instance, event: ev.RoutingFailed, at: int) -> None:
    scope, node = instance.locate(event.path)
    scope.failed(event.error)
    state = scope.state(node)
    state.misrouted = [*(state.misrouted or ()), event.connection]
    if event.decision and state.decision != "terminate":
        state.decision = event.decision
        state.reason = event.rule


def _nodes_skipped(instance: Instance, event: ev.NodesSkipped, at: int) -> None:
    check_all(instance, [skip.path for skip in event.skips], "NodesSkipped")
    for skip in event.skips:
        fold_skip(instance, skip, at)


def fold_skip(instance: Instance, skip: ev.Skip, at: int) -> None:
    """One skip of a NodesSkipped. Routing folds each as it is decided and records them together (SEMANTICS 4)."""
    scope, node, state = move(instance, skip.path, "NodesSkipped")
    state.reason = skip.reason
    state.because = skip.because
    state.ended_at = at
    _tokens(scope, node, (), at)


def _nodes_cancelled(instance: Instance, event: ev.NodesCancelled, at: int) -> None:
    check_all(instance, [ref.path for ref in event.runs], "NodesCancelled")
    for ref in event.runs:
        scope, node, state = move(instance, ref.path, "NodesCancelled")
        state.reason = event.reason
        state.ended_at = at
        state.waits_for = "in doubt" if ref.in_doubt else ""
        state.due = None
        scope.blocks.pop(node.index, None)
        if ref.in_doubt and node.undo is not None and node.undo.in_doubt:
            instance.may_undo(ref.path, node.undo)
        _tokens(scope, node, (), at)


def _nodes_requeued(instance: Instance, event: ev.NodesRequeued, at: int) -> None:
    check_all(instance, [ref.path for ref in event.runs], "NodesRequeued")
    for ref in event.runs:
        _, _, state = move(instance, ref.path, "NodesRequeued")
        state.crashes += event.crashed
        state.crashes_alone += event.crashed and event.alone


def _intervened(instance: Instance, event: ev.Intervened, at: int) -> None:
    """What it led to is told by events of its own; but a retry that is to be made at once has none where all stands still."""
    if event.what == "retry":
        scope, node = instance.locate(event.path)
        state = scope.nodes[node.index]
        if state is not None and state.status == "retrying":
            state.due = clock(instance, at)


def _node_reset(instance: Instance, event: ev.NodeReset, at: int) -> None:
    scope, node = instance.locate(event.path)
    known = scope.nodes[node.index]
    failed = known is not None and known.status == "failed"
    _, _, before = move(instance, event.path, "NodeReset")
    scope.unhandled -= (failed and not before.handled) + len(before.misrouted or ())
    if not scope.unhandled:
        scope.error = None
    elif failed and scope.error == before.error:
        scope.error = _first_error_but(scope, node) or scope.error
    instance.degraded -= before.degraded
    for connection in node.outgoing:  # the tokens that it had put
        target = scope.state(scope.graph.nodes[connection.target])
        target.tokens -= 1
        if target.messages and connection.index in target.messages:
            # Another list: where there can be only one message it is shared between instances.
            target.messages = [index for index in target.messages if index != connection.index] or None
    scope.nodes[node.index] = NodeState(
        run=event.run, tokens=before.tokens, messages=before.messages, bodies=before.bodies
    )


def _first_error_but(scope: Scope, node: PlanNode) -> ev.ErrorRecord | None:
    """The first failure that nobody took, but for this node's. None: it is a condition's, and of these no error is kept."""
    found = [
        (state.ended_at, state.error)
        for index, state in enumerate(scope.nodes)
        if index != node.index and state is not None and state.status == "failed" and not state.handled
    ]
    for index, inbox in scope.inboxes.items():
        state, run = (
            scope.nodes[index],
            next((one for one in inbox.results if one.error is not None and not one.handled), None),
        )
        if state is not None and state.status == "gathering" and run is not None:
            found.append((state.ended_at, _decode_error(run.error or b"")))
    return min(found, key=lambda one: one[0])[1] if found else None


FOLD: dict[type[ev.Event], Callable[[Instance, Any, int], None]] = {
    ev.InstanceStarted: _instance_started,
    ev.InstancePauseRequested: _instance_pausing,
    ev.InstancePaused: move_instance,
    ev.InstanceResumed: _instance_resumed,
    ev.InstanceParked: _instance_reasoned,
    ev.InstanceFailing: _instance_stopping,
    ev.InstanceCancelRequested: _instance_stopping,
    ev.InstanceCompleted: _instance_ended,
    ev.InstancePartiallySucceeded: _instance_ended,
    ev.InstanceFailed: _instance_ended,
    ev.InstanceCancelled: _instance_ended,
    ev.InstanceCompensated: _instance_undone,
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
    ev.InstanceMigrated: _instance_migrated,
    ev.Intervened: _intervened,
    ev.NodeReset: _node_reset,
    ev.NodeActivated: _node_activated,
    ev.RunCompleted: _run_completed,
    ev.RunFailed: _run_failed,
    **FOLD_BLOCKS,
    **FOLD_SAGA,
    ev.SignalKept: _signal_kept,
    ev.SignalDropped: move_instance,
    ev.SignalTaken: _signal_taken,
}
