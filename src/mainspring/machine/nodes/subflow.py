"""The subflow node that starts another workflow as an instance of its own."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from mainspring.definition.kind_keys import SELF
from mainspring.graph.plan import PlanNode
from mainspring.graph.plan_waits import Child
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.children import DEPTH_MAX, child_id
from mainspring.machine.inputs import ChildEnded
from mainspring.machine.instance import NodeState
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.nodes import single
from mainspring.machine.nodes.deadline import deadline
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of


def begin(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Have the child started, and wait for its end unless told not to. One with a body is a block like others."""
    if not isinstance(node.told, Child):
        return single.race(turn, node, state)
    instance, told, path = turn.instance, node.told, turn.path(node)
    depth = instance.lineage.depth + 1
    if depth > DEPTH_MAX:
        return Fails("DepthLimit", f"the child would be the {depth}th within another, and depth_max is {DEPTH_MAX}")
    version = _version(turn, told.name)
    if version is None:
        return Fails("ChildRefused", f"no workflow {told.name} was known when the instance started")
    child = child_id(instance.id, path, state.run)
    start = fx.StartChild(instance.id, path, state.run, version, Raw(input_of(turn.scope, node)), depth, not told.waits)
    turn.send(fx.Send(child, child, start))
    if not told.waits:
        return Leaves(msgspec.json.encode({"instance": child}))
    turn.emit(ev.NodeWaiting(path, state.run, "child", child, deadline(turn, node, state), (child,)))
    return None


def _version(turn: Turn, name: str) -> str | None:
    if name == SELF:
        return turn.plan.version
    return next((pin.version for pin in turn.instance.lineage.children if pin.name == name), None)


_ENDS = {"cancelled": "ChildCancelled", "refused": "ChildRefused"}
_WORDS = {"refused": "could not be started", "cancelled": "was cancelled"}


def _mapped(turn: Turn, node: PlanNode, output: bytes) -> Leaves | Fails:
    template = node.told.output
    if template is None:
        return Leaves(output)
    names = Names(turn.instance, turn.scope, node=node)
    if "value" in template.roots:
        names.bind("value", msgspec.json.decode(output))
    try:
        return Leaves(msgspec.json.encode(template(names)))
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault("the output mapping", error))


def outcome_of(turn: Turn, node: PlanNode, report: ChildEnded) -> Leaves | Fails:
    """The node ends as its child did. One that succeeded in part did what its own failure policy lets stand."""
    if report.status in ("completed", "partial_success"):
        return _mapped(turn, node, report.output)
    what = f"the child {_WORDS.get(report.status, report.status)}"
    message = f"{what}: {report.reason}" if report.reason else what
    child = child_id(turn.instance.id, report.path, report.run)
    return Fails(_ENDS.get(report.status, "ChildFailed"), message, child)
