"""Who is under way, and what stops with what (docs/semantics-blocks.md, "How a body ends" and "Stopping")."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from .deciding import Deciding
from .scopes import Scope
from .shape import Graph, Shape
from .state import NodeState, Run
from .undoing import Done, Saga
from .waits import Waits


class Stopping(Deciding):
    """All that is open: scopes, the line of their waves, runs, waits.

    `scopes_ended` tells how bodies ended, by their addresses, `cancelled` which nodes were; both in order.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.shapes: dict[int, Shape] = {}
        self.root = Scope(graph, self.shape_of(graph), graph["input"])
        self.scopes = [self.root]
        self.waves: deque[Scope] = deque()
        self.waits = Waits(graph)
        self.under_way: dict[tuple[str, int], Run] = {}
        self.cancelled: list[str] = []
        self.scopes_ended: list[tuple[str, str]] = []
        self.conflicts: list[tuple[str, tuple[str, ...]]] = []
        self.terminated: tuple[str, Any] | None = None
        self.saga: Saga | None = None
        self.done_runs: list[Done] = []

    @property
    def halted(self) -> bool:
        """Whether somebody has decided that this is the end, and nothing is being undone."""
        return self.terminated is not None and self.saga is None

    def remember(self, run: Run) -> None:
        """A run that can be undone is over."""
        node = run.spec
        if node.get("undo") is None or run.scope.off:
            return
        counts = {"completed": True, "failed": node["compensateFailed"], "cancelled": node["compensateInDoubt"]}
        if counts[run.status]:
            output = run.output if run.status == "completed" else None
            self.done_runs.append(Done(*run.key, output, node["undo"], run.status == "cancelled"))

    def shape_of(self, graph: Graph) -> Shape:
        """The shape of the graph or of a body, made once."""
        if id(graph) not in self.shapes:
            self.shapes[id(graph)] = Shape(graph)
        return self.shapes[id(graph)]

    @property
    def nodes(self) -> dict[str, NodeState]:
        """The graph's own nodes."""
        return self.root.nodes

    def close(self, scope: Scope, status: str, value: Any) -> None:
        """The scope is gone."""
        assert scope.block is not None
        assert scope.block.passes is not None
        scope.closed = True
        self.scopes.remove(scope)
        if scope in self.waves:
            self.waves.remove(scope)
        self.scopes_ended.append((scope.prefix[:-1], status))
        for number, names in scope.block.passes.ends(scope, status, value):
            self.conflicts.append((f"{scope.block.key[0]}[{number}]", tuple(names)))

    def stop_within(self, run: Run) -> None:
        """The bodies of a block are stopped, and a wait waits no more."""
        self.waits.stop(run)
        for scope in run.passes.open if run.passes else []:
            self.stop_bodies(scope, scope.nodes)
            for id, node in scope.nodes.items():
                if node.begun and not node.final:
                    self.stop_node(scope, id)
            self.close(scope, "cancelled", None)

    def stop_bodies(self, scope: Scope, ids: Iterable[str]) -> None:
        """Those of some nodes of a scope, block by block in the order of nodes."""
        for id in ids:
            if scope.nodes[id].busy:
                self.stop_within(scope.nodes[id].runs[-1])

    def stop_nodes(self, scope: Scope, ids: Iterable[str]) -> None:
        """Some nodes of a scope stop together: first all bodies within them."""
        self.stop_bodies(scope, ids)
        for id in ids:
            self.stop_node(scope, id)

    def stop_node(self, scope: Scope, id: str) -> bool:
        """Cancelled where it is under way, skipped where it has not begun. False where it has ended already."""
        node = scope.nodes[id]
        if node.final:
            return False
        scope.starting = [run for run in scope.starting if run.node != id]
        if node.begun:
            if node.busy:
                self.stop_within(node.runs[-1])
                node.runs[-1].status = "cancelled"
                self.remember(node.runs[-1])
                self.under_way.pop(node.runs[-1].key, None)
            node.status = "cancelled"
            self.cancelled.append(scope.prefix + id)
        else:
            node.status = "skipped"
            self.skipped.append(scope.prefix + id)
            node.runs.clear()
        return True

    def stop_rest(self, scope: Scope) -> None:
        """The decision was terminate: the rest of that graph stops, once the instance does not stand still."""
        scope.terminates = True
        if self.parked:
            return
        if scope is self.root:
            self.fail_fast()
            return
        self.stop_nodes(scope, scope.nodes)

    def fail_fast(self) -> None:
        """The instance has failed."""
        self.stop_all()
        self.terminated = ("failed", self.root.leaves_output)

    def terminate(self, run: Run) -> None:
        """It is done, and with it the instance: what is under way is cancelled, what has not begun is skipped."""
        run.scope.nodes[run.node].status = "completed"
        self.terminated = (run.spec["decides"]["status"], run.output)
        self.stop_all()

    def stop_all(self) -> None:
        """All open scopes, then what is left of the graph's own nodes."""
        self.stop_nodes(self.root, self.nodes)
        self.waves.clear()
        self.under_way.clear()
