"""The machine against the naive interpreter on seeded graphs with blocks and waits: `compare` has as many as one likes."""

from __future__ import annotations

from collections import Counter

import pytest

from .compare import Draw, compare
from .naive import all_nodes

BLOCKS = Draw(blocks=True)


@pytest.mark.parametrize("first", [0, 100, 200])
def test_the_machine_agrees_on_graphs_with_blocks(first: int) -> None:
    for seed in range(first, first + 100):
        compare(*BLOCKS.graph_of(seed))


@pytest.mark.apart
def test_the_generator_reaches_all_that_it_is_there_for() -> None:
    """A comparison of graphs in which nothing happens proves nothing."""
    kinds, nested, happened = Counter[str](), 0, Counter[str]()
    for seed in range(400):
        graph, random, unkind = BLOCKS.graph_of(seed)
        kinds.update(node["type"] for node in all_nodes(graph))
        if seed < 100:
            run = compare(graph, random, unkind)
            happened.update(type(event).__name__ for event in run.events)
            nested += any(getattr(event, "path", "").count("[") == 2 for event in run.events)
    wanted = (
        "forEach",
        "while",
        "until",
        "parallel",
        "race",
        "mutex",
        "subflow",
        "wait",
        "delay",
        "cancel",
        "milestone",
    )
    assert all(kinds[kind] > 15 for kind in wanted), kinds
    assert nested > 15
    seen = (
        "ScopeStarted",
        "ScopeEnded",
        "SignalKept",
        "SignalDropped",
        "VariablesSet",
        "InstanceParked",
        "NodesRequeued",
    )
    assert all(happened[name] > 5 for name in seen), happened
