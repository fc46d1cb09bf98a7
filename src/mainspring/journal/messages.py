"""What can be sent to an instance from outside, as an inbox row carries it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mainspring.errors import StoreCorrupt
from mainspring.machine import inputs


class Cancel(Struct, frozen=True, tag="cancel"):
    """End it."""

    by: str = ""
    reason: str = ""


class Resume(Struct, frozen=True, tag="resume"):
    """A parked or paused instance goes on."""

    by: str = ""


Message = Cancel | Resume

_decoder = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The body of an inbox row."""
    return msgspec.json.encode(message)


def is_cancel(body: bytes) -> bool:
    """Whether an inbox row asks for the end."""
    try:
        return isinstance(_decoder.decode(body), Cancel)
    except msgspec.MsgspecError:
        return False


def to_input(id: str, body: bytes, seed: int) -> inputs.Input:
    """The machine's input that an inbox row stands for. Raises StoreCorrupt for a body that nobody knows."""
    try:
        message = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"inbox message {id!r} cannot be read: {error}") from None
    if isinstance(message, Cancel):
        return inputs.CancelInstance(by=message.by, reason=message.reason, seed=seed, message=id)
    return inputs.ResumeInstance(by=message.by, seed=seed, message=id)
