"""From a node's end to its successors: which connections fire, which nodes can start, which never will.

A node that ends puts one token on each outgoing connection, all at once; a join decides when its tokens are in. Nodes
that will not run pass skips on, so no join waits for ever. The cost is linear in the connections passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanConnection, PlanNode
from mainspring.machine.events import ErrorRecord, NodesSkipped, RoutingFailed, Skip
from mainspring.machine.fold import fold_skip
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


def spread(turn: Turn, ended: Iterable[PlanNode]) -> list[PlanNode]:
    """Let the joins downstream of the nodes that just ended decide. Gives the nodes that can start.

    Nodes that will never run are skipped here, which may decide further joins: a worklist, never recursion.
    """
    instance, plan = turn.instance, turn.plan
    ready: dict[int, PlanNode] = {}
    skips: list[Skip] = []
    work = list(ended)
    while work:
        node = work.pop()
        for edge in node.outgoing:
            target = plan.nodes[edge.target]
            state = instance.nodes[edge.target]
            if state is None or state.status != "pending" or state.tokens != target.in_degree:
                continue
            if state.messages:
                ready[target.index] = target
                continue
            skip = Skip(target.path, *_why(turn, target))
            fold_skip(instance, skip, turn.at)
            skips.append(skip)
            work.append(target)
    for start in range(0, len(skips), SKIPS_PER_EVENT_MAX):
        # Folded above, one by one, as each was decided: recorded here, not emitted.
        turn.events.append(NodesSkipped(tuple(skips[start : start + SKIPS_PER_EVENT_MAX])))
    return list(ready.values())


def _why(turn: Turn, target: PlanNode) -> tuple[str, str]:
    """The reason for a skip, and the node that decided it: that of the first connection that did not fire."""
    if len(target.incoming) > 1:
        sources = [turn.plan.nodes[edge.source] for edge in target.incoming]
        telling = [edge for edge in target.incoming if _status(turn, edge) != "skipped"]
        edge = telling[0] if telling else target.incoming[0]
        prefix = f"none of its {len(sources)} connections fired: " if len(sources) > 1 else ""
        return prefix + _edge_reason(turn, edge), turn.plan.nodes[edge.source].path
    edge = target.incoming[0]
    return _edge_reason(turn, edge), turn.plan.nodes[edge.source].path


def _status(turn: Turn, edge: PlanConnection) -> str:
    state: Any = turn.instance.nodes[edge.source]
    return str(state.status)


def _edge_reason(turn: Turn, edge: PlanConnection) -> str:
    """Why a connection did not fire, in words."""
    state: Any = turn.instance.nodes[edge.source]
    source = turn.plan.nodes[edge.source].path
    if state.status in ("skipped", "cancelled"):
        return f"{source} was {state.status}"
    if edge.condition is not None and edge.index in (state.misrouted or ()):
        return f"the condition `{edge.condition.text}` could not be evaluated"
    if state.status == "failed":
        by_failure = edge.on_fail and edge.port is None
        return f"the condition on {source}'s failure was not true" if by_failure else f"{source} failed"
    if not edge.on_complete:
        return f"{source} did not fail"
    if edge.port != state.port:
        left = "its primary output" if state.port is None else f"port {state.port}"
        return f"{source} left by {left}"
    condition = "" if edge.condition is None else f" `{edge.condition.text}`"
    return f"the condition{condition} was not true"
