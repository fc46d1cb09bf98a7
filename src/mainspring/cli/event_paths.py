"""Which events are about a node or a body, or about what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mainspring.engine.result import Recorded
from mainspring.machine import events as ev


def address(event: ev.Event) -> str:
    """The path of what it is about: of a body, its address; "" where it is about the whole instance, or several nodes."""
    match event:
        case ev.ScopeStarted(path=path, number=number) | ev.ScopeEnded(path=path, number=number):
            return f"{path}[{number}]"
        case ev.VariablesConflict(path=path, number=number):
            return f"{path}[{number}]"
        case _:
            path = getattr(event, "path", "")
            return path if isinstance(path, str) else ""


def only(events: Iterable[Recorded], path: str) -> Iterator[Recorded]:
    """Those about this path, or within it. Of an event about several nodes, what it says of those."""
    for one in events:
        event = _narrowed(one.event, path)
        if event is not None:
            yield one if event is one.event else msgspec.structs.replace(one, event=event)


def _narrowed(event: ev.AnyEvent, path: str) -> ev.AnyEvent | None:
    match event:
        case ev.NodesSkipped(skips=skips):
            left = tuple(skip for skip in skips if within(skip.path, path))
            return msgspec.structs.replace(event, skips=left) if left else None
        case ev.NodesCancelled(runs=runs) | ev.NodesRequeued(runs=runs):
            refs = tuple(ref for ref in runs if within(ref.path, path))
            return msgspec.structs.replace(event, runs=refs) if refs else None
        case ev.CompensationStarted(order=order):
            refs = tuple(ref for ref in order if within(ref.path, path))
            return msgspec.structs.replace(event, order=refs) if refs else None
        case _:
            return event if within(address(event), path) else None


def within(path: str, outer: str) -> bool:
    """Whether a path is that one, or leads into its bodies: `loop[3].charge` is within `loop[3]` and within `loop`."""
    return path == outer or path.startswith(f"{outer}." if outer.endswith("]") else f"{outer}[")
