"""The trace of a run: how its nodes ended, in the order in which that became durable; and what order was expected.

A trace is a list of lines such as `approve completed`, `check completed by invalid` (the port by which it left),
`ship skipped`, `review[0].check failed`. A run of a node that repeats is `notify#2 completed`. The nodes of a child
instance stand behind the node that started it, and its run: `again/1/halve completed`.

An expected trace is such a list too. A list within it has lines that may come in any order; a list within that one has
lines that come in order again, and so on. All of one item comes before anything of the next:

    [order completed, [[pack completed, send completed], bill completed], done completed]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from mainspring.journal.codec import decode_turn
from mainspring.journal.records import Write
from mainspring.machine import events as ev

__all__ = ["End", "Ends", "disorder"]


class End(Struct, frozen=True):
    """How one run of one node ended. `run` is 0 for the end of a repeating node as a whole."""

    instance: str
    path: str
    run: int
    outcome: str
    port: str | None = None
    repeating: bool = False

    def line(self, root: str) -> str:
        """As it stands in the trace of the instance `root`."""
        child = f"{self.instance.removeprefix(root)}/".removeprefix("/")
        number = f"#{self.run}" if self.repeating else ""
        by = "" if self.port is None else f" by {self.port}"
        return f"{child}{self.path}{number} {self.outcome}{by}"


class Ends:
    """Reads the ends out of what is committed. `again` has what ended twice, which no run ever does."""

    def __init__(self) -> None:
        self.all: list[End] = []
        self.again: list[End] = []
        self.started: set[tuple[str, str, int, int]] = set()
        """Attempts whose start is durable: instance, path, run, attempt."""
        self._names: dict[int, str] = {}
        self._known: set[tuple[str, str, int, bool]] = set()

    def read(self, writes: Iterable[Write]) -> None:
        """A group is durable."""
        for write in writes:
            if write.created is not None:
                self._names[write.instance] = write.created.id
            for row in write.rows:
                for event in decode_turn(row, write.blobs).events:
                    self._see(self._names[write.instance], event)

    def has(self, instance: str, path: str, run: int) -> bool:
        """Whether this run has ended."""
        return (instance, path, run, False) in self._known or (instance, path, run, True) in self._known

    def under_way(self) -> list[str]:
        """The paths of the runs that have begun, and not ended."""
        begun = {(instance, path, run) for instance, path, run, _ in self.started}
        return sorted({path for instance, path, run in begun if not self.has(instance, path, run)})

    def trace(self, root: str) -> list[str]:
        """All of it, of the instance `root` and of those that it started."""
        return [end.line(root) for end in self.all if end.instance == root or end.instance.startswith(f"{root}/")]

    def _see(self, instance: str, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.NodeStarted):
            self.started.add((instance, event.path, event.run, event.attempt))
        for end in _ends(instance, event):
            key = (instance, end.path, end.run, end.repeating)
            if key in self._known:
                self.again.append(end)
            self._known.add(key)
            self.all.append(end)


def _ends(instance: str, event: ev.AnyEvent) -> Iterator[End]:
    match event:
        case ev.NodeCompleted():
            yield End(instance, event.path, event.run, "completed", event.port)
        case ev.NodeFailed():
            yield End(instance, event.path, event.run, "failed")
        case ev.RunCompleted():
            yield End(instance, event.path, event.run, "completed", event.port, repeating=True)
        case ev.RunFailed():
            yield End(instance, event.path, event.run, "failed", repeating=True)
        case ev.NodesSkipped():
            yield from (End(instance, skip.path, 0, "skipped") for skip in event.skips)
        case ev.NodesCancelled():
            yield from (End(instance, ref.path, ref.run, "cancelled") for ref in event.runs)
        case _:  # nothing ends by any other
            return


def disorder(expected: Sequence[Any], trace: Sequence[str]) -> str | None:
    """What is wrong with a trace, in words; None where it is as expected."""
    wanted, got = Counter(_lines(expected)), Counter(trace)
    if wanted != got:
        missing, surplus = sorted((wanted - got).elements()), sorted((got - wanted).elements())
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        return "; ".join([*parts, f"not expected: {', '.join(surplus)}"] if surplus else parts)
    twice = [line for line, count in wanted.items() if count > 1]
    if twice:
        return f"more than once, so nothing can be said of its order: {', '.join(twice)}"
    return _before({line: place for place, line in enumerate(trace)}, expected)


def _before(places: dict[str, int], expected: Sequence[Any], ordered: bool = True) -> str | None:
    for item in expected:
        if not isinstance(item, str):
            wrong = _before(places, item, not ordered)
            if wrong is not None:
                return wrong
    for item, following in pairwise(expected) if ordered else ():
        last = max(_lines([item]), key=places.__getitem__)
        first = min(_lines([following]), key=places.__getitem__)
        if places[last] > places[first]:
            return f"`{first}` came before `{last}`"
    return None


def _lines(expected: Sequence[Any]) -> list[str]:
    return [line for item in expected for line in ([item] if isinstance(item, str) else _lines(item))]
