"""Blocks: nodes that have bodies, or fallbacks. What follows from the end of a body, and how the block ends.

What the kinds have of their own is in `many.py` (forEach, parallel), `passes.py` (while, until) and `single.py` (race, mutex,
subflow): each says whether another body is to begin, and what becomes of the block when one has ended.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.nodes import fallback, many, passes, running, single
from mainspring.machine.nodes.bodies import More, begin_bodies
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome, Stops
from mainspring.machine.nodes.own_config import COMPUTING
from mainspring.machine.scope import BodyScope
from mainspring.machine.stopping import stop_bodies, tell_conflicts
from mainspring.machine.turn import Turn
from mainspring.machine.values import PAYLOAD_BYTES_MAX

After = Callable[[Turn, PlanNode, Block, BodyScope, ev.ScopeEnded], Outcome]
"""What a block makes of the end of a body. None: it goes on."""

RULES: dict[str, tuple[More, After]] = {
    "forEach": (many.more_to_begin, many.after),
    "parallel": (many.more_to_begin, many.after),
    "while": (passes.more_to_begin, passes.after),
    "until": (passes.more_to_begin, passes.after),
    "race": (single.more_to_begin, single.after),
    "mutex": (single.more_to_begin, single.after),
    "subflow": (single.more_to_begin, single.after),
}


def go_on(turn: Turn, node: PlanNode) -> None:
    """The time for further bodies has come: after a timer, or because the instance no longer stands still."""
    block = turn.scope.blocks.get(node.index)
    if block is None or turn.instance.status not in STARTING:
        return
    if block.stands_in:
        fallback.go_on(turn, node, block)
        return
    block.asked = False
    outcome = begin_bodies(turn, node, block, RULES[node.machine_kind][0])
    if outcome is not None:
        _end(turn, node, outcome)


def body_over(turn: Turn, body: BodyScope) -> None:
    """Nothing is under way in a body, and nothing more will be: it ends, and its block decides what that means."""
    node, block = body.owner, body.of
    ended = _how(turn, body)
    turn.scope = body.parent
    turn.emit(ended)
    tell_conflicts(turn, turn.path(node), block)
    if block.stands_in:
        _stood_in(turn, node, block, body, ended)
        return
    more, after = RULES[node.machine_kind]
    outcome = after(turn, node, block, body, ended)
    if outcome is None:
        outcome = begin_bodies(turn, node, block, more)
    if outcome is not None:
        _end(turn, node, outcome)


def _how(turn: Turn, body: BodyScope) -> ev.ScopeEnded:
    path, block = body.parent.path(body.owner), body.of
    number = block.first + body.index
    if body.unhandled:
        return ev.ScopeEnded(path, block.run, number, "failed", error=body.error)
    if body.graph.output is None:
        return ev.ScopeEnded(path, block.run, number, "completed")
    try:
        output = msgspec.json.encode(body.graph.output(Names(turn.instance, body)))
    except COMPUTING as error:
        fault = ev.ErrorRecord("MappingError", mapping_fault("the output mapping of the body", error))
        return ev.ScopeEnded(path, block.run, number, "failed", error=fault)
    if len(output) > PAYLOAD_BYTES_MAX:
        message = f"the output has {len(output)} bytes of JSON, and payload_bytes_max is {PAYLOAD_BYTES_MAX}"
        fault = ev.ErrorRecord("PayloadTooLarge", message)
        return ev.ScopeEnded(path, block.run, number, "failed", error=fault)
    return ev.ScopeEnded(path, block.run, number, "completed", Raw(output), mapped=True)


def _end(turn: Turn, node: PlanNode, outcome: Leaves | Fails | Stops) -> None:
    """The block ends: whatever is still open in it is stopped first."""
    scope = turn.scope
    stop_bodies(turn, node, f"{turn.path(node)} has ended")
    ended = running.finish(turn, node, scope.state(node), outcome)
    turn.scope = scope
    if ended:
        turn.ended(scope, [node])


def _stood_in(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> None:
    """A fallback of a node has ended, and so has the node, unless there is another one."""
    scope = turn.scope
    outcome = fallback.after(turn, node, block, body, ended)
    if outcome is None:
        return
    state = scope.state(node)
    if isinstance(outcome, bytes):
        running.complete(turn, node, state, outcome, None, derived=True, degraded=True)
    else:
        running.end_badly(turn, node, state, outcome)
    turn.scope = scope
    turn.ended(scope, [node])
