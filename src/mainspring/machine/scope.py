"""One execution of a graph: an instance's own, or that of a body within it.

Mutated in place, inside a turn, by `fold` and by nothing else. Values are raw JSON and stay so: a chain of ten waiting
nodes costs a few kilobytes, and every reader decodes an object of its own.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.graph.plan import Graph, PlanNode
from mainspring.machine.events import ErrorRecord
from mainspring.machine.inbox import Inbox


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


_NONE: dict[int, Inbox] = {}
"""Most scopes have no inboxes, and share this."""


class Scope:
    """Node states by number. `prefix` is what the paths of its nodes begin with ("" for the instance's own nodes).

    `active` counts the nodes that keep it open, `finished` those that are final, `unhandled` the failures that no
    connection took. `input` is what its entry nodes get.
    """

    __slots__ = ("active", "finished", "graph", "inboxes", "input", "nodes", "prefix", "unhandled")

    def __init__(self, graph: Graph, prefix: str = "") -> None:
        self.graph = graph
        self.prefix = prefix
        self.nodes: list[NodeState | None] = [None] * len(graph.nodes)
        self.active = 0
        self.finished = 0
        self.unhandled = 0
        self.inboxes: dict[int, Inbox] = _NONE
        self.input = b"null"

    def path(self, node: PlanNode) -> str:
        """The node's address in the whole of the instance (SEMANTICS 26)."""
        return node.path or self.prefix + node.id

    def state(self, node: PlanNode) -> NodeState:
        """The node's state, which begins to exist when it is first asked for."""
        state = self.nodes[node.index]
        if state is None:
            state = self.nodes[node.index] = NodeState()
        return state

    def inbox(self, node: PlanNode) -> Inbox:
        """The node's inbox, which begins to exist when it is first asked for. Only for nodes that have one."""
        found = self.inboxes.get(node.index)
        if found is None:
            assert node.inbox is not None, f"{node.id} has no inbox"
            if self.inboxes is _NONE:
                self.inboxes = {}
            found = self.inboxes[node.index] = Inbox(node.inbox)
        return found
