"""One instance as the auditor follows it, row by row as rows become durable: a second, slower opinion on every event.

What is known of its nodes is in its scopes (`watched_scope.py`), of blocks under way in `watched_block.py`. Checks take one
kind of event, say what is wrong with it, and only then make it part of the picture. None of it shares code with the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.testing.simulation.oracle import Graph
from mainspring.testing.simulation.watched_saga import Done, WatchedSaga
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.audit import Audit
    from mainspring.testing.simulation.orders import Asked
    from mainspring.testing.simulation.watched_block import WatchedBlock

SUSPECT_CRASHES = 2
CRASHES_MAX = 3
CRASHES_SHARED_MAX = 6
FINAL = frozenset({"completed", "failed", "skipped", "cancelled", "compensated", "compensation_failed"})
IDLE = FINAL | {"pending"}
ENDS = {
    "InstanceCompleted": "completed",
    "InstancePartiallySucceeded": "partial_success",
    "InstanceFailed": "failed",
    "InstanceCancelled": "cancelled",
}
GOING = frozenset({"running", "compensating"})
"""An instance may start something in one of these: its work, or what undoes that."""

TIMEOUT_KINDS = ("NodeTimeout", "TimeoutError", "builtins.TimeoutError", "Exception")


class Unknown(Exception):
    """An event is about something that is not there. It has been flagged, and nothing can be made of the rest of its row."""


class Watched:
    """See the module's text. `resumed_at`: when it was last resumed, in virtual seconds.

    `at`, `epoch` and `resumed` are those of the row that is being looked at; so are `begun`, how many bodies began in it,
    `touched`, the blocks that had to think of their next body, and `suspended`, the scopes in which nodes were cancelled for
    no cause yet, so that these must be gone in the end.

    `scopes` are those that are open, by address, in the order in which they began; the instance's own is at "". `gone` says
    of those that have ended, by address, when that was in virtual seconds.

    `done` are the runs that a saga would undo, in the order of their ends, `saga` is the one that there is, `rounds` says of
    what undoes a run how often that was tried. `events` are those of the row that is looked at, `place` is where in it the
    event stands.

    `degraded` counts its nodes that something stood in for. `retries` counts what was drawn of its budget. `message` is what
    the row answers, `given_up` the runs that it condemned for good, `asked_again` those that are followed by another one,
    `by_hand` what somebody ordered that it carries out;
    `reopenings` counts how often it went on after its end. `pause`: since when its clocks stand still, and until when it is
    to; `stood`: from when to when they did.
    """

    def __init__(self, audit: Audit, id: str, number: int, graph: Graph) -> None:
        self.audit = audit
        self.id = id
        self.number = number
        self.graph = graph
        self.own = WatchedScope(self, graph)
        self.scopes: dict[str, WatchedScope] = {"": self.own}
        self.gone: dict[str, float] = {}
        self.status = "pending"
        self.seq = 0
        self.input: Any = None
        self.started_at = 0
        self.opened_at = 0
        self.ended_at = 0
        self.output: Any = None
        self.messages: set[str] = set()
        self.since = 0.0
        self.at = 0
        self.epoch = 0
        self.resumed = False
        self.resumed_at = -1.0
        self.begun = 0
        self.touched: list[WatchedBlock] = []
        self.suspended: list[WatchedScope] = []
        self.done: list[Done] = []
        self.saga: WatchedSaga | None = None
        self.rounds: dict[str, int] = {}
        self.place = 0
        self.degraded = 0
        self.retries = 0
        self.events: Sequence[Any] = ()
        self.message = ""
        self.given_up: list[tuple[str, int]] = []
        self.asked_again: list[tuple[str, int]] = []
        self.by_hand: Asked | None = None
        self.reopenings = 0
        self.pause: tuple[int, int | None] | None = None
        self.stood: list[tuple[int, int]] = []

    def flag(self, invariant: str, text: str) -> None:
        """Something is wrong."""
        self.audit.world.fail(invariant, f"{self.id} row {self.seq}: {text}")

    def must(self, holds: bool, invariant: str, text: str) -> None:
        """Flag it where it does not hold."""
        if not holds:
            self.flag(invariant, text)

    @property
    def ahead(self) -> bool:
        """Whether what is durable may be behind what has been done."""
        return self.graph.workflow.checkpoint is not None

    @property
    def runs_ahead(self) -> bool:
        """Whether work of it may begin whose start is not durable."""
        return self.ahead and self.status == "running" and self.saga is None

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return not self.ended_at

    @property
    def going(self) -> bool:
        """Whether it may start something."""
        return self.status in GOING

    def reopened_now(self) -> bool:
        """Whether the row that is looked at began at its end."""
        names = [type(one).__name__ for one in self.events[:2]]
        return names[:1] == ["InstanceReopened"] or names == ["Intervened", "InstanceReopened"]

    @property
    def clock(self) -> int:
        """What its clock shows in the row that is looked at."""
        return self.at if self.pause is None else self.pause[0]

    @property
    def stands(self) -> bool:
        """Whether it starts nothing, for a while."""
        return self.status in ("parked", "pausing", "paused")

    def stood_still(self, since: int) -> int:
        """For how many of the milliseconds after that its clocks stood still."""
        return sum(end - max(begin, since) for begin, end in self.stood if end > since)

    @property
    def times_out_at(self) -> int:
        """When its timeout is over, if it has one: that begins with it, and anew where it is opened again."""
        since = self.opened_at or self.started_at
        return since + (self.graph.workflow.timeout or 2**62) + self.stood_still(since)

    @property
    def saga_now(self) -> WatchedSaga:
        """The saga that an event is about. Raises Unknown where there is none."""
        if self.saga is None:
            self.flag("a saga begins once", "none has begun")
            raise Unknown("saga")
        return self.saga

    def natural_end(self) -> str:
        """How it ends, now that nothing is under way, unless it undoes something before that."""
        ends = {"failing": "failed", "cancelling": "cancelled"}
        return ends[self.status] if self.status in ends else self._by_failures()

    def _by_failures(self) -> str:
        if not self.own.unhandled:
            return "completed"
        nodes = self.graph.nodes
        return self.graph.policies.end([nodes[id] for id in self.own.failed], nodes.values())

    def in_ledger(self, path: str) -> str:
        """A path as the ledger has it: what is undone once more by hand is done at the same address again."""
        end = path.find("]", path.find("[undo:")) + 1 if "[undo:" in path else 0
        rounds = self.rounds.get(path[:end], 1) if end else 1
        return path if rounds == 1 else f"{path[:end]}~{rounds}{path[end:]}"

    def scope_of(self, path: str) -> WatchedScope | None:
        """The scope of the node at this path, where it is open."""
        scope = self.scopes.get(path.rpartition(".")[0])
        return scope if scope is not None and path.rpartition(".")[2] in scope.nodes else None

    def find(self, path: str) -> tuple[WatchedScope, str, WatchedNode]:
        """The node at this path: its scope, its id, and what is known of it. Raises Unknown where it is not there."""
        scope, id = self.scope_of(path), path.rpartition(".")[2]
        if scope is None:
            what = "has ended" if path.rpartition(".")[0] in self.gone else "was never there"
            self.flag("nothing happens in a scope that has ended", f"{path}: its scope {what}")
            raise Unknown(path)
        return scope, id, scope.nodes[id]

    def nodes(self) -> Iterator[tuple[WatchedScope, str, WatchedNode]]:
        """All nodes that there are, in all scopes."""
        for scope in self.scopes.values():
            for id, node in scope.nodes.items():
                yield scope, id, node

    def blocks(self) -> Iterator[WatchedBlock]:
        """All blocks under way."""
        for scope in self.scopes.values():
            yield from scope.blocks.values()

    def move(self, node: WatchedNode, status: str) -> None:
        """The node's status changes."""
        if node.status == "running" and node.crashes >= SUSPECT_CRASHES:
            self.audit.suspect_left = self.audit.world.scheduler.now
        if node.status == "running" and status in ("ready", "waiting", "cancelled"):
            self.audit.windows.stopped(self.id, node.path)
        if node.holds and status != "running":
            self.audit.holdings.give_back(self.id, node.path, node)
        node.status = status
        node.since = self.audit.world.scheduler.now
