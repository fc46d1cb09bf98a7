"""500 seeds at every commit; the same seed, the same journal; every point hit; defects found."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from mainspring.testing.simulate import Tally, main, run_chunk
from mainspring.testing.simulation.points import POINTS
from mainspring.testing.simulator import replay, simulate
from tests.simulator.mutants import MUTANTS
from tests.simulator.run_mutants import SEEDS_MAX, hunt

SEEDS = 500
SAME_SEEDS = (3, 17, 58, 101, 233)
ONCE_BROKEN = (4645, 13563, 15791, 16597)  # two sweeps at once had an instance in memory twice
QUICKLY_FOUND = (
    "effect_before_commit",
    "stale_epoch_accepted",
    "wake_up_lost",
    "inputs_of_a_failed_commit_not_taken_again",
    "completed_node_runs_again_on_recovery",
    "crash_not_counted",
    "snapshot_off_by_one",
    "join_does_not_wait_for_all",
)


@pytest.fixture(scope="module")
def tally() -> Tally:
    whole = Tally()
    with ProcessPoolExecutor(2) as pool:
        for part in pool.map(run_chunk, range(0, SEEDS, 50), [50] * (SEEDS // 50)):
            whole.join(part)
    return whole


def test_all_invariants_hold_under_every_seed(tally: Tally) -> None:
    assert tally.seeds == SEEDS
    assert not tally.failed, replay(tally.failed[0][0]).report()


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_what_once_broke_holds(seed: int) -> None:
    outcome = simulate(seed)
    assert outcome.ok, outcome.report()


def test_every_named_point_is_hit(tally: Tally) -> None:
    assert [name for name in POINTS if not tally.hits.get(name)] == []


@pytest.mark.parametrize("seed", SAME_SEEDS)
def test_the_same_seed_gives_a_byte_equal_journal(seed: int) -> None:
    first, second = simulate(seed), replay(seed)
    assert first.rows > 0
    assert (first.digest, first.hits, first.iterations) == (second.digest, second.hits, second.iterations)


def test_another_process_with_other_hashes_gives_the_same_journal() -> None:
    code = f"from mainspring.testing.simulator import simulate; print([simulate(s).digest for s in {SAME_SEEDS}])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout.strip() == str([simulate(seed).digest for seed in SAME_SEEDS])


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_a_defect_is_found(name: str) -> None:
    assert hunt(name, 200).seed is not None


def test_there_are_enough_defects_and_a_bound_on_finding_them() -> None:
    assert len(MUTANTS) >= 16
    assert SEEDS_MAX == 1_000


def test_a_failure_prints_its_seed_its_invariant_and_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    with MUTANTS["effect_before_commit"]():
        found = hunt("effect_before_commit", 50)
        assert main(["--seed", str(found.seed)]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"seed {found.seed}: {found.invariant}: ")
    assert "FAILED" in printed
    assert main(["--seed", "3", "--verbose"]) == 0
    assert "all is over" in capsys.readouterr().out
