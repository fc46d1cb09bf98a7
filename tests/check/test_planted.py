"""Each planted defect is found, told in at most twelve lines, and had again by the command that is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.testing.checking import Budget, Report, explore, prepared, replayed
from tests.check.mutants import PLANTED

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDER = EXAMPLES / "order" / "order.yaml"
TRIP = EXAMPLES / "saga" / "trip.yaml"
LIMITED = Path(__file__).parent / "limited.yaml"
POOLED = Path(__file__).parent / "pooled.yaml"
FOUND_AS = {
    "order of undo": (TRIP, "compensation"),
    "missing undo": (TRIP, "compensation"),
    "limit broken": (LIMITED, "limits hold"),
    "pool broken": (POOLED, "limits hold"),
    "rate broken": (POOLED, "limits hold"),
    "a retry too many": (ORDER, "limits hold"),
    "double effect": (ORDER, "nothing is done twice"),
    "stuck": (ORDER, "it ends"),
    "lost token": (ORDER, "no token is lost"),
    "stuck after a crash": (ORDER, "it ends"),
}


@pytest.mark.parametrize("name", FOUND_AS)
def test_a_planted_defect_is_found_told_and_had_again(name: str) -> None:
    file, invariant = FOUND_AS[name]
    planted: Callable[[], Any] = PLANTED[name]
    with planted():
        report = explore(prepared(file), 1, Budget())
        found = report.counterexample
        assert found is not None, report.text()
        assert found.invariant == invariant, report.text()
        assert len(found.trace) <= 12 and found.trace[-1].startswith(f"broken: {invariant}")
        again, _, trace = replayed(prepared(file), found.replay)
        assert again is not None and (again.broken.invariant, tuple(trace)) == (invariant, found.trace)
    # And it is the defect: without it that very run is sound.
    assert replayed(prepared(file), found.replay)[0] is None, _told(report)


def _told(report: Report) -> str:
    return report.text()
