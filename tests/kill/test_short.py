"""The short forms of the kill tests, as the commands themselves; the long forms stand in docs/testing.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def kept(*command: str) -> str:
    """What the command says, which must be that all was kept."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: kept" in done.stdout
    return done.stdout


@pytest.mark.apart
def test_kills_on_a_sqlite_file() -> None:
    size = ["--instances", "150", "--kills", "8", "--width", "40", "--open-min", "20"]
    assert "kept, over 8 kills and 150 instances" in kept("tests.kill.run", *size)


@pytest.mark.apart
def test_kills_of_engines_and_their_postgresql_server() -> None:
    size = ["--instances", "36", "--kills", "3", "--width", "6", "--slow", "20", "--lease-ms", "2000"]
    assert "kept, over 3 kills" in kept("tests.kill.postgres", *size)


@pytest.mark.apart
def test_a_postgresql_server_that_is_restarted() -> None:
    size = ["--instances", "80", "--seconds", "4", "--scale", "0.05", "--width", "8", "--lease-ms", "2000"]
    said = kept("tests.kill.restarts", *size)
    assert "240 acknowledged signals and events" in said


@pytest.mark.apart
def test_kills_at_named_points() -> None:
    assert "at 32 points" in kept("tests.kill.points", "--times", "1")


@pytest.mark.apart
def test_an_engine_that_is_stopped_past_its_lease() -> None:
    assert "over 3 engines" in kept("tests.kill.stopped", "--rounds", "1", "--lease-ms", "1500")
