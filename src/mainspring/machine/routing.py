"""From a node's end to its connections: which of them fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanConnection, PlanNode, Route
from mainspring.machine.error_values import error_value
from mainspring.machine.events import ErrorRecord, RoutingFailed
from mainspring.machine.names import Names
from mainspring.machine.turn import Turn

SKIPS_PER_EVENT_MAX = 2_000

Routed = tuple[tuple[int, ...], Sequence[RoutingFailed]]
"""The connections that fire, and the conditions that raised."""

_decode = msgspec.json.Decoder().decode


_NOTHING: Routed = ((), ())


def route_completed(turn: Turn, node: PlanNode, port: str | None, output: bytes) -> Routed:
    """The connections that fire when the node completes, and the conditions that could not be evaluated."""
    if port is None and node.plain_fired is not None:
        return node.plain_fired, ()
    route = node.routes.get(port)
    if route is None:
        return _NOTHING
    if route.fired is not None:
        return route.fired, ()
    if route.reads_output_only:
        try:  # the usual: one connection, one condition, which looks at a field or two of the output
            scope = {"output": route.decode(output)}
            if route.only is not None:
                holds = route.only(scope)
                return (route.all, ()) if holds is True or truthy(holds) else _NOTHING
            return _evaluate(turn, node, route, scope)
        except (ExpressionError, msgspec.ValidationError):
            return _evaluate(turn, node, route, {"output": _decode(output)})
    value = _decode(output)
    ended = {"status": "completed", "completed": True, "output": value, "error": None, "port": port}
    return _evaluate(turn, node, route, Names(turn.instance, turn.scope, (node.id, ended), output=value))


def route_failed(turn: Turn, node: PlanNode, error: ErrorRecord) -> Routed:
    """The connections that fire when the node fails for good."""
    route = node.on_failure
    if route is None:
        return _NOTHING
    if route.fired is not None:
        return route.fired, ()
    value = error_value(error)
    ended = {"status": "failed", "failed": True, "error": value}
    return _evaluate(turn, node, route, Names(turn.instance, turn.scope, (node.id, ended), error=value, output=None))


def _evaluate(turn: Turn, node: PlanNode, route: Route, scope: Any) -> Routed:
    fired: list[int] = []
    faults: list[RoutingFailed] = []
    for edge, run in route.asked:
        try:
            value = True if run is None else run(scope)
            if value is True or truthy(value):
                fired.append(edge.index)
        except ExpressionError as error:
            faults.append(RoutingFailed(turn.path(node), edge.index, condition_fault(error, edge)))
    if len(fired) == len(route.asked):
        return route.all, ()
    return tuple(fired), faults


def condition_fault(error: ExpressionError, edge: PlanConnection) -> ErrorRecord:
    """SEMANTICS 20: what is kept of a condition that raised."""
    return ErrorRecord("ConditionError", f"{error.message} in `{error.text}`", code=edge.id)
