"""`if` and `switch`: which way to go. Both hand their input on, by the ports that their conditions choose."""

from __future__ import annotations

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import NodeState
from mainspring.machine.names import mapping_fault
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import names_of
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def two_ways(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """An `if` leaves by `true` or by `false`."""
    told = node.told
    try:
        holds = truthy(told.holds(names_of(turn, node, told.reads_value)))
    except ExpressionError as error:
        return Fails("ConditionError", mapping_fault("the condition", error))
    return Leaves(input_of(turn.scope, node), ("true" if holds else "false",))


def many_ways(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """A `switch` leaves by the port of the first case that holds, of all that hold, or by the default."""
    told = node.told
    names = names_of(turn, node, told.reads_value)
    ports: list[str] = []
    for port, condition in told.cases:
        try:
            holds = truthy(condition(names))
        except ExpressionError as error:
            return Fails("ConditionError", mapping_fault(f"the condition of the case `{port}`", error), port)
        if holds:
            ports.append(port)
            if not told.all:
                break
    return Leaves(input_of(turn.scope, node), tuple(dict.fromkeys(ports)) or (told.default,))
