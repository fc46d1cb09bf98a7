"""The nodes of one graph as the auditor follows them: of the instance's own, or of a body in one of its passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mainspring.machine import events as ev
from mainspring.testing.simulation.expressions import Look
from mainspring.testing.simulation.joins import Rule, Token, default_input
from mainspring.testing.simulation.oracle import Graph
from mainspring.testing.simulation.work import Key

if TYPE_CHECKING:
    from mainspring.testing.simulation.watched import Watched
    from mainspring.testing.simulation.watched_block import WatchedBlock
    from mainspring.testing.simulation.watched_saga import Done

LOOPS = frozenset({"forEach", "while", "until"})


class RunEnd(Struct, frozen=True):
    """How one run of a repeating node ended: with an output, or with an error."""

    output: Any
    error: Any
    handled: bool


class WatchedNode(Struct):
    """What is known of a node. `since`: when (in virtual seconds) it came into its status.

    `arrived` are the messages that count for its join, in order; `tokens` counts messages and skips. Where it has an
    inbox, `lanes` are the queues, `closed` counts for each the connections that will bring nothing more, `taken` is what
    the run under way works on, `ends` how the runs before it ended. `waits_for` is what it waits for, `lock` what a mutex
    has asked for, `bodies` how many a block began in all of its runs. `handled`: somebody took its failure. `degraded`:
    something stood in for it. `by_hand`: somebody completed it. `holds` are the limits that its attempt has something of.
    `ended_row` is the row in which it failed or was stopped, `because` by whose failure it was stopped.
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
    waits_for: str = ""
    lock: str = ""
    bodies: int = 0
    handled: bool = False
    degraded: bool = False
    ended_at: int = 0
    ended_row: int = 0
    again: bool = False
    by_hand: bool = False
    because: str = ""
    path: str = ""
    holds: tuple[tuple[Any, ...], ...] = ()


class WatchedScope:
    """One execution of a graph. `prefix` is what its paths begin with. Of a body: the `block` that it is of (None: it is the
    instance's own graph), and its `index` among the block's bodies in this run. Of what undoes a run: that run (`undoes`).

    `input` is what its entry nodes get, `faults` the failures that nobody took, by their nodes, `variables` what was set in
    it. `raising` are the connections by node whose condition could not be evaluated when the node last ended. `ending` are
    the nodes whose failure ends what is here.
    """

    def __init__(
        self,
        whole: Watched,
        graph: Graph,
        block: WatchedBlock | None = None,
        index: int = 0,
        undoes: Done | None = None,
    ) -> None:
        self.whole = whole
        self.graph = graph
        self.block = block
        self.index = index
        self.undoes = undoes
        self.address = "" if block is None else f"{block.path}[{block.first + index}]"
        if undoes is not None:
            self.address = f"{undoes.path}[undo:{undoes.run}]"
        self.prefix = f"{self.address}." if self.address else ""
        self.nodes = {id: _node(rule, self.prefix + id) for id, rule in graph.rules.items()}
        self.input: Any = None
        self.faults: list[tuple[str, Any]] = []
        self.variables: dict[str, Any] = {}
        self.blocks: dict[str, WatchedBlock] = {}
        self.raising: dict[str, set[int]] = {}
        self.ending: list[str] = []

    @property
    def parent(self) -> WatchedScope | None:
        """The scope around it. What undoes sees the instance's own, wherever the undone run was."""
        if self.undoes is not None:
            return self.whole.own
        return None if self.block is None else self.block.scope

    @property
    def undoing(self) -> WatchedScope | None:
        """The undoing that it is, or is a part of."""
        if self.undoes is not None or self.block is None:
            return self if self.undoes is not None else None
        return self.block.scope.undoing

    def path(self, id: str) -> str:
        """The node's address."""
        return self.prefix + id

    def key(self, id: str, run: int, attempt: int) -> Key:
        """What an attempt is known by in the ledger."""
        return (self.whole.id, self.whole.in_ledger(self.path(id)), run, attempt)

    def must(self, holds: bool, invariant: str, text: str) -> None:
        """Flag it where it does not hold."""
        if not holds:
            self.whole.flag(invariant, f"{self.prefix}{text}")

    def fails(self, id: str, error: Any) -> None:
        """A failure in it was left unhandled."""
        self.faults.append((id, error))

    def forget_failures(self, id: str) -> None:
        """The node runs again: its failures are none any more."""
        self.faults = [fault for fault in self.faults if fault[0] != id]
        self.ending = [one for one in self.ending if one != self.path(id)]

    @property
    def unhandled(self) -> int:
        """How many failures nobody took."""
        return len(self.faults)

    @property
    def failed(self) -> set[str]:
        """The nodes whose failure nobody took."""
        return {id for id, _ in self.faults}

    @property
    def error(self) -> Any:
        """The first failure that nobody took."""
        return self.faults[0][1] if self.faults else None

    @property
    def must_end(self) -> str:
        """The node whose failure ends what is here ("": none)."""
        return self.ending[0] if self.ending else ""

    # --- what expressions see -----------------------------------------------------------------------------------------

    def look(self, **more: Any) -> Look:
        """What expressions see from here. `more` are names that mean something else for the moment."""
        return lambda name: more[name] if name in more else self._root(name)

    def look_after(self, id: str, output: Any, error: Any, **more: Any) -> Look:
        """The same for what is asked at the end of a node, which is no part of the picture yet."""
        nodes = dict(self._nodes())
        ended = {"output": output, "completed": True} if error is None else {"completed": False, "error": error}
        nodes[id] = {**nodes[id], **ended}
        return self.look(nodes=nodes, output=output, error=error, **more)

    def _root(self, name: str) -> Any:
        if name == "input":
            return self.whole.input
        if name == "variables":
            return self.seen_variables()
        if name == "nodes":
            return self._nodes()
        if name == "error":
            return self.stood_in_for()
        if name == "compensation":
            scope = self.undoing
            return None if scope is None else self.whole.saga_now.context(scope)
        loop = self.loop()
        if name == "loop":
            return loop
        return None if loop is None else loop.get(name)

    def stood_in_for(self) -> Any:
        """The error of the node on whose behalf it runs."""
        if self.block is None:
            return None
        owner = self.block.scope
        return owner.nodes[self.block.id].error if self.block.kind == "fallback" else owner.stood_in_for()

    def _nodes(self) -> dict[str, Any]:
        found = {} if self.parent is None else self.parent._nodes()
        seen = {id: {"output": one.output, "completed": one.status == "completed"} for id, one in self.nodes.items()}
        return {**found, **seen}

    def seen_variables(self) -> dict[str, Any]:
        """The variables as nodes of this scope see them."""
        around = {} if self.parent is None else self.parent.seen_variables()
        return {**around, **self.variables}

    def loop(self) -> dict[str, Any] | None:
        """What `loop` is here; `item` and `index` are the same there."""
        if self.block is None:
            return None
        if self.block.kind not in LOOPS:
            return self.block.scope.loop()
        return self.block.loop_of(self)

    # --- what nodes get -----------------------------------------------------------------------------------------------

    def input_of(self, id: str) -> Any:
        """What the node's present run must be given."""
        node, rule, incoming = self.nodes[id], self.graph.rules[id], self.graph.incoming[id]
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

    def leaf_outputs(self) -> Any:
        """What the graph gives where nobody says what: the output of its only leaf, or those of its completed leaves."""
        leaves = self.graph.leaves
        if len(leaves) == 1:
            return self.nodes[leaves[0]].output
        return {id: self.nodes[id].output for id in leaves if self.nodes[id].status == "completed"}


def _node(rule: Rule, path: str) -> WatchedNode:
    return WatchedNode(path=path, lanes=[[] for _ in rule.lanes], closed=[0] * len(rule.lanes))


def timeout_of(scope: WatchedScope, id: str, node: WatchedNode) -> int | None:
    """When the node's clock runs out, where one runs: of an attempt, or of a block, its lock included."""
    timeout = scope.graph.nodes[id].timeout
    ticking = node.status == "running" or (node.status == "waiting" and bool(scope.graph.bodies[id]))
    if timeout is None or not ticking:
        return None
    still = 0 if node.status == "running" else scope.whole.stood_still(node.started_at)
    return node.started_at + timeout + still


def error_value(error: ev.ErrorRecord) -> dict[str, Any]:
    """An error as those see it who look at one."""
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "context": msgspec.json.decode(error.context),
        "fatal": error.fatal,
    }
