"""Nodes in bodies, for pipes and logs: told from the journal, because a body that has ended has left memory.

Only what is good to read, and at a cost that no loop can raise: the first few bodies of each loop are told node by node,
a page of the journal at a time; an instance that is quicker than that is counted instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mainspring.engine.result import NodeResult, recorded
from mainspring.graph.plan import PlanNode
from mainspring.journal.records import Loaded
from mainspring.machine import events as ev
from mainspring.machine.instance import Instance
from mainspring.machine.scope import BodyScope, Scope

BODIES_TOLD_MAX = 3
"""The nodes of so many bodies of each loop are told. Of branches all are."""

LINES_MAX = 200
"""So many lines for nodes in bodies, at most."""

ROWS_A_LOOK = 200
ROWS_BACK = 1_000
ROWS_READ_MAX = 5_000
"""After so many rows of the journal no more of it is read."""


class Journal(Protocol):
    """What is asked of a store."""

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of an instance's rows."""
        ...


class BodyLines:
    """Which nodes in bodies have ended since the last look. What ended before `began` was told by an earlier session.

    `row` is the one after which the instance stands now; it may have gone on since this session began. The bodies that are
    told stand in `_open` while they are under way; of all others not even their names are kept.
    """

    def __init__(self, instance: Instance, row: int, began: int) -> None:
        self._instance = Instance(instance.plan, instance.id)  # holds no state: paths are looked up in its scopes
        self._after = max(row - ROWS_BACK, 0)
        self._began_at = began
        self._rows_left = ROWS_READ_MAX if any(node.nests for node in instance.plan.nodes) else 0
        self._lines_left = LINES_MAX
        self._open: dict[str, BodyScope] = {}
        self._first: dict[tuple[str, int], int] = {}
        self._fell_back: set[tuple[str, int]] = set()
        for body in instance.open.values():  # of an instance that goes on; those further out come first
            block = body.of
            of = body.parent.path(body.owner), block.run
            self._first[of] = block.first
            if block.stands_in:
                self._fell_back.add(of)
            self._open_body(body.parent.path(body.owner), block.first + body.index, body.index, block.stands_in)

    async def read(self, journal: Journal) -> list[NodeResult] | None:
        """What is to be told now; None: there is nothing more for now, or ever."""
        if self._rows_left <= 0 or self._lines_left <= 0:
            return None
        page = await journal.turns(self._instance.id, after=self._after, limit=ROWS_A_LOOK)
        if page is None or not page.rows:
            return None
        self._rows_left -= len(page.rows)
        self._after = page.rows[-1].seq
        found = [node for one in recorded(page) for node in self._ended(one.event, one.at)][: self._lines_left]
        self._lines_left -= len(found)
        return found

    def _ended(self, event: ev.AnyEvent, at: int) -> Iterator[NodeResult]:
        match event:
            case ev.ScopeStarted():
                self._began(event)
            case ev.NodeFellBack():
                self._falls_back(event)
            case ev.ScopeEnded():
                self._open.pop(f"{event.path}[{event.number}]", None)
            case ev.NodeStarted():
                self._set(event.path, attempt=event.attempt, started_at=at)
            case ev.NodeCompleted():
                yield from self._over(event.path, at, status="completed", port=event.port, cached=event.cached)
            case ev.NodeFailed():
                yield from self._over(event.path, at, status="failed", error=event.error, handled=event.handled)
            case ev.NodesSkipped():
                for skip in event.skips:
                    yield from self._over(skip.path, at, status="skipped", reason=skip.reason, because=skip.because)
            case ev.NodesCancelled():
                for ref in event.runs:
                    yield from self._over(ref.path, at, status="cancelled", reason=event.reason)
            case _:  # it ends no node
                pass

    def _began(self, event: ev.ScopeStarted) -> None:
        first = self._first.setdefault((event.path, event.run), event.number)
        self._open_body(event.path, event.number, event.number - first, (event.path, event.run) in self._fell_back)

    def _falls_back(self, event: ev.NodeFellBack) -> None:
        """From here on the bodies of this run are what stands in for it."""
        of = event.path, event.run
        if of not in self._fell_back:
            self._fell_back.add(of)
            self._first.pop(of, None)

    def _open_body(self, path: str, number: int, index: int, stands_in: bool) -> None:
        """A body is told where the one around it is, and where it is one of the first of its loop."""
        found = self._find(path)
        if found is None:
            return
        scope, node = found
        scope.state(node).bodies = number + 1
        if stands_in or len(node.bodies) > 1 or number < BODIES_TOLD_MAX:
            body = BodyScope(scope, node, number, index, stands_in)
            self._open[body.address] = body

    def _over(self, path: str, at: int, **ended: object) -> Iterator[NodeResult]:
        if "[" in path and at >= self._began_at:  # the instance's own nodes are told by others
            found = self._set(path, ended_at=at, **ended)
            if found is not None:
                yield NodeResult(*found)

    def _set(self, path: str, **values: object) -> tuple[Scope, PlanNode] | None:
        found = self._find(path)
        if found is not None:
            state = found[0].state(found[1])
            for name, value in values.items():
                setattr(state, name, value)
        return found

    def _find(self, path: str) -> tuple[Scope, PlanNode] | None:
        address, _, id = path.rpartition(".")
        if not address or path in self._instance.plan.by_id:  # an id may have a point in it
            return self._instance, self._instance.plan.by_id[path]
        scope = self._open.get(address)
        node = None if scope is None else scope.graph.by_id.get(id)
        return None if scope is None or node is None else (scope, node)
