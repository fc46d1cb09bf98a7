"""What a node holds while it is under way, or waits for before."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.limits.limit import Outcome
from mainspring.machine import effects as fx
from mainspring.machine.scope import NodeState
from mainspring.machine.turn import Turn


def given_back(turn: Turn, node: PlanNode, state: NodeState, outcome: Outcome) -> fx.ReleaseAdmission:
    """That the node's attempt holds nothing longer; or that the one to come, if none is under way, asks for nothing."""
    if state.status == "running":
        path = node.path or turn.path(node)
        return fx.ReleaseAdmission(path, state.run, state.attempt, outcome, turn.at - state.started_at)
    return fx.ReleaseAdmission(turn.path(node), state.run, state.attempt + 1)
