"""The lifecycles as tables: may this state take this event, and what becomes of it?

Nothing else in the machine knows which state follows which. A pair that has no row is impossible: `fold` refuses it
before it changes anything. The diagrams in `docs/semantics.md` are drawn from these tables, and a test walks every pair.

Rows whose rules come with later work (pause, fallback) stand here from the start, because states
are in stores.
"""

from __future__ import annotations

from mainspring.errors import MainspringError


class IllegalTransition(MainspringError):
    """An event that the tables do not allow in this state. It is a defect of mainspring, never of a definition."""


Table = dict[str, dict[str, str]]  # event -> {state before: state after}


def _rows(*rows: tuple[str, str, str]) -> Table:
    table: Table = {}
    for events, before, after in rows:
        for event in events.split():
            table.setdefault(event, {}).update((state, after if after != "=" else state) for state in before.split())
    return table


_OPEN = "running pausing paused failing cancelling compensating"

INSTANCE: Table = _rows(
    ("InstanceStarted", "pending", "running"),
    ("InstancePauseRequested", "running", "pausing"),
    ("InstancePaused", "pausing", "paused"),
    ("InstanceResumed", "pausing paused parked", "running"),
    ("InstanceParked", _OPEN, "parked"),
    ("InstanceFailing", "running pausing paused", "failing"),
    ("InstanceCancelRequested", "running pausing paused parked failing", "cancelling"),
    ("CompensationStarted", "running failing cancelling completed partial_success failed cancelled", "compensating"),
    ("CompensationPlanned CompensationEnded", "compensating", "="),
    ("InstanceCompleted", "running compensating", "completed"),
    ("InstancePartiallySucceeded", "running compensating", "partial_success"),
    ("InstanceFailed", "running failing compensating", "failed"),
    ("InstanceCancelled", "cancelling compensating", "cancelled"),
    ("InstanceCompensated", "compensating", "compensated"),
    ("InstanceReopened", "completed partial_success failed cancelled", "running"),
    ("SignalKept SignalDropped", f"{_OPEN} parked", "="),
    ("InstanceMigrated", "running pausing paused parked", "="),
)

NODE: Table = _rows(
    ("NodeActivated", "pending gathering", "="),
    ("InputMapped", "pending ready gathering", "="),
    ("NodeLogged", "running", "="),
    ("SignalTaken", "running waiting", "="),
    ("NodeReady", "pending waiting retrying gathering", "ready"),
    ("NodeStarted", "pending ready retrying waiting gathering", "running"),
    ("NodeWaiting", "running", "waiting"),
    ("BlockStarted", "running waiting", "waiting"),
    ("ItemsAdded", "waiting", "="),
    ("ScopeStarted ScopeEnded VariablesConflict", "waiting falling_back", "="),
    ("NodeRetrying", "running waiting", "retrying"),
    ("NodeFellBack", "pending ready running waiting retrying falling_back gathering", "falling_back"),
    ("NodeCompleted", "running waiting falling_back gathering", "completed"),
    ("NodeFailed", "pending ready running waiting retrying falling_back gathering", "failed"),
    ("RunCompleted", "running waiting falling_back", "gathering"),
    ("RunFailed", "pending ready running waiting retrying falling_back gathering", "gathering"),
    ("NodesSkipped", "pending", "skipped"),
    ("NodesCancelled", "ready running waiting retrying falling_back gathering", "cancelled"),
    ("NodesRequeued", "running", "ready"),
    ("NodeCompensating", "completed failed skipped cancelled compensated compensation_failed", "compensating"),
    ("NodeCompensated", "compensating", "compensated"),
    ("NodeCompensationFailed", "compensating", "compensation_failed"),
    ("NodeReset", "completed failed skipped cancelled compensated compensation_failed", "pending"),
)

TIMER: Table = _rows(
    ("armed", "absent", "armed"),
    ("fired", "armed", "fired"),
    ("cancelled", "armed", "cancelled"),
    ("stale", "armed", "stale"),
)

ATTEMPT: Table = _rows(
    ("NodeStarted", "absent waiting", "running"),
    ("NodeWaiting", "running", "waiting"),
    ("BlockStarted", "running waiting", "waiting"),
    ("NodeCompleted RunCompleted", "running waiting", "succeeded"),
    ("NodeRetrying", "running waiting", "failed"),
    ("NodeFellBack", "running waiting", "failed"),
    ("NodeFailed RunFailed", "running waiting", "failed"),
    ("NodesRequeued", "running", "crashed"),
    ("NodesCancelled", "running waiting", "cancelled"),
)

NODE_STATES = (
    "pending",
    "ready",
    "running",
    "waiting",
    "retrying",
    "falling_back",
    "gathering",
    "completed",
    "failed",
    "skipped",
    "cancelled",
    "compensating",
    "compensated",
    "compensation_failed",
)
"""All states a node can be in. `ready` is waiting for a slot, `gathering` for the next message, between two runs."""

ACTIVE = frozenset({"ready", "running", "waiting", "retrying", "falling_back", "gathering", "compensating"})
"""A node in one of these keeps its instance open."""

NODE_FINAL = frozenset({"completed", "failed", "skipped", "cancelled", "compensated", "compensation_failed"})

INSTANCE_STATES = (
    "pending",
    "running",
    "pausing",
    "paused",
    "parked",
    "failing",
    "cancelling",
    "compensating",
    "completed",
    "partial_success",
    "failed",
    "cancelled",
    "compensated",
)

INSTANCE_FINAL = frozenset({"completed", "partial_success", "failed", "cancelled", "compensated"})

STARTING = frozenset({"running", "compensating"})
"""An instance starts new work only in one of these; when compensating, only such as undoes."""
