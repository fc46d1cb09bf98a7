"""What became of an instance, as its user sees it. Values are decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mainspring.journal.codec import decode_turn
from mainspring.journal.records import Loaded
from mainspring.machine import events as ev
from mainspring.machine.instance import Instance, NodeState

_NOTHING = NodeState()


class NodeResult:
    """One node's end, or where it stands."""

    __slots__ = ("_state", "path")

    def __init__(self, path: str, state: NodeState | None) -> None:
        self.path = path
        self._state = state or _NOTHING

    @property
    def status(self) -> str:
        """pending, ready, running, waiting, retrying, gathering, completed, failed, skipped, cancelled …"""
        return self._state.status

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
        """How often it has run, the present run included. More than one only where its join lets it repeat."""
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
    def reason(self) -> str:
        """Why it was skipped or cancelled."""
        return self._state.reason

    @property
    def because(self) -> str:
        """The node whose ending decided that."""
        return self._state.because

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

    def __repr__(self) -> str:
        return f"<{self.path}: {self.status}>"


class NodeResults(Mapping[str, NodeResult]):
    """All nodes by path, in the definition's order."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __getitem__(self, path: str) -> NodeResult:
        return NodeResult(path, self._instance.nodes[self._instance.plan.by_id[path].index])

    def __iter__(self) -> Iterator[str]:
        return (node.id for node in self._instance.plan.nodes if not node.off_graph)

    def __len__(self) -> int:
        return self._instance.plan.on_graph


class InstanceResult:
    """An instance as it stands. `status` is final where `done`."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

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
    def errors(self) -> dict[str, ev.ErrorRecord]:
        """The errors of all nodes that failed for good, by path: of those whose failure was handled too."""
        return {path: node.error for path, node in self.nodes.items() if node.status == "failed" and node.error}

    def __repr__(self) -> str:
        return f"<{self.id}: {self.status}>"


class Recorded(msgspec.Struct, frozen=True):
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
