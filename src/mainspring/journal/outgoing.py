"""What leaves an instance, as an outbox row carries it."""

from __future__ import annotations

import msgspec

from mainspring.errors import StoreCorrupt
from mainspring.journal.records import OutboxRow
from mainspring.machine.effects import (
    CancelChild,
    CompensateChild,
    PauseChild,
    ResumeChild,
    Send,
    StartChild,
    TellParent,
)

_KINDS: dict[type[object], str] = {
    StartChild: "child start",
    CancelChild: "child cancel",
    PauseChild: "child pause",
    ResumeChild: "child resume",
    CompensateChild: "child compensate",
    TellParent: "child end",
}
_decode = msgspec.json.Decoder(Send).decode


def to_row(send: Send, instance: int, at: int) -> OutboxRow:
    """The row of something that is sent. Its id is what the receiver knows it again by."""
    return OutboxRow(send.id, instance, _KINDS[type(send.what)], msgspec.json.encode(send), at)


def from_row(row: OutboxRow) -> Send | None:
    """What a row carries; None for a kind that this version does not send. Raises StoreCorrupt."""
    if row.kind not in _KINDS.values():
        return None
    try:
        return _decode(row.body)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"outbox row {row.id!r} cannot be read: {error}") from None
