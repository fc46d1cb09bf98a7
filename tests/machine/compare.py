"""The machine against the naive interpreter, on random graphs: `python -m tests.machine.compare --graphs 20000`.

The machine runs first, in a world that chooses what ends when; the naive interpreter then goes through the same graph with
the ends in that order. A difference prints its seed; `--seed N --graphs 1` runs that graph again and shows it.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any

from mainspring.machine import events as ev
from mainspring.machine.instance import Instance

from .harness import Run
from .naive import Naive, NaiveRun, stable
from .random_graphs import random_graph
from .shrink import shrunk
from .world import World

BLOCK = 250
"""Graphs given to a worker at a time."""

Key = tuple[str, int]
End = ev.NodeCompleted | ev.NodeFailed | ev.RunCompleted | ev.RunFailed


def compare(graph: dict[str, Any], random: Random, unkind: int) -> Run:
    """Run the graph both ways. Given what ends when, they agree."""
    world = World(graph, random, unkind)
    run = world.drive()
    ends = run_ends(run)
    naive = followed(graph, world)
    for key, end in ends.items():
        same_end(naive, key, end)
        if key in world.inputs:
            assert stable(world.inputs[key]) == stable(naive.ended[key].input), f"another input of {key}"
    same_messages(naive, run)
    if naive.stopped:
        same_stop(naive, run)
        return run
    assert naive.done, f"the machine ended, and the naive interpreter has {sorted(naive.under_way)} under way"
    assert ends.keys() == naive.ended.keys()
    same_order(naive, run)
    assert run.nodes == {id: node.status for id, node in naive.nodes.items()}
    assert outputs(run.instance) == {
        id: stable(naive.output_of(id)) for id, node in naive.nodes.items() if node.status == "completed"
    }
    for id, node in naive.nodes.items():
        if node.status == "failed":
            assert run.state(id).error.type == node.failures[0].error["type"], id
    assert run.status == naive.status
    assert stable(run.output) == stable(naive.output)
    assert run.instance.unhandled == naive.unhandled
    return run


def run_ends(run: Run) -> dict[Key, End]:
    """How each run ended, in the order in which they did. A repeating node's own end is not one of them."""
    repeating = {event.path for event in run.events if isinstance(event, (ev.RunCompleted, ev.RunFailed))}
    ends: dict[Key, End] = {}
    for event in run.events:
        if not isinstance(event, End):
            continue
        if event.path in repeating and isinstance(event, (ev.NodeCompleted, ev.NodeFailed)):
            assert event.fired == (), f"{event.path} fired at its end: its runs had put all its tokens"
            continue
        assert (event.path, event.run) not in ends, f"run {event.run} of {event.path} ended twice"
        ends[event.path, event.run] = event
    return ends


def followed(graph: dict[str, Any], world: World) -> Naive:
    """The naive interpreter, led through the graph in the order in which things ended. After each turn they agree."""
    naive = Naive(graph)
    ends = {id(end): key for key, end in run_ends(world.run).items()}
    before = 0
    for after, statuses in world.turns:
        for event in world.run.events[before:after]:
            if isinstance(event, ev.InstanceStarted):
                naive.begin()
            elif isinstance(event, ev.InstanceParked):
                naive.park()
            elif isinstance(event, ev.InstanceResumed):
                naive.resume()
            elif id(event) in ends:
                key = ends[id(event)]
                if key in naive.under_way and not naive.stopped:
                    naive.turn(key)
                assert key in naive.ended, f"{key} ended, and has not even begun for the naive interpreter"
        before = after
        if not naive.stopped:
            mine = {id: node.status for id, node in naive.nodes.items()}
            assert {id: plain_status(status) for id, status in statuses.items()} == mine, f"after {after} events"
    return naive


def plain_status(status: str) -> str:
    """A run under way is one to the naive interpreter, whatever it waits for."""
    return "running" if status in ("ready", "waiting", "retrying") else status


def same_end(naive: Naive, key: Key, end: End) -> None:
    """One run's end, as the machine's event tells it."""
    mine: NaiveRun = naive.ended[key]
    assert sorted(end.fired) == sorted(mine.fired), f"other connections fired after {key}"
    if isinstance(end, (ev.NodeCompleted, ev.RunCompleted)):
        assert mine.status == "completed", key
        assert stable(json.loads(bytes(end.output))) == stable(mine.output), f"another output of {key}"
        assert end.port == mine.port
    else:
        assert mine.status == "failed", key
        assert mine.error is not None
        assert end.error.type == mine.error["type"], f"another error of {key}"
        assert end.handled == bool(mine.fired)


def same_messages(naive: Naive, run: Run) -> None:
    """What each run of a node with an inbox took."""
    taken = {(event.path, event.run): event.taken for event in run.events if isinstance(event, ev.NodeActivated)}
    for (path, number), tokens in taken.items():
        if naive.nodes[path].status == "skipped":
            continue  # stopped by another join before it began
        mine = naive.nodes[path].runs[number - 1].taken
        assert sorted((token.connection, token.run) for token in tokens) == sorted(
            (message.connection, message.run) for message in mine
        ), f"run {number} of {path} took other messages"


def same_order(naive: Naive, run: Run) -> None:
    """What was taken, what began and what was skipped, each in the order in which the text has it decided."""
    taken = [(event.path, event.run) for event in run.events if isinstance(event, ev.NodeActivated)]
    assert taken == [key for key in naive.decided if key in set(taken)], "messages were taken in another order"
    begins = ev.NodeReady | ev.NodeStarted | End  # (a run that fails before its task is ordered has an end alone)
    begun = dict.fromkeys((event.path, event.run) for event in run.events if isinstance(event, begins))
    assert [*begun] == naive.begun, "runs began in another order"
    skips = [skip.path for event in run.events if isinstance(event, ev.NodesSkipped) for skip in event.skips]
    assert skips == naive.skipped, "nodes were skipped in another order"


def same_stop(naive: Naive, run: Run) -> None:
    """fail_fast stops within the turn of the first unhandled failure: what was under way before is cancelled."""
    assert run.status == "failed"
    assert any(isinstance(event, ev.InstanceFailing) for event in run.events)
    ended = run_ends(run)
    for path, number in naive.under_way_before:
        if (path, number) not in ended:
            assert run.nodes[path] == "cancelled", path


def outputs(instance: Instance) -> dict[str, Any]:
    """The outputs of completed nodes, decoded and without what may differ."""
    pairs = zip(instance.plan.nodes, instance.nodes, strict=True)
    return {
        node.path: stable(json.loads(state.output))
        for node, state in pairs
        if state and state.status == "completed" and state.output is not None
    }


def graph_of(seed: int) -> tuple[dict[str, Any], Random, int]:
    """Each seed gives a graph and what happens to it."""
    random = Random(seed)
    graph = random_graph(random, random.choice(("continue", "continue", "fail_fast")))
    return graph, random, random.choice((0, 0, 3, 10))


def one(seed: int) -> str | None:
    """What is noticed of this seed's graph."""
    return difference(*graph_of(seed))


def difference(graph: dict[str, Any], random: Random, unkind: int) -> str | None:
    """What is noticed first where the two differ, in a line."""
    try:
        compare(graph, random, unkind)
    except Exception as error:
        words = (str(error).strip() or repr(error)).splitlines()
        return f"{type(error).__name__}: {words[0]}"
    return None


def differing(seeds: range) -> list[tuple[int, str]]:
    """The seeds for which machine and naive interpreter differ, each with what was noticed."""
    found = []
    for seed in seeds:
        words = one(seed)
        if words:
            found.append((seed, words))
    return found


def main() -> None:
    """Graph after graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    last = arguments.seed + arguments.graphs
    if arguments.graphs == 1 and one(arguments.seed):
        print("The smallest graph that differs:\n", *shrunk(graph_of(arguments.seed)[0], difference), sep="\n")
    blocks = [range(first, min(first + BLOCK, last)) for first in range(arguments.seed, last, BLOCK)]
    found = []
    with ProcessPoolExecutor(arguments.workers) as workers:
        for block in workers.map(differing, blocks):
            found += block
            for seed, words in block:
                print(f"seed {seed} differs: {words} (run it again with --seed {seed} --graphs 1)", flush=True)
    if found:
        raise SystemExit(f"{arguments.graphs} graphs, {len(found)} differences, the first at seed {found[0][0]}")
    print(f"{arguments.graphs} graphs, no difference")


if __name__ == "__main__":
    main()
