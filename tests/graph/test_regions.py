"""R5: what a join with `cancelOthers` stops, against the definition of it tried path by path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.graph.regions import Regions

Successors = list[list[int]]


@st.composite
def acyclic(draw: st.DrawFn) -> Successors:
    """Edges go from lower to higher numbers."""
    count = draw(st.integers(1, 12))
    return [
        sorted(draw(st.sets(st.integers(node + 1, count - 1), max_size=3))) if node + 1 < count else []
        for node in range(count)
    ]


def escapes(successors: Successors, node: int, join: int) -> bool:
    """Whether some path from the node to a leaf passes the join by."""
    if node == join:
        return False
    return not successors[node] or any(escapes(successors, after, join) for after in successors[node])


@given(acyclic())
def test_a_region_is_all_that_has_no_way_around(successors: Successors) -> None:
    regions = Regions(successors)
    for join in range(len(successors)):
        expected = [node for node in range(len(successors)) if node != join and not escapes(successors, node, join)]
        assert regions.region(join) == expected


def test_long_ladders_take_no_quadratic_time() -> None:
    """Each rung has a way out, and a long chain hangs below: ancestors are found by jumps, not step by step."""
    count = 20_000
    chain: Successors = [[node + 1] for node in range(count - 1)] + [[]]
    rungs: Successors = [[node, count - 1 - node // 2] for node in range(0, count, 2)]
    regions = Regions([*chain, *rungs])
    assert len(regions.region(count - 1)) == count - 1 + len(rungs)
