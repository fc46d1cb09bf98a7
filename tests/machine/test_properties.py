"""Random graphs in an unkind world: whatever the order, the promises hold, and the naive interpreter agrees.

Each turn is checked by the harness (replay equals live, counts equal a recount, snapshots too, nothing is ordered for the
ended) and by the world (final states stay, nothing is ordered twice, it ends).
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.lifecycle import INSTANCE_FINAL, NODE_FINAL

from .compare import compare
from .harness import Run
from .plain_graphs import graph
from .random_graphs import STYLES, random_graph
from .world import World

styles = st.sampled_from(sorted(STYLES))
policies = st.sampled_from(("continue", "fail_fast"))
slow = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.apart
@slow
@given(st.randoms(use_true_random=False), policies, styles, st.sampled_from((0, 3, 10)))
def test_the_machine_agrees_with_the_naive_interpreter(random: Random, policy: str, style: str, unkind: int) -> None:
    compare(random_graph(random, policy, style), random, unkind)


@pytest.mark.parametrize("block", range(3))
def test_and_on_three_hundred_seeded_graphs(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        random = Random(seed)
        compare(random_graph(random, random.choice(("continue", "fail_fast"))), random, unkind=seed % 8)


def test_who_waits_for_room_looks_again_in_whole_passes() -> None:
    """What four in a hundred thousand random graphs need: a pass over all who wait is not begun anew when one has taken."""
    each, log = {"join": {"kind": "each"}}, {"type": "log"}
    whole = graph("a>c b>a a>c b>a d>e a>f f>d", a=log | each, b=log, c=log | each, d=log | each, f=log)
    whole["nodes"][3]["dependsOn"] = ["c"]
    compare(whole, Random(1), unkind=0)


@pytest.mark.apart
@slow
@given(st.randoms(use_true_random=False), policies)
def test_what_holds_for_every_run(random: Random, policy: str) -> None:
    run = World(random_graph(random, policy), random, unkind=8).drive()
    assert run.status in INSTANCE_FINAL
    assert set(run.nodes.values()) <= NODE_FINAL
    starts_happen_once_per_attempt(run)
    runs_follow_one_another(run)
    skips_have_reasons(run)
    ends_happen_once(run)


def starts_happen_once_per_attempt(run: Run) -> None:
    """And attempts are numbered without a gap. Only one that waited for its code begins again under its number."""
    starts = Counter[tuple[str, int, int]]()
    latest: dict[tuple[str, int], int] = {}
    waited: set[tuple[str, int, int]] = set()
    for event in run.events:
        if isinstance(event, ev.NodeWaiting) and event.what == "handler":
            waited.add((event.path, event.run, latest[event.path, event.run]))
        elif isinstance(event, ev.NodeStarted):
            key = (event.path, event.run, event.attempt)
            assert not starts[key] or key in waited, f"{key} began twice"
            waited.discard(key)
            starts[key] += 1
            assert event.attempt - latest.get((event.path, event.run), 0) in (0, 1)
            latest[event.path, event.run] = event.attempt


def runs_follow_one_another(run: Run) -> None:
    """The runs of a node are numbered from 1, and one begins once the one before it has ended."""
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    for event in run.events:
        if isinstance(event, ev.NodeActivated):
            assert event.run == begun.get(event.path, 0) + 1 == ended.get(event.path, 0) + 1
            begun[event.path] = event.run
        elif isinstance(event, (ev.RunCompleted, ev.RunFailed)):
            assert event.run == begun[event.path]
            ended[event.path] = event.run


def skips_have_reasons(run: Run) -> None:
    for path, (reason, because) in run.skips().items():
        assert reason, path
        assert because == "" or because in run.plan.by_id
        assert because != path


def ends_happen_once(run: Run) -> None:
    final = {"InstanceCompleted", "InstanceFailed", "InstanceCancelled"}
    ends = [type(event).__name__ for event in run.events if type(event).__name__ in final]
    assert len(ends) == 1
    assert type(run.events[-1]).__name__ == ends[0], "nothing happens after the end"


@pytest.mark.apart
@slow
@given(st.randoms(use_true_random=False), policies, st.integers(0, 6))
def test_a_cancellation_at_any_turn_ends_it(random: Random, policy: str, turns: int) -> None:
    world = World(random_graph(random, policy), random, unkind=0)
    world.take(inputs.StartInstance(workflow="w", version="v1", input=b'{"x":1}'))
    for _ in range(turns):
        if world.run.status not in INSTANCE_FINAL:
            world.something()
    if world.run.status not in INSTANCE_FINAL:
        world.take(inputs.CancelInstance())
        assert world.run.status == "cancelled"
    assert not world.tasks
    assert not world.timers
    assert set(world.run.nodes.values()) <= NODE_FINAL


@pytest.mark.apart
def test_the_generator_reaches_all_that_it_is_there_for() -> None:
    """A property over graphs in which nothing happens proves nothing."""
    statuses, kinds = Counter[str](), Counter[str]()
    for seed in range(600):
        random = Random(seed)
        run = World(random_graph(random), random, unkind=8).drive()
        statuses.update(run.nodes.values())
        statuses[f"instance {run.status}"] += 1
        kinds.update(type(event).__name__ for event in run.events)
    assert all(statuses[status] > 100 for status in ("completed", "failed", "skipped")), statuses
    assert min(statuses["instance completed"], statuses["instance failed"], statuses["cancelled"]) > 15, statuses
    wanted = (
        "RoutingFailed",
        "NodeRetrying",
        "NodeReady",
        "NodesRequeued",
        "NodeWaiting",
        "InstanceParked",
        "InputMapped",
        "NodeActivated",
        "RunCompleted",
        "RunFailed",
    )
    assert all(kinds[kind] > 20 for kind in wanted), kinds
