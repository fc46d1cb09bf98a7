"""What became of an instance, as its user sees it. Values are decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mainspring.definition.model import Node
from mainspring.engine.bodies import Bodies, body_errors, counted
from mainspring.engine.undone import Compensation, compensation_of
from mainspring.graph.plan import PlanNode
from mainspring.journal.codec import decode_turn
from mainspring.journal.records import Loaded
from mainspring.machine import events as ev
from mainspring.machine.children import children_ids
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.policies.health import Health, health_of
from mainspring.machine.scope import Scope
from mainspring.machine.values import input_of

_NOTHING = NodeState()


class NodeResult:
    """One node's end, or where it stands."""

    __slots__ = ("_node", "_scope", "_state", "path")

    def __init__(self, scope: Scope, node: PlanNode) -> None:
        self.path = scope.path(node)
        self._scope = scope
        self._node = node
        self._state = scope.nodes[node.index] or _NOTHING

    @property
    def definition(self) -> Node:
        """The node as the definition has it."""
        return self._node.definition

    @property
    def status(self) -> str:
        """pending, ready, running, waiting, retrying, gathering, completed, failed, skipped, cancelled …"""
        return self._state.status

    @property
    def input(self) -> Any:
        """What its present or last run works on (None: it has not begun)."""
        return msgspec.json.decode(input_of(self._scope, self._node)) if self._state.attempt else None

    @property
    def output(self) -> Any:
        """What it handed on (None: nothing yet)."""
        return None if self._state.output is None else msgspec.json.decode(self._state.output)

    @property
    def error(self) -> ev.ErrorRecord | None:
        """Its last error."""
        return self._state.error

    @property
    def port(self) -> str | None:
        """The port it left by (None: the primary one)."""
        return self._state.port

    @property
    def cached(self) -> bool:
        """Whether its output is a kept one, and its work was not done."""
        return self._state.cached

    @property
    def attempts(self) -> int:
        """How often it was started in its current run."""
        return self._state.attempt

    @property
    def runs(self) -> int:
        """How often it has run, the present run included: more than once where its join lets it repeat, or by hand."""
        return self._state.run if self._state.attempt else self._state.run - 1

    @property
    def crashes(self) -> int:
        """How often the process ended while it ran."""
        return self._state.crashes

    @property
    def handled(self) -> bool:
        """Whether a connection with trigger fail took its failure."""
        return self._state.handled

    @property
    def decision(self) -> str:
        """What its failure meant for the whole: continue, degrade or terminate ("" where it did not fail)."""
        return self._state.decision

    @property
    def rule(self) -> str:
        """Where that decision came from, as `failurePolicy continue of node warm-cache`."""
        return self._state.reason if self._state.decision else ""

    @property
    def degraded(self) -> bool:
        """Whether it completed because something else stood in for it. `error` is then what it failed with itself."""
        return self._state.degraded

    @property
    def stand_in(self) -> str:
        """What stands in for it, or stood in: the id of a fallback node, or the type of an action ("": nothing)."""
        return self._state.because if self._state.degraded or self._state.status == "falling_back" else ""

    @property
    def reason(self) -> str:
        """Why it was skipped or cancelled."""
        return "" if self._state.decision else self._state.reason

    @property
    def because(self) -> str:
        """The node whose ending decided that."""
        return self._state.because if self._state.status in ("skipped", "cancelled") else ""

    @property
    def waits_for(self) -> str:
        """What it waits for, by name ("" where it waits for nothing)."""
        return self._state.waits_for

    @property
    def started_at(self) -> int | None:
        """UTC milliseconds of its last start."""
        return self._state.started_at or None

    @property
    def ended_at(self) -> int | None:
        """UTC milliseconds of its end."""
        return self._state.ended_at or None

    @property
    def due(self) -> int | None:
        """When its wait ends, in UTC milliseconds."""
        return self._state.due

    @property
    def bodies(self) -> Bodies | None:
        """How many bodies a block has begun, and what became of them (None: it is no block, or has begun none)."""
        return counted(self._node, self._state, self._scope.blocks.get(self._node.index))

    def body_errors(self) -> Iterator[tuple[str, ev.ErrorRecord]]:
        """The addresses and errors of bodies that failed, where the block goes on in spite of them, or collected them."""
        return body_errors(self.path, self._node, self._state, self._scope.blocks.get(self._node.index))

    def open_bodies(self) -> Iterator[NodeResults]:
        """The nodes of its bodies that are under way, body by body, those that began first before the others."""
        block = self._scope.blocks.get(self._node.index)
        return iter(()) if block is None else (NodeResults(body) for body in block.open.values())

    def __repr__(self) -> str:
        return f"<{self.path}: {self.status}>"


class NodeResults(Mapping[str, NodeResult]):
    """The nodes of a graph by id, in the definition's order.

    Of an instance's own graph any node can be asked for by its path: one in a body, while that body is open.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, path: str) -> NodeResult:
        scope = self._scope
        if isinstance(scope, Instance):
            return NodeResult(*scope.locate(path))
        return NodeResult(scope, scope.graph.by_id[path])

    def __iter__(self) -> Iterator[str]:
        return (node.id for node in self._scope.graph.nodes if not node.off_graph)

    def __len__(self) -> int:
        return self._scope.graph.on_graph


_WITH_ERRORS = frozenset({"failed", "compensating", "compensated", "compensation_failed"})
"""A node that failed may be undone all the same."""


class PartialSuccessResult(msgspec.Struct, frozen=True):
    """What came of an instance that succeeded in part: the ids of nodes by what became of them, and how well the whole is."""

    reason: str
    completed: tuple[str, ...]
    degraded: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    health: Health


class InstanceResult:
    """An instance as it stands. `status` is final where `done`."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def instance(self) -> Instance:
        """The state behind it, for those who look closer. Not to be changed."""
        return self._instance

    @property
    def parent(self) -> str | None:
        """The id of the instance whose subflow started it."""
        return self._instance.lineage.parent

    @property
    def children(self) -> list[str]:
        """The ids of the instances that its subflows have started so far, those of open bodies among them."""
        return children_ids(self._instance)

    @property
    def id(self) -> str:
        """The instance's id."""
        return self._instance.id

    @property
    def workflow(self) -> str:
        """The definition's id."""
        return self._instance.plan.workflow.id

    @property
    def status(self) -> str:
        """pending, running, paused, parked …, completed, partial_success, failed, cancelled."""
        return self._instance.status

    @property
    def reason(self) -> str:
        """Why it ended, or stands, as it does ("" where there is nothing to say)."""
        return self._instance.reason

    @property
    def degraded(self) -> bool:
        """Whether something stood in for one of its nodes."""
        return self._instance.degraded > 0

    @property
    def health(self) -> Health:
        """How well it is, from 0 to 1, by what is lost or degraded so far; worked out anew each time."""
        return health_of(self._instance)

    @property
    def partial(self) -> PartialSuccessResult | None:
        """What came of it, where it succeeded in part (None: it did not)."""
        if self.status != "partial_success":
            return None
        ids: dict[str, list[str]] = {}
        for path, node in self.nodes.items():
            ids.setdefault(node.status, []).append(path)
        health, some = self.health, {status: tuple(paths) for status, paths in ids.items()}
        return PartialSuccessResult(
            self.reason,
            some.get("completed", ()),
            health.degraded,
            some.get("failed", ()),
            some.get("skipped", ()),
            health,
        )

    @property
    def done(self) -> bool:
        """Whether it is at its end."""
        return self._instance.ended_at > 0

    @property
    def input(self) -> Any:
        """What it was started with."""
        return msgspec.json.decode(self._instance.input)

    @property
    def output(self) -> Any:
        """By the output mapping, or else of its leaves."""
        return msgspec.json.decode(self._instance.output)

    @property
    def variables(self) -> dict[str, Any]:
        """As they stand."""
        found: dict[str, Any] = msgspec.json.decode(self._instance.variables)
        return found

    @property
    def started_at(self) -> int:
        """UTC milliseconds."""
        return self._instance.started_at

    @property
    def ended_at(self) -> int | None:
        """UTC milliseconds."""
        return self._instance.ended_at or None

    @property
    def nodes(self) -> NodeResults:
        """All nodes by path."""
        return NodeResults(self._instance)

    @property
    def open_bodies(self) -> dict[str, NodeResults]:
        """The bodies that are under way, by their addresses (`loop[3]`), in the order in which they began."""
        return {address: NodeResults(scope) for address, scope in self._instance.open.items()}

    @property
    def compensation(self) -> Compensation | None:
        """What was undone, and what could not be (None: nothing was to be undone)."""
        return compensation_of(self._instance.saga)

    @property
    def errors(self) -> dict[str, ev.ErrorRecord]:
        """The errors of all nodes that failed for good, or could not be undone, by path; handled ones among them."""
        return {path: node.error for path, node in self.nodes.items() if node.status in _WITH_ERRORS and node.error}

    def __repr__(self) -> str:
        return f"<{self.id}: {self.status}>"


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One event with its place: `seq` is the row, `index` the event in it (SEMANTICS 34). `at` is in UTC milliseconds."""

    seq: int
    index: int
    at: int
    event: ev.AnyEvent

    @property
    def name(self) -> str:
        """The event's name, as in the journal."""
        return type(self.event).__name__


def recorded(page: Loaded) -> Iterator[Recorded]:
    """The events of a page of rows, in order."""
    for row in page.rows:
        body = decode_turn(row, page.blobs)
        for index, event in enumerate(body.events):
            yield Recorded(row.seq, index, body.at, event)
