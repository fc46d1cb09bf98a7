"""The rules of joins: with the tokens that are in, does a node run, go on waiting, or never run?

The table stands in SEMANTICS ("Routing"); everything else about joins follows from these answers. Nothing is changed here.
"""

from __future__ import annotations

from typing import Literal

from mainspring.graph.plan import PlanNode
from mainspring.machine.inbox import Inbox
from mainspring.machine.lifecycle import NODE_FINAL
from mainspring.machine.scope import NodeState, Scope

Decision = Literal["run", "wait", "skip", "end"]
"""`end`: a repeating node has run, and cannot run again."""


def decide(node: PlanNode, state: NodeState, inbox: Inbox | None) -> Decision:
    """What becomes of a node that has not begun, or of a repeating one between two runs."""
    if inbox is not None:
        return _by_inbox(inbox)
    if node.need:
        return _by_number(node, state)
    if state.tokens < node.in_degree:
        return "wait"
    return "run" if state.messages or not node.in_degree else "skip"


def _by_number(node: PlanNode, state: NodeState) -> Decision:
    """`any` and `n`: enough messages, or too few that can still come."""
    messages = len(state.messages or ())
    if messages >= node.need:
        return "run"
    return "skip" if messages + node.in_degree - state.tokens < node.need else "wait"


def _by_inbox(inbox: Inbox) -> Decision:
    """`each`, `ports`, and whatever comes after a repeating node: a message on each lane, or none any more on one."""
    if not inbox.idle:
        return "wait"
    if all(lane.depth for lane in inbox.lanes):
        return "run"
    if not inbox.exhausted:
        return "wait"
    return "end" if inbox.results else "skip"


def has_room(scope: Scope, node: PlanNode) -> bool:
    """Whether each inbox that a repeating node sends to can take what one more run may send (SEMANTICS 10).

    All targets of a repeating node are repeating themselves (SEMANTICS 15). One that was stopped takes nothing any more.
    """
    nodes = scope.graph.nodes
    targets = dict.fromkeys(edge.target for edge in node.outgoing)
    return all(_is_final(scope, target) or _room_for(scope, node, nodes[target]) for target in targets)


def _is_final(scope: Scope, index: int) -> bool:
    state = scope.nodes[index]
    return state is not None and state.status in NODE_FINAL


def _room_for(scope: Scope, sender: PlanNode, target: PlanNode) -> bool:
    assert target.inbox is not None, f"{target.id} comes after {sender.id} and has no inbox"
    inbox = scope.inboxes.get(target.index)
    promised = sum(
        1 if edge.source == sender.index else _may_send(scope, scope.graph.nodes[edge.source])
        for edge in target.incoming
    )
    return (0 if inbox is None else inbox.waiting) + promised <= target.inbox.capacity


def _may_send(scope: Scope, source: PlanNode) -> bool:
    """Whether a source may send from what it is doing now: its one run to come, or the run under way."""
    if _is_final(scope, source.index):
        return False
    inbox = scope.inboxes.get(source.index)
    return not source.repeating or (inbox is not None and not inbox.idle)
