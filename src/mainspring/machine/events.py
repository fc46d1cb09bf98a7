"""What happened, in the past tense. A turn is a list of these, and the journal holds nothing else.

This is the one schema that cannot be refactored once stores exist, so it obeys three rules:

- An event holds what was decided, never what decides: folding it needs no expression, no policy, no clock.
- Fields are only ever appended, each with a default; an event is never removed or renamed. A reader of an older version's
  row takes the defaults (the encoding is positional).
- Values (inputs, outputs, variables) are raw JSON: encoded once by whoever made them, decoded only by whoever needs them.

`docs/semantics.md` has the table of all events; `tools/semantics_tables.py` writes it from here.
"""

from __future__ import annotations

from msgspec import Raw, Struct

NULL = Raw(b"null")


class Event(Struct, frozen=True, array_like=True, gc=False):
    """The base of all events. The tag that names it in the journal is its class name."""


class ErrorRecord(Struct, frozen=True, array_like=True):
    """What is kept of a failure (SEMANTICS 14)."""

    type: str
    message: str
    code: str | int | None = None
    stack: str | None = None
    attempt: int = 0
    max_attempts: int = 0
    context: Raw = NULL
    fatal: bool = False


class Skip(Struct, frozen=True, array_like=True, gc=False):
    """One node that will not run. `because` is the path of the node whose ending decided it ("" where none did)."""

    path: str
    reason: str
    because: str = ""


class Ref(Struct, frozen=True, array_like=True, gc=False):
    """One run of one node. `in_doubt`: the work had been ordered, so it may have been done."""

    path: str
    run: int
    in_doubt: bool = False


class Done(Struct, frozen=True, array_like=True, gc=False):
    """A run that is to be undone: where its end stands in the journal (`row`, and the place in it), and how it ended."""

    path: str
    run: int
    row: int
    index: int
    how: str = "completed"


class Token(Struct, frozen=True, array_like=True, gc=False):
    """A message in an inbox: the connection that it came by, by its number, and which run of the source sent it."""

    connection: int
    run: int = 1


class Pin(Struct, frozen=True, array_like=True, gc=False):
    """A workflow that subflows start: what they call it, and the content hash of its definition. `undoes`: it has something
    that can be undone."""

    name: str
    version: str
    undoes: bool = False


# --- the instance ---------------------------------------------------------------------------------------------------


class InstanceStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The instance began. `version` is the content hash of the definition that it is pinned to.

    `children` pins the workflows that its subflows start: what they call it, and its version. `depth` counts the instances
    above it; `detached` is one whose parent does not wait for it.
    """

    workflow: str
    version: str
    input: Raw = NULL
    variables: Raw = NULL
    key: str | None = None
    parent: str | None = None
    parent_path: str | None = None
    parent_run: int = 0
    depth: int = 0
    children: tuple[Pin, ...] = ()
    detached: bool = False


class InstancePauseRequested(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Nothing new starts from here on; what runs may finish. `then_cancel`: when it has, or at `until`, it is cancelled."""

    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    until: int | None = None
    then_cancel: bool = False


class InstancePaused(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Drained: nothing runs any more."""


class InstanceResumed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A paused or parked instance goes on. `stopped_for`: milliseconds for which its clocks stood still."""

    by: str = ""
    stopped_for: int = 0


class InstanceParked(Event, frozen=True, array_like=True, tag=True, gc=False):
    """An input could not be taken because the machine itself failed on it. The instance waits for a person."""

    reason: str
    fault: str = ""


class InstanceFailing(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The instance will end failed: nothing new starts. `because` is a node's path, or "" (a timeout of the whole)."""

    reason: str
    because: str = ""


class InstanceCancelRequested(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Somebody asked for the end."""

    by: str = ""
    reason: str = ""


class CompensationStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """From here on what was done is undone, the last first (`order` is empty: CompensationPlanned has it, page by page).

    The instance `ends` in that status afterwards. `failed` is the node because of which; `nodes` are those of the instance's
    own graph whose runs are undone (empty: all). `again`: somebody has what was left before taken up. `parent`: the
    node of the parent that has this child undone. `output` is what the instance will end with.
    """

    scope: str
    reason: str
    order: tuple[Ref, ...] = ()
    ends: str = "failed"
    failed: str = ""
    error: ErrorRecord | None = None
    nodes: tuple[str, ...] = ()
    again: bool = False
    by: str = ""
    parent: Ref | None = None
    output: Raw = NULL


class CompensationPlanned(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The runs that are undone next, the first first, with their outputs (a list of the same length).

    They were read back from the journal, as far as before place `index` of row `row` (row 0: to its beginning).
    """

    runs: tuple[Done, ...]
    outputs: Raw = NULL
    row: int = 0
    index: int = 0


class CompensationEnded(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The saga is through. `left` lists what could not be undone; `untried` more were not taken up, because of these."""

    left: tuple[Ref, ...] = ()
    undone: int = 0
    untried: int = 0


class InstanceCompleted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """All is done, and no failure was left unhandled. `degraded`: a fallback stood in for at least one node.

    `reason` is there where a child could not undo all of it, and so is as it was.
    """

    output: Raw = NULL
    degraded: bool = False
    reason: str = ""


class InstancePartiallySucceeded(Event, frozen=True, array_like=True, tag=True, gc=False):
    """All is done; some nodes failed, and the failure policy lets the rest stand."""

    output: Raw = NULL
    reason: str = ""


class InstanceFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """All is done, and a failure was left unhandled. The output is what there is of it."""

    output: Raw = NULL
    reason: str = ""


class InstanceCancelled(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The end that somebody asked for."""

    output: Raw = NULL
    reason: str = ""


class InstanceCompensated(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A completed instance (a child, as a rule) was undone because its parent asked for it."""

    reason: str = ""


class InstanceReopened(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A final instance goes on because somebody intervened. The intervention's own events follow in the same turn."""

    by: str = ""
    reason: str = ""


class VariablesSet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Variables got new values: an object of name to value, from the node at `path` ("" for a command)."""

    values: Raw
    path: str = ""
    run: int = 0


# --- nodes ----------------------------------------------------------------------------------------------------------


class InputMapped(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The node's input mapping was evaluated. Without a mapping there is none of these: the input derives from the tokens."""

    path: str
    run: int
    input: Raw


class NodeReady(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The join is satisfied and the node asks for a slot. Written only where it cannot start in the same turn."""

    path: str
    run: int
    asks: str = ""


class NodeStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """An attempt began."""

    path: str
    run: int
    attempt: int


class NodeWaiting(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The node waits for what is named: timer, signal, event, approval, child, handler. No slot is held.

    `names`: any of which signals, events or approvals it takes.
    """

    path: str
    run: int
    what: str
    detail: str = ""
    until: int | None = None
    names: tuple[str, ...] = ()


class NodeRetrying(Event, frozen=True, array_like=True, tag=True, gc=False):
    """An attempt failed, and another one is due at `due` (UTC milliseconds). `reason` is the rule that says so."""

    path: str
    run: int
    attempt: int
    error: ErrorRecord
    due: int
    reason: str = ""


class NodeFellBack(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The node failed for good, and a fallback now runs on its behalf.

    `action` is the id of what stands in, `error` what failed just now: the node, or the fallback before. `reason` is the
    rule that says so.
    """

    path: str
    run: int
    action: str
    error: ErrorRecord
    reason: str = ""


class NodeCompleted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The node is done. `fired` lists the connections that fired, by their index in the pinned definition's plan.

    `cached`: its work was not done, the output is a kept one.
    """

    path: str
    run: int
    attempt: int
    output: Raw = NULL
    fired: tuple[int, ...] = ()
    port: str | None = None
    degraded: bool = False
    cached: bool = False


class NodeFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The node failed for good. `handled`: a connection with trigger fail fired for it.

    `decision` says what that means for the whole (continue, degrade, terminate), `rule` where this comes from. Both are ""
    of a node that ends after its runs, each of which was decided.
    """

    path: str
    run: int
    attempt: int
    error: ErrorRecord
    fired: tuple[int, ...] = ()
    handled: bool = False
    decision: str = ""
    rule: str = ""


class NodeActivated(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A node with an inbox took what its next run is to work on: the first message of each lane."""

    path: str
    run: int
    taken: tuple[Token, ...] = ()


class RunCompleted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """One run of a repeating node is done; the node itself ends when no message can come any more."""

    path: str
    run: int
    attempt: int
    output: Raw = NULL
    fired: tuple[int, ...] = ()
    port: str | None = None
    degraded: bool = False
    cached: bool = False


class RunFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """One run of a repeating node failed for good. `handled`, `decision` and `rule` are as of a NodeFailed."""

    path: str
    run: int
    attempt: int
    error: ErrorRecord
    fired: tuple[int, ...] = ()
    handled: bool = False
    decision: str = ""
    rule: str = ""


class NodeLogged(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A log node said something. `level`: debug, info, warning or error."""

    path: str
    run: int
    level: str
    message: str


class SignalKept(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A signal, event or approval came that nobody takes yet: it is kept for a wait to come."""

    kind: str
    name: str
    payload: Raw = NULL
    by: str = ""


class SignalDropped(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A signal, event or approval came that nobody takes, and that is not kept."""

    kind: str
    name: str
    reason: str
    by: str = ""


class SignalTaken(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The wait at `path` took a signal, event or approval. `kept`: its place among those that were kept, from 0 (null: it
    had come just then)."""

    path: str
    run: int
    kind: str
    name: str
    kept: int | None = None
    by: str = ""


class RoutingFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A condition could not be evaluated: its connection did not fire, and the failure counts as unhandled.

    `decision` and `rule` are as of a NodeFailed.
    """

    path: str
    connection: int
    error: ErrorRecord
    decision: str = ""
    rule: str = ""


class NodesSkipped(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Nodes that will not run, in the order in which that was decided."""

    skips: tuple[Skip, ...]


class NodesCancelled(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Nodes that were under way and must stop."""

    runs: tuple[Ref, ...]
    reason: str = ""


class NodesRequeued(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Attempts that ended because their process did. `crashed`: it was no orderly stop, and counts against the node.

    `alone`: nothing else ran in that process.
    """

    runs: tuple[Ref, ...]
    crashed: bool = True
    alone: bool = False


class NodeCompensating(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The undoing of a run began, in a scope of its own: `path[undo:run]`. What happens in it follows as of any node."""

    path: str
    run: int
    attempt: int


class NodeCompensated(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The run is undone."""

    path: str
    run: int
    output: Raw = NULL


class NodeCompensationFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The run could not be undone."""

    path: str
    run: int
    error: ErrorRecord


class Intervened(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Somebody did something by hand, which the events after it tell. `what`: retry, skip, complete, rerun,
    variables, migrate."""

    what: str
    path: str = ""
    run: int = 0
    by: str = ""
    reason: str = ""


class InstanceMigrated(Event, frozen=True, array_like=True, tag=True, gc=False):
    """From here on the instance runs by another version of its definition: `version` is that one's content hash, `children`
    pins the workflows that its subflows start."""

    version: str
    children: tuple[Pin, ...] = ()


class NodeReset(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Somebody had the node run again: `run` is the new run's number. The old run stays in the journal."""

    path: str
    run: int
    by: str = ""
    same_key: bool = False


# --- blocks and their bodies ----------------------------------------------------------------------------------------


class BlockStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A block knows what its bodies are to work on: `items` of a loop (a list, else null), the `state` it begins with."""

    path: str
    run: int
    items: Raw = NULL
    state: Raw = NULL


class ItemsAdded(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A loop has more items than before."""

    path: str
    run: int
    items: Raw


class ScopeStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A body began: `number` is the one in its address, `path[number]`. What it works on derives from the block."""

    path: str
    run: int
    number: int


class ScopeEnded(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A body ended, and its scope is gone. `status`: completed, failed or cancelled. `mapped`: its output was computed;
    else it is that of its leaves."""

    path: str
    run: int
    number: int
    status: str
    output: Raw = NULL
    mapped: bool = False
    error: ErrorRecord | None = None


class VariablesConflict(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Bodies that were open at the same time gave variables different values; those of body `number` were taken."""

    path: str
    run: int
    number: int
    names: tuple[str, ...]


AnyEvent = (
    InstanceStarted
    | InstancePauseRequested
    | InstancePaused
    | InstanceResumed
    | InstanceParked
    | InstanceFailing
    | InstanceCancelRequested
    | CompensationStarted
    | CompensationPlanned
    | CompensationEnded
    | InstanceCompleted
    | InstancePartiallySucceeded
    | InstanceFailed
    | InstanceCancelled
    | InstanceCompensated
    | InstanceReopened
    | VariablesSet
    | InputMapped
    | NodeReady
    | NodeStarted
    | NodeWaiting
    | NodeRetrying
    | NodeFellBack
    | NodeCompleted
    | NodeFailed
    | RoutingFailed
    | NodesSkipped
    | NodesCancelled
    | NodesRequeued
    | NodeCompensating
    | NodeCompensated
    | NodeCompensationFailed
    | Intervened
    | InstanceMigrated
    | NodeReset
    | NodeActivated
    | RunCompleted
    | RunFailed
    | NodeLogged
    | BlockStarted
    | ItemsAdded
    | ScopeStarted
    | ScopeEnded
    | VariablesConflict
    | SignalKept
    | SignalDropped
    | SignalTaken
)
