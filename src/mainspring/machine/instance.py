"""The state of one execution: what folding its events so far gives."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from mainspring.graph.plan import Plan, PlanNode
from mainspring.graph.plan_undo import Undo, node_at, undoing_children
from mainspring.machine.block import Block, BlockState, capture_block, merge_writes, restore_block
from mainspring.machine.events import ErrorRecord
from mainspring.machine.inbox import InboxState, capture_inbox, restore_inbox
from mainspring.machine.lifecycle import ACTIVE, NODE_FINAL
from mainspring.machine.pause import Pause
from mainspring.machine.saga import NOTHING, Saga, UndoScope, outermost
from mainspring.machine.scope import BodyScope, NodeState, Scope
from mainspring.machine.signals import ALONE, NOBODY, Awaited, KeptSignal, Lineage

__all__ = ["CONSUMED_MAX", "Instance", "InstanceState", "NodeState", "Scope", "capture", "restore"]

CONSUMED_MAX = 256
"""How many ids of consumed messages an instance remembers. The store's inbox remembers all of them (SEMANTICS 31)."""


class ScopeState(Struct, array_like=True):
    """What a snapshot holds of an open body. `error` is the JSON of an ErrorRecord."""

    owner: str
    number: int
    index: int
    input: bytes
    unhandled: int
    error: bytes | None
    writes: bytes | None


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
    scopes: list[ScopeState] = []
    blocks: dict[str, BlockState] = {}
    waits: dict[str, Awaited] = {}
    kept: tuple[KeptSignal, ...] = ()
    lineage: Lineage = ALONE
    undoable: dict[str, int] = {}
    saga: Saga | None = None
    retries: int = 0
    pause: Pause | None = None
    pauses: int = 0
    stood: tuple[tuple[int, int], ...] = ()


_NO_BODIES: dict[str, BodyScope] = {}
"""Most instances have no open bodies, and share this."""


class Instance(Scope):
    """An execution and the plan it is pinned to. It is the outermost of its scopes. `retries` are those that its budget was
    charged with, where it has one.

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
        "output",
        "pause",
        "pauses",
        "plan",
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
        self.id = id
        self.status = "pending"
        self.degraded = 0
        self.started_at = 0
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


def capture(instance: Instance) -> InstanceState:
    """The state as a value of its own, to be encoded."""
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
        nodes={
            node.path or scope.path(node): state
            for scope in instance.scopes
            for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
            if state is not None
        },
        inboxes={
            scope.path(scope.graph.nodes[index]): capture_inbox(one)
            for scope in instance.scopes
            for index, one in scope.inboxes.items()
        },
        scopes=[_capture_scope(scope) for scope in instance.open.values() if not isinstance(scope, UndoScope)],
        blocks={
            scope.path(scope.graph.nodes[index]): capture_block(block)
            for scope in instance.scopes
            for index, block in sorted(scope.blocks.items())  # in which order they began is not kept
        },
        waits=dict(instance.waits),
        kept=instance.kept,
        lineage=instance.lineage,
        undoable=dict(instance.undoable),
        saga=_capture_saga(instance),
        retries=instance.retries,
        pause=instance.pause,
        pauses=instance.pauses,
        stood=instance.stood,
    )


def _capture_saga(instance: Instance) -> Saga | None:
    """What has failed, and what was set, in the scope of the run that is being undone is kept with the saga."""
    saga = instance.saga
    if saga is None:
        return None
    scope = next((one for one in instance.open.values() if isinstance(one, UndoScope)), None)
    if scope is None:
        return msgspec.structs.replace(saga)
    failure = None if scope.error is None else msgspec.json.encode(scope.error)
    return msgspec.structs.replace(saga, unhandled=scope.unhandled, failure=failure, writes=scope.writes)


def _capture_scope(scope: BodyScope) -> ScopeState:
    owner, number = scope.address[:-1].rsplit("[", 1)
    error = None if scope.error is None else msgspec.json.encode(scope.error)
    return ScopeState(owner, int(number), scope.index, scope.input, scope.unhandled, error, scope.writes)


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
    instance.undoable = dict(captured.undoable) if captured.undoable else NOTHING
    _restore_saga(instance, captured.saga)
    _restore_bodies(instance, captured)
    instance.waits = dict(captured.waits) if captured.waits else NOBODY
    instance.kept = captured.kept
    instance.lineage = captured.lineage
    instance.retries = captured.retries
    instance.pause = captured.pause
    instance.pauses = captured.pauses
    instance.stood = captured.stood
    for path, state in captured.nodes.items():
        scope, node = instance.locate(path)
        scope.nodes[node.index] = state
        scope.active += state.status in ACTIVE
        scope.finished += state.status in NODE_FINAL
    for path, inbox in captured.inboxes.items():
        scope, node = instance.locate(path)
        assert node.inbox is not None, f"{path} has no inbox"
        scope.inbox(node)
        scope.inboxes[node.index] = restore_inbox(node.inbox, inbox)
    return instance


_decode_error = msgspec.json.Decoder(ErrorRecord).decode


def _restore_saga(instance: Instance, saga: Saga | None) -> None:
    instance.saga = saga
    if saga is not None and saga.doing and not saga.unscoped:
        scope = instance.begin_undo(saga)
        scope.unhandled, saga.unhandled = saga.unhandled, 0
        scope.writes, saga.writes = saga.writes, None
        if saga.failure is not None:
            scope.error, saga.failure = _decode_error(saga.failure), None


def _restore_bodies(instance: Instance, captured: InstanceState) -> None:
    """Blocks, and the scopes of their open bodies: whatever is further out began earlier."""
    for state in captured.scopes:
        outer, owner = instance.locate(state.owner)
        if owner.index not in outer.blocks:
            outer.block(owner, _restore_block(captured, state.owner))
        scope = instance.begin_body(outer, owner, state.number, state.index)
        scope.input, scope.unhandled, scope.writes = state.input, state.unhandled, state.writes
        scope.error = None if state.error is None else _decode_error(state.error)
    for path in captured.blocks:
        outer, owner = instance.locate(path)
        if owner.index not in outer.blocks:
            outer.block(owner, _restore_block(captured, path))


def _restore_block(captured: InstanceState, path: str) -> Block:
    return restore_block(captured.blocks[path], captured.nodes[path].status == "falling_back")
