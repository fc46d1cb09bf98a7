"""How bodies begin: as many as a block allows at a time, and no more in one turn than are good for it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.fold_blocks import collected
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.scope import BodyScope
from mainspring.machine.turn import Turn, WaveToCome

BODIES_PER_TURN_MAX = 100
"""So many bodies begin in one turn at most: a loop that never waits does not make one turn of it all."""

More = Callable[[Turn, PlanNode, Block], Outcome | bool]
"""Whether another body is to begin; or else, perhaps, what the block ends with."""


def start(turn: Turn, node: PlanNode, more: More, items: bytes = b"null", state: bytes = b"null") -> Outcome:
    """The block knows what to work on: its first bodies begin. It may be at its end at once, having nothing to do."""
    path = turn.path(node)
    now = turn.scope.state(node)
    turn.emit(ev.BlockStarted(path, now.run, Raw(items), Raw(state)))
    if node.timeout is not None:
        turn.ask(fx.ArmTimer(path, now.run, now.attempt, fx.NODE_TIMEOUT, now.started_at + node.timeout))
    return begin_bodies(turn, node, turn.scope.blocks[node.index], more)


def begin_bodies(turn: Turn, node: PlanNode, block: Block, more: More) -> Outcome:
    """Begin as many bodies as the block allows now. What it says besides is its end."""
    bound = node.told.concurrency or len(node.bodies)
    while len(block.open) < bound:
        full = turn.bodies >= BODIES_PER_TURN_MAX
        # The condition of a loop is asked when a pass can begin, and not before.
        answer = True if full and node.told.carries else more(turn, node, block)
        if answer is not True:
            return answer or None
        if full:
            _ask_for_time(turn, node, block)
            return None
        turn.bodies += 1
        number = block.first + block.begun
        turn.emit(ev.ScopeStarted(turn.path(node), block.run, number))
        body = block.open[number - block.first]
        turn.line[body] = WaveToCome([], body.graph.roots)
    return None


def _ask_for_time(turn: Turn, node: PlanNode, block: Block) -> None:
    """A turn of its own for further bodies, unless nothing is to come or it has been asked for."""
    if not block.asked:
        block.asked = True
        state = turn.scope.state(node)
        turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.BODIES, turn.at))


def ask_again(turn: Turn, node: PlanNode, block: Block) -> None:
    """The instance was loaded: what was asked for has to be asked again, if there may be bodies to begin."""
    block.asked = False
    if len(block.open) < (node.told.concurrency or len(node.bodies)):
        _ask_for_time(turn, node, block)


def results(node: PlanNode, block: Block) -> Leaves:
    """The end of a block that collects results: they are put together once here, and once when it is folded."""
    return Leaves(collected(node, block), (), derived=True)


def body_error(body: BodyScope, ended: ev.ScopeEnded) -> Fails:
    """What a block fails with because a body did."""
    error = ended.error
    assert error is not None, "a body that failed has an error"
    return Fails(error.type, f"{body.address}: {error.message}", error.code, error.context)
