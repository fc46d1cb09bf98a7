"""What waits for somebody, and what has come for it: the part of an instance's state that signals, events and approvals need.

Who waits is known by path, in the order in which they began to wait. What came too early is kept, the oldest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.machine import events as ev

if TYPE_CHECKING:
    from mainspring.machine.instance import Instance

KINDS = ("signal", "event", "approval")

SIGNALS_KEPT_MAX = 1_000
"""How many of them an instance keeps. What comes then is dropped."""


class Awaited(Struct, frozen=True, array_like=True, gc=False):
    """What one node waits for: any of these names."""

    kind: str
    names: tuple[str, ...]


class KeptSignal(Struct, frozen=True, array_like=True, gc=False):
    """What came before anybody waited for it. `at` is when, in UTC milliseconds."""

    kind: str
    name: str
    payload: bytes
    by: str
    at: int


class Lineage(Struct, frozen=True, array_like=True, gc=False):
    """Where an instance stands among others. `children` pins the versions of the workflows that its subflows start."""

    parent: str | None = None
    path: str | None = None
    run: int = 0
    depth: int = 0
    children: tuple[ev.Pin, ...] = ()
    detached: bool = False


ALONE = Lineage()

NOBODY: dict[str, Awaited] = {}
"""Most instances wait for nobody, and share this."""


def began_to_wait(instance: Instance, event: ev.NodeWaiting) -> None:
    """Of NodeWaiting: from here on the node takes what it waits for, after those that were there before."""
    if event.names:
        if instance.waits is NOBODY:
            instance.waits = {}
        instance.waits[event.path] = Awaited(event.what, event.names)


def keep(instance: Instance, event: ev.SignalKept, at: int) -> None:
    """Of SignalKept."""
    instance.kept = (*instance.kept, KeptSignal(event.kind, event.name, bytes(event.payload), event.by, at))


def take(instance: Instance, event: ev.SignalTaken) -> None:
    """Of SignalTaken: a kept one is used up."""
    if event.kept is not None:
        instance.kept = (*instance.kept[: event.kept], *instance.kept[event.kept + 1 :])


def waiting_for(instance: Instance, kind: str, name: str) -> list[str]:
    """The paths of those that wait for this one, in the order in which they began to."""
    return [path for path, one in instance.waits.items() if one.kind == kind and name in one.names]
