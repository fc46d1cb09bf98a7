"""Kinds of node that installed distributions offer, by entry points of the group `mainspring.nodes` (see `custom_kinds`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mainspring.graph.custom_kinds import NodeKind, Source, Unusable, built_in, kind_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "mainspring.nodes"


class Offer(Struct, frozen=True):
    """An entry point, and whose it is."""

    point: Any
    source: Source


class Plugins:
    """What the installed distributions offer, and what came of those that were loaded."""

    def __init__(self, offers: dict[str, list[Offer]]) -> None:
        self.offers = offers
        self._found: dict[str, NodeKind | Unusable] = {}

    def kind(self, name: str) -> NodeKind | Unusable:
        """The kind that is offered under a name, loaded once."""
        found = self._found.get(name)
        if found is None:
            offers = self.offers[name]
            found = self._found[name] = _kind(name, offers)
        return found


def _kind(name: str, offers: list[Offer]) -> NodeKind | Unusable:
    sources = tuple(offer.source for offer in offers)
    owner = built_in(name)
    if owner is not None:
        return Unusable(name, sources, f"the name is taken, {owner}")
    if len({source.reference for source in sources}) > 1:
        said = " and ".join(source.text() for source in sources)
        return Unusable(
            name, sources, f"several plugins offer it, and none is preferred: {said}; uninstall all but one"
        )
    try:
        loaded = offers[0].point.load()
    except (Exception, SystemExit) as error:
        return Unusable(name, sources, f"it cannot be loaded: {_told(error)}")
    kind = kind_of(loaded)
    if kind is None:
        reason = f"{sources[0].reference} is no node kind: it needs the decorator @ms.node_kind({name!r})"
    elif kind.name != name:
        reason = f"{sources[0].reference} declares the kind {kind.name!r}: the entry point must have the same name"
    else:
        return kind
    return Unusable(name, sources, reason)


_known: tuple[Any, Plugins] = ((), Plugins({}))


def plugins() -> Plugins:
    """Read again where something was installed or removed, or another folder can be imported from."""
    global _known
    state = tuple((place, _changed(place)) for place in sys.path)
    if state != _known[0]:
        _known = (state, Plugins(_offers()))
    return _known[1]


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _offers() -> dict[str, list[Offer]]:
    metadata = import_module("importlib.metadata")  # ten milliseconds, for those who need them alone
    offers: dict[str, list[Offer]] = {}
    points: Iterator[EntryPoint] = iter(metadata.entry_points(group=GROUP))
    for point in points:
        owner = point.dist
        source = Source(point.value, owner.name if owner else "", owner.version if owner else "")
        offers.setdefault(point.name, []).append(Offer(point, source))
    return {name: sorted(found, key=lambda offer: offer.source.text()) for name, found in sorted(offers.items())}


def _told(error: BaseException) -> str:
    """What went wrong, and on which line of the plugin's own."""
    where, trace = "", None if isinstance(error, SyntaxError) else error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file != __file__ and "importlib" not in file:
            where = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{where}"
