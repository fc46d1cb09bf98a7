"""What a task may ask for: who it is, and ways to report while it runs.

A task gets its context by annotation (`ctx: TaskContext`), wherever the parameter stands. The context costs nothing
where it is not asked for, and its parts cost nothing before they are touched.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mainspring.messaging.task import TaskCall, decode

if TYPE_CHECKING:
    import logging


class Variables(MutableMapping[str, Any]):
    """The instance's variables as they were when the attempt began, and what this task sets.

    What is assigned is recorded and takes effect when the task completes. A value changed in place
    (`variables["list"].append(…)`) is not: assign it again.
    """

    __slots__ = ("_call", "_read")

    def __init__(self, call: TaskCall) -> None:
        self._call = call
        self._read: dict[str, Any] | None = None

    def _values(self) -> dict[str, Any]:
        if self._read is None:
            raw = self._call.variables
            read = decode(raw) if raw else None
            self._read = {**(read or {}), **(self._call.variables_set or {})}
        return self._read

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a variable's name is text, not {type(name).__name__}")
        self._values()[name] = value
        if self._call.variables_set is None:
            self._call.variables_set = {}
        self._call.variables_set[name] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"a variable cannot be removed: set {name!r} to None")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return f"Variables({self._values()!r})"


class CompensationContext(Struct, frozen=True):
    """Why a task undoes something, and what.

    `reason` is that of the instance's end, `failed_node` and `error` tell of the node because of which it is (None: there is
    none). `node`, `path` and `run` are those of the run that is to be undone, `output` what it gave (None where it did not
    complete). `remaining` says how many runs are still to be undone after this one.
    """

    reason: str
    failed_node: str | None
    error: dict[str, Any] | None
    node: str
    path: str
    run: int
    output: Any
    remaining: int


_compensation = msgspec.json.Decoder(CompensationContext).decode


class TaskContext:
    """One attempt at a node's work, as seen from inside."""

    __slots__ = ("_call", "_log", "_variables")

    def __init__(self, call: TaskCall) -> None:
        self._call = call
        self._variables: Variables | None = None
        self._log: logging.LoggerAdapter[logging.Logger] | None = None

    @property
    def idempotency_key(self) -> str:
        """The same for all attempts at this run of the node: hand it to whoever must not do a thing twice."""
        return self._call.idempotency_key

    @property
    def attempt(self) -> int:
        """1 at the first try."""
        return self._call.attempt

    @property
    def max_attempts(self) -> int:
        return self._call.max_attempts

    @property
    def instance(self) -> str:
        return self._call.instance

    @property
    def path(self) -> str:
        """The node's address in its instance, as in `loop[3].charge`."""
        return self._call.path

    @property
    def run(self) -> int:
        return self._call.run

    @property
    def input(self) -> Any:
        """All of the node's input, whatever the function's parameters took of it. A new object at each look."""
        return decode(self._call.input)

    def progress(self, percent: float, text: str = "") -> None:
        """Say how far the work is, 0 to 100. May be called from any thread, as often as wanted."""
        self._call.report(min(max(float(percent), 0.0), 100.0), text)

    @property
    def compensation(self) -> CompensationContext | None:
        """What the task is to undo. None where it undoes nothing. A new object at each look."""
        raw = self._call.compensation
        return _compensation(raw) if raw else None

    @property
    def variables(self) -> Variables:
        if self._variables is None:
            self._variables = Variables(self._call)
        return self._variables

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """The logger `mainspring.task`, whose records carry `instance`, `path` and `attempt`."""
        if self._log is None:
            import logging

            extra = {"instance": self.instance, "path": self.path, "attempt": self.attempt}
            self._log = logging.LoggerAdapter(logging.getLogger("mainspring.task"), extra)
        return self._log

    def __repr__(self) -> str:
        return f"TaskContext({self.idempotency_key!r}, attempt {self.attempt} of {self.max_attempts})"
