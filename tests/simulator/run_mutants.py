"""`python -m tests.simulator.run_mutants [NAME ...]`: every mutant, until the simulator finds it; 1 where one gets away."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from mainspring.testing.simulator import simulate
from tests.simulator import mutants_ahead as _ahead  # noqa: F401  (they enter their own into the list)
from tests.simulator import mutants_blocks as _blocks  # noqa: F401
from tests.simulator import mutants_by_hand as _by_hand  # noqa: F401
from tests.simulator import mutants_joins as _joins  # noqa: F401
from tests.simulator import mutants_letters as _letters  # noqa: F401
from tests.simulator import mutants_limits as _limits  # noqa: F401
from tests.simulator import mutants_pauses as _pauses  # noqa: F401
from tests.simulator import mutants_policies as _policies  # noqa: F401
from tests.simulator import mutants_sagas as _sagas  # noqa: F401
from tests.simulator import mutants_windows as _windows  # noqa: F401
from tests.simulator.mutants import MUTANTS

SEEDS_MAX = 1_000

MACHINE_FAILED = "the machine never fails"
"""The invariant that an instance breaks which was parked because `step` raised, though nobody gave it cause to."""


class BrokenMutant(Exception):
    """A mutant whose patch no longer fits the code that it patches."""


@dataclass
class Hunt:
    """What became of one mutant."""

    name: str
    seed: int | None
    invariant: str
    seconds: float


def hunt(name: str, seeds: int = SEEDS_MAX) -> Hunt:
    """Simulate with the defect until an invariant does not hold."""
    begun = time.perf_counter()
    with MUTANTS[name]():
        for seed in range(seeds):
            outcome = simulate(seed)
            if outcome.invariant == MACHINE_FAILED:
                # The machine raised, as it does on a patch that is out of date: that would find any mutant, and show nothing.
                raise BrokenMutant(f"{name} makes the machine itself fail: mend the mutant (seed {seed})")
            if not outcome.ok:
                return Hunt(name, seed, outcome.invariant, time.perf_counter() - begun)
    return Hunt(name, None, "", time.perf_counter() - begun)


def main(names: list[str]) -> int:
    escaped = 0
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(hunt, names or MUTANTS):
            escaped += found.seed is None
            where = "GOT AWAY" if found.seed is None else f"seed {found.seed}"
            print(f"{found.name:45} {where:>10}  {found.seconds:6.1f} s  {found.invariant}", flush=True)
    print(f"{len(names or MUTANTS) - escaped} found, {escaped} got away")
    return 1 if escaped else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
