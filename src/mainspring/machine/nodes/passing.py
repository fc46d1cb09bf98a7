"""The nodes that hand their input on: a trigger, and a log, which says something besides."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.names import mapping_fault
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of, text_of
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def pass_on(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Its input is its output."""
    return Leaves(input_of(turn.scope, node))


def log(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """The text goes into the history, and to whoever listens once it is there."""
    note = node.told
    if note is not None:
        try:
            message = text_of(note.message(names_of(turn, node, note.reads_value)))
        except COMPUTING as error:
            return Fails("MappingError", mapping_fault("the message", error))
        turn.emit(ev.NodeLogged(turn.path(node), state.run, note.level, message))
        turn.ask(fx.Tell(turn.path(node), state.run, note.level, message))
    return Leaves(input_of(turn.scope, node))
