"""What is shown while an instance runs: looked at by a timer, so that it costs the engine the same however fast it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mainspring.cli.body_lines import Journal
from mainspring.cli.body_words import Budget, body_states
from mainspring.graph.plan import Plan
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import NODE_FINAL

Progress = dict[str, tuple[float, str]]


class View(Protocol):
    """What a run is shown on. All calls come from the event loop. `told`: the nodes whose end stays to be read."""

    told: set[str]

    def begin(self, workflow: str, id: str, began: int) -> None:
        """It has started; what ended earlier than `began` was done by an earlier session."""
        ...

    def seen(self, instance: Instance, row: int) -> None:
        """It is in memory, as it stands after this row of its journal: what comes later is told by this session."""
        ...

    async def read(self, journal: Journal) -> bool:
        """Look into the journal, for what no tick may see. Whether there may be more to read."""
        ...

    def tick(self, instance: Instance, progress: Progress) -> None:
        """Some time has passed."""
        ...

    def end(self, instance: Instance | None) -> None:
        """It is over; `instance` is its last state, where it was seen."""
        ...


class NoView:
    """For --quiet and --json."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def begin(self, workflow: str, id: str, began: int) -> None:
        """Nothing."""

    def seen(self, instance: Instance, row: int) -> None:
        """Nothing."""

    async def read(self, journal: Journal) -> bool:
        """Nothing."""
        return False

    def tick(self, instance: Instance, progress: Progress) -> None:
        """Nothing."""

    def end(self, instance: Instance | None) -> None:
        """Nothing."""


@dataclass
class Tally:
    """Where an instance stands, in one pass over its nodes and some of those in bodies. `busy` has only its own."""

    total: int = 0
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    retries: int = 0
    busy: list[int] = field(default_factory=list)

    def under_way(self, status: str, block: bool) -> bool:
        """Count a node that is; a block is what its bodies are. Whether it was one."""
        if status not in ("running", "waiting", "gathering", "retrying", "ready"):
            return False
        if status == "running":
            self.running += 1
        elif not block:
            self.waiting += 1
        return True


def done_before(instance: Instance, began: int) -> set[int]:
    """The nodes that an earlier session finished. A quick one of this session may be done before anybody looks."""
    return {
        index
        for index, state in enumerate(instance.nodes)
        if state is not None and state.status in NODE_FINAL and state.ended_at < began
    }


def renumbered(before: Plan, now: Plan) -> dict[int, int]:
    """What the numbers of nodes have become in another version of the workflow. One that is gone has none."""
    return {node.index: now.by_id[node.id].index for node in before.nodes if node.id in now.by_id}


def tally(instance: Instance) -> Tally:
    """Count. `busy` lists the numbers of nodes that are under way, as many as anybody could show."""
    found = Tally(total=instance.plan.on_graph, done=instance.finished)
    for index, state in enumerate(instance.nodes):
        if state is None:
            continue
        if state.attempt > 1:
            found.retries += state.attempt - 1
        found.failed += state.status == "failed"
        if found.under_way(state.status, index in instance.blocks) and len(found.busy) < 200:
            found.busy.append(index)
    for scope, node, status in body_states(instance, Budget()):
        found.under_way(status, node.index in scope.blocks)
    return found
