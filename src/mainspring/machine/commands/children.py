"""A child's end comes to the node that waits for it."""

from __future__ import annotations

from mainspring.graph.plan_undo import UNDO_CHILD
from mainspring.machine import waves
from mainspring.machine.inputs import ChildEnded
from mainspring.machine.nodes import running, subflow, undo_child
from mainspring.machine.turn import Turn


def ended(turn: Turn, report: ChildEnded) -> None:
    """The node ends as its child did. One that was stopped meanwhile has no use for it."""
    found = turn.turn_to(report.path)
    waits = turn.instance.waits.get(report.path)
    if found is None or found[1].run != report.run or waits is None or waits.kind != "child":
        turn.dropped = "stale"
        return
    node, state = found
    undoes = node.machine_kind == UNDO_CHILD
    outcome = undo_child.outcome_of(report) if undoes else subflow.outcome_of(turn, node, report)
    waves.follow(turn, node, running.finish(turn, node, state, outcome))
