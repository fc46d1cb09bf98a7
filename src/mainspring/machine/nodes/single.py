"""race, mutex, and a subflow with a body: the block's end is that of one of its bodies."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.instance import NodeState
from mainspring.machine.names import mapping_fault
from mainspring.machine.nodes import bodies
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of, text_of
from mainspring.machine.scope import BodyScope
from mainspring.machine.turn import Turn

LOCK = "lock"
"""What a mutex waits for, before its body."""


def race(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """All branches at once."""
    return bodies.start(turn, node, more_to_begin)


def mutex(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Ask for the lock. The body begins when it is granted (`admission.granted`)."""
    told = node.told
    try:
        name = text_of(told.lock(names_of(turn, node, told.reads_value)))
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault("the name", error))
    path = turn.path(node)
    turn.emit(ev.NodeWaiting(path, state.run, LOCK, name))
    if node.timeout is not None:
        turn.ask(fx.ArmTimer(path, state.run, state.attempt, fx.NODE_TIMEOUT, state.started_at + node.timeout))
    turn.ask(fx.AskAdmission(path, state.run, f"{LOCK}:{name}"))
    return None


def locked(turn: Turn, node: PlanNode) -> None:
    """A mutex has its lock: its body begins."""
    bodies.start(turn, node, more_to_begin)


def lock_of(block: Block) -> str:
    """The resource that a mutex holds while its body runs."""
    return f"{LOCK}:{block.lock}"


def more_to_begin(turn: Turn, node: PlanNode, block: Block) -> Outcome | bool:
    """Each body begins once."""
    return block.begun < len(node.bodies)


def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Outcome:
    """The first that completes counts; failures count when there is nothing else."""
    if ended.status == "completed":
        name = node.told.names[body.index] if node.machine_kind == "race" else None
        return Leaves(block.state, (name,) if name else ())
    if block.ended < len(node.bodies):
        return None
    first = next(iter(block.errors.items()))
    if first[0] == body.index:
        return bodies.body_error(body, ended)
    index, error = first
    return Fails(error.type, f"{turn.path(node)}[{block.first + index}]: {error.message}", error.code, error.context)
