"""Starting nodes and ending them. All kinds of node pass through here; what is special to a kind is in its own file.

What follows from the end of a node is in `machine/waves.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.nodes import reading
from mainspring.machine.nodes.kinds import BEGIN
from mainspring.machine.nodes.outcome import Fails, Leaves, Stops
from mainspring.machine.policies import failure
from mainspring.machine.routing import route_completed, route_failed
from mainspring.machine.turn import Turn
from mainspring.machine.values import PAYLOAD_BYTES_MAX, input_of

SUSPECT_CRASHES = 2
"""A node that was in flight at so many crashes starts one at a time, engine-wide (SEMANTICS 9)."""

SUSPECTS = "suspects"
"""The resource that suspects are admitted by."""


def start(turn: Turn, node: PlanNode) -> bool:
    """Start one node, or ask for its slot. True where it ended at once."""
    state = turn.scope.nodes[node.index]
    resource = resource_of(node, state)
    if resource is not None:
        run = 1 if state is None else state.run
        if state is None or state.status != "ready":
            turn.emit(ev.NodeReady(turn.path(node), run, resource))
        turn.ask(fx.AskAdmission(turn.path(node), run, resource, 0 if state is None else state.crashes))
        return False
    return begin(turn, node)


def resource_of(node: PlanNode, state: NodeState | None) -> str | None:
    """What the node must be admitted by before it starts (None: by nothing)."""
    if state is not None and state.crashes >= SUSPECT_CRASHES:
        return SUSPECTS
    return node.resource


def begin(turn: Turn, node: PlanNode, *, same_attempt: bool = False) -> bool:
    """Begin an attempt; the node holds whatever slot it needs. True where it ended at once."""
    state = turn.scope.state(node)
    if node.template is not None and state.input is None:
        try:
            turn.emit(
                ev.InputMapped(
                    turn.path(node),
                    state.run,
                    Raw(msgspec.json.encode(node.template(Names(turn.instance, turn.scope)))),
                )
            )
        except (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError) as error:
            return fail_with(turn, node, state, "MappingError", mapping_fault("the input mapping", error))
    cache_key = b""
    if node.reads_input:
        fault, cache_key = reading.read(turn, node, state)
        if fault is not None:
            return fail(turn, node, state, fault)
    attempt = state.attempt if same_attempt else state.attempt + 1
    turn.emit(ev.NodeStarted(node.path or turn.path(node), state.run, attempt))
    if not node.machine_kind:
        order(turn, node, state, cache_key)
        return False
    outcome = BEGIN[node.machine_kind](turn, node, state)
    if outcome is None:
        return False
    if isinstance(outcome, Fails):
        record = ev.ErrorRecord(outcome.type, outcome.message, outcome.code, None, attempt, node.max_attempts)
        return fail(turn, node, state, record)
    return _hand_on(turn, node, state, outcome)


def pass_through(turn: Turn, node: PlanNode, state: NodeState) -> bool:
    """End the node with its input as its output."""
    return _hand_on(turn, node, state, Leaves(input_of(turn.scope, node)))


def _hand_on(turn: Turn, node: PlanNode, state: NodeState, outcome: Leaves | Stops) -> bool:
    """End the node with an output that no task made. Joins nest what they pass on, so this too needs a bound."""
    output = outcome.output
    if len(output) > PAYLOAD_BYTES_MAX:
        message = f"the output has {len(output)} bytes of JSON, and payload_bytes_max is {PAYLOAD_BYTES_MAX}"
        return fail_with(turn, node, state, "PayloadTooLarge", message)
    faults = () if node.output_check is None else node.output_check(output)
    if faults:
        return fail_with(turn, node, state, "OutputInvalid", "; ".join(faults), fatal=True)
    if isinstance(outcome, Stops):
        return _stop(turn, node, state, outcome)
    ports = outcome.ports
    if len(ports) > 1:
        return _complete_by(turn, node, state, output, ports)
    return complete(turn, node, state, output, ports[0] if ports else None)


def order(turn: Turn, node: PlanNode, state: NodeState, cache_key: bytes = b"") -> None:
    """Have the attempt's work done, and its clock run."""
    turn.effects.append(
        fx.DispatchTask(node.path or turn.path(node), state.run, state.attempt, turn.instance.variables, cache_key)
    )
    if node.timeout is not None:
        due = state.started_at + node.timeout
        turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.NODE_TIMEOUT, due))


def complete(
    turn: Turn, node: PlanNode, state: NodeState, output: bytes, port: str | None, cached: bool = False
) -> bool:
    """End the node well. True, for those who ask whether it ended."""
    release(turn, node, state)
    fired, faults = route_completed(turn, node, port, output)
    completed = ev.RunCompleted if node.repeating else ev.NodeCompleted
    turn.emit(
        completed(node.path or turn.path(node), state.run, state.attempt, Raw(output), fired, port, False, cached)
    )
    if faults:
        _routing_faults(turn, node, faults)
    return True


def _complete_by(turn: Turn, node: PlanNode, state: NodeState, output: bytes, ports: tuple[str, ...]) -> bool:
    """The same by several ports at once: what fires is what fires on any of them, in the order of the connections."""
    release(turn, node, state)
    routed = [route_completed(turn, node, port, output) for port in ports]
    fired = tuple(sorted(index for some, _ in routed for index in some))
    completed = ev.RunCompleted if node.repeating else ev.NodeCompleted
    turn.emit(completed(turn.path(node), state.run, state.attempt, Raw(output), fired, ports[0]))
    _routing_faults(turn, node, [fault for _, faults in routed for fault in faults])
    return True


def _stop(turn: Turn, node: PlanNode, state: NodeState, outcome: Stops) -> bool:
    """The node is done, and nothing comes after it: what is under way is cancelled, what has not begun is skipped."""
    release(turn, node, state)
    path = turn.path(node)
    if node.repeating:
        turn.emit(ev.RunCompleted(path, state.run, state.attempt, Raw(outcome.output)))
        turn.emit(ev.NodeCompleted(path, state.run, state.attempt))
    else:
        turn.emit(ev.NodeCompleted(path, state.run, state.attempt, Raw(outcome.output)))
    failure.end_at_once(turn, outcome.why, path, outcome.ends)
    return True


def _routing_faults(turn: Turn, node: PlanNode, faults: Sequence[ev.RoutingFailed]) -> None:
    """Conditions that raised are failures that nobody handles, however the node ended (SEMANTICS 20)."""
    for fault in faults:
        turn.emit(fault)
        failure.unhandled(turn, turn.path(node), f"the routing of {turn.path(node)} failed: {fault.error.message}")


def fail(turn: Turn, node: PlanNode, state: NodeState, error: ev.ErrorRecord) -> bool:
    """End the node badly, for good. True, for those who ask whether it ended."""
    release(turn, node, state)
    fired, faults = route_failed(turn, node, error)
    handled = bool(fired)
    ended = ev.RunFailed if node.repeating else ev.NodeFailed
    turn.emit(ended(turn.path(node), state.run, state.attempt, error, fired, handled))
    if not handled:
        failure.unhandled(turn, turn.path(node), f"{turn.path(node)} failed: {error.type}: {error.message}")
    _routing_faults(turn, node, faults)
    return True


def fail_with(turn: Turn, node: PlanNode, state: NodeState, type: str, message: str, *, fatal: bool = False) -> bool:
    """End the node badly for a reason of the machine's own."""
    return fail(
        turn, node, state, ev.ErrorRecord(type, message, None, None, state.attempt, node.max_attempts, fatal=fatal)
    )


def release(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """The attempt is over: give back its slot and disarm its clock."""
    if resource_of(node, state) is not None:
        turn.ask(fx.ReleaseAdmission(turn.path(node), state.run))
    if node.timeout is not None and state.status == "running":
        turn.ask(fx.DisarmTimer(turn.path(node), state.run, state.attempt, fx.NODE_TIMEOUT))
