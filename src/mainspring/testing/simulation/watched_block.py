"""A block in one of its runs, as the auditor follows it: its bodies, what they gave, and what becomes of it by that.

Written from docs/semantics-blocks.md, "How a body ends" and "What expressions see in a body".
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mainspring.testing.simulation.expressions import Look, Raises, evaluate, fill, text
from mainspring.testing.simulation.oracle import Graph
from mainspring.testing.simulation.watched_scope import WatchedScope

PASSES_MAX = 1_000
SEVERAL = frozenset({"parallel", "race"})
LISTING = frozenset({"forEach", "parallel"})


class End(Struct, frozen=True):
    """How a block must end: with an output by a port, or with an error of which these fields are known."""

    output: Any = None
    port: str | None = None
    error: dict[str, Any] | None = None


def fails(type: str, **more: Any) -> End:
    """It must fail so."""
    return End(error={"type": type, **more})


class WatchedBlock:
    """`first` is the number of its first body in addresses; bodies are known by their index in this run, from 0.

    `results` are the outputs of the bodies that completed, `errors` those of the failed in the order of their ends, `ended`
    says of every body that ended how. `spans` says between which ticks a body was open, `written` what each wrote, and
    `merged` for how many of them the scope around has taken that over. `end` is what it must end with at once, `stopping`
    says that its bodies are being stopped. `added` are items that must come next. `asked`: it waits for a turn of
    its own, since `asked_at` by the process's clock.
    """

    def __init__(self, scope: WatchedScope, id: str, graphs: list[Graph] | None = None) -> None:
        self.scope = scope
        self.id = id
        self.path = scope.path(id)
        self.definition = scope.graph.nodes[id]
        self.kind = self.definition.type
        self.config = self.definition.config
        self.graphs = scope.graph.bodies[id] if graphs is None else graphs
        node = scope.nodes[id]
        self.run: int = node.run
        self.first: int = node.bodies + -node.bodies % len(self.graphs)
        self.begun = 0
        self.items: list[Any] | None = None
        self.state: Any = None
        self.open: dict[int, WatchedScope] = {}
        self.results: dict[int, Any] = {}
        self.errors: dict[int, Any] = {}
        self.ended: dict[int, str] = {}
        self.ticks = 0
        self.spans: dict[int, tuple[int, int]] = {}
        self.written: dict[int, dict[str, Any]] = {}
        self.merged = 0
        self.conflicts: list[tuple[int, tuple[str, ...]]] = []
        self.end: End | None = None
        self.added: list[Any] = []
        self.stopping = False
        self.asked = False
        self.asked_at = 0
        self.since = 0.0

    # --- its beginning ------------------------------------------------------------------------------------------------

    def prepare(self) -> End | None:
        """Work out what it begins with. An End where it fails instead."""
        look = self.scope.look(value=self.scope.input_of(self.id))
        try:
            if self.kind == "forEach":
                self.items = _items(self.config, look)
                if self.items is None:
                    return fails("LoopError")
            elif self.kind in ("while", "until"):
                given = "initial" in self.config
                self.state = fill(self.config["initial"], look) if given else self.scope.input_of(self.id)
        except Raises:
            return fails("MappingError")
        wanted = self.config.get("succeedAt")
        return fails("TooFewSucceeded") if wanted is not None and wanted > self.count else None

    def lock(self) -> str | None:
        """The name of its lock; None: that cannot be worked out."""
        try:
            return text(fill(self.config["name"], self.scope.look(value=self.scope.input_of(self.id))))
        except Raises:
            return None

    @property
    def count(self) -> int:
        """How many bodies it can have as far as that is known."""
        return len(self.graphs) if self.items is None else len(self.items)

    @property
    def bound(self) -> int:
        """How many bodies may be open at a time."""
        return int(self.config.get("concurrency") or (len(self.graphs) if self.kind in SEVERAL else 1))

    @property
    def keeps(self) -> bool:
        """Whether its output is the list of the results."""
        return self.kind in LISTING or self.config.get("collect") is True

    # --- its bodies ---------------------------------------------------------------------------------------------------

    def may_begin(self) -> bool:
        """Whether there is room for another body, and something for it to do. A loop's condition has yet to be asked."""
        if self.end is not None or len(self.open) >= self.bound:
            return False
        return self.kind in ("while", "until") or self.begun < self.count

    def begin(self) -> WatchedScope:
        """The next body, with what it works on."""
        index = self.begun
        self.begun += 1
        body = WatchedScope(self.scope.whole, self.graphs[index if len(self.graphs) > 1 else 0], self, index)
        if self.items is not None:
            body.input = self.items[index]
        else:
            body.input = self.state if self.kind in ("while", "until") else self.scope.input_of(self.id)
        self.open[index] = body
        self.ticks += 1
        self.spans[index] = (self.ticks, 2**62)
        return body

    def close(self, body: WatchedScope, status: str, output: Any, error: Any) -> None:
        """A body has ended. Says in `end` what follows, where that is the end of the block."""
        index = body.index
        del self.open[index]
        self.ticks += 1
        self.spans[index] = (self.spans[index][0], self.ticks)
        self.ended[index] = status
        if status == "completed":
            self.results[index], self.written[index] = output, body.variables
            self.state = output
        elif status == "failed":
            self.errors[index] = error
        self._take_over()
        if status != "cancelled":
            self.end = self._after(body, status, output)

    def _take_over(self) -> None:
        """What completed bodies wrote becomes the surrounding scope's, in their order, once all before have ended."""
        self.conflicts = []
        while self.merged in self.ended:
            index, self.merged = self.merged, self.merged + 1
            mine = self.written.get(index, {})
            names = tuple(name for name, value in mine.items() if self._conflicts(index, name, value))
            if names:
                self.conflicts.append((index, names))
            self.scope.variables.update(mine)

    def _conflicts(self, index: int, name: str, value: Any) -> bool:
        """Whether a body before this one that was open at the same time set the variable to something else."""
        return any(
            name in theirs and theirs[name] != value and self.spans[other][1] > self.spans[index][0]
            for other, theirs in self.written.items()
            if other < index
        )

    # --- what follows from their ends ---------------------------------------------------------------------------------

    def _after(self, body: WatchedScope, status: str, output: Any) -> End | None:
        if self.kind in LISTING:
            return self._after_one_of_many(body, status, output)
        if status == "failed" and self.kind != "race":
            return self._fails_as(body.index)
        if status == "completed" and self.kind not in ("while", "until"):
            return End(output, self.graphs[body.index].name if self.kind == "race" else None)
        if self.kind == "race" and len(self.ended) == len(self.graphs):
            return self._fails_as(next(iter(self.errors)))
        return None

    def _after_one_of_many(self, body: WatchedScope, status: str, output: Any) -> End | None:
        wanted = self.config.get("succeedAt")
        if status == "completed":
            try:
                more = fill(self.config.get("more"), self._look_after(body, output))
            except Raises:
                return fails("MappingError")
            if more is not None and not isinstance(more, list):
                return fails("LoopError")
            self.added = more or []
            self.items = None if self.items is None else self.items + self.added
            try:
                if "stopWhen" in self.config and evaluate(self.config["stopWhen"], self._look_after(body, output)):
                    return End(self.listed())
            except Raises:
                return fails("ConditionError")
        elif self.config.get("onError", "failFast" if wanted is None else "collect") == "failFast":
            return self._fails_as(body.index)
        if wanted is not None and len(self.results) >= wanted:
            return End(self.listed())
        if wanted is not None and len(self.results) + self.count - len(self.ended) < wanted:
            return fails("TooFewSucceeded")
        return None

    def _look_after(self, body: WatchedScope, output: Any) -> Look:
        """What is seen of a body that has ended; the count of items is that of now."""
        return self.scope.look(value=output, item=body.input, index=body.index, loop=self.loop_of(body))

    def _fails_as(self, index: int) -> End:
        error = self.errors[index]
        message = f"{self.path}[{self.first + index}]: {error['message']}"
        return fails(error["type"], message=message, code=error["code"], context=error["context"], attempt=1)

    def next(self) -> End | None:
        """How it must end, now that no more may come of its bodies (None: it goes on)."""
        if self.end is not None:
            return self.end
        if self.kind in LISTING:
            return End(self.listed()) if not self.open and self.begun >= self.count else None
        if self.kind not in ("while", "until") or self.open:
            return None
        try:
            holds = self._holds() if self.begun or self.kind == "while" else False
        except Raises:
            return fails("ConditionError")
        if holds is (self.kind == "until") and (self.begun or self.kind == "while"):
            return End(self.listed() if self.keeps else self.state)
        return fails("IterationLimit") if self.begun >= self.config.get("maxIterations", PASSES_MAX) else None

    def _holds(self) -> bool:
        loop = {"index": self.begun, "item": None, "count": None, "state": self.state, "outer": self.scope.loop()}
        look = self.scope.look(value=self.state, index=self.begun, item=None, loop=loop)
        return bool(evaluate(self.config["condition"], look))

    def listed(self) -> Any:
        """The results in the order of the items, with the errors where it goes on in spite of these."""
        results = [self.results.get(index) for index in range(self.begun)]
        if self.config.get("onError") != "collect" and self.config.get("succeedAt") is None:
            return results
        errors = [{"index": index, "error": self.errors[index]} for index in sorted(self.errors)]
        return {"results": results, "errors": errors}

    def loop_of(self, body: WatchedScope) -> dict[str, Any]:
        """What `loop` is in one of its bodies."""
        each = self.items is not None
        return {
            "index": body.index,
            "item": body.input if each else None,
            "count": len(self.items or ()) if each else None,
            "state": None if each else body.input,
            "outer": self.scope.loop(),
        }


def _items(config: dict[str, Any], look: Look) -> list[Any] | None:
    """What a forEach goes through; None: it is nothing that could be gone through."""
    if "range" in config:
        first, last = config["range"].get("from", 0), fill(config["range"]["to"], look)
        step = config["range"].get("step", 1)
        return list(range(first, last + (1 if step > 0 else -1), step))
    items = fill(config["items"], look)
    if isinstance(items, dict):
        return [{"key": key, "value": value} for key, value in items.items()]
    if isinstance(items, int):
        return list(range(items)) if items >= 0 else None
    return items if isinstance(items, list) else None
