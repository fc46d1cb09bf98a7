"""Going over to another version: random graphs, random edits, at any time (SEMANTICS 99 to 102).

Where it is allowed, and what has begun is told the same, the end is that of a run by the new version from the start.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mainspring.definition.model import Connection, Join, Node, Workflow
from mainspring.graph.plan import Plan
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.compatibility import differences, keys_of, obstacles
from mainspring.machine.fold import fold
from mainspring.machine.instance import PlanNeeded
from mainspring.machine.lifecycle import INSTANCE_FINAL, NODE_FINAL
from mainspring.machine.step import step
from mainspring.machine.turn import Refused
from mainspring.machine.values import input_of

from .harness import Run, graph, run_of

TASKS = 12


def drawn(random: Random) -> Workflow:
    """A graph of functions, some of which take up failures, some of which join by `any`."""
    size = random.randrange(2, 9)
    connections = [
        Connection(
            source=f"n{source}", target=f"n{target}", trigger=random.choice(("complete", "complete", "all", "fail"))
        )
        for target in range(1, size)
        for source in random.sample(range(target), min(target, random.choice((0, 1, 1, 2, 3))))
    ]
    return Workflow(id="w", nodes=tuple(_node(random, f"n{at}") for at in range(size)), connections=tuple(connections))


def _node(random: Random, id: str) -> Node:
    return Node(id=id, type="function", config={"handler": id}, join=random.choice((None, None, Join(kind="any"))))


def edited(random: Random, workflow: Workflow) -> Workflow:
    """One to three changes, of any kind."""
    for number in range(random.randrange(1, 4)):
        nodes, edges = list(workflow.nodes), list(workflow.connections)
        kind = random.choice(("append", "append", "insert", "remove", "cut", "connect", "tell", "shuffle"))
        some = random.choice(nodes).id
        if kind in ("append", "insert"):
            new = _node(random, f"x{number}")
            nodes.insert(random.randrange(len(nodes) + 1), new)
            edges.append(Connection(source=some, target=new.id))
            if kind == "insert" and edges[:-1]:
                split = edges.pop(random.randrange(len(edges) - 1))
                edges += [replace(split, source=new.id)]
        elif kind == "remove" and len(nodes) > 2:
            nodes = [one for one in nodes if one.id != some]
            edges = [one for one in edges if some not in (one.source, one.target)]
        elif kind == "cut" and edges:
            edges.pop(random.randrange(len(edges)))
        elif kind == "connect":
            first, last = sorted(random.sample(range(len(nodes)), 2)) if len(nodes) > 1 else (0, 0)
            if first != last and not any(
                (one.source, one.target) == (nodes[first].id, nodes[last].id) for one in edges
            ):
                edges.append(Connection(source=nodes[first].id, target=nodes[last].id))
        elif kind == "tell":
            nodes = [replace(one, config={"handler": "other"}) if one.id == some else one for one in nodes]
        elif kind == "shuffle":
            random.shuffle(edges)
        workflow = replace(workflow, nodes=tuple(nodes), connections=tuple(edges))
    return workflow


def is_sound(workflow: Workflow) -> bool:
    """Whether it has no circle: edits put nodes in any order."""
    left = {one.id for one in workflow.nodes}
    while left:
        free = {id for id in left if not any(one.target == id and one.source in left for one in workflow.connections)}
        if not free:
            return False
        left -= free
    return True


def drive(run: Run, random: Random, failing: set[str], turns: int = 1_000) -> None:
    """So many reports, in any order."""
    for _ in range(turns):
        running = [id for id, status in run.nodes.items() if status == "running"]
        if not running:
            return
        id = random.choice(running)
        run.fail(id) if id in failing else run.finish(id, id)


def by_the_new_one(plan: Plan, failing: set[str]) -> Run:
    run = Run(plan)
    run.start()
    drive(run, Random(1), failing)
    assert run.status in INSTANCE_FINAL
    return run


def _inputs(run: Run) -> dict[str, Any]:
    """What each node that ran was given, where that does not depend on who came first."""
    ran = [node for node in run.plan.nodes if node.joins_plainly and run.nodes[node.id] in ("completed", "failed")]
    return {node.id: msgspec.json.decode(input_of(run.instance, node)) for node in ran}


@pytest.mark.apart
@pytest.mark.parametrize("block", range(3))
def test_as_if_it_had_always_been_so(block: int) -> None:
    moved = compared = refused = 0
    for seed in range(block * 300, block * 300 + 300):
        random = Random(seed)
        old, new = Plan(first := drawn(random), "v1"), Plan(edited(random, first), "v2")
        if not is_sound(new.workflow):
            continue
        failing = {id for id in {**old.by_id, **new.by_id} if random.random() < 0.3}
        run = Run(old)
        run.instance.plans = {"v1": old, "v2": new}.__getitem__
        run.start()
        drive(run, random, failing, random.randrange(6))
        if run.status in INSTANCE_FINAL:
            continue
        before = dict(run.nodes)
        reasons = obstacles(differences(run.instance, new))
        same = _told_the_same(run, old, new)
        copy = run.replayed()
        try:
            turn = run.take(order := inputs.Migrate(version="v2", by="ann"))
        except Refused as refusal:
            assert reasons and reasons[0] in str(refusal)
            with pytest.raises(Refused, match=re.escape(str(refusal))):
                step(copy.plan, copy, order, run.now)
            drive(run, random, failing)
            assert run.status in INSTANCE_FINAL
            refused += 1
            continue
        assert not reasons
        dry = step(copy.plan, copy, order, run.now)
        assert (dry.events, dry.effects) == (turn.events, turn.effects), (
            "a dry run on what is durable tells what happens"
        )
        assert turn.events[:2] == [ev.Intervened("migrate", "", 0, "ann", ""), ev.InstanceMigrated("v2")]
        assert run.instance.plan is new
        assert all(run.nodes[id] == status for id, status in before.items() if status in NODE_FINAL)
        drive(run, random, failing)
        moved += 1
        assert run.status in INSTANCE_FINAL, seed
        assert set(run.nodes.values()) <= NODE_FINAL
        once = [(one.path, one.run) for one in run.events if isinstance(one, ev.NodeCompleted)]
        assert len(once) == len(set(once))
        if same:
            compared += 1
            anew = by_the_new_one(new, failing)
            assert run.nodes == anew.nodes, seed
            assert _inputs(run) == _inputs(anew), seed
    assert moved > 50 and compared > 40 and refused > 50, (moved, compared, refused)


@pytest.mark.parametrize("block", range(2))
def test_run_again_from_any_node_by_another_version(block: int) -> None:
    """What is before the node stays; the node and all that follows it, by the new version, is as if it had always been so."""
    again = refused = 0
    for seed in range(block * 300, block * 300 + 300):
        random = Random(-seed - 1)
        old, new = Plan(first := drawn(random), "v1"), Plan(edited(random, first), "v2")
        failing = {id for id in {**old.by_id, **new.by_id} if random.random() < 0.3}
        if not is_sound(new.workflow):
            continue
        run = Run(old)
        run.instance.plans = {"v1": old, "v2": new}.__getitem__
        run.start()
        drive(run, random, failing)
        node = random.choice(old.nodes)
        order = inputs.RerunFrom(path=node.id, run=run.state(node.id).run, version="v2", by="ann")
        before, copy = dict(run.nodes), run.replayed()
        try:
            turn = run.take(order)
        except Refused:
            assert run.nodes == before
            refused += 1
            continue
        again += 1
        dry = step(copy.plan, copy, order, run.now)
        assert (dry.events, dry.effects) == (turn.events, turn.effects)
        assert run.plan is new
        drive(run, random, failing)
        assert run.status in INSTANCE_FINAL
        assert set(run.nodes.values()) <= NODE_FINAL
        reset = {event.path for event in turn.events if isinstance(event, ev.NodeReset)}
        kept = [id for id, status in before.items() if id not in reset and id in new.by_id]
        assert all(run.nodes[id] == before[id] for id in kept)
        if _alike(old, new, kept):
            assert run.nodes == by_the_new_one(new, failing).nodes, seed
    assert again > 30 and refused > 30, (again, refused)


def _alike(old: Plan, new: Plan, ids: list[str]) -> bool:
    """Whether what leads to these nodes, and how they join, is the same."""
    return all(
        _leading_to(old, id) == _leading_to(new, id) and old.by_id[id].definition.join == new.by_id[id].definition.join
        for id in ids
    )


def _leading_to(plan: Plan, id: str) -> list[Any]:
    return sorted((key[:-1] for key in keys_of(plan) if key[1] == id), key=repr)


def _told_the_same(run: Run, old: Plan, new: Plan) -> bool:
    """Whether what has begun would have begun, and ended, in the same way by the new version."""
    return _alike(old, new, [id for id in old.by_id if run.nodes[id] != "pending" and id in new.by_id])


def moved(run: Run, new: Plan) -> Run:
    """It goes over to that version."""
    run.instance.plans = {"v1": run.begun_by, "v2": new}.__getitem__
    new.version = "v2"
    run.take(inputs.Migrate(version="v2"))
    assert run.plan is new
    return run


def refusal(run: Run, new: Plan) -> str:
    run.instance.plans = lambda version: new
    with pytest.raises(Refused) as refused:
        run.take(inputs.Migrate(version="v2"))
    return str(refused.value)


def test_what_is_undone_stays_with_its_version() -> None:
    undo = {"compensationNodeId": "u"}
    run = run_of("a -> z; u", a=undo)
    run.finish("a")
    run.fail("z")
    assert run.status == "compensating"
    run.take(inputs.ParkInstance(reason="by hand"))
    assert refusal(run, graph("a -> z -> y; u", a=undo)) == "what had completed is being undone, or has been"


def test_what_undoes_a_node_is_not_made_one_of_the_graph() -> None:
    run = run_of("a -> b; u", a={"compensationNodeId": "u"})
    assert "nothing leads to it" in refusal(run, graph("a -> b; u"))
    run = run_of("a -> b; c")
    assert "c: it is running, and stands not in for another one only in one version" in refusal(
        run, graph("a -> b; c", a={"fallbackNodeId": "c"})
    )


def test_a_join_that_has_begun_to_count_counts_on() -> None:
    run = run_of("a -> c; b -> c")
    run.finish("a")
    assert "c: it is waiting for more to come to it, and counts what comes to it by another rule" in refusal(
        run, graph("a -> c; b -> c", c={"join": {"kind": "any"}})
    )


def test_a_refusal_tells_the_first_of_many() -> None:
    run = run_of("; ".join(f"n{at}" for at in range(12)))
    said = refusal(run, graph("m"))
    assert said.count("is not there any more") == 10
    assert said.endswith("(and 3 more)")


def test_the_time_of_the_whole_is_taken_away() -> None:
    run = moved(run_of("a -> b", workflow={"timeout": 500}), graph("a -> b"))
    assert fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT) in run.effects


def test_the_same_version_is_none() -> None:
    run = run_of("a")
    run.finish("a")
    run.instance.plans = lambda version: run.plan
    with pytest.raises(Refused, match="it runs by this version already"):
        run.take(inputs.RerunFrom(path="a", run=1, version="v1"))


def test_what_stands_in_goes_on() -> None:
    """A node that falls back keeps what stands in for it; what follows may be another."""
    actions = {"resilience": {"fallbackActions": [{"type": "log"}]}}
    stands_in = {"fallbackNodeId": "f"}
    run = run_of("a -> b; f", a=stands_in)
    run.fail("a")
    assert run.nodes["a"] == "falling_back"
    assert "only its bodies can change" in refusal(run, graph("a -> b; f", a={**stands_in, **actions}))
    moved(run, graph("a -> b -> c; f", a=stands_in))
    run.finish(next(path for path, status in run.open_nodes.items() if status == "running"))
    run.finish("b")
    run.finish("c")
    assert run.status in INSTANCE_FINAL


def test_subflows_are_pinned_anew() -> None:
    new = graph("a -> b")
    run = run_of("a")
    run.instance.plans = lambda version: new
    pins = (ev.Pin("kid", "k1"),)
    run.take(inputs.Migrate(version="v2", children=pins))
    assert run.instance.lineage.children == pins


def test_whoever_folds_needs_the_version_that_it_goes_over_to() -> None:
    run = run_of("a")
    with pytest.raises(PlanNeeded, match="v2 is not at hand") as needed:
        fold(run.instance, ev.InstanceMigrated("v2"), 1)
    assert needed.value.version == "v2"
