"""Orders: what is to be done once the turn is durable. Nothing here has happened yet."""

from __future__ import annotations

from msgspec import Raw, Struct

from mainspring.limits.limit import Outcome


class Effect(Struct, frozen=True, gc=False):
    """The base of all."""


class DispatchTask(Effect, frozen=True):
    """Do the node's work. The input is asked of the instance (`values.input_of`) when the work begins: it cannot change.

    Variables can, by turns that are not durable yet, so the work gets those of the turn that ordered it. `cache_key` is
    what a result that is kept would be known by, as JSON (empty: none is looked for). `config` is that of a node of a custom
    kind, as JSON: what its templates gave when the attempt began.
    """

    path: str
    run: int
    attempt: int
    variables: bytes
    cache_key: bytes = b""
    config: bytes = b""


class AbandonTask(Effect, frozen=True):
    """Stop the node's work, as well as that can be done (SEMANTICS 13)."""

    path: str
    run: int
    attempt: int


class ArmTimer(Effect, frozen=True):
    """Report TimerFired with this identity at `due` (UTC milliseconds)."""

    path: str
    run: int
    attempt: int
    purpose: str
    due: int


class DisarmTimer(Effect, frozen=True):
    """The timer is no longer of use. One that fires all the same is ignored."""

    path: str
    run: int
    attempt: int
    purpose: str


class AskAdmission(Effect, frozen=True):
    """The node wants to start: answer with AdmissionGranted or AdmissionRefused. `resource` names what it asks for.

    `held`: it has started before a crash, and holds what it asks for. That needs no answer. `attempt` is the one to come.
    """

    path: str
    run: int
    resource: str
    crashes: int = 0
    held: bool = False
    attempt: int = 0


class ReleaseAdmission(Effect, frozen=True):
    """The node holds what it asked for no longer, and asks for nothing. `attempt` is the one that held it, or was to.

    `outcome` says how the attempt ended (ok, failed, stopped, or unused: it never began), `took` how long it was, in ms.
    """

    path: str
    run: int
    attempt: int = 0
    outcome: Outcome = "unused"
    took: int = 0


class Migrate(Effect, frozen=True):
    """The instance runs by another version of its definition: its nodes' code, and its limits, are those of that one."""

    version: str


class Tell(Effect, frozen=True):
    """Hand a log node's text to whoever listens. `level` is debug, info, warning or error."""

    path: str
    run: int
    level: str
    message: str


class StartChild(Struct, frozen=True, tag="start"):
    """Start an instance for the subflow at `path`, by the definition of this version. `detached`: nobody waits for it."""

    parent: str
    path: str
    run: int
    version: str
    input: Raw
    depth: int
    detached: bool = False


class CancelChild(Struct, frozen=True, tag="cancel"):
    """End the child, whose parent has no use for it any more."""

    reason: str
    by: str


class PauseChild(Struct, frozen=True, tag="pause"):
    """The parent is paused: so is the child that it waits for."""

    by: str
    reason: str
    stop_clocks: bool = True


class ResumeChild(Struct, frozen=True, tag="resume"):
    """The parent goes on: so does the child, where it was paused with it. `by` is who said so to the parent."""

    parent: str
    by: str


class CompensateChild(Struct, frozen=True, tag="compensate"):
    """Have a child that is at its end undo what it did. The node at `path` waits for that."""

    parent: str
    path: str
    run: int


class TellParent(Struct, frozen=True, tag="end"):
    """The child of the subflow at `path` is at its end. `refused`: it could not be started."""

    path: str
    run: int
    status: str
    output: Raw
    reason: str = ""


class Send(Effect, frozen=True):
    """Leaves by the outbox, in the commit of the turn, for the instance `to`, which knows it again by its id."""

    id: str
    to: str
    what: StartChild | CancelChild | PauseChild | ResumeChild | CompensateChild | TellParent


class ReadBack(Effect, frozen=True):
    """Read the runs that may have to be undone from the journal, backwards, and answer with RunsRead.

    From before place `index` of row `row`; row 0: from its end.
    """

    row: int
    index: int


class Bury(Effect, frozen=True):
    """This run of a node was given up for good: keep it as a dead letter, in the commit of the turn."""

    path: str
    run: int
    reason: str


class Raise(Effect, frozen=True):
    """This run of a node is followed by another one: its dead letter, if there is one, is none any more."""

    path: str
    run: int


class EndInstance(Effect, frozen=True):
    """The instance is final: tell whoever waits for it."""

    status: str


Order = (
    DispatchTask
    | AbandonTask
    | ArmTimer
    | DisarmTimer
    | AskAdmission
    | Migrate
    | ReleaseAdmission
    | Tell
    | ReadBack
    | EndInstance
)
"""What the engine does itself, once the turn is durable."""

AnyEffect = Order | Send

NODE_TIMEOUT = "timeout"
RETRY = "retry"
DELAY = "delay"
BODIES = "bodies"
INSTANCE_TIMEOUT = "instance timeout"
RESUME = "resume"
