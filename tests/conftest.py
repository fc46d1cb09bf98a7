"""What holds for all tests: under `tools/check.py` Hypothesis draws the same examples each time.

The coverage that CI holds must not depend on luck. By hand (`pytest`) each run draws others, which is how defects are found.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
if os.environ.get("MAINSPRING_REPEATABLE"):
    settings.load_profile("repeatable")
