"""How long a node of the machine's own waits for somebody else."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine.instance import NodeState
from mainspring.machine.turn import Turn


def deadline(turn: Turn, node: PlanNode, state: NodeState) -> int | None:
    """When the node's patience ends (None: it has no timeout). The timer is armed; `running.out_of_time` takes it."""
    if node.timeout is None:
        return None
    due = state.started_at + node.timeout
    turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.NODE_TIMEOUT, due))
    return due
