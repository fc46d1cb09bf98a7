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

from tests import warm

APART = tuple(Path(__file__).parent / name for name in ("docs", "patterns", "simulator"))
"""Folders in which every test is `apart`. Elsewhere a test says so itself."""

HISTORIES = frozenset({"test_any_history"})
"""Of the public contract of stores, which knows nothing of this."""

# No deadline for an example: how long one takes says more of the machine and of coverage than of the code.
settings.register_profile("by hand", deadline=None)
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable" if os.environ.get("MAINSPRING_REPEATABLE") else "by hand")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in these folders."""
    folders: dict[Path, bool] = {}
    for item in items:
        folder = item.path.parent
        if folder not in folders:
            folders[folder] = any(one in (folder, *folder.parents) for one in APART)
        if folders[folder] or item.name in HISTORIES:
            item.add_marker(pytest.mark.apart)


def pytest_sessionfinish() -> None:
    """Nothing that was started for all tests outlives them."""
    warm.stop()
