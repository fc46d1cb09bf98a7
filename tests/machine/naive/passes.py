"""What a run of a block keeps of its bodies."""

from __future__ import annotations

from typing import Any

from .scopes import Scope
from .state import Run


class Passes:
    """The bodies of one run of a block, by their place: the number of the item, of the pass, or of the branch.

    `ended` has how each ended: (status, output or error). `places`: how many there are to be so far (None: not known).
    """

    def __init__(self, run: Run, items: list[Any], places: int | None) -> None:
        self.run = run
        self.items = items
        self.places = places
        self.begun: list[Scope] = []
        self.ended: dict[int, tuple[str, Any]] = {}
        self.order: list[int] = []
        self.spans: dict[int, list[int]] = {}
        self.moment = 0
        self.merged = 0
        self.state: Any = None
        self.timer = False

    @property
    def open(self) -> list[Scope]:
        """Those that have begun and have not ended."""
        return [scope for scope in self.begun if scope.place not in self.ended]

    @property
    def completed(self) -> list[int]:
        """The places of those that completed."""
        return [place for place, (status, _) in sorted(self.ended.items()) if status == "completed"]

    @property
    def outputs(self) -> list[Any]:
        """The results in the order of the places, null for what did not complete."""
        outcomes = [self.ended.get(scope.place, ("", None)) for scope in self.begun]
        return [value if status == "completed" else None for status, value in outcomes]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of those that failed, by place."""
        failed = [(place, value) for place, (status, value) in sorted(self.ended.items()) if status == "failed"]
        return [{"index": place, "error": error} for place, error in failed]

    def begins(self, scope: Scope) -> None:
        """One more body."""
        self.begun.append(scope)
        self.spans[scope.place] = [self._tick(), 0]

    def ends(self, scope: Scope, status: str, value: Any) -> list[tuple[int, list[str]]]:
        """A body is over. Returns whose variables differ from those of bodies open at the same time, and which."""
        self.ended[scope.place] = (status, value)
        self.order.append(scope.place)
        self.spans[scope.place][1] = self._tick()
        return self._merge()

    def _tick(self) -> int:
        self.moment += 1
        return self.moment

    def _merge(self) -> list[tuple[int, list[str]]]:
        """The writes of completed bodies become the scope's around the block, once all bodies before have ended."""
        conflicts: list[tuple[int, list[str]]] = []
        while self.merged in self.ended:
            scope = self.begun[self.merged]
            if self.ended[self.merged][0] == "completed":
                names = sorted(name for name in scope.variables if self._conflict(scope, name))
                conflicts += [(scope.number, names)] if names else []
                self.run.scope.variables.update(scope.variables)
            self.merged += 1
        return conflicts

    def _conflict(self, scope: Scope, name: str) -> bool:
        return any(
            name in other.variables
            and other.variables[name] != scope.variables[name]
            and self.spans[other.place][1] > self.spans[scope.place][0]
            for other in self.begun[: scope.place]
            if self.ended[other.place][0] == "completed"
        )
