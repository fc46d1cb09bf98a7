"""What can be sent to an instance from outside, as an inbox row carries it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from mainspring.errors import StoreCorrupt
from mainspring.machine import inputs
from mainspring.machine.events import Pin


class Cancel(Struct, frozen=True, tag="cancel", omit_defaults=True):
    """End it. What runs has `grace` milliseconds to finish."""

    by: str = ""
    reason: str = ""
    grace: int = 0


class Pause(Struct, frozen=True, tag="pause", omit_defaults=True):
    """Start nothing new. `until`: UTC milliseconds."""

    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    until: int | None = None


class Resume(Struct, frozen=True, tag="resume", omit_defaults=True):
    """A parked or paused instance goes on; with `paused_by` only where it was paused by that one."""

    by: str = ""
    paused_by: str = ""


class Signal(Struct, frozen=True, tag="signal"):
    """Somebody sends what a wait may wait for. `kind` is signal, event or approval."""

    name: str
    payload: Raw = Raw(b"null")
    kind: str = "signal"
    by: str = ""


class ChildEnded(Struct, frozen=True, tag="child ended"):
    """The instance that the subflow at `path` started is at its end."""

    path: str
    run: int
    status: str
    output: Raw = Raw(b"null")
    reason: str = ""


class RetryNode(Struct, frozen=True, tag="retry node", omit_defaults=True):
    """A node that failed for good is to run again; `input` stands in for what came in."""

    path: str
    run: int
    by: str = ""
    reason: str = ""
    input: Raw | UnsetType = UNSET


class SkipNode(Struct, frozen=True, tag="skip node", omit_defaults=True):
    """A node is not to run."""

    path: str
    run: int
    by: str = ""
    reason: str = ""


class CompleteNode(Struct, frozen=True, tag="complete node", omit_defaults=True):
    """A node is done, with this output."""

    path: str
    run: int
    output: Raw = Raw(b"null")
    port: str | None = None
    by: str = ""
    reason: str = ""


class RerunFrom(Struct, frozen=True, tag="rerun", omit_defaults=True):
    """An instance at its end is to run again from a node on, where there is a `version` by that one."""

    path: str
    run: int
    by: str = ""
    reason: str = ""
    input: Raw | UnsetType = UNSET
    version: str = ""
    children: tuple[Pin, ...] = ()


class Migrate(Struct, frozen=True, tag="migrate", omit_defaults=True):
    """The instance is to go on by another version of its definition: its content hash, and what its subflows start then."""

    version: str
    children: tuple[Pin, ...] = ()
    by: str = ""
    reason: str = ""


class SetVariables(Struct, frozen=True, tag="variables", omit_defaults=True):
    """The variables are to have these values: an object."""

    values: Raw
    by: str = ""
    reason: str = ""


Intervention = RetryNode | SkipNode | CompleteNode | RerunFrom | SetVariables | Migrate
Message = Cancel | Pause | Resume | Signal | ChildEnded | Intervention

_decoder = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The body of an inbox row."""
    return msgspec.json.encode(message)


def stops(body: bytes) -> bool:
    """Whether an inbox row asks for the end, or for a pause."""
    try:
        return isinstance(_decoder.decode(body), (Cancel, Pause))
    except msgspec.MsgspecError:
        return False


def version_of(body: bytes) -> str:
    """The version of a definition that whoever takes this message must know ("": none)."""
    if b'"version"' not in body:  # few have one, and each is looked at
        return ""
    try:
        message = _decoder.decode(body)
    except msgspec.MsgspecError:
        return ""
    return message.version if isinstance(message, (Migrate, RerunFrom)) else ""


def to_input(id: str, body: bytes, seed: int) -> inputs.Input:
    """The machine's input that an inbox row stands for. Raises StoreCorrupt for a body that nobody knows."""
    try:
        message = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"inbox message {id!r} cannot be read: {error}") from None
    if isinstance(message, Cancel):
        return inputs.CancelInstance(by=message.by, reason=message.reason, grace=message.grace, seed=seed, message=id)
    if isinstance(message, Signal):
        return inputs.SignalArrived(
            name=message.name, payload=bytes(message.payload), kind=message.kind, by=message.by, seed=seed, message=id
        )
    if isinstance(message, ChildEnded):
        return inputs.ChildEnded(
            path=message.path,
            run=message.run,
            status=message.status,
            output=bytes(message.output),
            reason=message.reason,
            seed=seed,
            message=id,
        )
    if isinstance(message, (RetryNode, SkipNode, CompleteNode, RerunFrom, SetVariables, Migrate)):
        return _by_hand(id, message, seed)
    if isinstance(message, Pause):
        return inputs.PauseInstance(
            by=message.by,
            reason=message.reason,
            stop_clocks=message.stop_clocks,
            until=message.until,
            seed=seed,
            message=id,
        )
    return inputs.ResumeInstance(by=message.by, paused_by=message.paused_by, seed=seed, message=id)


def _by_hand(id: str, message: Intervention, seed: int) -> inputs.Input:
    who: Any = {"by": message.by, "reason": message.reason, "seed": seed, "message": id}
    if isinstance(message, SetVariables):
        return inputs.SetVariables(values=bytes(message.values), **who)
    if isinstance(message, Migrate):
        return inputs.Migrate(version=message.version, children=message.children, **who)
    who |= {"path": message.path, "run": message.run}
    if isinstance(message, CompleteNode):
        return inputs.CompleteNode(output=bytes(message.output), port=message.port, **who)
    if isinstance(message, SkipNode):
        return inputs.SkipNode(**who)
    given = None if message.input is UNSET else bytes(message.input)
    if isinstance(message, RetryNode):
        return inputs.RetryNode(input=given, **who)
    return inputs.RerunFrom(input=given, version=message.version, children=message.children, **who)
