"""What may stand in for a node that failed for good: its fallback node, then its fallback actions, as nodes of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from mainspring.definition.model import FallbackAction, Node, Resilience

_in_no_id = re.compile(r"[^\w:-]")


class StandIn(NamedTuple):
    """A node that runs on behalf of another one, and the place in the definition that says so."""

    node: Node
    said: str


def stand_ins(node: Node, named: Node | None) -> Iterator[StandIn]:
    """What stands in for a node, in the order in which it is tried. `named` is its fallback node, where it has one."""
    if named is not None:
        yield StandIn(_alone(named), "fallbackNodeId")
    if node.resilience is not None:
        for action in node.resilience.fallback_actions:
            yield StandIn(action_node(action), "fallbackActions")


def action_node(action: FallbackAction) -> Node:
    """The node that does what an action says: a function, with the rest of what the action is told as its config."""
    config: dict[str, Any] = {"handler": action.type, **action.config}
    given = config.pop("input", None)
    return Node(id=action_id(action.type), type="function", config=config, input=given)


def action_id(type: str) -> str:
    """What the node of an action is called: its type, with what no id may have as `-`."""
    return _in_no_id.sub("-", type).lstrip("-:")[:200] or "action"


def _alone(node: Node) -> Node:
    """The node without what it has to do with others: nothing leads to it, and nothing stands in for it or undoes it."""
    resilience = node.resilience
    if resilience is not None and resilience.fallback_actions:
        resilience = Resilience(
            policy=resilience.policy,
            failure_policy=resilience.failure_policy,
            is_critical=resilience.is_critical,
            failure_impact=resilience.failure_impact,
        )
    return replace(
        node,
        fallback_node_id=None,
        compensation_node_id=None,
        resilience=resilience,
        depends_on=(),
        join=None,
    )
