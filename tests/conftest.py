"""What holds for all tests: under `tools/check.py` Hypothesis draws the same examples each time.

The coverage that CI holds must not depend on luck. By hand (`pytest`) each run draws others, which is how defects are found.

What is `apart` is run by `tools/check.py` without the tracing of coverage, which doubles or triples its time: whole pages and
whole simulations. The gate of coverage holds without it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

APART = tuple(Path(__file__).parent / name for name in ("docs", "patterns", "simulator"))
"""Folders in which every test is `apart`. Elsewhere a test says so itself."""

settings.register_profile("repeatable", derandomize=True)
if os.environ.get("MAINSPRING_REPEATABLE"):
    settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in these folders."""
    for item in items:
        if any(folder in item.path.parents for folder in APART):
            item.add_marker(pytest.mark.apart)
