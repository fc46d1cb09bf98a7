"""Requests and reports: what an instance can be told. One of these is one turn.

Time comes beside the input (`now`), and each input carries one 64-bit seed, from which whatever looks random is derived
(SEMANTICS 5).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mainspring.machine.events import Done, Pin


class TaskFault(Struct, frozen=True, omit_defaults=True):
    """What a task reports of the error that ended it. `kinds` names the error's type and all its bases (for retryOn)."""

    type: str
    message: str
    kinds: tuple[str, ...] = ()
    code: str | int | None = None
    stack: str | None = None
    context: dict[str, Any] | None = None
    fatal: bool = False
    retry_after: int | None = None


class Input(Struct, frozen=True, kw_only=True, tag=True):
    """The base of all. `message` is the inbox id of an input that came from outside ("" for the engine's own reports)."""

    seed: int = 0
    message: str = ""


class StartInstance(Input, frozen=True, kw_only=True):
    """Begin. `input` and `variables` are JSON."""

    workflow: str
    version: str
    input: bytes = b"null"
    variables: bytes = b"{}"
    key: str | None = None
    children: tuple[Pin, ...] = ()
    parent: str | None = None
    parent_path: str | None = None
    parent_run: int = 0
    depth: int = 0
    detached: bool = False


class Recover(Input, frozen=True, kw_only=True):
    """A process has just loaded the instance: whatever ran, ran in a process that is gone.

    `ran` are the attempts (path, run, attempt) that it found running: where none of them is any more, the instance has been
    recovered already. `alone`: no other node, of any instance, ran in the process that is gone.
    """

    ran: tuple[tuple[str, int, int], ...] = ()
    alone: bool = False


class Reattach(Input, frozen=True, kw_only=True):
    """The instance was thrown away after a commit that failed, and loaded again in the same process.

    `known` lists the attempts (path, run, attempt) that still run here, or whose report is about to come. `ended`: it was at
    its end, and what was to have it go on comes before this.
    """

    known: tuple[tuple[str, int, int], ...] = ()
    ended: bool = False


class Interrupt(Input, frozen=True, kw_only=True):
    """This process stops in good order: what runs is given back, and is not counted as crashed."""


class CancelInstance(Input, frozen=True, kw_only=True):
    """End it. `grace` (milliseconds): what runs has so long to finish, and nothing new starts meanwhile."""

    by: str = ""
    reason: str = ""
    grace: int = 0


class ParkInstance(Input, frozen=True, kw_only=True):
    """The machine failed on an input: stop here, in a named state, and keep what the fault was (SEMANTICS 3)."""

    reason: str
    fault: str = ""


class PauseInstance(Input, frozen=True, kw_only=True):
    """Start nothing new, and let finish what runs. `until` (UTC milliseconds): it goes on by itself then.

    `stop_clocks`: delays, retries, waits and timeouts stand still too; else their time goes on passing.
    """

    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    until: int | None = None


class ResumeInstance(Input, frozen=True, kw_only=True):
    """A parked or paused instance goes on; with `paused_by` only where it was paused by that one."""

    by: str = ""
    paused_by: str = ""


class Intervention(Input, frozen=True, kw_only=True):
    """What somebody does to the node at `path`, in its run `run`: one that is over by then is left alone."""

    path: str
    run: int
    by: str = ""
    reason: str = ""


class RetryNode(Intervention, frozen=True, kw_only=True):
    """Have a node that failed for good run again, the instance being reopened where it is at its end; or have the next
    attempt made at once. `input` (JSON) stands in for what came in."""

    input: bytes | None = None


class SkipNode(Intervention, frozen=True, kw_only=True):
    """The node is not to run (again), and what depends on it alone neither."""


class CompleteNode(Intervention, frozen=True, kw_only=True):
    """The node is done, with this output (JSON), by this port."""

    output: bytes = b"null"
    port: str | None = None


class RerunFrom(Intervention, frozen=True, kw_only=True):
    """An instance at its end runs again from this node on. `input` (JSON) stands in for what had come in. With a `version`
    it runs by that one from then on; `children` pins the workflows that its subflows start."""

    input: bytes | None = None
    version: str = ""
    children: tuple[Pin, ...] = ()


class Migrate(Input, frozen=True, kw_only=True):
    """The instance goes on by another version of its definition: `version` is its content hash, `children` pins the
    workflows that its subflows start. Whoever steps knows the plan (`Instance.plans`)."""

    version: str
    children: tuple[Pin, ...] = ()
    by: str = ""
    reason: str = ""


class SetVariables(Input, frozen=True, kw_only=True):
    """The instance's variables have these values from now on: a JSON object."""

    values: bytes
    by: str = ""
    reason: str = ""


class TaskFinished(Input, frozen=True, kw_only=True, gc=False):
    """An attempt's work is done. `variables` is a JSON object of those it set (None: it set none).

    `cached`: it was not done, its result is a kept one. `keep`: what to keep this result by (empty: it is not to be kept).
    """

    path: str
    run: int
    attempt: int
    output: bytes = b"null"
    port: str | None = None
    variables: bytes | None = None
    cached: bool = False
    keep: bytes = b""


class TaskFailed(Input, frozen=True, kw_only=True):
    """An attempt's work failed."""

    path: str
    run: int
    attempt: int
    fault: TaskFault


class HandlerMissing(Input, frozen=True, kw_only=True):
    """The attempt could not begin, because this process does not have the node's code (SEMANTICS 33)."""

    path: str
    run: int
    attempt: int
    handler: str


class HandlersFound(Input, frozen=True, kw_only=True):
    """The code that the nodes at `paths` waited for is there now."""

    paths: tuple[str, ...]


class TimerFired(Input, frozen=True, kw_only=True, gc=False):
    """A timer's time has come. A timer that no longer means anything is ignored (SEMANTICS 29)."""

    path: str
    run: int
    attempt: int
    purpose: str


class AdmissionGranted(Input, frozen=True, kw_only=True):
    """The node may start: it holds what it asked for."""

    path: str
    run: int


class AdmissionRefused(Input, frozen=True, kw_only=True):
    """The node may not start, and waiting would not help. `error` is its type, `until` when it may be asked for again."""

    path: str
    run: int
    reason: str
    figures: dict[str, float] = {}
    until: int | None = None
    error: str = "AdmissionRefused"
    state: str = ""


class SignalArrived(Input, frozen=True, kw_only=True):
    """Somebody sends what a wait may wait for. `kind` is signal, event or approval; `payload` is JSON."""

    name: str
    payload: bytes = b"null"
    kind: str = "signal"
    by: str = ""


class ChildEnded(Input, frozen=True, kw_only=True):
    """The instance that a subflow started is at its end, or could not be started (`status` is refused)."""

    path: str
    run: int
    status: str
    output: bytes = b"null"
    reason: str = ""


class RunsRead(Input, frozen=True, kw_only=True):
    """Runs that a saga may have to undo, read back from the journal from before place `index` of row `row` (row 0: its end).

    The last comes first, each with its output as JSON. What is before `next_row` and `next_index` is still to be read (row 0:
    nothing is).
    """

    row: int
    index: int
    runs: tuple[Done, ...]
    outputs: tuple[bytes, ...]
    next_row: int = 0
    next_index: int = 0


class Compensate(Input, frozen=True, kw_only=True):
    """Undo what was done: of an instance at its end, what a saga had to leave; of a child that its parent has no use for,
    all of it. The parent's node is at `path`, in its run `run`."""

    by: str = ""
    path: str = ""
    run: int = 0


AnyInput = (
    StartInstance
    | Recover
    | Reattach
    | Interrupt
    | CancelInstance
    | ParkInstance
    | PauseInstance
    | ResumeInstance
    | RetryNode
    | SkipNode
    | CompleteNode
    | RerunFrom
    | SetVariables
    | Migrate
    | TaskFinished
    | TaskFailed
    | HandlerMissing
    | HandlersFound
    | TimerFired
    | AdmissionGranted
    | AdmissionRefused
    | SignalArrived
    | ChildEnded
    | RunsRead
    | Compensate
)
