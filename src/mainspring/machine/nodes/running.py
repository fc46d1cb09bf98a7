"""Starting nodes and ending them. All kinds of node pass through here; what is special to a kind is in its own file.

What follows from the end of a node is in `machine/waves.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.limits.breaker import OPEN_ERROR, SPENT_ERROR
from mainspring.limits.limit import FREE, Outcome, Refusal
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.children import cancel_child
from mainspring.machine.inputs import TaskFault
from mainspring.machine.instance import NodeState
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.nodes import fallback, reading
from mainspring.machine.nodes.kinds import BEGIN
from mainspring.machine.nodes.outcome import Fails, Leaves, Stops
from mainspring.machine.nodes.own_config import COMPUTING, config_of
from mainspring.machine.pause import clock
from mainspring.machine.policies import failure, retry
from mainspring.machine.policies.deciding import HANDLED, decide
from mainspring.machine.routing import route_completed, route_failed
from mainspring.machine.saga import undoing
from mainspring.machine.stopping import stop_bodies
from mainspring.machine.turn import Turn
from mainspring.machine.values import PAYLOAD_BYTES_MAX, input_of

_encode = msgspec.json.Encoder().encode

SUSPECT_CRASHES = 2
"""A node that was in flight at so many crashes starts one at a time, engine-wide (SEMANTICS 9)."""

TIMEOUT_PORT = "timeout"
"""By which a block or a wait leaves that has taken too long."""

CRASH_LIMIT = "CrashLimit"
"""What a node fails with that was in flight at too many crashes. It is a dead letter then."""

SUSPECTS = "suspects"
"""The resource that suspects are admitted by."""


def start(turn: Turn, node: PlanNode) -> bool:
    """Start one node, or have it wait for what it needs. True where it ended at once."""
    state = turn.scope.nodes[node.index]
    if node.resource is None and (state is None or state.crashes < SUSPECT_CRASHES):
        return begin(turn, node, state)
    # It starts where its limits are free just now; else it is ready, and asks for them (SEMANTICS 72). One that waited for
    # its code has only just given back what it held.
    admit = turn.admission
    if state is None:
        state = turn.scope.state(node)
    elif state.crashes >= SUSPECT_CRASHES or state.status == "waiting":
        admit = None
    if admit is None:
        return _ask(turn, node, state)
    verdict = admit(node, node.path or turn.path(node), state.run, state.attempt + 1, turn.at)
    if verdict is FREE:
        return begin(turn, node, state)
    return refused(turn, node, state, verdict) if isinstance(verdict, Refusal) else _ask(turn, node, state)


def must_ask(turn: Turn, node: PlanNode, state: NodeState) -> bool:
    """Whether a node does not have what it needs of limits, and can't have it just now."""
    admit = turn.admission
    if admit is None or state.crashes >= SUSPECT_CRASHES:
        return False
    return admit(node, turn.path(node), state.run, state.attempt + 1, turn.at) is not FREE


def _ask(turn: Turn, node: PlanNode, state: NodeState) -> bool:
    """The node is ready, and asks for what it has to wait for."""
    path, resource = turn.path(node), resource_of(node, state)
    assert resource is not None
    if state.status != "ready":
        turn.emit(ev.NodeReady(path, state.run, resource))
    turn.ask(fx.AskAdmission(path, state.run, resource, state.crashes, attempt=state.attempt + 1))
    return False


def refused(turn: Turn, node: PlanNode, state: NodeState, refusal: Refusal) -> bool:
    """The node cannot start, and waiting would not help: it fails with the reason that was given."""
    figures = ", ".join(f"{name} {value:g}" for name, value in refusal.figures.items())
    message = f"{refusal.reason} ({figures})" if figures else refusal.reason
    if refusal.type == OPEN_ERROR:
        # An attempt like any other, but for the work that is not done (SEMANTICS 81). What stands in for it gets its input.
        unmapped = _map_input(turn, node, state)
        if unmapped:
            return fail_with(turn, node, state, "MappingError", unmapped)
        turn.emit(ev.NodeStarted(turn.path(node), state.run, state.attempt + 1))
        wait = None if refusal.until is None else max(refusal.until - turn.at, 0)
        told = {"until": refusal.until, **refusal.figures}
        fault = TaskFault(OPEN_ERROR, message, (OPEN_ERROR,), refusal.state, context=told, retry_after=wait)
        return fail_attempt(turn, node, state, fault)
    if refusal.type == SPENT_ERROR and state.error is not None:
        message = f"{message}; the last attempt failed: {state.error.type}: {state.error.message}"
    return fail_with(turn, node, state, refusal.type, message)


def fail_attempt(turn: Turn, node: PlanNode, state: NodeState, fault: TaskFault) -> bool:
    """The attempt under way has failed: the node is tried again, or fails for good. True where it ended."""
    decision = _out_of_budget(turn) or retry.decide(
        node.retry,
        state.failures + 1,
        fault,
        clock(turn.instance, turn.at),
        seed=turn.seed,
        path=turn.path(node),
        attempt=state.attempt,
    )
    error = record(fault, state.attempt, node.max_attempts)
    if isinstance(decision, retry.Again):
        release(turn, node, state, "failed")
        rule = turn.plan.policies.retry_rule(node)
        turn.emit(ev.NodeRetrying(turn.path(node), state.run, state.attempt, error, decision.due, rule))
        if turn.instance.status in STARTING:  # else it is armed when the instance goes on
            turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.RETRY, decision.due))
        return False
    return fail(turn, node, state, error)


def _out_of_budget(turn: Turn) -> retry.GiveUp | None:
    """Where the retries of the whole are spent, nothing of it is tried again, but for what undoes it (SEMANTICS 49)."""
    budget = turn.plan.policies.retry_budget
    if budget is None or turn.instance.retries < budget or undoing(turn.scope) is not None:
        return None
    return retry.GiveUp(f"the retry budget of {budget} is spent")


def record(fault: TaskFault, attempt: int, max_attempts: int) -> ev.ErrorRecord:
    """What the journal keeps of a fault."""
    return ev.ErrorRecord(
        type=fault.type,
        message=fault.message,
        code=fault.code,
        stack=fault.stack,
        attempt=attempt,
        max_attempts=max_attempts,
        context=ev.NULL if fault.context is None else Raw(msgspec.json.encode(fault.context)),
        fatal=fault.fatal,
    )


def resource_of(node: PlanNode, state: NodeState | None) -> str | None:
    """What the node must be admitted by before it starts (None: by nothing)."""
    if state is not None and state.crashes >= SUSPECT_CRASHES:
        return SUSPECTS
    return node.resource


def begin(turn: Turn, node: PlanNode, state: NodeState | None = None, *, same_attempt: bool = False) -> bool:
    """Begin an attempt; the node holds whatever slot it needs. True where it ended at once."""
    state = state or turn.scope.state(node)
    if node.template is not None:
        unmapped = _map_input(turn, node, state)
        if unmapped:
            return fail_with(turn, node, state, "MappingError", unmapped)
    config, cache_key = b"", b""
    if node.custom:
        try:
            config = config_of(turn, node)
        except COMPUTING as error:
            return fail_with(turn, node, state, "MappingError", mapping_fault("the config", error))
    if node.reads_input:
        fault, cache_key = reading.read(turn, node, state, config)
        if fault is not None:
            return fail(turn, node, state, fault)
    attempt = state.attempt if same_attempt else state.attempt + 1
    turn.emit(ev.NodeStarted(node.path or turn.path(node), state.run, attempt))
    if not node.machine_kind:
        order(turn, node, state, cache_key, config)
        return False
    outcome = BEGIN[node.machine_kind](turn, node, state)
    return False if outcome is None else finish(turn, node, state, outcome)


def _map_input(turn: Turn, node: PlanNode, state: NodeState) -> str:
    """Evaluate the node's input mapping, once in a run. What is wrong with it ("": nothing)."""
    if node.template is None or state.input is not None:
        return ""
    scope: Any
    if node.maps_input_only:
        scope = turn.input_alone
        if scope is None:
            scope = turn.input_alone = {"input": msgspec.json.decode(turn.instance.input)}
    else:
        scope = Names(turn.instance, turn.scope, node=node)
    try:
        mapped = _encode(node.template.evaluate(scope))
    except (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError) as error:
        return mapping_fault("the input mapping", error)
    turn.emit(ev.InputMapped(node.path or turn.path(node), state.run, Raw(mapped)))
    return ""


def finish(turn: Turn, node: PlanNode, state: NodeState, outcome: Leaves | Fails | Stops) -> bool:
    """End a node of the machine's own as its rule says. True where it ended (and did not fall back)."""
    if isinstance(outcome, Fails):
        what = outcome.type, outcome.message, outcome.code
        return fail(turn, node, state, ev.ErrorRecord(*what, None, state.attempt, node.max_attempts, outcome.context))
    return _hand_on(turn, node, state, outcome)


def out_of_time(turn: Turn, node: PlanNode, state: NodeState) -> bool:
    """A block or a wait has taken too long: it leaves by its port for that, if anything is connected there."""
    stop_bodies(turn, node, f"{turn.path(node)} timed out")
    cancel_child(turn, node, state)
    if TIMEOUT_PORT in node.ports:
        return finish(turn, node, state, Leaves(input_of(turn.scope, node), (TIMEOUT_PORT,)))
    return finish(turn, node, state, Fails("NodeTimeout", f"no end within {node.timeout} ms"))


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
    return complete(turn, node, state, output, ports[0] if ports else None, derived=outcome.derived)


def order(turn: Turn, node: PlanNode, state: NodeState, cache_key: bytes = b"", config: bytes = b"") -> None:
    """Have the attempt's work done, and its clock run."""
    path, instance = node.path or turn.path(node), turn.instance
    variables = instance.variables if turn.scope is instance else instance.variables_in(turn.scope)
    turn.effects.append(fx.DispatchTask(path, state.run, state.attempt, variables, cache_key, config))
    if node.timeout is not None:
        due = state.started_at + node.timeout
        turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.NODE_TIMEOUT, due))


def order_again(turn: Turn, node: PlanNode, state: NodeState) -> bool:
    """Order an attempt that has begun and whose order was lost. True where its config can no longer be made: it failed."""
    try:
        order(turn, node, state, config=config_of(turn, node))
    except COMPUTING as error:
        return fail_with(turn, node, state, "MappingError", mapping_fault("the config", error))
    return False


def complete(
    turn: Turn,
    node: PlanNode,
    state: NodeState,
    output: bytes,
    port: str | None,
    cached: bool = False,
    *,
    derived: bool = False,
    degraded: bool = False,
    by_hand: bool = False,
) -> bool:
    """End the node well. True, for those who ask whether it ended.

    A `derived` output is not written again, unless a saga may have to find it. `by_hand`: the attempt under way is stopped.
    """
    # What was kept has called nobody, and how a call would have ended that is stopped nobody knows.
    release(turn, node, state, "unused" if cached else "stopped" if by_hand else "ok")
    fired, faults = route_completed(turn, node, port, output)
    completed = ev.RunCompleted if node.repeating else ev.NodeCompleted
    turn.emit(
        completed(
            node.path or turn.path(node),
            state.run,
            state.attempt,
            ev.NULL if derived and node.undo is None else Raw(output),
            fired,
            port,
            degraded,
            cached,
        )
    )
    if faults:
        _routing_faults(turn, node, faults)
    return True


def _complete_by(turn: Turn, node: PlanNode, state: NodeState, output: bytes, ports: tuple[str, ...]) -> bool:
    """The same by several ports at once: what fires is what fires on any of them, in the order of the connections."""
    release(turn, node, state, "ok")
    routed = [route_completed(turn, node, port, output) for port in ports]
    fired = tuple(sorted(index for some, _ in routed for index in some))
    completed = ev.RunCompleted if node.repeating else ev.NodeCompleted
    turn.emit(completed(turn.path(node), state.run, state.attempt, Raw(output), fired, ports[0]))
    _routing_faults(turn, node, [fault for _, faults in routed for fault in faults])
    return True


def _stop(turn: Turn, node: PlanNode, state: NodeState, outcome: Stops) -> bool:
    """The node is done, and nothing comes after it: what is under way is cancelled, what has not begun is skipped."""
    if turn.instance.saga is not None:
        return fail_with(turn, node, state, "Undoing", "nothing ends an instance while it undoes what it did")
    release(turn, node, state, "ok")
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
    path = turn.path(node)
    for fault in faults:
        decision = decide(turn.instance, turn.scope, node)
        turn.emit(ev.RoutingFailed(path, fault.connection, fault.error, *decision))
        failure.carry_out(turn, path, f"the routing of {path} failed: {fault.error.message}", decision)


def fail(turn: Turn, node: PlanNode, state: NodeState, error: ev.ErrorRecord) -> bool:
    """The node failed for good: something else runs on its behalf, or it ends badly. True where it ended."""
    release(turn, node, state, "failed")
    if node.fallbacks:
        fallback.fall_back(turn, node, state, error)
        return False
    return end_badly(turn, node, state, error)


def end_badly(turn: Turn, node: PlanNode, state: NodeState, error: ev.ErrorRecord) -> bool:
    """Nothing stands in for the node, or nothing more. True, for those who ask whether it ended."""
    fired, faults = route_failed(turn, node, error)
    path = turn.path(node)
    handled = bool(fired)
    decision = HANDLED if handled else decide(turn.instance, turn.scope, node)
    ended = ev.RunFailed if node.repeating else ev.NodeFailed
    turn.emit(ended(path, state.run, state.attempt, error, fired, handled, *decision))
    if error.type == CRASH_LIMIT:
        turn.letters = (*turn.letters, fx.Bury(path, state.run, error.message))
    failure.carry_out(turn, path, f"{path} failed: {error.type}: {error.message}", decision)
    _routing_faults(turn, node, faults)
    return True


def fail_with(turn: Turn, node: PlanNode, state: NodeState, type: str, message: str, *, fatal: bool = False) -> bool:
    """The node failed for good, for a reason of the machine's own. True where it ended."""
    return fail(
        turn, node, state, ev.ErrorRecord(type, message, None, None, state.attempt, node.max_attempts, fatal=fatal)
    )


def release(turn: Turn, node: PlanNode, state: NodeState, outcome: Outcome) -> None:
    """The attempt is over: give back its slot and disarm its clock."""
    if node.resource is not None or state.crashes >= SUSPECT_CRASHES or node.machine_kind == "mutex":
        status = state.status
        if status == "running":  # as `given_back` does, without a call for the usual attempt
            path, took = node.path or turn.path(node), turn.at - state.started_at
            turn.effects.append(fx.ReleaseAdmission(path, state.run, state.attempt, outcome, took))
        elif status != "falling_back":
            turn.ask(given_back(turn, node, state, outcome))
    if node.timeout is not None and (state.status == "running" or (node.machine_kind and state.status == "waiting")):
        turn.ask(fx.DisarmTimer(turn.path(node), state.run, state.attempt, fx.NODE_TIMEOUT))
