"""The state of one execution: what folding its events so far gives."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine.inbox import InboxState, capture_inbox, restore_inbox
from mainspring.machine.lifecycle import ACTIVE, NODE_FINAL
from mainspring.machine.scope import NodeState, Scope

__all__ = ["CONSUMED_MAX", "Instance", "InstanceState", "NodeState", "Scope", "capture", "restore"]

CONSUMED_MAX = 256
"""How many ids of consumed messages an instance remembers. The store's inbox remembers all of them (SEMANTICS 31)."""


class InstanceState(Struct, omit_defaults=True, kw_only=True):
    """What a snapshot holds. `nodes` is keyed by path; `Instance` has the same by number."""

    status: str
    workflow: str
    version: str
    started_at: int
    ended_at: int
    input: bytes
    variables: bytes
    output: bytes
    reason: str
    unhandled: int
    degraded: int
    consumed: tuple[str, ...]
    nodes: dict[str, NodeState]
    inboxes: dict[str, InboxState] = {}


class Instance(Scope):
    """An execution and the plan it is pinned to. It is the outermost of its scopes."""

    __slots__ = (
        "consumed",
        "degraded",
        "ended_at",
        "id",
        "output",
        "plan",
        "reason",
        "started_at",
        "status",
        "variables",
    )

    def __init__(self, plan: Plan, id: str) -> None:
        super().__init__(plan)
        self.plan = plan
        self.id = id
        self.status = "pending"
        self.degraded = 0
        self.started_at = 0
        self.ended_at = 0
        self.variables = b"{}"
        self.output = b"null"
        self.reason = ""
        self.consumed: tuple[str, ...] = ()

    def locate(self, path: str) -> tuple[Scope, PlanNode]:
        """The node at a path, and the scope it is in. Raises KeyError where there is none."""
        return self, self.plan.by_id[path]

    @property
    def scopes(self) -> Iterator[Scope]:
        """All that are open, from the outside to the inside."""
        yield self

    def status_of(self, path: str) -> str:
        """A node's status by its path. Raises KeyError where there is no such node."""
        scope, node = self.locate(path)
        state = scope.nodes[node.index]
        return "pending" if state is None else state.status


def capture(instance: Instance) -> InstanceState:
    """The state as a value of its own, to be encoded."""
    return InstanceState(
        status=instance.status,
        workflow=instance.plan.workflow.id,
        version=instance.plan.version,
        started_at=instance.started_at,
        ended_at=instance.ended_at,
        input=instance.input,
        variables=instance.variables,
        output=instance.output,
        reason=instance.reason,
        unhandled=instance.unhandled,
        degraded=instance.degraded,
        consumed=instance.consumed,
        nodes={
            scope.path(node): state
            for scope in instance.scopes
            for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
            if state is not None
        },
        inboxes={
            scope.path(scope.graph.nodes[index]): capture_inbox(one)
            for scope in instance.scopes
            for index, one in scope.inboxes.items()
        },
    )


def restore(plan: Plan, id: str, captured: InstanceState) -> Instance:
    """The instance that `capture` was taken of. The counts are derived, never stored twice."""
    instance = Instance(plan, id)
    instance.status = captured.status
    instance.started_at = captured.started_at
    instance.ended_at = captured.ended_at
    instance.input = captured.input
    instance.variables = captured.variables
    instance.output = captured.output
    instance.reason = captured.reason
    instance.unhandled = captured.unhandled
    instance.degraded = captured.degraded
    instance.consumed = captured.consumed
    for path, state in captured.nodes.items():
        scope, node = instance.locate(path)
        scope.nodes[node.index] = state
        scope.active += state.status in ACTIVE
        scope.finished += state.status in NODE_FINAL
    for path, inbox in captured.inboxes.items():
        scope, node = instance.locate(path)
        assert node.inbox is not None, f"{path} has no inbox"
        scope.inbox(node)
        scope.inboxes[node.index] = restore_inbox(node.inbox, inbox)
    return instance
