"""A long saga takes no more memory than a short one, and undoes all in order.

The full size, 100,000 runs, is `python -m benchmarks --only saga`.
"""

from __future__ import annotations

import pytest
from benchmarks import sagas


@pytest.mark.timed
def test_memory_is_flat_and_all_is_undone_in_order() -> None:
    found = sagas.overhead(10_000)
    assert found["memory_mb"] <= 8, found
