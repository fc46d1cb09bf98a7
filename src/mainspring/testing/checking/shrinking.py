"""From a run that breaks an invariant to a small one that breaks the same: fewer failures, an earlier death, less else."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec.structs import replace

from mainspring.testing.checking.explorer import Found, played
from mainspring.testing.checking.faults import Case
from mainspring.testing.checking.space import Space

SECONDS_MAX = 10.0
"""So long is looked for a smaller one."""


def shrunk(space: Space, found: Found) -> Found:
    """The smallest that is near. It breaks the same invariant, though perhaps elsewhere."""
    until = time.monotonic() + SECONDS_MAX
    smaller: Found | None = found
    while smaller is not None:
        found, smaller = smaller, None
        for case in _smaller(found.case):
            if time.monotonic() > until:
                return found
            trial, broken = played(space, case)
            if broken is not None and broken.invariant == found.broken.invariant:
                smaller = Found(case, broken, trial)
                break
    return found


def _smaller(case: Case) -> Iterator[Case]:
    """Simpler cases, the simplest first."""
    for place in range(len(case.faults)):
        yield replace(case, faults=case.faults[:place] + case.faults[place + 1 :])
    if case.killed is not None:
        yield replace(case, killed=None)
    if case.variant:
        yield replace(case, variant=0)
    if case.order:
        yield replace(case, order=())
        for length in range(1, len(case.order)):
            yield replace(case, order=case.order[:length])
        for place, choice in enumerate(case.order):
            if choice:
                yield replace(case, order=(*case.order[:place], 0, *case.order[place + 1 :]))
    if case.killed is not None:
        for write in range(1, case.killed):
            yield replace(case, killed=write)
