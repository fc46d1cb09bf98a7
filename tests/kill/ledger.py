"""What the journal says, read on from where it was read to: which nodes are completed, in flight, suspect, condemned.

No rule of the engine's is used for that, only its events; so a state that was folded wrongly would show.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mainspring.journal.codec import decode_turn
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from tests.kill.side import Place

ROWS_AT_ONCE = 100_000

ENDS = {
    ev.InstanceCompleted: "completed",
    ev.InstanceFailed: "failed",
    ev.InstanceCancelled: "cancelled",
    ev.InstancePartiallySucceeded: "partial_success",
}


def waits(path: str) -> bool:
    """Whether it is a node that waits, and does nothing: a delay (`d…`), or a wait for a signal (`w…`)."""
    return path[0] in "dw"


@dataclass
class Ledger:
    """The store as it durably stands."""

    position: int = 0
    begun: set[str] = field(default_factory=set)
    ended: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """Status, and the output of the node that ended last."""
    completed: set[Place] = field(default_factory=set)
    in_flight: dict[Place, int] = field(default_factory=dict)
    """The attempt that was durably started and not ended."""
    started: set[tuple[str, str, int, int]] = field(default_factory=set)
    crashes: Counter[Place] = field(default_factory=Counter)
    condemned: set[Place] = field(default_factory=set)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Instance and name of each signal that was taken."""
    messages: Counter[str] = field(default_factory=Counter)
    """How many messages each instance took out of its inbox: they were taken by a wait, kept for one, or dropped."""
    twice: list[str] = field(default_factory=list)
    """What the journal itself has twice, and must not."""
    _ids: dict[int, str] = field(default_factory=dict)
    _last: dict[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """How many instances have begun and not ended."""
        return len(self.begun) - len(self.ended)

    async def read(self, store: Store) -> None:
        """Read on, to the newest row."""
        while True:
            rows = await store.follow(self.position, ROWS_AT_ONCE)
            for position, row in rows:
                self.position = position.group
                for event in decode_turn(row).events:
                    self._see(row.instance, event)
            if not rows:
                return

    def _see(self, number: int, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.InstanceStarted):
            id = f"{event.workflow}:{event.key}"
            if event.parent is not None:
                id = f"{event.parent}/{event.parent_path}/{event.parent_run}"
            if id in self.begun:
                self.twice.append(f"{id} began twice")
            self._ids[number] = id
            self.begun.add(id)
            return
        id = self._ids[number]
        match event:
            case ev.NodeStarted():
                self._start(id, event)
            case ev.NodeCompleted():
                place = (id, event.path)
                if place in self.completed:
                    self.twice.append(f"{place} completed twice")
                self.completed.add(place)
                self.in_flight.pop(place, None)
                self._last[id] = event.output
            case ev.NodeRetrying():
                self.in_flight.pop((id, event.path), None)
            case ev.NodeFailed():
                self.in_flight.pop((id, event.path), None)
                if event.error.type == "CrashLimit":
                    self.condemned.add((id, event.path))
            case ev.NodesRequeued():
                for ref in event.runs:
                    self.in_flight.pop((id, ref.path), None)
                    self.crashes[(id, ref.path)] += event.crashed
            case ev.SignalTaken():
                self.taken[(id, event.name)] += 1
                self.messages[id] += event.kept is None
            case ev.SignalKept() | ev.SignalDropped():
                self.messages[id] += 1
            case ev.InstanceReopened():
                self.ended.pop(id, None)
            case (
                ev.InstanceCompleted() | ev.InstanceFailed() | ev.InstanceCancelled() | ev.InstancePartiallySucceeded()
            ):
                self.ended[id] = (ENDS[type(event)], self._last.pop(id, None))
            case _:
                pass

    def _start(self, id: str, event: ev.NodeStarted) -> None:
        if waits(event.path):
            return
        place, attempt = (id, event.path), (id, event.path, event.run, event.attempt)
        if attempt in self.started:
            self.twice.append(f"{attempt} started twice")
        if place in self.completed:
            self.twice.append(f"{attempt} started after its end")
        self.started.add(attempt)
        self.in_flight[place] = event.attempt
