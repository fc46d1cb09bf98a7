"""Stopping nodes before their end: all of an instance's, or those that a join makes pointless."""

from __future__ import annotations

from collections.abc import Iterable

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.children import cancel_child
from mainspring.machine.fold import fold_skip
from mainspring.machine.instance import NodeState
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import ACTIVE
from mainspring.machine.routing import SKIPS_PER_EVENT_MAX
from mainspring.machine.turn import Turn


def stop_nodes(turn: Turn, nodes: Iterable[PlanNode], reason: str, because: str) -> None:
    """Cancel those that are under way, and skip those that have not begun."""
    runs: list[ev.Ref] = []
    pending: list[PlanNode] = []
    for node in nodes:
        state = turn.scope.nodes[node.index]
        if state is not None and _is_active(state):
            stop_bodies(turn, node, reason)
            runs.append(_abandon(turn, node, state))
        elif not node.off_graph and (state is None or state.status == "pending"):
            pending.append(node)
    if runs:
        turn.emit(ev.NodesCancelled(tuple(runs), reason))
    skips = [ev.Skip(turn.path(node), reason, because) for node in pending]
    for skip in skips:
        fold_skip(turn.instance, skip, turn.at)
    record_skips(turn, skips)


def stop_bodies(turn: Turn, node: PlanNode, reason: str) -> None:
    """Stop what is open in a block, from the inside out. What has not begun is gone with its scope."""
    scope = turn.scope
    block = scope.blocks.get(node.index)
    if block is None:
        return
    path = turn.path(node)
    for index in sorted(block.open):
        body = block.open[index]
        turn.scope = body
        active = [one for one in body.graph.nodes if _is_active(body.nodes[one.index])]
        for one in active:
            stop_bodies(turn, one, reason)
        runs = tuple(_abandon(turn, one, body.state(one)) for one in active)
        if runs:
            turn.emit(ev.NodesCancelled(runs, reason))
        turn.emit(ev.ScopeEnded(path, block.run, block.first + index, "cancelled"))
        tell_conflicts(turn, path, block)
        turn.line.pop(body, None)
    if block.asked:
        block.asked = False
        state = scope.state(node)
        turn.ask(fx.DisarmTimer(path, state.run, state.attempt, fx.BODIES))
    turn.scope = scope


def tell_conflicts(turn: Turn, path: str, block: Block) -> None:
    """Record what bodies disagreed on whose writes were taken over just now."""
    for index, names in block.conflicts:
        turn.emit(ev.VariablesConflict(path, block.run, block.first + index, names))


def _is_active(state: NodeState | None) -> bool:
    return state is not None and state.status in ACTIVE


def record_skips(turn: Turn, skips: list[ev.Skip]) -> None:
    """Record skips that were folded one by one, as each was decided: grouped, and not folded again (SEMANTICS 4)."""
    for start in range(0, len(skips), SKIPS_PER_EVENT_MAX):
        turn.events.append(ev.NodesSkipped(tuple(skips[start : start + SKIPS_PER_EVENT_MAX])))


def _abandon(turn: Turn, node: PlanNode, state: NodeState) -> ev.Ref:
    """Take back what was ordered for a node under way, as well as that can be done."""
    cancel_child(turn, node, state)
    in_doubt = state.status == "running" and not node.machine_kind
    if in_doubt:
        turn.ask(fx.AbandonTask(turn.path(node), state.run, state.attempt))
    turn.ask(given_back(turn, node, state, "stopped"))
    purpose = ""
    if state.status == "running" and node.timeout is not None:
        purpose = fx.NODE_TIMEOUT
    elif state.status == "retrying":
        purpose = fx.RETRY
    elif state.status == "waiting" and node.machine_kind == "delay":
        purpose = fx.DELAY
    elif state.status == "waiting" and node.machine_kind and node.timeout is not None:
        purpose = fx.NODE_TIMEOUT
    if purpose:
        turn.ask(fx.DisarmTimer(turn.path(node), state.run, state.attempt, purpose))
    return ev.Ref(turn.path(node), state.run, in_doubt)
