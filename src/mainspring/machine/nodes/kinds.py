"""Which rule begins which kind of node. All others have a task do their work."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import NodeState
from mainspring.machine.nodes import branch, delay, passing, terminate, transform
from mainspring.machine.nodes.outcome import Outcome
from mainspring.machine.turn import Turn

BEGIN: dict[str, Callable[[Turn, PlanNode, NodeState], Outcome]] = {
    "trigger": passing.pass_on,
    "log": passing.log,
    "delay": delay.wait,
    "if": branch.two_ways,
    "switch": branch.many_ways,
    "decision": branch.many_ways,
    "transform": transform.make,
    "terminate": terminate.end,
}
