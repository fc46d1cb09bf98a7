"""The runs that a saga may have to undo, found in an instance's rows from the last to the first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from mainspring.graph.plan import Plan, PlanNode
from mainspring.graph.plan_undo import Undo, is_undone, node_at
from mainspring.journal.codec import Body
from mainspring.machine import events as ev
from mainspring.machine.inputs import RunsRead
from mainspring.machine.instance import Instance

OUTPUTS_BYTES_MAX = 1024 * 1024
"""A page has no more of outputs than this; or a single run, whose output is larger."""


class Page:
    """A page that is being filled, of at most `runs_max` runs. It begins before place `index` of row `row` (row 0: at the
    journal's end)."""

    def __init__(self, instance: Instance, row: int, index: int, runs_max: int) -> None:
        self._plan = instance.plan
        self._children = instance.undoing_children
        self._from = (row, index)
        self._runs_max = runs_max
        self._runs: list[ev.Done] = []
        self._outputs: list[bytes] = []
        self._bytes = 0

    def add(self, row: int, body: Body) -> RunsRead | None:
        """What this row has, which comes right before those added so far. The page, where it is full by that."""
        events: Sequence[ev.Event] = body.events
        if row == self._from[0]:
            events = events[: self._from[1]]
        for index in range(len(events) - 1, -1, -1):
            found = list(ended(self._plan, self._children, events[index]))
            size = sum(len(output) for *_, output in found)
            full = len(self._runs) + len(found) > self._runs_max or self._bytes + size > OUTPUTS_BYTES_MAX
            if found and full and self._runs:
                return self.done(row, index + 1)
            for path, run, how, output in reversed(found):
                self._runs.append(ev.Done(path, run, row, index, how))
                self._outputs.append(output)
            self._bytes += size
        return None

    def done(self, row: int = 0, index: int = 0) -> RunsRead:
        """The page as it is; the next begins before this place (row 0: there is none)."""
        return RunsRead(
            row=self._from[0],
            index=self._from[1],
            runs=tuple(self._runs),
            outputs=tuple(self._outputs),
            next_row=row,
            next_index=index,
        )


def ended(plan: Plan, children: Collection[str], event: ev.Event) -> Iterator[tuple[str, int, str, bytes]]:
    """The runs whose end this event is and that a saga undoes: path, run, how it ended, output."""
    match event:
        case ev.NodeCompleted() | ev.RunCompleted():
            node, undo = _of(plan, children, event.path)
            if undo is not None and node.repeating == isinstance(event, ev.RunCompleted):
                yield event.path, event.run, "completed", bytes(event.output)
        case ev.NodeFailed() | ev.RunFailed():
            node, undo = _of(plan, children, event.path)
            if undo is not None and undo.failed and node.repeating == isinstance(event, ev.RunFailed):
                yield event.path, event.run, "failed", b"null"
        case ev.NodesCancelled(runs=runs):
            for ref in runs:
                undo = _of(plan, children, ref.path)[1] if ref.in_doubt else None
                if undo is not None and undo.in_doubt:
                    yield ref.path, ref.run, "cancelled", b"null"
        case _:
            pass


def _of(plan: Plan, children: Collection[str], path: str) -> tuple[PlanNode, Undo | None]:
    """The node at a path, and what undoes it."""
    node = node_at(plan, path)
    return (plan.nodes[0], None) if node is None else (node, node.undo if is_undone(node.undo, children) else None)
