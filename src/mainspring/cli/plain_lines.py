"""Progress for pipes and logs: a line for each node as it ends. Nothing is ever redrawn."""

from __future__ import annotations

from itertools import islice

from mainspring.cli.body_lines import BODIES_TOLD_MAX, BodyLines, Journal
from mainspring.cli.look import Screen, cells
from mainspring.cli.node_lines import PATH_MAX, node_line, told_errors
from mainspring.cli.watching import Progress, done_before, renumbered
from mainspring.cli.words import count, duration, now_ms
from mainspring.engine.result import NodeResult
from mainspring.graph.plan import Plan
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.lifecycle import NODE_FINAL

EACH_NODE_MAX = 500
"""In a larger graph only failures have lines of their own, and each tenth of the whole."""

COUNTED_FIRST_MS = 2_000
COUNTED_GROWTH = 1.5
"""How far a block is, is told after two seconds, and then at intervals that grow: a day of it makes thirty lines."""

FAILED_BODIES_MAX = 10
"""So many bodies that failed are told of each block; the rest are counted."""


UNDONE = frozenset(("compensated", "compensation_failed"))


def _when(state: NodeState | None) -> tuple[int, int]:
    """What sorts nodes by their ends. Of those that were undone within one millisecond the one that began last came first."""
    if state is None or not state.ended_at:
        return now_ms(), 0
    return state.ended_at, -state.started_at if state.status in UNDONE else 0


class Lines:
    """Blocks are told as they go on; of what is in bodies the first few are told node by node (`body_lines`)."""

    def __init__(self, screen: Screen) -> None:
        self.told: set[str] = set()
        self._screen = screen
        self._seen: set[int] = set()
        self._retried: dict[int, int] = {}
        self._plan: Plan | None = None
        self._tenth = 0
        self._began = self._session = now_ms()
        self._width = 0
        self._bodies: BodyLines | None = None
        self._failed: dict[int, int] = {}
        self._counted: dict[int, tuple[int, float]] = {}

    def begin(self, workflow: str, id: str, began: int) -> None:
        """The header."""
        self._session = began
        self._screen.line(f"{workflow}  {id}")
        self._screen.flush()

    def seen(self, instance: Instance, row: int) -> None:
        """From here on the journal is read. What was done before is not told again."""
        self._seen = done_before(instance, self._session)
        if self._seen:
            self._screen.line(f"  {count(len(self._seen), 'node')} of {instance.plan.on_graph} done before")
            self._screen.flush()
        self._columns(instance)
        self._bodies = BodyLines(instance, row, self._session)

    async def read(self, journal: Journal) -> bool:
        """The nodes in bodies that have ended."""
        ended = None if self._bodies is None else await self._bodies.read(journal)
        for node in ended or ():
            node_line(self._screen, node, self._width)
        if ended:
            self._screen.flush()
        return ended is not None

    def tick(self, instance: Instance, progress: Progress) -> None:
        """What is new since the last time."""
        self._show(instance)

    def end(self, instance: Instance | None) -> None:
        """What is left to tell."""
        if instance is not None:
            self._show(instance)

    def _keep_up(self, instance: Instance) -> None:
        """It may have gone over to another version, where nodes have other numbers. Bodies are only counted from then on."""
        if self._plan is not None and self._plan is not instance.plan:
            to = renumbered(self._plan, instance.plan)
            self._seen = {to[index] for index in self._seen if index in to}
            self._retried = {to[index]: one for index, one in self._retried.items() if index in to}
            self._failed = {to[index]: one for index, one in self._failed.items() if index in to}
            self._counted = {to[index]: one for index, one in self._counted.items() if index in to}
            self._width, self._bodies = 0, None
            self._screen.line("  goes on by another version of its workflow")
        self._plan = instance.plan

    def _show(self, instance: Instance) -> None:
        self._keep_up(instance)
        for index in instance.blocks:
            self._block(instance, NodeResult(instance, instance.plan.nodes[index]), index)
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

    def _block(self, instance: Instance, node: NodeResult, index: int) -> None:
        """A block under way: the bodies that failed since, and now and then how far it is."""
        self._failures(instance, node, index)
        if len(instance.plan.nodes[index].bodies) > 1:
            return  # branches are few, and told node by node
        now = now_ms()
        last, interval = self._counted.setdefault(index, (node.started_at or now, COUNTED_FIRST_MS))
        if now - last >= interval:
            self._counted[index] = (now, interval * COUNTED_GROWTH)
            node_line(self._screen, node, self._columns(instance))
            self._screen.flush()

    def _failures(self, instance: Instance, node: NodeResult, index: int) -> None:
        before = self._failed.get(index, 0)
        if before >= FAILED_BODIES_MAX:
            return
        fresh = list(islice(node.body_errors(), before, FAILED_BODIES_MAX))
        self._failed[index] = before + len(fresh)
        told_errors(self._screen, fresh)
        if self._failed[index] == FAILED_BODIES_MAX:
            self._screen.line(f"    … further bodies of {node.path} that fail are counted only")

    def _tell(self, instance: Instance, fresh: list[int]) -> None:
        nodes = instance.plan.nodes
        states = instance.nodes
        width = self._columns(instance)
        fresh.sort(key=lambda index: _when(states[index]))
        every = len(nodes) <= EACH_NODE_MAX
        for index in fresh:
            node = NodeResult(instance, nodes[index])
            if nodes[index].bodies:
                self._failures(instance, node, index)
            if every or node.status in ("failed", "compensation_failed"):
                node_line(self._screen, node, width)
                if node.status in NODE_FINAL:
                    self.told.add(node.path)
        tenth = instance.finished * 10 // max(instance.plan.on_graph, 1)
        if not every and tenth > self._tenth:
            self._tenth = tenth
            took = duration(now_ms() - self._began)
            self._screen.line(
                f"  {instance.finished:,} of {instance.plan.on_graph:,} nodes ({tenth * 10}%) after {took}"
            )

    def _columns(self, instance: Instance) -> int:
        """How wide the paths are: `place` is the path of a node in a body, but for the numbers."""
        if not self._width:
            nodes = islice(instance.plan.everywhere(), EACH_NODE_MAX)
            digit = len(str(BODIES_TOLD_MAX - 1))
            widths = (cells(node.place) + digit * node.place.count("[]") for node in nodes)
            self._width = min(max(widths, default=0), PATH_MAX)
        return self._width
