"""Stopping nodes before their end: all of an instance's, or those that a join makes pointless."""

from __future__ import annotations

from collections.abc import Iterable

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.fold import fold_skip
from mainspring.machine.instance import NodeState
from mainspring.machine.lifecycle import ACTIVE
from mainspring.machine.routing import SKIPS_PER_EVENT_MAX
from mainspring.machine.turn import Turn


def stop_nodes(turn: Turn, nodes: Iterable[PlanNode], reason: str, because: str) -> None:
    """Cancel those that are under way, and skip those that have not begun."""
    runs: list[ev.Ref] = []
    pending: list[PlanNode] = []
    for node in nodes:
        state = turn.scope.nodes[node.index]
        if state is not None and state.status in ACTIVE:
            runs.append(_abandon(turn, node, state))
        elif not node.off_graph and (state is None or state.status == "pending"):
            pending.append(node)
    if runs:
        turn.emit(ev.NodesCancelled(tuple(runs), reason))
    skips = [ev.Skip(turn.path(node), reason, because) for node in pending]
    for skip in skips:
        fold_skip(turn.instance, skip, turn.at)
    record_skips(turn, skips)


def record_skips(turn: Turn, skips: list[ev.Skip]) -> None:
    """Record skips that were folded one by one, as each was decided: grouped, and not folded again (SEMANTICS 4)."""
    for start in range(0, len(skips), SKIPS_PER_EVENT_MAX):
        turn.events.append(ev.NodesSkipped(tuple(skips[start : start + SKIPS_PER_EVENT_MAX])))


def _abandon(turn: Turn, node: PlanNode, state: NodeState) -> ev.Ref:
    """Take back what was ordered for a node under way, as well as that can be done."""
    in_doubt = state.status == "running" and not node.machine_kind
    if in_doubt:
        turn.ask(fx.AbandonTask(turn.path(node), state.run, state.attempt))
    turn.ask(fx.ReleaseAdmission(turn.path(node), state.run))
    purpose = ""
    if state.status == "running" and node.timeout is not None:
        purpose = fx.NODE_TIMEOUT
    elif state.status == "retrying":
        purpose = fx.RETRY
    elif state.status == "waiting" and node.machine_kind == "delay":
        purpose = fx.DELAY
    if purpose:
        turn.ask(fx.DisarmTimer(turn.path(node), state.run, state.attempt, purpose))
    return ev.Ref(turn.path(node), state.run, in_doubt)
