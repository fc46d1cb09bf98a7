"""One execution of a graph: an instance's own, or that of a body within it.

Mutated in place, inside a turn, by `fold` and by nothing else. Values are raw JSON and stay so: a chain of ten waiting
nodes costs a few kilobytes, and every reader decodes an object of its own.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.graph.plan import Graph, PlanNode
from mainspring.machine.block import Block
from mainspring.machine.events import ErrorRecord
from mainspring.machine.inbox import Inbox


class NodeState(Struct, gc=False, omit_defaults=True):
    """One node, in its current run. Times are UTC milliseconds.

    `attempt` numbers every try, whether the one before it failed or crashed; `failures` and `crashes` count apart.
    `tokens` counts what has come in, `messages` lists the connections that fired (shared between instances where there
    can be only one: never append to it but in `fold`). `misrouted` lists those whose condition could not be evaluated.
    `bodies` counts those that the node began, over all of its runs. `decision` is what its last failure meant for the whole,
    `reason` then the rule; else that says why it was skipped or cancelled. `because` is whose end decided that, or what
    stood in for it.
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
    bodies: int = 0
    decision: str = ""


_NONE: dict[int, Inbox] = {}
"""Most scopes have no inboxes, and share this."""

_NO_BLOCKS: dict[int, Block] = {}
"""Nor have most of them blocks under way."""


class Scope:
    """Node states by number. `prefix` is what the paths of its nodes begin with ("" for the instance's own nodes).

    `active` counts the nodes that keep it open, `finished` those that are final, `unhandled` the failures that no
    connection took, the first of which is `error`. `input` is what its entry nodes get. `blocks` are those under way, by
    the number of their node.
    """

    __slots__ = ("active", "blocks", "error", "finished", "graph", "inboxes", "input", "nodes", "prefix", "unhandled")

    def __init__(self, graph: Graph, prefix: str = "") -> None:
        self.graph = graph
        self.prefix = prefix
        self.nodes: list[NodeState | None] = [None] * len(graph.nodes)
        self.active = 0
        self.finished = 0
        self.unhandled = 0
        self.error: ErrorRecord | None = None
        self.inboxes: dict[int, Inbox] = _NONE
        self.blocks: dict[int, Block] = _NO_BLOCKS
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

    def block(self, node: PlanNode, block: Block) -> Block:
        """Have a block under way."""
        if self.blocks is _NO_BLOCKS:
            self.blocks = {}
        self.blocks[node.index] = block
        return block

    def failed(self, error: ErrorRecord) -> None:
        """A failure was left unhandled."""
        self.unhandled += 1
        if self.error is None:
            self.error = error


class BodyScope(Scope):
    """One pass through a body, or one fallback (`stands_in`). `writes` are the variables that were set in it (None: none
    were)."""

    __slots__ = ("address", "index", "owner", "parent", "writes")

    def __init__(self, parent: Scope, owner: PlanNode, number: int, index: int, stands_in: bool = False) -> None:
        self.address = f"{parent.path(owner)}[{number}]"
        bodies = owner.bodies
        graph = owner.fallbacks[index].graph if stands_in else bodies[index if len(bodies) > 1 else 0]
        super().__init__(graph, f"{self.address}.")
        self.parent = parent
        self.owner = owner
        self.index = index
        self.writes: bytes | None = None

    @property
    def of(self) -> Block:
        """The block that it is a body of."""
        return self.parent.blocks[self.owner.index]
