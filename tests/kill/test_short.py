"""The short form of the kill test, as the command itself; the long form is `python -m tests.kill.run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_sixty_chains_and_three_kills() -> None:
    # A node in flight at three kills reaches the crash limit, rightly by SEMANTICS 9: from the third on, one at a kill.
    size = ["--chains", "60", "--kills", "3", "--width", "40", "--open-min", "20", "--dead-letters", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill.run", *size], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: kept, over 3 kills" in done.stdout
