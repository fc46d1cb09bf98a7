"""Which rule begins which kind of node. All others have a task do their work."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.graph.plan import PlanNode
from mainspring.graph.plan_undo import UNDO_CHILD
from mainspring.machine.instance import NodeState
from mainspring.machine.nodes import (
    branch,
    cancelling,
    delay,
    many,
    milestone,
    passes,
    passing,
    single,
    subflow,
    terminate,
    transform,
    undo_child,
    wait,
)
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
    "cancel": cancelling.stop,
    "milestone": milestone.begin,
    "forEach": many.each,
    "parallel": many.branches,
    "while": passes.begin,
    "until": passes.begin,
    "race": single.race,
    "subflow": subflow.begin,
    "mutex": single.mutex,
    "wait": wait.begin,
    UNDO_CHILD: undo_child.begin,
}
