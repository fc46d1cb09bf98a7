"""A saga under way: why what was done is undone, how far that has come, and what could not be undone.

The completed runs are not listed anywhere but in the journal. They are read back from it in pages, the last first; the state
here is that of one page, whatever the number of runs.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from mainspring.graph.plan import PlanNode
from mainspring.machine.error_values import error_value
from mainspring.machine.events import Done, ErrorRecord
from mainspring.machine.scope import BodyScope, Scope

LEFT_MAX = 1_000
"""How many runs a saga may fail to undo. With so many it ends, and says how many it did not try."""

_decode_error = msgspec.json.Decoder(ErrorRecord).decode

NOTHING: dict[str, int] = {}
"""Most instances have nothing that could be undone, and share this."""


class Left(Struct, frozen=True, array_like=True, gc=False):
    """A run that could not be undone. `row` and `index` are where its end stands in the journal."""

    path: str
    run: int
    row: int
    index: int
    why: str


class Saga(Struct, kw_only=True):
    """`ends` is the status in which the instance will end. `error` is the JSON of the ErrorRecord of the node that `failed`.

    `nodes` are those of the instance's own graph whose runs are undone, with all in their bodies (empty: all of them).
    `total` counts the runs that are to be undone, `taken` those that were taken up, `undone` those that are undone.

    The page is `runs`, with their `outputs`; `at` says which of them is next. Before `row` and `index` the journal is still
    to be read (row 0, once `started`: no more). `doing`: the run before `at` is being undone. `round` counts the sagas of an
    instance. `child`: it is one, and the node of its parent (path, run) waits for the end of the saga. `output` is what the
    instance will end with.

    `resumed`: somebody has the saga take up what was left before, which is `again`, and what lies before `stopped`, where it
    had come to: of the event there, from the run `stopped_at` on. Where it gives up itself, `next` is that run.
    `unscoped`: its history is of a format in which there were no scopes for what undoes.
    """

    ends: str
    scope: str = "workflow"
    reason: str = ""
    failed: str = ""
    error: bytes | None = None
    nodes: tuple[str, ...] = ()
    total: int = 0
    taken: int = 0
    undone: int = 0
    runs: tuple[Done, ...] = ()
    outputs: list[bytes] = []
    at: int = 0
    row: int = 0
    index: int = 0
    started: bool = False
    doing: bool = False
    over: bool = False
    left: list[Left] = []
    again: tuple[Left, ...] = ()
    resumed: bool = False
    stopped: tuple[int, int] = (0, 0)
    stopped_at: tuple[str, int] | None = None
    next: tuple[str, int] | None = None
    child: tuple[str, int] | None = None
    round: int = 1
    unscoped: bool = False
    unhandled: int = 0
    failure: bytes | None = None
    writes: bytes | None = None
    output: bytes = b"null"

    @property
    def current(self) -> Done:
        """The run that is being undone."""
        return self.runs[self.at - 1]

    @property
    def untried(self) -> int:
        """How many runs were not taken up."""
        return self.total - self.taken


class UndoScope(BodyScope):
    """The undoing of one run. Its one entry node is the undo node, and gets the output of that run.

    Its parent is the instance, whatever scope the run was in: of those in bodies there is none left.
    """

    __slots__ = ("done",)

    def __init__(self, parent: Scope, owner: PlanNode, done: Done, output: bytes) -> None:
        assert owner.undo is not None, f"{done.path} cannot be undone"
        self.done = done
        self.address = f"{done.path}[undo:{done.run}]"
        Scope.__init__(self, owner.undo.graph, f"{self.address}.")
        self.parent = parent
        self.owner = owner
        self.index = 0
        self.writes = None
        self.input = output


def undoing(scope: Scope) -> UndoScope | None:
    """The undoing that this scope is, or is a part of."""
    while isinstance(scope, BodyScope):
        if isinstance(scope, UndoScope):
            return scope
        scope = scope.parent
    return None


def context(saga: Saga, scope: UndoScope) -> bytes:
    """The CompensationContext as JSON: for the undo node's expressions, and for its task."""
    error = None if saga.error is None else error_value(_decode_error(saga.error))
    done = scope.done
    return msgspec.json.encode(
        {
            "reason": saga.reason,
            "failed_node": saga.failed or None,
            "error": error,
            "node": scope.owner.id,
            "path": done.path,
            "run": done.run,
            "output": Raw(scope.input),
            "remaining": saga.untried,
        }
    )


def outermost(path: str) -> str:
    """The node of the instance's own graph that a path is, or is in a body of."""
    end = path.find("[")
    return path if end < 0 else path[:end]
