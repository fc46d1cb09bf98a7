"""What an instance as a whole can be told: start, recover, give back, cancel, park, resume."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs, waves
from mainspring.machine.instance import NodeState
from mainspring.machine.lifecycle import INSTANCE, INSTANCE_FINAL, STARTING
from mainspring.machine.nodes import running, task
from mainspring.machine.policies import failure
from mainspring.machine.turn import Refused, Turn

CRASHES_MAX = 3
"""A node that was in flight at so many crashes is not started again, if it was caught alone (SEMANTICS 9)."""

CRASHES_ALONE_MIN = 2
"""Caught alone: at so many of them nothing else ran in the process."""

CRASHES_SHARED_MAX = 6
"""Nor is one that was in flight at so many, in whatever company: a bound for a killer that is never caught alone."""


def start(turn: Turn, request: inputs.StartInstance) -> None:
    """Begin with the entry nodes."""
    if turn.instance.status != "pending":
        raise Refused(f"the instance is {turn.instance.status}: it has started already")
    turn.emit(
        ev.InstanceStarted(
            request.workflow, request.version, Raw(request.input), Raw(request.variables), key=request.key
        )
    )
    if turn.plan.timeout is not None:
        turn.ask(fx.ArmTimer("", 0, 0, fx.INSTANCE_TIMEOUT, turn.at + turn.plan.timeout))
    waves.begin(turn)


def recover(turn: Turn, request: inputs.Recover) -> None:
    """Go on in a new process. What ran when the old one ended is counted as crashed and made ready again (SEMANTICS 10)."""
    instance = turn.instance
    if instance.status in INSTANCE_FINAL or instance.status == "pending":
        return
    open_nodes = _open_nodes(turn)
    crashed = [(node, state) for node, state in open_nodes if state.status == "running"]
    if crashed:
        refs = tuple(ev.Ref(turn.path(node), state.run) for node, state in crashed)
        turn.emit(ev.NodesRequeued(refs, alone=request.alone))
    _go_on(turn, open_nodes, [pair for pair in crashed if _is_killer(pair[1], request.alone)])


def _is_killer(state: NodeState, alone: bool) -> bool:
    """Whether a node that was in flight at a crash, just now, is to blame for it.

    Had it company, the crash says little; and once a suspect is alone by being one, so may a kill from outside have caught
    it. Whoever kills a process now and then would else condemn an innocent suspect nearly each time.
    """
    caught = alone and state.crashes_alone >= CRASHES_ALONE_MIN
    return state.crashes >= (CRASHES_MAX if caught else CRASHES_SHARED_MAX)


def reattach(turn: Turn, request: inputs.Reattach) -> None:
    """Order again what the open nodes need, and that is not under way already. Nothing crashed."""
    if turn.instance.status in INSTANCE_FINAL:
        # Its last turn was durable though its commit was reported as failed: nobody has been told of the end yet.
        turn.ask(fx.EndInstance(turn.instance.status))
        return
    if turn.instance.status == "pending":
        return
    open_nodes = _open_nodes(turn)
    for node, state in open_nodes:
        if state.status == "running" and (turn.path(node), state.run, state.attempt) not in request.known:
            running.order(turn, node, state)
    _go_on(turn, open_nodes)


def _go_on(
    turn: Turn, open_nodes: list[tuple[PlanNode, NodeState]], killers: Sequence[tuple[PlanNode, NodeState]] = ()
) -> None:
    """Order again whatever the open nodes need: attempts, timers, admissions. None of it has rows of its own.

    An instance that may start nothing, because it is parked or paused, has all this done when it is resumed.
    """
    if turn.instance.status not in STARTING:
        failure.settle(turn)
        return
    if turn.plan.timeout is not None:
        turn.ask(fx.ArmTimer("", 0, 0, fx.INSTANCE_TIMEOUT, turn.instance.started_at + turn.plan.timeout))
    for node, state in killers:
        if state.status != "ready":
            continue  # the end of one before it has stopped it
        message = f"the process ended {state.crashes} times while this node ran (crashes_max is {CRASHES_MAX})"
        running.fail_with(turn, node, state, "CrashLimit", message, fatal=True)
        waves.advance(turn, node)
    for node, state in open_nodes:
        if turn.instance.status not in STARTING:
            break
        if state.status == "ready":
            running.start(turn, node)  # which never ends it at once: it waits for a slot, or was under way before
        elif state.status == "retrying":
            turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.RETRY, state.due or turn.at))
        elif state.status == "waiting" and node.machine_kind == "delay":
            turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.DELAY, state.due or turn.at))
        elif state.status == "waiting" and state.waits_for.startswith("handler"):
            task.begin_again(turn, node, state)
    failure.settle(turn)


def _open_nodes(turn: Turn) -> list[tuple[PlanNode, NodeState]]:
    states = turn.scope.nodes
    pairs = ((node, states[node.index]) for node in turn.scope.graph.nodes)
    open_states = ("ready", "running", "retrying", "waiting", "falling_back")
    return [(node, state) for node, state in pairs if state is not None and state.status in open_states]


def interrupt(turn: Turn, request: inputs.Interrupt) -> None:
    """The process stops in good order: what runs becomes ready, and no crash is counted."""
    running_now = [(node, state) for node, state in _open_nodes(turn) if state.status == "running"]
    if running_now:
        refs = tuple(ev.Ref(turn.path(node), state.run) for node, state in running_now)
        turn.emit(ev.NodesRequeued(refs, crashed=False))


def cancel(turn: Turn, request: inputs.CancelInstance) -> None:
    """The state changes here and now; the orders to the tasks are best effort (SEMANTICS 13)."""
    if turn.instance.status not in INSTANCE["InstanceCancelRequested"]:
        raise Refused(f"the instance is {turn.instance.status}: only one that is open can be cancelled")
    turn.emit(ev.InstanceCancelRequested(request.by, request.reason or "cancelled"))
    failure.stop_all(turn, "the instance was cancelled", "")
    failure.settle(turn)


def park(turn: Turn, request: inputs.ParkInstance) -> None:
    """Stop in a named state (SEMANTICS 3)."""
    if turn.instance.status not in INSTANCE["InstanceParked"]:
        raise Refused(f"the instance is {turn.instance.status}: only one that is open can be parked")
    turn.emit(ev.InstanceParked(request.reason, request.fault))


def resume(turn: Turn, request: inputs.ResumeInstance) -> None:
    """Go on: start what became startable meanwhile, and order again what was under way."""
    if turn.instance.status not in INSTANCE["InstanceResumed"]:
        raise Refused(f"the instance is {turn.instance.status}: only one that is paused or parked can be resumed")
    turn.emit(ev.InstanceResumed(request.by))
    failure.catch_up(turn)
    open_nodes = _open_nodes(turn)
    waves.go_on(turn)
    _go_on(turn, open_nodes)
