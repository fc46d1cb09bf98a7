"""Orders: what is to be done once the turn is durable. Nothing here has happened yet."""

from __future__ import annotations

from msgspec import Struct


class Effect(Struct, frozen=True, gc=False):
    """The base of all."""


class DispatchTask(Effect, frozen=True):
    """Do the node's work. The input is asked of the instance (`values.input_of`) when the work begins: it cannot change.

    Variables can, by turns that are not durable yet, so the work gets those of the turn that ordered it. `cache_key` is
    what a result that is kept would be known by, as JSON (empty: none is looked for).
    """

    path: str
    run: int
    attempt: int
    variables: bytes
    cache_key: bytes = b""


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
    """The node wants to start: answer with AdmissionGranted or AdmissionRefused. `resource` names what it asks for."""

    path: str
    run: int
    resource: str
    crashes: int = 0


class ReleaseAdmission(Effect, frozen=True):
    """The node holds what it asked for no longer."""

    path: str
    run: int


class Tell(Effect, frozen=True):
    """Hand a log node's text to whoever listens. `level` is debug, info, warning or error."""

    path: str
    run: int
    level: str
    message: str


class EndInstance(Effect, frozen=True):
    """The instance is final: tell whoever waits for it."""

    status: str


AnyEffect = DispatchTask | AbandonTask | ArmTimer | DisarmTimer | AskAdmission | ReleaseAdmission | Tell | EndInstance

NODE_TIMEOUT = "timeout"
RETRY = "retry"
DELAY = "delay"
INSTANCE_TIMEOUT = "instance timeout"
