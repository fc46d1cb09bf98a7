"""A saga as the auditor follows it: which runs it must undo, in which order, and what came of that (SEMANTICS 65 to 70)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mainspring.testing.simulation.watched_scope import WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.oracle import Graph
    from mainspring.testing.simulation.watched import Watched


class Done(Struct, frozen=True):
    """A run that a saga undoes. `how` it ended, `row` and `index` where that stands in the journal, `undo` what undoes it."""

    path: str
    run: int
    how: str
    output: Any
    row: int
    index: int
    undo: Graph

    @property
    def outer(self) -> str:
        """The node of the instance's own graph that it belongs to."""
        return self.path.partition("[")[0]


class WatchedSaga:
    """`order` is what it must undo, the first first; `planned` counts those that were read back, `taken` those that were
    taken up, `undone` those that are undone, in all of the instance's sagas. `doing` is the scope of the one under way.

    `left` are those that could not be undone. `over`: nothing more is undone, unless somebody has it go on. `output` is what
    the instance would have ended with.
    """

    def __init__(self, ends: str, reason: str, failed: str, error: Any, order: list[Done], output: Any) -> None:
        self.ends = ends
        self.reason = reason
        self.failed = failed
        self.error = error
        self.order = order
        self.output = output
        self.planned = 0
        self.all_read = False
        self.taken = 0
        self.undone = 0
        self.left: list[Done] = []
        self.doing: WatchedScope | None = None
        self.over = False
        self.round = 1
        self.since = 0.0

    @property
    def untried(self) -> list[Done]:
        """What was not taken up."""
        return self.order[self.taken :]

    def again(self) -> None:
        """Somebody has it go on: with what it had to leave, and then with what it did not try."""
        self.order = [*self.left, *self.untried]
        self.left, self.planned, self.taken, self.all_read, self.over = [], 0, 0, False, False
        self.round += 1

    def context(self, scope: WatchedScope) -> dict[str, Any]:
        """What `compensation` is for the node that undoes."""
        done = scope.undoes
        assert done is not None, "it undoes something"
        return {
            "reason": self.reason,
            "failed_node": self.failed or None,
            "error": self.error,
            "node": done.path.rpartition(".")[2],
            "path": done.path,
            "run": done.run,
            "output": done.output,
            "remaining": len(self.untried),
        }


def to_undo(watched: Watched) -> tuple[list[Done], frozenset[str]]:
    """What a saga of this instance would have to undo, and the nodes that it is about (none: all)."""
    nodes = _branch(watched) if watched.graph.workflow.compensation_scope == "branch" else frozenset()
    order = [one for one in reversed(watched.done) if not nodes or one.outer in nodes]
    return order, nodes


def failed_nodes(watched: Watched) -> list[str]:
    """The nodes of the instance's own graph whose failure nobody took, those that failed first first."""
    failed = [(node.ended_at, id) for id, node in watched.own.nodes.items() if node.status == "failed"]
    return [id for _, id in sorted(failed) if not watched.own.nodes[id].handled]


def _branch(watched: Watched) -> frozenset[str]:
    """The failed nodes, and back from each to where another branch starts (66)."""
    return frozenset(id for failed in failed_nodes(watched) for id in _back_from(watched, failed))


def _back_from(watched: Watched, failed: str) -> set[str]:
    before = _ancestors(watched, failed) | {failed}
    found: set[str] = set()
    line = [failed]
    while line:
        id = line.pop()
        found.add(id)
        sources = {edge.source for edge in watched.graph.incoming[id]} - found
        line += [source for source in sources if not _another_branch(watched, source, before)]
    return found


def _ancestors(watched: Watched, id: str) -> set[str]:
    found: set[str] = set()
    for edge in watched.graph.incoming[id]:
        found |= {edge.source} | _ancestors(watched, edge.source)
    return found


def _another_branch(watched: Watched, source: str, before: set[str]) -> bool:
    targets = {edge.target for edge in watched.graph.outgoing[source]} - before
    return any(watched.own.nodes[target].status not in ("pending", "skipped") for target in targets)
