"""A workflow 20 wide under injected failures, and an oracle of its own for which instances are terminated.

`python -m tests.engine.wide` has the long form: 50 instances at once whose nodes wait 50 ms each, and 1,000 runs of the
machine in random orders; it prints the wall time against the critical path, and beside it what coroutines of asyncio need
that only sleep, in the same run.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from fractions import Fraction
from typing import Any

import mainspring as ms
from mainspring.machine import events as ev
from tests.machine.harness import Run

WIDTH = 20
CRITICAL = 4
THRESHOLD = 0.1
FAILING = 0.15

Failures = dict[str, frozenset[int]]
"""Which of the nodes fail, by the key of the instance."""


class Work:
    """The nodes' work: it waits, and fails where that was drawn."""

    def __init__(self, failures: Failures, wait: float) -> None:
        self.failures = failures
        self.wait = wait

    def workflow(self) -> ms.Workflow:
        """One node, then 20 side by side, then one that any end of them starts."""

        async def work(key: str, node: int = -1) -> str:
            await asyncio.sleep(self.wait)
            if node in self.failures.get(key, ()):
                raise ValueError(f"node {node} of {key} fails")
            return key

        ms.task(name="wide_work")(work)
        given = {"key": "${ input.key }"}
        wide = [
            ms.Node(
                f"n{index}",
                "function",
                config={"handler": "wide_work"},
                input={**given, "node": index},
                depends_on=["first"],
                resilience=ms.Resilience(is_critical=index < CRITICAL),
            )
            for index in range(WIDTH)
        ]
        return ms.Workflow(
            "wide",
            nodes=[
                ms.Node("first", "function", config={"handler": "wide_work"}, input=given),
                *wide,
                ms.Node(
                    "last",
                    "function",
                    config={"handler": "wide_work"},
                    input=given,
                    depends_on=[node.said["id"] for node in wide],
                ),
            ],
            failure_policy="partial_success",
            termination_threshold=THRESHOLD,
        )


def drawn(seed: int, instances: int) -> Failures:
    """Failures of 15 % of the nodes."""
    chance = random.Random(seed)
    return {
        f"i{number}": frozenset(index for index in range(WIDTH) if chance.random() < FAILING)
        for number in range(instances)
    }


def terminated_by_rule(failures: Failures) -> set[str]:
    """The oracle: those in which the failed critical nodes are a tenth of all 22, or more."""
    return {
        key
        for key, failing in failures.items()
        if (bad := sum(1 for index in failing if index < CRITICAL)) and Fraction(bad, WIDTH + 2) >= Fraction(1, 10)
    }


async def run_all(failures: Failures, wait: float) -> tuple[set[str], float]:
    """The keys of the instances that were terminated, and the seconds that all of them took."""
    workflow = Work(failures, wait).workflow()
    async with ms.Engine("memory:") as engine:
        await (await engine.start(workflow, input={"key": "before"}, key="before")).result()
        began = time.perf_counter()
        runs = await asyncio.gather(*(engine.start(workflow, input={"key": key}, key=key) for key in failures))
        results = await asyncio.gather(*(run.result() for run in runs))
        took = time.perf_counter() - began
    ended = zip(failures, results, strict=True)
    return {key for key, one in ended if any(node.decision == "terminate" for node in one.nodes.values())}, took


async def only_sleep(instances: int, wait: float) -> float:
    """The seconds that the same waits take in bare coroutines, a task each: what no engine on this loop can be below."""

    async def work() -> None:
        await asyncio.sleep(wait)

    async def instance() -> None:
        await asyncio.create_task(work())
        await asyncio.gather(*(asyncio.create_task(work()) for _ in range(WIDTH)))
        await asyncio.create_task(work())

    began = time.perf_counter()
    await asyncio.gather(*(asyncio.create_task(instance()) for _ in range(instances)))
    return time.perf_counter() - began


async def begun_while_deciding(instances: int) -> list[int]:
    """All first nodes end at the same time. At each start of a wide node: how many instances have decided on theirs."""
    gate, at_gate, decided = asyncio.Event(), [0], []

    async def work(key: str, node: int = -1) -> None:
        if node == -1:
            at_gate[0] += 1
            if at_gate[0] == instances:
                gate.set()
            await gate.wait()
        else:
            ended = (result.nodes["first"].status == "completed" for one in keys if (result := engine.peek(one)))
            decided.append(sum(ended))

    ms.task(name="wide_gated")(work)
    given = {"key": "${ input.key }"}
    how: dict[str, Any] = {"config": {"handler": "wide_gated"}}
    wide = [
        ms.Node(f"n{index}", "function", input={**given, "node": index}, depends_on=["first"], **how)
        for index in range(WIDTH)
    ]
    workflow = ms.Workflow("gated", nodes=[ms.Node("first", "function", input=given, **how), *wide])
    keys = [f"gated:k{number}" for number in range(instances)]
    async with ms.Engine("memory:") as engine:
        runs = [await engine.start(workflow, input={"key": key}, key=key.partition(":")[2]) for key in keys]
        for run in runs:
            assert (await run.result()).status == "completed"
    return decided


def run_in_random_order(seed: int) -> None:
    """One run of the machine: reports in any order, and no node starts before all that it follows have ended."""
    chance = random.Random(seed)
    failing = drawn(seed, 1)["i0"]
    plan_of = Work({}, 0).workflow().workflow
    from mainspring.graph.plan import Plan

    run = Run(Plan(plan_of, "v1"))
    run.start({"key": "i0"})
    while run.status == "running":
        id = chance.choice([id for id, status in run.nodes.items() if status == "running"])
        if id.startswith("n") and int(id[1:]) in failing:
            run.fail(id)
        else:
            run.finish(id)
    ended: set[str] = set()
    for event in run.events:
        if isinstance(event, ev.NodeStarted):
            sources = {run.plan.nodes[edge.source].id for edge in run.plan.by_id[event.path].incoming}
            assert sources <= ended, f"{event.path} started before {sources - ended} had ended"
        elif isinstance(event, (ev.NodeCompleted, ev.NodeFailed)):
            ended.add(event.path)
    by_rule = bool(terminated_by_rule({"i0": failing}))
    assert by_rule == any(state is not None and state.decision == "terminate" for state in run.instance.nodes)


def main() -> None:
    """The long form."""
    for seed in range(1_000):
        run_in_random_order(seed)
    print("1,000 simulated runs: dependency order right, terminations those of the oracle")
    print("50 instances at once, in turns with bare coroutines; times of the critical path of 150 ms:")
    ours, bare = [], []
    for seed in (SEED, *range(2, 2 + RUNS)):
        failures = drawn(seed, 50)
        found, took = asyncio.run(run_all(failures, 0.05))
        assert found == terminated_by_rule(failures)
        assert len(found) < 5
        ours.append(took / 0.15)
        bare.append(asyncio.run(only_sleep(50, 0.05)) / 0.15)
    for name, values in (("engine", ours), ("bare", bare), ("ratio", [a / b for a, b in zip(ours, bare, strict=True)])):
        least, quarter, half = sorted(values)[0], sorted(values)[len(values) // 4], statistics.median(values)
        print(f"  {name:7} least {least:.3f}, a quarter below {quarter:.3f}, half below {half:.3f}")


RUNS = 40
SEED = next(seed for seed in range(10_000) if 1 < len(terminated_by_rule(drawn(seed, 50))) < 5)

if __name__ == "__main__":
    main()
