"""How a check looks: a line of progress in a terminal while it goes on, then what it has found."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.cli.look import Screen, err
from mainspring.cli.words import clean

if TYPE_CHECKING:
    from mainspring.testing.checking import Report, Tally
    from mainspring.testing.checking.explorer import Found
    from mainspring.testing.checking.faults import Case

DRAWN_EVERY_SECONDS = 0.1


class Progress:
    """One line on stderr, drawn over; nothing where that is no terminal."""

    def __init__(self, *, silent: bool) -> None:
        self._screen = err()
        self._live = self._screen.live and not silent
        self._began = time.monotonic()
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def seen(self, tally: Tally) -> None:
        """A run is over."""
        now = time.monotonic()
        if not self._live or now - self._drawn < DRAWN_EVERY_SECONDS:
            return
        self._drawn = now
        size = max(tally.sets_in_all, default=0)
        done, count = tally.sets.get(size, 0), tally.sets_in_all.get(size, 0)
        sets = f"{done:,} of {count:,} sets of {size} failure{'s' * (size != 1)}" if size else "no failure"
        runs = f"{tally.schedules:,} schedules, {tally.kills:,} crashes, {tally.states:,} states"
        text = f"  {sets}  {runs}  {now - self._began:.0f} s"
        width = self._screen.width or 80
        sys.stderr.write(f"\r\x1b[K{self._screen.paint(text[: width - 1], 'dim')}")
        sys.stderr.flush()


def show(screen: Screen, report: Report, replay: str | None) -> None:
    """A report."""
    from mainspring.testing.checking.report import explored, given

    found = report.counterexample
    name = screen.paint(clean(report.workflow), "bold")
    if found is None:
        verdict = screen.paint("clean", "green")
        screen.line(f"{screen.symbol('completed')} {name}  {verdict}: no run breaks an invariant")
    else:
        screen.line(f"{screen.symbol('failed')} {name}  {screen.paint(found.invariant, 'red bold')}")
        screen.hanging("  ", clean(found.text), 2)
        screen.line()
        screen.hanging(f"  {screen.paint('with', 'dim')}  ", clean(given(found)), 8)
        _trace(screen, list(found.trace))
        screen.line()
        screen.line(f"  {screen.paint('replay', 'dim')}  {replay}")
    screen.line()
    for what, text in explored(report):
        style = "yellow" if what == "note" else "dim"
        screen.hanging(f"  {screen.paint(what.ljust(9), style)}  ", clean(text), 13)
    screen.flush()


def show_replayed(screen: Screen, workflow: str, case: Case, found: Found | None, trace: list[str]) -> None:
    """One run, told."""
    name = screen.paint(clean(workflow), "bold")
    if found is None:
        screen.line(f"{screen.symbol('completed')} {name}  this run breaks no invariant")
    else:
        screen.line(f"{screen.symbol('failed')} {name}  {screen.paint(found.broken.invariant, 'red bold')}")
        screen.hanging("  ", clean(found.broken.text), 2)
        screen.line()
    parts = [*(fault.words() for fault in case.faults), *(["the process dies once"] if case.killed is not None else [])]
    screen.hanging(f"  {screen.paint('with', 'dim')}  ", clean("; ".join(parts) or "no failure at all"), 8)
    _trace(screen, trace)
    screen.flush()


_COLOURS = (
    ("broken:", "red bold"),
    ("the process dies", "yellow"),
    (" fails", "yellow"),
    (" failed", "red"),
    ("…", "dim"),
)


def _trace(screen: Screen, trace: list[str]) -> None:
    for line in trace:
        style = next((style for word, style in _COLOURS if word in line), "")
        screen.hanging("    ", clean(line), 6, style)
