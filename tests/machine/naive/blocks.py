"""What a block makes of its bodies: docs/semantics-blocks.md, "How a body ends"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .passes import Passes
from .scopes import Loop, Scope, Sight
from .state import Run
from .values import Raised, holds, make

BLOCKS = ("forEach", "while", "until", "parallel", "race", "mutex", "subflow")
LOOPS = ("while", "until")


class NoItems(Exception):
    """What should have been a list is none."""


class Blocks:
    """The rules of blocks. They set how a run ends (its status); whoever calls sees to the rest of its end.

    `begin(run, place, entry, loop)` begins a body, or returns False where none may now; `may_begin` asks for it alone.
    """

    def __init__(
        self, input: Any, begin: Callable[[Run, int, Any, Loop | None], bool], may_begin: Callable[[Run], bool]
    ) -> None:
        self.input = input
        self.begin = begin
        self.may_begin = may_begin

    def sees(self, run: Run, value: Any = None, loop: Loop | None = None) -> Sight:
        """What the expressions of a block's config see."""
        return Sight(run.scope, self.input, value=value, loop=loop or run.scope.loop)

    # --- the start

    def start(self, run: Run) -> None:
        """It begins bodies, or ends at once."""
        try:
            run.passes = self._passes(run)
        except Raised:
            run.fails("MappingError")
        except NoItems:
            run.fails("LoopError")
        else:
            needed = run.spec["block"].get("succeedAt")
            if needed is not None and needed > len(run.passes.items):
                run.fails("TooFewSucceeded")
            else:
                self.go_on(run)

    def _passes(self, run: Run) -> Passes:
        block, kind = run.spec["block"], run.spec["type"]
        if kind in LOOPS:
            passes = Passes(run, [], None)
            passes.state = make(block["initial"], self.sees(run, run.input)) if "initial" in block else run.input
            return passes
        if kind == "forEach":
            items = self._items(run)
            return Passes(run, items, len(items))
        return Passes(run, [run.input] * len(block["bodies"]), len(block["bodies"]))

    def _items(self, run: Run) -> list[Any]:
        given = make(run.spec["block"]["items"], self.sees(run, run.input))
        if isinstance(given, dict) and "range" in given:
            return _range(given["range"])
        if isinstance(given, dict):
            return [{"key": key, "value": value} for key, value in given.items()]
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return list(range(given))
        if isinstance(given, list):
            return list(given)
        raise NoItems

    # --- going on

    def go_on(self, run: Run) -> None:
        """It begins the bodies that it may, or is at its end."""
        assert run.passes is not None
        if run.spec["type"] in LOOPS:
            if not run.passes.open:
                self._ask(run, run.passes)
            return
        passes, kind = run.passes, run.spec["type"]
        if len(passes.ended) == len(passes.items):
            if kind == "race":
                first = next(place for place in passes.order if passes.ended[place][0] == "failed")
                run.fails_with(passes.ended[first][1])
            else:
                run.completes(self._output(run))
            return
        at_once = run.spec["block"].get("concurrency") or (1 if kind == "forEach" else len(passes.items))
        while len(passes.begun) < len(passes.items) and len(passes.open) < at_once:
            place = len(passes.begun)
            item = passes.items[place]
            loop = Loop(place, item, passes.items, None, run.scope.loop) if kind == "forEach" else run.scope.loop
            if not self.begin(run, place, item, loop):
                return

    def _ask(self, run: Run, passes: Passes) -> None:
        """Another pass, or the end. It is not asked where no pass may begin in this turn."""
        if not self.may_begin(run):
            return
        block, count = run.spec["block"], len(passes.begun)
        loop = Loop(count, None, None, passes.state, run.scope.loop)
        if run.spec["type"] == "while" or count:
            try:
                told = holds(block["condition"], passes.state, self.sees(run, passes.state, loop))
            except Raised:
                run.fails("ConditionError")
                return
            if told == (run.spec["type"] == "until"):
                run.completes(passes.outputs if block["collect"] else passes.state)
                return
        if count >= block["maxIterations"]:
            run.fails("IterationLimit")
        else:
            self.begin(run, count, passes.state, loop)

    # --- a body's end

    def body_ended(self, scope: Scope, status: str, value: Any) -> None:
        """`value`: its output or its error."""
        run = scope.block
        assert run is not None
        assert run.passes is not None
        passes, kind = run.passes, run.spec["type"]
        if kind in ("forEach", "parallel"):
            self._one_of_many(run, passes, scope, status, value)
        elif kind == "race":
            if status == "completed":
                run.completes(value, run.spec["block"]["bodies"][scope.place].get("name"))
        elif status == "failed":
            run.fails_with(value)
        elif kind not in LOOPS:
            run.completes(value)
        else:
            passes.state = value
        if not run.status:
            self.go_on(run)

    def _one_of_many(self, run: Run, passes: Passes, scope: Scope, status: str, value: Any) -> None:
        block = run.spec["block"]
        sees = self.sees(run, value, scope.loop)
        if status == "completed" and block.get("more") is not None and not self._more(run, passes, sees):
            return
        needed = block.get("succeedAt")
        if status == "failed" and (block.get("onError") or ("collect" if needed else "failFast")) == "failFast":
            run.fails_with(value)
            return
        if status == "completed" and block.get("stopWhen") is not None:
            try:
                stop = holds(block["stopWhen"], value, sees)
            except Raised:
                run.fails("ConditionError")
                return
            if stop:
                run.completes(self._output(run))
                return
        if needed:
            failed = len(passes.ended) - len(passes.completed)
            if len(passes.completed) >= needed:
                run.completes(self._output(run))
            elif len(passes.items) - failed < needed:
                run.fails("TooFewSucceeded")

    def _more(self, run: Run, passes: Passes, sees: Sight) -> bool:
        try:
            more = make(run.spec["block"]["more"], sees)
        except Raised:
            run.fails("MappingError")
            return False
        if more is not None and not isinstance(more, list):
            run.fails("LoopError")
            return False
        passes.items.extend(more or [])
        return True

    def _output(self, run: Run) -> Any:
        passes, block = run.passes, run.spec["block"]
        assert passes is not None
        if block.get("onError") == "collect" or block.get("succeedAt"):
            return {"results": passes.outputs, "errors": passes.errors}
        return passes.outputs


def _range(told: dict[str, Any]) -> list[int]:
    first, last, step = told.get("from", 0), told["to"], told.get("step", 1)
    if not all(isinstance(one, int) for one in (first, last, step)) or step == 0:
        raise NoItems
    return list(range(first, last + (1 if step > 0 else -1), step))
