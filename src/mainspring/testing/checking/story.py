"""A run told in a few lines: what decided it, and what led to the invariant that does not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mainspring.machine import events as ev
from mainspring.testing.checking.ledger import UNDO, Broken, Deed

LINES_MAX = 12
"""The whole of a trace, its verdict included."""

ABOUT_WORK = frozenset(("nothing is done twice", "what begins is durable", "limits hold"))
"""For these it counts when the tasks named began and were done; for others, only what became of them."""

_path = re.compile(r"[\w\-:\[\].]+")


def told(deeds: Sequence[Deed], broken: Broken | None, roots: int) -> list[str]:
    """The trace: what matters most, in order."""
    named = set() if broken is None else set(_path.findall(broken.text))
    about_work = broken is not None and broken.invariant in ABOUT_WORK
    lines: list[tuple[int, int, str]] = []
    for number, deed in enumerate(deeds):
        who = "" if roots == 1 and "/" not in deed.instance else f"{deed.instance} "
        for weight, text in _words(deed, deeds[:number], who):
            more = 4 if deed.path in named and (weight or about_work) else 0
            lines.append((weight + more, deed.at, text))
    kept = _fitting(lines, LINES_MAX - (broken is not None))
    verdict = [] if broken is None else [f"broken: {broken.invariant}"]
    return [*_timed(lines, kept), *verdict]


def _fitting(lines: list[tuple[int, int, str]], room: int) -> list[int]:
    """The numbers of the lines that stay."""
    kept = [number for number, (weight, _, _) in enumerate(lines) if weight > 0]
    while len(kept) > room:
        # Of those that matter least the earliest goes: what led to the verdict at last says more.
        kept.remove(min(kept, key=lambda number: lines[number][0]))
    return kept


def _timed(lines: list[tuple[int, int, str]], kept: list[int]) -> Iterator[str]:
    timed = any(at for _, at, _ in lines)
    width = max((len(f"{at:,}") for _, at, _ in lines), default=1)
    for number in kept:
        _, at, text = lines[number]
        yield f"{at:>{width},} ms  {text}" if timed else text


def _words(deed: Deed, before: Sequence[Deed], who: str) -> Iterator[tuple[int, str]]:
    """The lines of a deed, each with how much it matters (0: it is left out unless the verdict names it)."""
    run = f" (run {deed.run})" if deed.run > 1 else ""
    match deed.what:
        case "kill":
            yield 9, "the process dies; another one goes on from the store"
        case "answer":
            yield 3, f"{who}{deed.path} is answered"
        case "fail":
            yield 4, f"{who}{deed.path}{run} fails, attempt {deed.attempt}"
        case "begin":
            yield _begins(deed, before, f"{who}{deed.path}{run}")
        case "done":
            yield 0, f"{who}the work of {deed.path}{run} is done"
        case "event":
            if deed.event is not None:
                yield from _event(deed.event, f"{who}{deed.path}{run}", who)
        case _:
            pass


def _begins(deed: Deed, before: Sequence[Deed], what: str) -> tuple[int, str]:
    again = any(one.what == "begin" and one.of == deed.of for one in before)
    undoing = "the undoing of " if deed.key.endswith(UNDO) else ""
    text = f"{undoing}{what} begins{' again' if again else ''}"
    return (2 if again else 0), f"{text}, attempt {deed.attempt}" if again else text


def _event(event: ev.AnyEvent, what: str, who: str) -> Iterator[tuple[int, str]]:
    match event:
        case ev.NodeCompleted() | ev.RunCompleted():
            yield 3, f"{what} completed{f' by {event.port}' if event.port else ''}"
        case ev.NodeFailed() | ev.RunFailed():
            yield 5, f"{what} failed{', which is handled' if event.handled else ''}"
        case ev.NodeRetrying():
            yield 3, f"{what} is to be tried again"
        case ev.NodeFellBack():
            yield 4, f"{what} falls back on {event.action}"
        case ev.NodesSkipped():
            yield 1, f"{who}{', '.join(skip.path for skip in event.skips)} skipped"
        case ev.NodesCancelled():
            yield 3, f"{who}{', '.join(ref.path for ref in event.runs)} cancelled"
        case ev.CompensationStarted():
            yield 5, f"{who}compensation starts"
        case ev.NodeCompensated():
            yield 6, f"{what} undone"
        case ev.NodeCompensationFailed():
            yield 6, f"{what} could not be undone"
        case ev.InstanceStarted():
            yield 1, f"{who}the instance starts"
        case ev.InstanceParked():
            yield 7, f"{who}the instance is parked: {event.reason}"
        case ev.InstanceCompleted():
            yield 6, f"{who}the instance is completed"
        case ev.InstanceFailed() | ev.InstanceCancelled() | ev.InstancePartiallySucceeded():
            word = {"InstanceFailed": "failed", "InstanceCancelled": "cancelled"}.get(type(event).__name__)
            yield 6, f"{who}the instance is {word or 'a partial success'}: {event.reason}"
        case _:
            return
