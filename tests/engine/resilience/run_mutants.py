"""`python -m tests.engine.resilience.run_mutants [NAME ...]`: every mutant, until the machine or the breaker's tests find it.

1 where one gets away. The machine's are runs without shrinking; a mutant of which it sees nothing goes to
tests/limits/test_breaker.py, whose table and machine are the breaker's alone, and tests/engine/test_breakers.py.
"""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engine.resilience.mutants import MUTANTS
from tests.engine.resilience.test_resilience_machine import Resilience

ROUNDS = (60, 400)
"""How many examples each machine has, one after the other."""

HERE = Path(__file__).parents[2]
BREAKERS = (str(HERE / "limits" / "test_breaker.py"), str(HERE / "engine" / "test_breakers.py"))
UNSHRUNK = {"deadline": None, "phases": (Phase.generate,), "database": None, "suppress_health_check": list(HealthCheck)}


@dataclass
class Hunt:
    """What became of one mutant: who found it, by what words."""

    name: str
    by: str
    words: str
    seconds: float


def hunt(name: str) -> Hunt:
    """Run with the defect until something is noticed."""
    logging.disable(logging.CRITICAL)
    begun = time.perf_counter()
    with MUTANTS[name]():
        for number, count in enumerate(ROUNDS):
            words = by_the_machine(number, count)
            if words:
                return Hunt(name, "the machine", words, time.perf_counter() - begun)
        with redirect_stdout(StringIO()):
            found = pytest.main(["-q", "-x", "-W", "ignore", "-p", "no:cacheprovider", *BREAKERS]) != 0
    return Hunt(name, "breaker tests" if found else "", "", time.perf_counter() - begun)


def by_the_machine(seed: int, count: int) -> str:
    """What the machine notices first ("": nothing)."""
    Resilience._hypothesis_internal_use_seed = seed  # type: ignore[attr-defined]
    unshrunk = settings(max_examples=count, stateful_step_count=30, **UNSHRUNK)  # type: ignore[arg-type]
    try:
        with redirect_stdout(StringIO()):
            run_state_machine_as_test(Resilience, settings=unshrunk)  # type: ignore[no-untyped-call]
    except BaseExceptionGroup as group:
        return _words(group.exceptions[0])
    except AssertionError as error:
        return _words(error)
    return ""


def _words(error: BaseException) -> str:
    """What was noticed. A mutant that does not fit what it patches raises something else: it would show nothing."""
    if not isinstance(error, (AssertionError, TimeoutError)):
        raise error
    text = str(error).strip() or repr(error)
    return text.splitlines()[0][:110]


def main(names: list[str]) -> int:
    escaped = 0
    with ProcessPoolExecutor(1) as pool:
        for found in pool.map(hunt, names or MUTANTS):
            escaped += not found.by
            print(f"{found.name:48} {found.by or 'GOT AWAY':>15} {found.seconds:6.1f} s  {found.words}", flush=True)
    print(f"{len(names or MUTANTS) - escaped} found, {escaped} got away")
    return 1 if escaped else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
