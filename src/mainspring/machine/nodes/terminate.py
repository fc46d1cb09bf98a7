"""The terminate node: the instance ends here and now, with the status that is told."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.names import mapping_fault
from mainspring.machine.nodes.outcome import Fails, Outcome, Stops
from mainspring.machine.nodes.own_config import COMPUTING, names_of, text_of
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def end(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Its output is the instance's: what is told, else its input. The status is what is told, whatever has failed before."""
    told, path = node.told, turn.path(node)
    why = f"{path} ended the instance"
    what = "the output"
    try:
        names = names_of(turn, node, told.reads_value)
        output = input_of(turn.scope, node) if told.output is None else msgspec.json.encode(told.output(names))
        what = "the reason"
        reason = why if told.reason is None else text_of(told.reason(names)) or why
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault(what, error))
    return Stops(output, why, _ends(turn, path, told.status, Raw(output), reason))


def _ends(turn: Turn, path: str, status: str, output: Raw, reason: str) -> tuple[ev.Event, ...]:
    if status == "failed":
        return (ev.InstanceFailed(output, reason),)
    if status == "cancelled":
        return (ev.InstanceCancelRequested(path, reason), ev.InstanceCancelled(output, reason))
    faults = () if turn.plan.output_check is None else turn.plan.output_check(bytes(output))
    if faults:
        return (ev.InstanceFailed(output, f"the output does not match outputSchema: {'; '.join(faults)}"),)
    return (ev.InstanceCompleted(output, turn.instance.degraded > 0),)
