"""Why a node does not run, in words: for the one who looks at a run and wonders."""

from __future__ import annotations

from typing import Any

from mainspring.graph.plan import PlanConnection, PlanNode
from mainspring.machine.turn import Turn


def why_skipped(turn: Turn, target: PlanNode) -> tuple[str, str]:
    """The reason for a skip, and the node that decided it: that of the first connection that did not fire."""
    edges = _without_messages(turn, target)
    if len(target.incoming) == 1:
        return _edge_reason(turn, edges[0]), turn.path(turn.scope.graph.nodes[edges[0].source])
    telling = [edge for edge in edges if _status(turn, edge) not in ("", "skipped")] or edges
    return _what_is_missing(turn, target, edges) + _edge_reason(turn, telling[0]), turn.path(
        turn.scope.graph.nodes[telling[0].source]
    )


def _without_messages(turn: Turn, target: PlanNode) -> list[PlanConnection]:
    """The connections that explain the skip: those that brought no message, and will bring none."""
    scope = turn.scope
    if target.inbox is not None:
        inbox = scope.inboxes[target.index]
        lanes = zip(inbox.lanes, inbox.closed, inbox.plan.sources, strict=True)
        dry = next(lane for lane, (queue, closed, all) in enumerate(lanes) if not queue.depth and closed == all)
        return [edge for edge in target.incoming if inbox.plan.lane_of[edge.index] == dry]
    state = scope.nodes[target.index]
    messages = (state.messages if state else None) or ()
    return [edge for edge in target.incoming if edge.index not in messages and _ended(turn, edge)]


def _what_is_missing(turn: Turn, target: PlanNode, edges: list[PlanConnection]) -> str:
    if target.inbox is not None and len(target.inbox.sources) > 1:
        lane = target.inbox.names[target.inbox.lane_of[edges[0].index]]
        return f"no message can come on its port {lane}: "
    if target.need > 1:
        return f"it needs {target.need} messages and only {target.in_degree - len(edges)} can come: "
    return f"none of its {len(target.incoming)} connections fired: "


def _status(turn: Turn, edge: PlanConnection) -> str:
    state = turn.scope.nodes[edge.source]
    return "" if state is None else state.status


def _ended(turn: Turn, edge: PlanConnection) -> bool:
    return _status(turn, edge) in ("completed", "failed", "skipped", "cancelled")


def _edge_reason(turn: Turn, edge: PlanConnection) -> str:
    """Why a connection did not fire, in words."""
    state: Any = turn.scope.nodes[edge.source]
    node = turn.scope.graph.nodes[edge.source]
    source = turn.path(node)
    if state.status in ("skipped", "cancelled"):
        return f"{source} was {state.status}"
    if edge.condition is not None and edge.index in (state.misrouted or ()):
        return f"the condition `{edge.condition.text}` could not be evaluated"
    if node.repeating:
        return f"no run of {source} fired it"
    if state.status == "failed":
        by_failure = edge.on_fail and edge.port is None
        return f"the condition on {source}'s failure was not true" if by_failure else f"{source} failed"
    if not edge.on_complete:
        return f"{source} did not fail"
    if edge.port != state.port:
        return f"{source} left by {_port(state.port)}, not by {_port(edge.port)}"
    condition = "" if edge.condition is None else f" `{edge.condition.text}`"
    return f"the condition{condition} was not true"


def _port(port: str | None) -> str:
    return "its primary output" if port is None else f"port {port}"
