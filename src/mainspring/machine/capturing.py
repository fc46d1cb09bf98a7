"""An instance's state as a value: what a snapshot holds, and what goes over to another version of its definition.

Keyed by path, so that it does not depend on how a plan numbers its nodes. What it says of connections does, by their numbers.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mainspring.graph.plan import Graph, Plan
from mainspring.machine.block import Block, BlockState, capture_block, restore_block
from mainspring.machine.compatibility import body_in, keys_of
from mainspring.machine.events import ErrorRecord
from mainspring.machine.inbox import InboxState, capture_inbox, restore_inbox
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import ACTIVE, NODE_FINAL
from mainspring.machine.pause import Pause
from mainspring.machine.saga import NOTHING, Saga, UndoScope
from mainspring.machine.scope import BodyScope, NodeState, Scope
from mainspring.machine.signals import ALONE, NOBODY, Awaited, KeptSignal, Lineage


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
    opened_at: int = 0


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
        opened_at=instance.opened_at,
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
    return _restored(Instance(plan, id), captured)


def _restored(instance: Instance, captured: InstanceState) -> Instance:
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
    instance.opened_at = captured.opened_at
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


def become(instance: Instance, plan: Plan) -> None:
    """Go over to another plan, with all that has happened (`compatibility` says whether that can be)."""
    for scope, graph in _counterparts(instance, plan):
        _renumber(scope, graph)
    captured, plans = capture(instance), instance.plans
    instance.__init__(plan, instance.id)  # type: ignore[misc]  # whoever has it in hand keeps it
    instance.plans = plans
    _restored(instance, captured)


def _counterparts(instance: Instance, plan: Plan) -> list[tuple[Scope, Graph]]:
    """Each open scope with its graph in the other plan."""
    graphs: dict[Scope, Graph] = {instance: plan}
    for scope in instance.open.values():  # bodies all: nothing of it is being undone
        new = graphs[scope.parent].by_id[scope.owner.id]
        graphs[scope] = body_in(new, scope)
    return list(graphs.items())


def _renumber(scope: Scope, graph: Graph) -> None:
    """Connections have other numbers there. One that is gone had ended with both of its nodes."""
    numbers = {key: index for index, key in enumerate(keys_of(graph))}
    to = [numbers.get(key) for key in keys_of(scope.graph)]
    for node, state in zip(scope.graph.nodes, scope.nodes, strict=True):
        if node.id not in graph.by_id:
            scope.nodes[node.index] = None  # it had not begun
        elif state is not None:
            for name in ("messages", "misrouted"):
                listed = getattr(state, name)
                if listed:
                    setattr(state, name, [new for new in map(to.__getitem__, listed) if new is not None] or None)
