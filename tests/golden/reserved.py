"""Histories that no code writes yet, made by hand: their events stand in the schema from the start."""

from __future__ import annotations

from msgspec import Raw

from mainspring.journal.codec import encode_turn
from mainspring.journal.records import InstanceRecord, Write
from mainspring.machine import events as ev

ERROR = ev.ErrorRecord("ValueError", "no", code=7, stack="line 1", attempt=1, max_attempts=2, context=Raw(b'{"a":[1]}'))
VALUE = Raw(b'{"n":1}')


def _started(version: str) -> ev.Event:
    return ev.InstanceStarted(
        "reserved", version, VALUE, Raw(b"{}"), key="k", parent="parent", parent_path="p", parent_run=1
    )


def _done(path: str, fired: tuple[int, ...]) -> list[ev.Event]:
    return [ev.NodeStarted(path, 1, 1), ev.NodeCompleted(path, 1, 1, VALUE, fired)]


def partial(version: str) -> list[list[ev.Event]]:
    """Paused, resumed, a fallback, reopened, run again, then undone in part."""
    return [
        [_started(version), ev.NodeStarted("a", 1, 1)],
        [ev.InstancePauseRequested("me", "lunch", False, 5), ev.InstancePaused()],
        [ev.InstanceResumed("me", 50), ev.NodeWaiting("a", 1, "signal", "go", 9)],
        [ev.NodeFellBack("a", 1, "spare", ERROR), ev.NodeCompleted("a", 1, 1, VALUE, (0,), "spare", True)],
        [*_done("b", (1,)), ev.NodeReady("c", 1, "pool"), ev.NodeStarted("c", 1, 1), ev.NodeFailed("c", 1, 1, ERROR)],
        [ev.InstanceFailed(VALUE, "1 unhandled failure")],
        [ev.Intervened("retry", "c", 1, "me", "again")],
        [ev.InstanceReopened("me", "again"), ev.NodeReset("c", 2, "me", True), ev.NodeStarted("c", 2, 1)],
        [ev.NodeCompleted("c", 2, 1, VALUE)],
        [ev.CompensationStarted("workflow", "asked", (ev.Ref("c", 2), ev.Ref("b", 1, True)))],
        [ev.NodeCompensating("c", 2, 1), ev.NodeCompensated("c", 2, VALUE)],
        [ev.NodeCompensating("b", 1, 1), ev.NodeCompensationFailed("b", 1, ERROR)],
        [ev.CompensationEnded((ev.Ref("b", 1),)), ev.InstancePartiallySucceeded(VALUE, "b stands")],
    ]


def undone(version: str) -> list[list[ev.Event]]:
    """A child that was completed, and undone because its parent asked."""
    return [
        [_started(version), *_done("a", (0,)), *_done("b", (1,)), *_done("c", ()), ev.InstanceCompleted(VALUE, True)],
        [ev.CompensationStarted("child", "the parent asked", (ev.Ref("c", 1),))],
        [ev.NodeCompensating("c", 1, 1), ev.NodeCompensated("c", 1), ev.CompensationEnded()],
        [ev.InstanceCompensated()],
    ]


def write(number: int, id: str, version: str, status: str, turns: list[list[ev.Event]]) -> Write:
    """The whole history as one write."""
    at = 1_700_000_000_000
    rows = []
    for seq, events in enumerate(turns, start=1):
        rows += encode_turn(number, seq, at + seq, "", events)[0]
    record = InstanceRecord(
        number=number,
        id=id,
        workflow="reserved",
        version=version,
        status=status,
        created_at=at,
        open=False,
        ended_at=at + len(turns),
        parent="parent",
    )
    return Write(number, tuple(rows), created=record)
