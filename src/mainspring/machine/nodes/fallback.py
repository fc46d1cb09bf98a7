"""Fallbacks: what runs on behalf of a node that failed for good, one after the other until one completes.

Each runs as a body of the node (`mail[0].mail_queue`): a graph of one node, in a scope of its own. The rules are those of
SEMANTICS 56-58.
"""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes.bodies import BODIES_PER_TURN_MAX
from mainspring.machine.scope import BodyScope, NodeState
from mainspring.machine.turn import Turn, WaveToCome


def fall_back(turn: Turn, node: PlanNode, state: NodeState, error: ev.ErrorRecord) -> None:
    """The node failed for good, and something can stand in for it: decide for the first, and begin it where that may be."""
    _decide(turn, node, state.run, 0, error)
    go_on(turn, node, turn.scope.blocks[node.index])


def _decide(turn: Turn, node: PlanNode, run: int, index: int, error: ev.ErrorRecord) -> None:
    fallback = node.fallbacks[index]
    turn.emit(ev.NodeFellBack(turn.path(node), run, fallback.node.id, error, fallback.rule))


def go_on(turn: Turn, node: PlanNode, block: Block) -> None:
    """Begin the fallback that was decided for, unless it has begun, the instance stands still or the turn is full."""
    block.asked = False
    if block.open or turn.instance.status not in STARTING:
        return
    if turn.bodies >= BODIES_PER_TURN_MAX:
        ask_for_time(turn, node, block)
        return
    turn.bodies += 1
    index = block.begun
    turn.emit(ev.ScopeStarted(turn.path(node), block.run, block.first + index))
    body = block.open[index]
    turn.line[body] = WaveToCome([], body.graph.roots)


def ask_for_time(turn: Turn, node: PlanNode, block: Block) -> None:
    """A turn of its own for the fallback, where it was decided for and has not begun."""
    if not block.open:
        block.asked = True
        state = turn.scope.state(node)
        turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.BODIES, turn.at))


def after(
    turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded
) -> bytes | ev.ErrorRecord | None:
    """From a fallback's end: its output is the node's, or the next one runs, or the node fails with its own error."""
    error = ended.error or _of_its_output(node, block)
    if error is None:
        return block.state
    state = turn.scope.state(node)
    if body.index + 1 < len(node.fallbacks):
        _decide(turn, node, state.run, body.index + 1, error)
        go_on(turn, node, block)
        return None
    own = state.error
    assert own is not None, "a node that fell back has an error"
    return own


def _of_its_output(node: PlanNode, block: Block) -> ev.ErrorRecord | None:
    """What stands in for a node gives what that promised."""
    faults = () if node.output_check is None else node.output_check(block.state)
    return ev.ErrorRecord("OutputInvalid", "; ".join(faults), fatal=True) if faults else None
