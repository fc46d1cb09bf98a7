"""The state of one execution: what folding its events so far gives.

Mutated in place, inside its turn, by `fold` and by nothing else. Values are raw JSON and stay so: a chain of ten waiting
nodes costs a few kilobytes, and every reader decodes an object of its own.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine.events import ErrorRecord
from mainspring.machine.inbox import Inbox, InboxState, capture_inbox, restore_inbox
from mainspring.machine.lifecycle import ACTIVE, NODE_FINAL

CONSUMED_MAX = 256
"""How many ids of consumed messages an instance remembers. The store's inbox remembers all of them (SEMANTICS 31)."""


class NodeState(Struct, gc=False, omit_defaults=True):
    """One node, in its current run. Times are UTC milliseconds.

    `attempt` numbers every try, whether the one before it failed or crashed; `failures` and `crashes` count apart.
    `tokens` counts what has come in, `messages` lists the connections that fired (shared between instances where there
    can be only one: never append to it but in `fold`). `misrouted` lists those whose condition could not be evaluated.
    """

    status: str = "pending"
    run: int = 1
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    tokens: int = 0
    messages: list[int] | None = None
    input: bytes | None = None
    output: bytes | None = None
    port: str | None = None
    error: ErrorRecord | None = None
    handled: bool = False
    degraded: bool = False
    started_at: int = 0
    ended_at: int = 0
    due: int | None = None
    waits_for: str = ""
    reason: str = ""
    because: str = ""
    misrouted: list[int] | None = None
    crashes_alone: int = 0
    cached: bool = False


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


_NONE: dict[int, Inbox] = {}
"""Most instances have no inboxes, and share this."""


class Instance:
    """An execution and the plan it is pinned to.

    `active` counts the nodes that keep it open, `finished` those that are final, `unhandled` the failures that no
    connection took.
    """

    __slots__ = (
        "active",
        "consumed",
        "degraded",
        "ended_at",
        "finished",
        "id",
        "inboxes",
        "input",
        "nodes",
        "output",
        "plan",
        "reason",
        "started_at",
        "status",
        "unhandled",
        "variables",
    )

    def __init__(self, plan: Plan, id: str) -> None:
        self.plan = plan
        self.id = id
        self.status = "pending"
        self.nodes: list[NodeState | None] = [None] * len(plan.nodes)
        self.active = 0
        self.finished = 0
        self.unhandled = 0
        self.degraded = 0
        self.started_at = 0
        self.ended_at = 0
        self.input = b"null"
        self.variables = b"{}"
        self.output = b"null"
        self.reason = ""
        self.consumed: tuple[str, ...] = ()
        self.inboxes: dict[int, Inbox] = _NONE

    def inbox(self, node: PlanNode) -> Inbox:
        """The node's inbox, which begins to exist when it is first asked for. Only for nodes that have one."""
        found = self.inboxes.get(node.index)
        if found is None:
            assert node.inbox is not None, f"{node.path} has no inbox"
            if self.inboxes is _NONE:
                self.inboxes = {}
            found = self.inboxes[node.index] = Inbox(node.inbox)
        return found

    def state(self, node: PlanNode) -> NodeState:
        """The node's state, which begins to exist when it is first asked for."""
        state = self.nodes[node.index]
        if state is None:
            state = self.nodes[node.index] = NodeState()
        return state

    def status_of(self, path: str) -> str:
        """A node's status by its path. Raises KeyError where there is no such node."""
        state = self.nodes[self.plan.by_path[path].index]
        return "pending" if state is None else state.status


def capture(instance: Instance) -> InstanceState:
    """The state as a value of its own, to be encoded."""
    nodes = zip(instance.plan.nodes, instance.nodes, strict=True)
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
        nodes={node.path: state for node, state in nodes if state is not None},
        inboxes={instance.plan.nodes[index].path: capture_inbox(one) for index, one in instance.inboxes.items()},
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
        instance.nodes[plan.by_path[path].index] = state
        instance.active += state.status in ACTIVE
        instance.finished += state.status in NODE_FINAL
    for path, inbox in captured.inboxes.items():
        node = plan.by_path[path]
        if node.inbox is not None:
            instance.inbox(node)
            instance.inboxes[node.index] = restore_inbox(node.inbox, inbox)
    return instance
