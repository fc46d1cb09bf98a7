"""The state of one execution: what folding its events so far gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mainspring.graph.plan import Plan, PlanNode
from mainspring.graph.plan_undo import Undo, node_at, undoing_children
from mainspring.machine.block import merge_writes
from mainspring.machine.pause import Pause
from mainspring.machine.saga import NOTHING, Saga, UndoScope, outermost
from mainspring.machine.scope import BodyScope, NodeState, Scope
from mainspring.machine.signals import ALONE, NOBODY, Awaited, KeptSignal

__all__ = ["CONSUMED_MAX", "Instance", "NodeState", "PlanNeeded", "Scope"]

CONSUMED_MAX = 256
"""How many ids of consumed messages an instance remembers. The store's inbox remembers all of them (SEMANTICS 31)."""


_NO_BODIES: dict[str, BodyScope] = {}
"""Most instances have no open bodies, and share this."""


class PlanNeeded(LookupError):
    """The plan of this version is needed, and is not at hand: have it loaded, then try again."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(f"the definition {version} is not at hand")


def unknown(version: str) -> Plan:
    """No other version is known."""
    raise PlanNeeded(version)


class Instance(Scope):
    """An execution and the plan it is pinned to; `plans` gives those of other versions. It is the outermost of its scopes.
    `retries` are those that its budget was charged with, where it has one. `opened_at` is when it was last opened again after
    its end (0: never).

    `waits` has who waits for somebody, by path, in the order in which they began to; `kept` what came before anybody did.
    `undoable` counts the runs that a saga would undo, by the node of the instance's own graph that they belong to. `pauses`
    counts its pauses, `stood` has from when to when its clocks stood still.
    """

    __slots__ = (
        "consumed",
        "degraded",
        "ended_at",
        "id",
        "kept",
        "lineage",
        "open",
        "opened_at",
        "output",
        "pause",
        "pauses",
        "plan",
        "plans",
        "reason",
        "retries",
        "saga",
        "started_at",
        "status",
        "stood",
        "undoable",
        "variables",
        "waits",
    )

    def __init__(self, plan: Plan, id: str) -> None:
        super().__init__(plan)
        self.plan = plan
        self.plans: Callable[[str], Plan] = unknown
        self.id = id
        self.status = "pending"
        self.degraded = 0
        self.started_at = 0
        self.opened_at = 0
        self.ended_at = 0
        self.variables = b"{}"
        self.output = b"null"
        self.reason = ""
        self.consumed: tuple[str, ...] = ()
        self.open: dict[str, BodyScope] = _NO_BODIES
        self.waits: dict[str, Awaited] = NOBODY
        self.kept: tuple[KeptSignal, ...] = ()
        self.lineage = ALONE
        self.undoable: dict[str, int] = NOTHING
        self.saga: Saga | None = None
        self.retries = 0
        self.pause: Pause | None = None
        self.pauses = 0
        self.stood: tuple[tuple[int, int], ...] = ()

    def locate(self, path: str) -> tuple[Scope, PlanNode]:
        """The node at a path, and the scope it is in. Raises KeyError where there is none, or its scope has ended."""
        node = self.plan.by_id.get(path)
        if node is not None:
            return self, node
        address, _, id = path.rpartition(".")
        scope = self.open[address]
        return scope, scope.graph.by_id[id]

    @property
    def scopes(self) -> Iterator[Scope]:
        """All that are open, in the order in which they began."""
        yield self
        yield from self.open.values()

    def begin_body(self, parent: Scope, owner: PlanNode, number: int, index: int) -> BodyScope:
        """Open the scope of a body."""
        if self.open is _NO_BODIES:
            self.open = {}
        block = parent.blocks[owner.index]
        scope = BodyScope(parent, owner, number, index, block.stands_in)
        self.open[scope.address] = scope
        block.open[index] = scope
        return scope

    def begin_undo(self, saga: Saga) -> UndoScope:
        """Open the scope in which the saga's current run is undone."""
        done, output = saga.current, saga.outputs[saga.at - 1]
        owner = node_at(self.plan, done.path)
        assert owner is not None, f"there is no node {done.path}"
        if self.open is _NO_BODIES:
            self.open = {}
        scope = UndoScope(self, owner, done, output)
        self.open[scope.address] = scope
        return scope

    @property
    def undoing_children(self) -> frozenset[str]:
        """The names of the workflows that undo themselves when they are told to."""
        return undoing_children(self.plan, [pin.name for pin in self.lineage.children if pin.undoes])

    def may_undo(self, path: str, undo: Undo) -> None:
        """A run of this node has ended that a saga would undo."""
        if undo.child and undo.child not in self.undoing_children:
            return
        if self.undoable is NOTHING:
            self.undoable = {}
        outer = outermost(path) if "[" in path else path
        self.undoable[outer] = self.undoable.get(outer, 0) + 1

    def variables_in(self, scope: Scope) -> bytes:
        """The variables as nodes of this scope see them."""
        if scope is self:
            return self.variables
        writes = []
        while isinstance(scope, BodyScope):
            if scope.writes is not None:
                writes.append(scope.writes)
            scope = scope.parent
        seen = self.variables
        for one in reversed(writes):
            seen = merge_writes(seen, one)
        return seen

    def status_of(self, path: str) -> str:
        """A node's status by its path. Raises KeyError where there is no such node."""
        scope, node = self.locate(path)
        state = scope.nodes[node.index]
        return "pending" if state is None else state.status
