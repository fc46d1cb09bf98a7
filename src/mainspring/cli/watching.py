"""What is shown while an instance runs: looked at by a timer, so that it costs the engine the same however fast it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mainspring.cli.look import Screen, cells
from mainspring.cli.node_lines import PATH_MAX, node_line
from mainspring.cli.words import count, duration, now_ms
from mainspring.engine.result import NodeResult
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import NODE_FINAL

EACH_NODE_MAX = 500
"""In a larger graph only failures have lines of their own, and each tenth of the whole."""


Progress = dict[str, tuple[float, str]]


class View(Protocol):
    """What a run is shown on. All calls come from the event loop. `told`: the nodes whose end stays to be read."""

    told: set[str]

    def begin(self, workflow: str, instance: Instance | None, id: str, began: int) -> None:
        """It has started; what ended earlier than `began` was done by an earlier session."""
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

    def begin(self, workflow: str, instance: Instance | None, id: str, began: int) -> None:
        """Nothing."""

    def tick(self, instance: Instance, progress: Progress) -> None:
        """Nothing."""

    def end(self, instance: Instance | None) -> None:
        """Nothing."""


@dataclass
class Tally:
    """Where an instance stands, in one pass over its nodes."""

    total: int = 0
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    retries: int = 0
    busy: list[int] = field(default_factory=list)


def done_before(instance: Instance, began: int) -> set[int]:
    """The nodes that an earlier session finished. A quick one of this session may be done before anybody looks."""
    return {
        index
        for index, state in enumerate(instance.nodes)
        if state is not None and state.status in NODE_FINAL and state.ended_at < began
    }


def tally(instance: Instance) -> Tally:
    """Count. `busy` lists the numbers of nodes that are under way, as many as anybody could show."""
    found = Tally(total=instance.plan.on_graph, done=instance.finished)
    for index, state in enumerate(instance.nodes):
        if state is None:
            continue
        if state.attempt > 1:
            found.retries += state.attempt - 1
        status = state.status
        if status == "running":
            found.running += 1
        elif status in ("waiting", "gathering", "retrying", "ready"):
            found.waiting += 1
        else:
            found.failed += status == "failed"
            continue
        if len(found.busy) < 200:
            found.busy.append(index)
    return found


class Lines:
    """For pipes and logs: a line for each node as it ends. Nothing is ever redrawn."""

    def __init__(self, screen: Screen) -> None:
        self.told: set[str] = set()
        self._screen = screen
        self._seen: set[int] = set()
        self._retried: dict[int, int] = {}
        self._tenth = 0
        self._began = now_ms()
        self._width = 0

    def begin(self, workflow: str, instance: Instance | None, id: str, began: int) -> None:
        """The header; what was done before is not told again."""
        self._screen.line(f"{workflow}  {id}")
        if instance is not None:
            self._seen = done_before(instance, began)
            if self._seen:
                self._screen.line(f"  {count(len(self._seen), 'node')} of {instance.plan.on_graph} done before")
        self._screen.flush()

    def tick(self, instance: Instance, progress: Progress) -> None:
        """What is new since the last time."""
        self._show(instance)

    def end(self, instance: Instance | None) -> None:
        """What is left to tell."""
        if instance is not None:
            self._show(instance)

    def _show(self, instance: Instance) -> None:
        fresh: list[int] = []
        for index, state in enumerate(instance.nodes):
            if state is None or index in self._seen:
                continue
            if state.status in NODE_FINAL:
                self._seen.add(index)
                fresh.append(index)
            elif state.status == "retrying" and self._retried.get(index) != state.failures:
                self._retried[index] = state.failures
                fresh.append(index)
        if fresh:
            self._tell(instance, fresh)
            self._screen.flush()

    def _tell(self, instance: Instance, fresh: list[int]) -> None:
        nodes = instance.plan.nodes
        states = instance.nodes
        self._width = self._width or min(max(cells(node.path) for node in nodes[:EACH_NODE_MAX]), PATH_MAX)
        fresh.sort(key=lambda index: getattr(states[index], "ended_at", 0) or now_ms())
        every = len(nodes) <= EACH_NODE_MAX
        for index in fresh:
            node = NodeResult(nodes[index].path, states[index])
            if every or node.status in ("failed", "compensation_failed"):
                node_line(self._screen, node, self._width)
                if node.status in NODE_FINAL:
                    self.told.add(node.path)
        tenth = instance.finished * 10 // max(instance.plan.on_graph, 1)
        if not every and tenth > self._tenth:
            self._tenth = tenth
            took = duration(now_ms() - self._began)
            self._screen.line(
                f"  {instance.finished:,} of {instance.plan.on_graph:,} nodes ({tenth * 10}%) after {took}"
            )
