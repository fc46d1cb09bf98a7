"""One instance as the auditor follows it, row by row as rows become durable: a second, slower opinion on every event.

Each method takes one kind of event, says what is wrong with it, and only then makes it part of the picture. It shares no
code with the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mainspring.testing.simulation.oracle import Graph, Values

if TYPE_CHECKING:
    from mainspring.testing.simulation.audit import Audit

CRASHES_MAX = 3
CRASHES_SHARED_MAX = 6
FINAL = frozenset({"completed", "failed", "skipped", "cancelled"})
ENDS = {
    "InstanceCompleted": "completed",
    "InstanceFailed": "failed",
    "InstanceCancelled": "cancelled",
}
TIMEOUT_KINDS = ("NodeTimeout", "TimeoutError", "builtins.TimeoutError", "Exception")


class WatchedNode(Struct):
    """What is known of a node. `since`: when (in virtual seconds) it came into its status."""

    status: str = "pending"
    run: int = 1
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    started_at: int = 0
    epoch: int = 0
    due: int | None = None
    messages: set[int] = msgspec.field(default_factory=set)
    tokens: int = 0
    mapped: Any = None
    is_mapped: bool = False
    output: Any = None
    error: Any = None
    since: float = 0.0
    crash_limit: bool = False


class Watched:
    """See the module's text. `now`, `at` and `epoch` are those of the row that is being looked at."""

    def __init__(self, audit: Audit, id: str, number: int, graph: Graph) -> None:
        self.audit = audit
        self.id = id
        self.number = number
        self.graph = graph
        self.nodes = {path: WatchedNode() for path in graph.nodes}
        self.status = "pending"
        self.seq = 0
        self.input: Any = None
        self.started_at = 0
        self.ended_at = 0
        self.variables: dict[str, Any] = {}
        self.unhandled = 0
        self.output: Any = None
        self.messages: set[str] = set()
        self.since = 0.0
        self.at = 0
        self.epoch = 0

    def flag(self, invariant: str, text: str) -> None:
        """Something is wrong."""
        self.audit.world.fail(invariant, f"{self.id} row {self.seq}: {text}")

    def must(self, holds: bool, invariant: str, text: str) -> None:
        """Flag it where it does not hold."""
        if not holds:
            self.flag(invariant, text)

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return not self.ended_at

    def values(self) -> Values:
        """What expressions see."""
        return Values(self.input, {path: node.output for path, node in self.nodes.items()})

    def move(self, node: WatchedNode, status: str) -> None:
        """The node's status changes."""
        node.status = status
        node.since = self.audit.world.scheduler.now

    def joined(self, path: str, node: WatchedNode) -> None:
        incoming = self.graph.incoming[path]
        ended = all(self.nodes[edge.source].status in FINAL for edge in incoming)
        self.must(ended, "a join waits for all", f"{path} starts before its sources have ended")
        self.must(not incoming or bool(node.messages), "a join needs a message", f"{path} starts, and nothing fired")

    def tokens(self, path: str, fired: set[int]) -> None:
        for edge in self.graph.outgoing[path]:
            target = self.nodes[edge.target]
            target.tokens += 1
            if edge.index in fired:
                target.messages.add(edge.index)

    def input_of(self, path: str) -> Any:
        """What the node must be given."""
        node = self.nodes[path]
        if node.is_mapped:
            return node.mapped
        payloads = {other: one.output if one.status == "completed" else one.error for other, one in self.nodes.items()}
        return self.graph.default_input(path, node.messages, payloads, self.input)
