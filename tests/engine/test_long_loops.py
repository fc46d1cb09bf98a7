"""Long loops cost the same at their end as at their start, in time and memory, and go on after a kill. N5.

The full size, 100,000 iterations, is `python -m benchmarks --only loop-each loop-while`.
"""

from __future__ import annotations

import pytest
from benchmarks import loops

COUNT = 20_000


@pytest.mark.timed
@pytest.mark.parametrize("kind", ["forEach", "while"])
def test_memory_is_flat_and_the_last_iterations_cost_what_the_first_did(kind: str) -> None:
    count = COUNT if kind == "forEach" else COUNT // 4
    found = loops.overhead(kind, count)
    assert found["memory_mb"] <= 8, found
    assert found["cpu_ratio"] <= 1.5, found  # 1.1 at full size, where the medians are of more; this machine is shared


@pytest.mark.timed
@pytest.mark.parametrize("kind", ["forEach", "while"])
def test_a_loop_killed_half_way_goes_on_from_its_last_snapshot(kind: str) -> None:
    count = COUNT if kind == "forEach" else COUNT // 4
    found = loops.resumed(kind, count)
    assert found["rows_folded"] <= loops.interval(count), found
    assert found["iterations_after"] <= count // 2 + 50, "completed iterations are not made again"
