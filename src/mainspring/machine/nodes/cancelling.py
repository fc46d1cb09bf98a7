"""The cancel node: stops other nodes of its graph, and hands its input on."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import NodeState
from mainspring.machine.lifecycle import NODE_FINAL
from mainspring.machine.nodes.outcome import Leaves, Outcome
from mainspring.machine.stopping import stop_nodes
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def stop(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Those that have ended stay as they are; what follows from the end of the others follows in the next wave."""
    scope, path = turn.scope, turn.path(node)
    listed = [scope.graph.by_id[id] for id in dict.fromkeys(node.told.nodes)]
    meant = [one for one in listed if one is not node and not _final(scope.nodes[one.index])]
    stop_nodes(turn, meant, f"{path} stopped it", path)
    turn.stopped = [one for one in meant if not one.off_graph]
    return Leaves(input_of(scope, node))


def _final(state: NodeState | None) -> bool:
    return state is not None and state.status in NODE_FINAL
