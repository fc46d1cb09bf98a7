"""The machine against the naive interpreter, on random graphs: `python -m tests.machine.compare --graphs 5000`.

A difference prints its seed; `--seed N --graphs 1` runs that graph again.
"""

from __future__ import annotations

import argparse
import json
from random import Random
from typing import Any

from mainspring.machine import events as ev
from mainspring.machine.instance import Instance

from .harness import Run
from .naive import Naive, stable
from .random_graphs import random_graph
from .world import World


def compare(graph: dict[str, Any], random: Random, unkind: int) -> Run:
    """Run the graph both ways. Whatever the interleaving, they agree."""
    naive = Naive(graph)
    run = World(graph, random, unkind).drive()
    if graph["policy"] == "fail_fast" and naive.unhandled:
        _agree_so_far(run, naive)
        return run
    fates = naive.fates
    assert run.nodes == {path: fate.status for path, fate in fates.items()}
    assert outputs(run.instance) == {
        path: stable(fate.output) for path, fate in fates.items() if fate.status == "completed"
    }
    assert fired(run) == {path: sorted(fate.fired) for path, fate in fates.items() if fate.fired}
    for path, fate in fates.items():
        if fate.status == "completed" or (fate.error and fate.error["type"] != "MappingError"):
            assert stable(run.input_of(path)) == stable(fate.input), path
        if fate.error:
            assert run.state(path).error.type == fate.error["type"]
    assert run.status == naive.status
    assert stable(run.output) == stable(naive.output)
    assert run.instance.unhandled == naive.unhandled
    return run


def _agree_so_far(run: Run, naive: Naive) -> None:
    """fail_fast stops at the first unhandled failure: what ended by itself until then ended as it would have."""
    assert run.status == "failed"
    for path, status in run.nodes.items():
        fate = naive.fates[path]
        if status in ("completed", "failed"):
            assert fate.status == status
        if status == "completed":
            assert stable(json.loads(run.state(path).output)) == stable(fate.output)
    assert any(isinstance(event, ev.InstanceFailing) for event in run.events)


def outputs(instance: Instance) -> dict[str, Any]:
    """All outputs, decoded and without what may differ."""
    pairs = zip(instance.plan.nodes, instance.nodes, strict=True)
    return {node.path: stable(json.loads(state.output)) for node, state in pairs if state and state.output is not None}


def fired(run: Run) -> dict[str, list[int]]:
    """The connections that fired, by their source."""
    ends = [event for event in run.events if isinstance(event, (ev.NodeCompleted, ev.NodeFailed))]
    assert len({event.path for event in ends}) == len(ends), "a node ended twice"
    return {event.path: sorted(event.fired) for event in ends if event.fired}


def main() -> None:
    """Graph after graph; each seed gives the graph and what happens to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.graphs):
        random = Random(seed)
        graph = random_graph(random, random.choice(("continue", "continue", "fail_fast")))
        try:
            compare(graph, random, unkind=random.choice((0, 0, 3, 10)))
        except Exception:
            print(f"seed {seed} differs (run it again with --seed {seed} --graphs 1)")
            raise
    print(f"{arguments.graphs} graphs, no difference")


if __name__ == "__main__":
    main()
