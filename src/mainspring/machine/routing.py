"""From a node's end to its connections: which of them fire."""

from __future__ import annotations

import msgspec

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanConnection, PlanNode
from mainspring.machine.events import ErrorRecord, RoutingFailed
from mainspring.machine.turn import Turn
from mainspring.machine.values import Scope, error_value

SKIPS_PER_EVENT_MAX = 2_000


def route_completed(
    turn: Turn, node: PlanNode, port: str | None, output: bytes
) -> tuple[tuple[int, ...], list[RoutingFailed]]:
    """The connections that fire when the node completes, and the conditions that could not be evaluated."""
    if node.plain_fired is not None and port is None:
        return node.plain_fired, []
    candidates = [edge for edge in node.outgoing if edge.on_complete and edge.port == port]
    if all(edge.condition is None for edge in candidates):
        return tuple(edge.index for edge in candidates), []
    value = msgspec.json.decode(output)
    ended = {"status": "completed", "completed": True, "output": value, "error": None, "port": port}
    return _evaluate(turn, node, candidates, Scope(turn.instance, (node.path, ended), output=value))


def route_failed(turn: Turn, node: PlanNode, error: ErrorRecord) -> tuple[tuple[int, ...], list[RoutingFailed]]:
    """The connections that fire when the node fails for good."""
    candidates = [edge for edge in node.outgoing if edge.on_fail and edge.port is None]
    if not candidates:
        return (), []
    value = error_value(error)
    ended = {"status": "failed", "failed": True, "error": value}
    return _evaluate(turn, node, candidates, Scope(turn.instance, (node.path, ended), error=value, output=None))


def _evaluate(
    turn: Turn, node: PlanNode, candidates: list[PlanConnection], scope: Scope
) -> tuple[tuple[int, ...], list[RoutingFailed]]:
    fired: list[int] = []
    faults: list[RoutingFailed] = []
    for edge in candidates:
        try:
            if edge.condition is None or truthy(edge.condition(scope)):
                fired.append(edge.index)
        except ExpressionError as error:
            faults.append(RoutingFailed(node.path, edge.index, condition_fault(error, edge)))
    return tuple(fired), faults


def condition_fault(error: ExpressionError, edge: PlanConnection) -> ErrorRecord:
    """SEMANTICS 20: what is kept of a condition that raised."""
    return ErrorRecord("ConditionError", f"{error.message} in `{error.text}`", code=edge.id)
