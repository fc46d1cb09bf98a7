"""D8: active paths of an instance, from its nodes' statuses."""

from __future__ import annotations

import mainspring as ms
from mainspring.graph.analysis import ActiveConnection, WorkflowGraph, active_connections, active_paths
from tests.graph.test_analysis import ladder

ORDER = """
id: order
nodes:
  - {id: charge, type: log}
  - {id: wrap, type: log}
  - {id: ship, type: log, dependsOn: [charge, wrap]}
  - {id: release, type: log}
connections:
  - {source: charge, target: wrap, condition: input.gift}
  - {source: charge, target: release, trigger: fail}
"""


def graph() -> WorkflowGraph:
    return WorkflowGraph(ms.loads(ORDER))


def test_before_the_start_all_paths_are_open() -> None:
    assert set(active_paths(graph(), {})) == set(graph().paths())
    assert all(not one.passed for one in active_connections(graph(), {}))


def test_what_was_skipped_is_on_no_path() -> None:
    statuses = {"charge": "completed", "wrap": "skipped", "ship": "running", "release": "skipped"}
    assert list(active_paths(graph(), statuses)) == [("charge", "ship")]
    assert active_connections(graph(), statuses) == (ActiveConnection("charge", "ship", True),)


def test_a_failure_goes_only_where_a_failure_may_go() -> None:
    statuses = {"charge": "failed", "release": "ready"}
    assert list(active_paths(graph(), statuses)) == [("charge", "release")]


def test_a_path_ends_where_nothing_fired() -> None:
    statuses = {"charge": "failed", "wrap": "skipped", "ship": "skipped", "release": "skipped"}
    assert list(active_paths(graph(), statuses)) == [("charge",)]


def test_a_cancelled_instance_has_no_path() -> None:
    assert list(active_paths(graph(), dict.fromkeys(("charge", "wrap", "ship", "release"), "cancelled"))) == []


async def test_of_an_instance_that_really_ran() -> None:
    async with ms.Engine("memory:") as engine:
        result = await (await engine.start(ms.loads(ORDER), input={"gift": False})).result()
    statuses = {path: node.status for path, node in result.nodes.items()}
    assert list(active_paths(graph(), statuses)) == [("charge", "ship")]


def test_they_are_lazy_and_bounded() -> None:
    paths = active_paths(WorkflowGraph(ladder(500)), {"n1": "skipped"}, limit=5)
    assert len(next(paths)) == 1_001
    assert len(list(paths)) == 4
