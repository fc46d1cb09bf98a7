"""An instance that stands still because somebody said so, and what its clocks show meanwhile (SEMANTICS 86 to 92)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from mainspring.machine.instance import Instance

STOOD_MAX = 100
"""So many times in which its clocks stood still are kept apart; the oldest are added up."""

STANDING = frozenset({"pausing", "paused"})


class Pause(Struct, frozen=True, array_like=True):
    """Since when (UTC milliseconds), by whom and why; until when, if it is to go on by itself, or to end (`then_cancel`)."""

    since: int
    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    until: int | None = None
    then_cancel: bool = False


def clock(instance: Instance, at: int) -> int:
    """What the instance's clock shows at `at`: the time of the pause, while that has stopped it."""
    pause = instance.pause
    return pause.since if pause is not None and pause.stop_clocks else at


def clocks_stopped(instance: Instance) -> bool:
    """Whether no time passes for it now."""
    return instance.pause is not None and instance.pause.stop_clocks


def stood_still(instance: Instance, since: int) -> int:
    """For how many of the milliseconds after `since` its clocks stood still, in pauses that are over."""
    return sum([end - max(begin, since) for begin, end in instance.stood if end > since])


def timeout_due(instance: Instance) -> int | None:
    """When the workflow's timeout is over (None: it has none). It counts from the start, or from when the instance was last
    opened again after its end; downtime counts, a pause that stopped its clocks does not (SEMANTICS 29)."""
    timeout = instance.plan.timeout
    since = instance.opened_at or instance.started_at
    return None if timeout is None else since + timeout + stood_still(instance, since)


def went_on(instance: Instance, at: int, stopped_for: int) -> None:
    """A pause is over; its clocks stood still for so long. What had a time to be due is due as much later."""
    instance.pause = None
    if stopped_for <= 0:
        return
    stood = (*instance.stood, (at - stopped_for, at))
    if len(stood) > STOOD_MAX:  # as if the two oldest had been one, that ended when the later one did
        (begin, end), (later, last), *rest = stood
        stood = ((later - (end - begin), last), *rest)
    instance.stood = stood
    for scope in instance.scopes:
        for state in scope.nodes:
            if state is not None and state.due is not None and state.status in ("waiting", "retrying"):
                state.due += stopped_for


def is_drained(instance: Instance) -> bool:
    """Whether no attempt is under way any more."""
    return not any(
        state is not None and state.status == "running" for scope in instance.scopes for state in scope.nodes
    )
