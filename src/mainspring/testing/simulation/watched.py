"""One instance as the auditor follows it, row by row as rows become durable: a second, slower opinion on every event.

Each method takes one kind of event, says what is wrong with it, and only then makes it part of the picture. It shares no
code with the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mainspring.testing.simulation.joins import Rule, Token, default_input
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


class RunEnd(Struct, frozen=True):
    """How one run of a repeating node ended: with an output, or with an error."""

    output: Any
    error: Any
    handled: bool


class WatchedNode(Struct):
    """What is known of a node. `since`: when (in virtual seconds) it came into its status.

    `arrived` are the messages that count for its join, in order; `tokens` counts messages and skips. Where it has an
    inbox, `lanes` are the queues, `closed` counts for each the connections that will bring nothing more, `taken` is what
    the run under way works on, `ends` how the runs before it ended.
    """

    status: str = "pending"
    run: int = 1
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    started_at: int = 0
    epoch: int = 0
    due: int | None = None
    arrived: list[Token] = msgspec.field(default_factory=list)
    tokens: int = 0
    lanes: list[list[Token]] = msgspec.field(default_factory=list)
    closed: list[int] = msgspec.field(default_factory=list)
    taken: list[Token] = msgspec.field(default_factory=list)
    ends: list[RunEnd] = msgspec.field(default_factory=list)
    mapped: Any = None
    is_mapped: bool = False
    output: Any = None
    error: Any = None
    since: float = 0.0
    crash_limit: bool = False


class Watched:
    """See the module's text. `at`, `epoch` and `resumed` are those of the row that is being looked at."""

    def __init__(self, audit: Audit, id: str, number: int, graph: Graph) -> None:
        self.audit = audit
        self.id = id
        self.number = number
        self.graph = graph
        self.nodes = {path: _node(rule) for path, rule in graph.rules.items()}
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
        self.resumed = False

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
        nodes = self.nodes.items()
        completed = {path for path, node in nodes if node.status == "completed"}
        return Values(self.input, {path: node.output for path, node in nodes}, completed)

    def move(self, node: WatchedNode, status: str) -> None:
        """The node's status changes."""
        node.status = status
        node.since = self.audit.world.scheduler.now

    def input_of(self, path: str) -> Any:
        """What the node's present run must be given."""
        node, rule, incoming = self.nodes[path], self.graph.rules[path], self.graph.incoming[path]
        if node.is_mapped:
            return node.mapped
        if not incoming:
            return self.input
        counting = node.taken if rule.lanes else node.arrived[: rule.need] if rule.need else node.arrived
        return default_input(rule, incoming, {token[0]: self.payload(token) for token in counting})

    def payload(self, token: Token) -> Any:
        """What a message brings: an output, or the error of what failed."""
        source = self.graph.edges[token[0]].source
        if self.graph.rules[source].repeating:
            end = self.nodes[source].ends[token[1] - 1]
            return end.output if end.error is None else end.error
        node = self.nodes[source]
        return node.output if node.status == "completed" else node.error


def _node(rule: Rule) -> WatchedNode:
    return WatchedNode(lanes=[[] for _ in rule.lanes], closed=[0] * len(rule.lanes))
