"""Every workflow pattern does what it says: in virtual time, in a terminal, and when its process is killed at any turn."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mainspring.cli.main import group
from mainspring.testing.killing import Observed, kill_at_each_turn, observe, outcome
from mainspring.testing.tracing import disorder
from tests.patterns.catalogue import CASES, Case

EXITS = {"completed": 0, "failed": 1, "partial_success": 3, "cancelled": 4}
SECOND_MS = 1_000


def held(case: Case, observed: Observed) -> dict[str, object]:
    """The outcome of a run whose trace is the one that the example promises."""
    wrong = disorder(case.trace, observed.trace)
    assert wrong is None, f"{wrong}\ntrace: {observed.trace}"
    assert observed.result.status == case.status
    return outcome(observed)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_trace_is_the_one_it_promises(case: Case) -> None:
    observed = observe(case.file, input=case.input, signals=case.signals)
    held(case, observed)
    assert not observed.broken
    assert observed.result.ended_at is not None
    assert observed.result.ended_at - observed.result.started_at < SECOND_MS


@pytest.mark.parametrize("deaths", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kills_at_each_turn_change_nothing(case: Case, deaths: int) -> None:
    """Killed once; and once more when the next process has just found out what the first one left."""

    def look(observed: Observed) -> dict[str, object]:
        return held(case, observed)

    kill_at_each_turn(case.file, input=case.input, signals=case.signals, deaths=deaths, same=look)


@pytest.mark.parametrize("case", [case for case in CASES if case.plain], ids=str)
def test_it_runs_in_a_terminal_with_nothing_else(case: Case) -> None:
    done = CliRunner().invoke(group, ["run", str(case.file), "--store", "memory:", "--json"])
    assert done.exit_code == EXITS[case.status], done.output
    told = json.loads(done.stdout)
    assert told["status"] == case.status
    promised = observe(case.file).result.nodes
    assert {path: node["status"] for path, node in told["nodes"].items()} == {
        path: node.status for path, node in promised.items()
    }
