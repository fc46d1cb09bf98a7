"""The machine against the naive interpreter, on random graphs: `python -m tests.machine.compare --graphs 20000`.

The machine runs first, in a world that chooses what ends when; the naive interpreter then goes through the same graph with
the ends in that order. A difference prints its seed; `--seed N --graphs 1` runs that graph again and shows it.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any, NamedTuple

from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.instance import Instance

from .harness import Run
from .naive import Naive, NaiveRun, stable
from .random_bodies import WEIGHT, random_block_graph
from .random_failures import failing
from .random_graphs import random_graph
from .shrink import shrunk
from .world import World

AS_TOLD = ("--blocks", "--no-blocks", "--failures", "--no-failures")

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
        if key in world.outputs:
            same(world.outputs[key], naive.ended[key].output, f"another output of {key}")
        if key in world.inputs:
            same(world.inputs[key], naive.ended[key].input, f"another input of {key}")
            same(world.seen[key], naive.ended[key].variables, f"other variables at {key}")
    same_messages(naive, run)
    assert naive.done, f"the machine ended, and the naive interpreter has {sorted(naive.under_way)} under way"
    assert ends.keys() == naive.ended.keys()
    same_order(naive, run)
    same_bodies(naive, run)
    same_failures(naive, run)
    statuses = {id: status for id, status in run.nodes.items() if id in naive.nodes}
    same(statuses, {id: node.status for id, node in naive.nodes.items()}, "other statuses at the end")
    completed = [id for id, node in naive.nodes.items() if node.status == "completed"]
    same(outputs(run.instance), {id: naive.output_of(id) for id in completed}, "other outputs at the end")
    for id, node in naive.nodes.items():
        if node.status == "failed":
            assert run.state(id).error.type == node.failures[0].error["type"], id
    assert run.status == naive.status
    same(run.output, naive.output, "another output of the instance")
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


def same(machines: Any, naives: Any, what: str) -> None:
    """Two values agree, but for what may differ between two right runs."""
    machines, naives = stable(machines), stable(naives)
    assert machines == naives, f"{what}: {_apart(machines, naives)}"


def _apart(machines: Any, naives: Any) -> str:
    """Both, without what they agree in."""
    if isinstance(machines, dict) and isinstance(naives, dict):
        keys = [key for key in {**machines, **naives} if machines.get(key, "-") != naives.get(key, "-")]
        return _apart([machines.get(key) for key in keys], [naives.get(key) for key in keys]) + f" at {keys}"
    return f"{machines} for the machine, {naives} for the naive interpreter"


def followed(graph: dict[str, Any], world: World) -> Naive:
    """The naive interpreter, led through the graph by what went in. After each turn they agree."""
    naive = Naive(graph)
    before = 0
    for told in world.turns:
        naive.now = told.at
        lead(naive, told.input, world.run.events[before : told.events])
        before = told.events
        plain = {path: plain_status(status) for path, status in told.statuses.items()}
        same(plain, {path: node.status for path, node in naive.open_nodes}, f"other statuses after {before} events")
    return naive


def lead(naive: Naive, input: inputs.Input, events: list[ev.Event]) -> None:
    """One turn. What comes of a report of work is the naive interpreter's to say, when work has ended the machine's."""
    if naive.halted:
        return
    cancelled = [ref for event in events if isinstance(event, ev.NodesCancelled) for ref in event.runs]
    if isinstance(input, inputs.RunsRead):
        naive.turn_begins()
    naive.in_doubt.update((ref.path, ref.run) for ref in cancelled if ref.in_doubt)
    match input:
        case inputs.StartInstance():
            naive.begin()
        case inputs.ParkInstance() | inputs.PauseInstance() if events:
            naive.park()
        case inputs.ResumeInstance() | inputs.TimerFired(purpose="resume") if events:
            naive.resume()
        case inputs.SignalArrived(name=name, payload=payload, kind=kind):
            naive.signal(kind, name, json.loads(payload))
        case inputs.AdmissionGranted(path=path, run=run):
            naive.admit((path, run))
        case inputs.TimerFired(path=path, run=run, purpose="bodies") if events:
            naive.bodies_timer((path, run))
        case inputs.TimerFired(path=path, run=run, purpose="timeout") if events and naive.outlives((path, run)):
            naive.timeout((path, run))
        case _:
            for event in events:
                lead_by(naive, event)
            events = [event for event in events if not isinstance(event, ev.NodeCompensating)]
    for event in events:
        if isinstance(event, ev.NodeCompensating):
            naive.undo(event.path, event.run)
        if isinstance(event, (ev.NodeCompleted, ev.NodeFailed)) and event.fired == ():
            continue  # (the end of a repeating node is none of a run)
        if isinstance(event, End):
            assert (event.path, event.run) in naive.ended, f"{(event.path, event.run)} ended, for the machine alone"


def lead_by(naive: Naive, event: ev.Event) -> None:
    """What is not the graph's to say: that work has ended, or an attempt failed; and that runs to undo were read."""
    match event:
        case ev.NodeRetrying(path=path, run=run):
            naive.retried((path, run))
        case ev.NodeCompensating(path=path, run=run):
            naive.undo(path, run)
        case _ if isinstance(event, (End, ev.NodeFellBack)) and naive.works((event.path, event.run)):
            naive.turn((event.path, event.run))


def plain_status(status: str) -> str:
    """A run under way is one to the naive interpreter, whatever it waits for."""
    return "running" if status in ("ready", "waiting", "retrying") else status


def same_end(naive: Naive, key: Key, end: End) -> None:
    """One run's end, as the machine's event tells it."""
    mine: NaiveRun = naive.ended[key]
    assert sorted(end.fired) == sorted(mine.fired), f"other connections fired after {key}"
    if isinstance(end, (ev.NodeCompleted, ev.RunCompleted)):
        assert mine.status == "completed", key
        assert end.degraded == mine.degraded, f"{key} is degraded only for one of them"
        assert end.port == mine.port, (
            f"{key} left by {end.port} for the machine, by {mine.port} for the naive interpreter"
        )
    else:
        assert mine.status == "failed", key
        assert mine.error is not None
        assert end.error.type == mine.error["type"], f"another error of {key}"
        assert end.handled == bool(mine.fired)


def same_messages(naive: Naive, run: Run) -> None:
    """What each run of a node with an inbox took."""
    taken = {(event.path, event.run): event.taken for event in run.events if isinstance(event, ev.NodeActivated)}
    for (path, number), tokens in taken.items():
        mine = sorted((message.connection, message.run) for message in naive.decided[path, number])
        same(sorted((token.connection, token.run) for token in tokens), mine, f"run {number} of {path} took others")


def same_order(naive: Naive, run: Run) -> None:
    """What was taken, what began and what was skipped, each in the order in which the text has it decided."""
    taken = [(event.path, event.run) for event in run.events if isinstance(event, ev.NodeActivated)]
    same(taken, [key for key in naive.decided if key in set(taken)], "messages were taken in another order")
    begins = (
        ev.NodeReady | ev.NodeStarted | ev.NodeFellBack | End
    )  # (a run that fails before its task is ordered has an end alone)
    begun = dict.fromkeys((event.path, event.run) for event in run.events if isinstance(event, begins))
    same([*begun], naive.begun, "runs began in another order")
    skips = [skip.path for event in run.events if isinstance(event, ev.NodesSkipped) for skip in event.skips]
    same(skips, naive.skipped, "nodes were skipped in another order")


def same_bodies(naive: Naive, run: Run) -> None:
    """How bodies ended, what stopped with them, and what they set differently, each in the order of the text."""
    ended = [
        (f"{event.path}[{event.number}]", event.status) for event in run.events if isinstance(event, ev.ScopeEnded)
    ]
    same(ended, naive.scopes_ended, "bodies ended otherwise, or in another order")
    told = [event for event in run.events if isinstance(event, ev.VariablesConflict)]
    conflicts = [(f"{event.path}[{event.number}]", tuple(sorted(event.names))) for event in told]
    same(conflicts, naive.conflicts, "other variables were told to be set differently")
    cancelled = [ref.path for event in run.events if isinstance(event, ev.NodesCancelled) for ref in event.runs]
    same(cancelled, naive.cancelled, "nodes were cancelled in another order")


def same_failures(naive: Naive, run: Run) -> None:
    """What each failure led to, and what was undone, in order."""
    decided = []
    for event in run.events:
        if isinstance(event, ev.NodeFellBack):
            decided.append(("fallback", f"{event.path} {event.action}"))
        elif isinstance(event, (ev.NodeFailed, ev.RunFailed, ev.RoutingFailed)) and event.decision:
            decided.append((event.decision, event.path))
    same(decided, naive.decisions, "other decisions")
    undone = [
        (event.path, event.run, isinstance(event, ev.NodeCompensated))
        for event in run.events
        if isinstance(event, (ev.NodeCompensated, ev.NodeCompensationFailed))
    ]
    same(undone, naive.saga.told if naive.saga else [], "other runs were undone, or in another order")


def outputs(instance: Instance) -> dict[str, Any]:
    """The outputs of completed nodes, decoded and without what may differ."""
    pairs = zip(instance.plan.nodes, instance.nodes, strict=True)
    return {
        node.path: stable(json.loads(state.output))
        for node, state in pairs
        if state and state.status == "completed" and state.output is not None
    }


class Draw(NamedTuple):
    """Which graphs: plain ones, those with blocks, or every second one with (None). `weight`: how many blocks.

    `failures`: whether they say what failures mean (None: every third does).
    """

    blocks: bool | None = None
    weight: float = WEIGHT
    failures: bool | None = False

    def graph_of(self, seed: int) -> tuple[dict[str, Any], Random, int]:
        """Each seed gives a graph, and what happens to it."""
        random = Random(seed)
        policy = random.choice(("continue", "continue", "fail_fast"))
        blocks = seed % 2 == 1 if self.blocks is None else self.blocks
        graph = random_block_graph(random, policy, self.weight) if blocks else random_graph(random, policy)
        unkind = random.choice((0, 0, 3, 10))
        if seed % 3 == 2 if self.failures is None else self.failures:
            failing(Random(f"{seed}/failures"), graph, blocks)
        return graph, random, unkind

    def differing(self, seeds: range) -> list[tuple[int, str]]:
        """The seeds for which machine and naive interpreter differ, each with what was noticed."""
        noticed = ((seed, difference(*self.graph_of(seed))) for seed in seeds)
        return [(seed, words) for seed, words in noticed if words]


def difference(graph: dict[str, Any], random: Random, unkind: int) -> str | None:
    """What is noticed first where the two differ, in a line."""
    try:
        compare(graph, random, unkind)
    except Exception as error:
        words = (str(error).strip() or repr(error)).splitlines()
        return f"{type(error).__name__}: {words[0]}"
    return None


def main() -> None:
    """Graph after graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--blocks", action=argparse.BooleanOptionalAction, help="without it, every second graph has")
    parser.add_argument("--weight", type=float, default=WEIGHT, help="how many nodes become blocks, from 0 to 1")
    parser.add_argument(
        "--failures",
        action=argparse.BooleanOptionalAction,
        help="policies, fallbacks, undo; without it, every third graph",
    )
    arguments = parser.parse_args()
    draw = Draw(arguments.blocks, arguments.weight, arguments.failures)
    last = arguments.seed + arguments.graphs
    if arguments.graphs == 1 and draw.differing(range(arguments.seed, last)):
        print("The smallest graph that differs:\n", *shrunk(draw.graph_of(arguments.seed)[0], difference), sep="\n")
    blocks = [range(first, min(first + BLOCK, last)) for first in range(arguments.seed, last, BLOCK)]
    again = "".join(f" {word}" for word in sys.argv[1:] if word in AS_TOLD)
    found = []
    with ProcessPoolExecutor(arguments.workers) as workers:
        for block in workers.map(draw.differing, blocks):
            found += block
            for seed, words in block:
                print(f"seed {seed} differs: {words} (again with --seed {seed} --graphs 1{again})", flush=True)
    if found:
        raise SystemExit(f"{arguments.graphs} graphs, {len(found)} differences, the first at seed {found[0][0]}")
    print(f"{arguments.graphs} graphs, no difference")


if __name__ == "__main__":
    main()
