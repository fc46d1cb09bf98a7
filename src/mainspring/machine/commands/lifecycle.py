"""What an instance as a whole can be told: start, recover, give back, cancel, park, resume."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs, waves
from mainspring.machine.commands import pausing
from mainspring.machine.instance import NodeState
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import INSTANCE, INSTANCE_FINAL, STARTING
from mainspring.machine.nodes import bodies, fallback, running, single, task
from mainspring.machine.open_nodes import OpenNode, open_nodes
from mainspring.machine.pause import is_drained
from mainspring.machine.policies import failure, saga
from mainspring.machine.scope import BodyScope, Scope
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
            request.workflow,
            request.version,
            Raw(request.input),
            Raw(request.variables),
            request.key,
            request.parent,
            request.parent_path,
            request.parent_run,
            request.depth,
            request.children,
            request.detached,
        )
    )
    pausing.arm_timeout(turn)
    waves.begin(turn)


def recover(turn: Turn, request: inputs.Recover) -> None:
    """Go on in a new process. What ran when the old one ended is counted as crashed and made ready again (SEMANTICS 10)."""
    instance = turn.instance
    if instance.status in INSTANCE_FINAL or instance.status == "pending":
        return
    nodes = open_nodes(turn)
    crashed = [one for one in nodes if one[2].status == "running"]
    if crashed:
        turn.emit(ev.NodesRequeued(_refs(crashed), alone=request.alone))
    _go_on(turn, nodes, [one for one in crashed if _is_killer(one[2], request.alone)])


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
    if turn.instance.status == "pending" or request.ended:
        return
    nodes = open_nodes(turn)
    for scope, node, state in nodes:
        if state.status != "running" or not _is_open(turn, scope):
            continue
        turn.scope = scope
        lost = (turn.path(node), state.run, state.attempt) not in request.known
        if lost:
            waves.follow(turn, node, running.order_again(turn, node, state))
    _go_on(turn, nodes)


def _go_on(turn: Turn, nodes: list[OpenNode], killers: Sequence[OpenNode] = ()) -> None:
    """Order again whatever the open nodes need: attempts, timers, admissions. None of it has rows of its own.

    An instance that may start nothing, because it is parked or paused, has all this done when it is resumed. Until then it
    keeps the locks that it holds.
    """
    if turn.instance.status not in STARTING:
        for scope, node, state in nodes:
            turn.scope = scope
            _keep_lock(turn, node, state)
        pausing.stand(turn, nodes)
        failure.settle(turn)
        return
    pausing.arm_timeout(turn)
    for scope, node, state in killers:
        if state.status != "ready" or not _is_open(turn, scope):
            continue  # the end of one before it has stopped it
        turn.scope = scope
        message = f"the process ended {state.crashes} times while this node ran (crashes_max is {CRASHES_MAX})"
        waves.follow(turn, node, running.fail_with(turn, node, state, running.CRASH_LIMIT, message, fatal=True))
    for scope, node, state in nodes:
        if turn.instance.status not in STARTING:
            break
        if not _is_open(turn, scope):
            continue
        turn.scope = scope
        if state.status == "ready":
            waves.follow(turn, node, running.start(turn, node))
        elif state.status == "waiting" and state.waits_for.startswith("handler"):
            task.begin_again(turn, node, state)
        elif state.status in ("retrying", "waiting"):
            for timer in pausing.clocks_of(turn, (scope, node, state)):
                turn.ask(timer)
            if state.status == "waiting" and node.machine_kind != "delay":
                _wait_on(turn, node, state)
        elif state.status == "falling_back":
            fallback.ask_for_time(turn, node, scope.blocks[node.index])
    saga.ask_for_more(turn)
    failure.settle(turn)


def _wait_on(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """What a block or a wait needs of the outside beside its clock: its lock, a turn for further bodies."""
    path = turn.path(node)
    block = turn.scope.blocks.get(node.index)
    if state.waits_for.startswith(single.LOCK):
        turn.ask(fx.AskAdmission(path, state.run, state.waits_for.replace(" ", ":", 1)))
    elif block is not None:
        _keep_lock(turn, node, state)
        bodies.ask_again(turn, node, block)


def _keep_lock(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """A mutex whose body has begun holds its lock through whatever happens to the process."""
    block = turn.scope.blocks.get(node.index)
    if block is not None and node.machine_kind == "mutex":
        turn.ask(fx.AskAdmission(turn.path(node), state.run, single.lock_of(block), held=True))


def _refs(nodes: list[OpenNode]) -> tuple[ev.Ref, ...]:
    return tuple(ev.Ref(scope.path(node), state.run) for scope, node, state in nodes)


def _is_open(turn: Turn, scope: Scope) -> bool:
    """Whether the scope has not been stopped meanwhile."""
    return not isinstance(scope, BodyScope) or turn.instance.open.get(scope.address) is scope


def interrupt(turn: Turn, request: inputs.Interrupt) -> None:
    """The process stops in good order: what runs becomes ready, and no crash is counted."""
    running_now = [one for one in open_nodes(turn) if one[2].status == "running"]
    if running_now:
        turn.emit(ev.NodesRequeued(_refs(running_now), crashed=False))
        if turn.instance.status == "pausing":
            failure.settle(turn)


def cancel(turn: Turn, request: inputs.CancelInstance) -> None:
    """The state changes here and now; the orders to the tasks are best effort (SEMANTICS 13)."""
    if turn.instance.status not in INSTANCE["InstanceCancelRequested"]:
        raise Refused(f"the instance is {turn.instance.status}: only one that is open can be cancelled")
    if turn.instance.saga is not None:
        raise Refused("the instance is parked in the middle of its compensation: resume it, and it ends after that")
    reason = request.reason or "cancelled"
    if request.grace > 0 and turn.instance.status == "running" and not is_drained(turn.instance):
        pausing.stand_still(turn, request.by, reason, True, turn.at + request.grace, then_cancel=True)
    else:
        failure.cancel_now(turn, request.by, reason)


def park(turn: Turn, request: inputs.ParkInstance) -> None:
    """Stop in a named state (SEMANTICS 3)."""
    if turn.instance.status not in INSTANCE["InstanceParked"]:
        raise Refused(f"the instance is {turn.instance.status}: only one that is open can be parked")
    turn.emit(ev.InstanceParked(request.reason, request.fault))
    for scope, node, state in open_nodes(turn):
        if state.status == "ready":  # nobody is kept waiting by one that can't start; it asks again when it is resumed
            turn.scope = scope
            turn.ask(given_back(turn, node, state, "unused"))


def resume(turn: Turn, request: inputs.ResumeInstance) -> None:
    """Go on: start what became startable meanwhile, and order again what was under way."""
    pausing.resumes(turn, request)
    failure.catch_up(turn)
    nodes = open_nodes(turn)
    # Those that came to the bound while it stood still. Who else was there at their last crash nobody knows by now.
    killers = [one for one in nodes if one[2].status == "ready" and _is_killer(one[2], False)]
    waves.go_on(turn)
    _go_on(turn, nodes, killers)
