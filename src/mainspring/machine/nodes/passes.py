"""while and until: one body after the other, and a condition between them."""

from __future__ import annotations

import msgspec

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.instance import NodeState
from mainspring.machine.names import Names, mapping_fault, outer_loop
from mainspring.machine.nodes import bodies
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of
from mainspring.machine.scope import BodyScope
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def begin(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Work out the state to begin with."""
    told = node.told
    if told.initial is None:
        return bodies.start(turn, node, more_to_begin, state=input_of(turn.scope, node))
    try:
        initial = msgspec.json.encode(told.initial(names_of(turn, node, told.reads_value)))
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault("the initial state", error))
    return bodies.start(turn, node, more_to_begin, state=initial)


def more_to_begin(turn: Turn, node: PlanNode, block: Block) -> Outcome | bool:
    """Whether there is another pass; the condition is asked here, and nowhere else."""
    told = node.told
    if block.begun or not told.until:
        try:
            holds = truthy(told.condition(_names(turn, block, told.condition.roots)))
        except ExpressionError as error:
            return Fails("ConditionError", mapping_fault("the condition", error))
        if holds is told.until:
            return bodies.results(node, block) if told.keeps else Leaves(block.state)
    if block.begun >= told.iterations_max:
        return Fails("IterationLimit", f"it has made {block.begun} passes, and maxIterations is {told.iterations_max}")
    return True


def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Outcome:
    """A pass that failed is the end; else the condition is asked before the next."""
    return bodies.body_error(body, ended) if ended.status == "failed" else None


def _names(turn: Turn, block: Block, roots: frozenset[str]) -> Names:
    names = Names(turn.instance, turn.scope, index=block.begun, item=None)
    if "value" in roots or "loop" in roots:
        state = msgspec.json.decode(block.state)
        names.bind("value", state)
        if "loop" in roots:
            outer = outer_loop(turn.scope)
            names.bind("loop", {"index": block.begun, "item": None, "count": None, "state": state, "outer": outer})
    return names
