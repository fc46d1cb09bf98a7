"""What became of bodies, from the journal: those that have ended are in no state any more, but their history can be read.

The journal is folded from its first row on, which is exact and costs as much as it is long. Nothing of a body is kept but
of the one that is asked for, and a few counts.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mainspring.cli import places
from mainspring.cli.reading import opened, plan_of
from mainspring.engine.result import NodeResults, Recorded, recorded
from mainspring.journal.looking_back import Moment
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from mainspring.machine.fold import fold
from mainspring.machine.instance import Instance, PlanNeeded
from mainspring.machine.scope import BodyScope
from mainspring.machine.values import leaf_outputs

PAGE = 1_000

FAILED_KEPT_MAX = 10
"""Of the bodies that failed, so many are kept by their addresses for each block."""

_NUMBER = re.compile(r"\[\d+\]")


@dataclass
class Fates:
    """What became of the bodies of a block, all of its runs together; of one in a body, those in all these bodies."""

    begun: int = 0
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    errors: list[tuple[str, ev.ErrorRecord]] = field(default_factory=list)

    @property
    def open(self) -> int:
        """How many are under way."""
        return self.begun - self.completed - self.failed - self.stopped

    def end(self, event: ev.ScopeEnded) -> None:
        """One has ended."""
        self.completed += event.status == "completed"
        self.failed += event.status == "failed"
        self.stopped += event.status == "cancelled"
        if event.error is not None and len(self.errors) < FAILED_KEPT_MAX:
            self.errors.append((f"{event.path}[{event.number}]", event.error))


@dataclass
class BodyResult:
    """One body, whether or not it is still open. `status`: open, completed, failed or cancelled. Times are in UTC
    milliseconds."""

    address: str
    status: str
    input: Any
    nodes: NodeResults
    started_at: int
    ended_at: int | None = None
    output: Any = None
    error: ev.ErrorRecord | None = None


async def fates(store: Store, id: str, until: Moment | None = None) -> dict[str, Fates]:
    """By block, those in bodies without their numbers (`loop[].inner`), in the order in which the first of each began."""
    found: dict[str, Fates] = {}
    async for one in _events(store, id, until):
        event = one.event
        if isinstance(event, ev.ScopeStarted):
            found.setdefault(place_of(event.path), Fates()).begun += 1
        elif isinstance(event, ev.ScopeEnded):
            found[place_of(event.path)].end(event)
    return found


async def is_longer(store: Store, id: str, rows: int) -> bool:
    """Whether the journal has more rows than that."""
    page = await store.turns(id, after=rows, limit=1)
    return page is not None and bool(page.rows)


async def body_at(url: str, wanted: str, address: str, until: Moment | None = None) -> BodyResult | None:
    """The body of this address, as it was when it ended or as it stands; None where there was none. Raises StoreCorrupt."""
    async with opened(url) as store:
        record = await places.resolve(store, wanted)
        instance = Instance(await plan_of(store, record.version), record.id)
        began = 0
        async for one in _events(store, record.id, until):
            event = one.event
            if isinstance(event, ev.ScopeStarted) and f"{event.path}[{event.number}]" == address:
                began = one.at
            elif isinstance(event, ev.ScopeEnded) and f"{event.path}[{event.number}]" == address:
                return _ended(instance.open[address], event, began, one.at)
            try:
                fold(instance, event, one.at)
            except PlanNeeded as needed:
                plan = await plan_of(store, needed.version)
                instance.plans = lambda version, plan=plan: plan  # type: ignore[misc]  # the one that is gone over to now
                fold(instance, event, one.at)
        scope = instance.open.get(address)
        return None if scope is None else _body(scope, "open", began)


def _ended(scope: BodyScope, event: ev.ScopeEnded, began: int, at: int) -> BodyResult:
    body = _body(scope, event.status, began)
    body.ended_at, body.error = at, event.error
    if event.status == "completed":
        body.output = msgspec.json.decode(event.output if event.mapped else leaf_outputs(scope))
    return body


def _body(scope: BodyScope, status: str, began: int) -> BodyResult:
    return BodyResult(scope.address, status, msgspec.json.decode(scope.input), NodeResults(scope), began)


async def _events(store: Store, id: str, until: Moment | None = None) -> AsyncIterator[Recorded]:
    """All of them, or those up to a moment."""
    after = 0
    while True:
        page = await store.turns(id, after=after, limit=PAGE)
        if page is None or not page.rows:
            return
        after = page.rows[-1].seq
        for one in recorded(page):
            if until is not None and until.is_before(one.seq, one.index):
                return
            yield one


def place_of(path: str) -> str:
    """A path without the numbers of the bodies in it."""
    return _NUMBER.sub("[]", path)
