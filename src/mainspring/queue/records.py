"""What the queue keeps, and what it answers, as plain records: all of them can be encoded as they are.

Times are UTC milliseconds. A message's id is its number in the order of offers, from 1, and stays the same for life; a
lease's number counts all leases that the queue ever gave, so that no two are alike.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")

State = Literal["line", "returned", "delayed", "leased", "kept"]
"""Where a message is. `line`: in the ring, never taken. `delayed`: comes back later. `returned`: came back, and is due.
`leased`: somebody has it. `kept`: its retries are spent and the dead letters are full."""

Ended = Literal["", "expired", "returned", "superseded"]
"""How a message's last lease ended."""

Death = Literal["expired", "returned", "superseded"]
"""What made a message a dead letter: its last lease ran out or was returned, or somebody superseded it by hand."""

Reason = Literal[
    "full", "dead_letters_full", "unknown", "gone", "dead", "expired", "returned", "superseded", "replaced", "not_dead"
]


class Refused(Struct, frozen=True):
    """No, and nothing was changed. It is false where a success is true; `text` is a sentence for people."""

    reason: Reason
    text: str

    def __bool__(self) -> bool:
        return False


class Token(Struct, frozen=True, gc=False):
    """The right to settle a message: which message, and which of its leases."""

    message: int
    lease: int


class Lease(Token, Generic[T], frozen=True):
    """A message on loan. `delivery` is 1 the first time; `expires_at` is None where the lease has no timeout."""

    payload: T
    delivery: int
    expires_at: int | None


class Settled(Struct, frozen=True):
    """What became of a message whose lease ended without an acknowledgement.

    `requeued`: it is given out again from `not_before` on. `dead`: it is a dead letter now. `kept`: it should be, but the
    dead letters are full; the queue holds it, and gives it to nobody, until they have room.
    """

    message: int
    outcome: Literal["requeued", "dead", "kept"]
    not_before: int | None = None


class Message(Struct, Generic[T]):
    """A message that the queue holds."""

    id: int
    payload: T
    offered_at: int
    state: State = "line"
    retries: int = 0
    deliveries: int = 0
    not_before: int = 0
    lease: int = 0
    expires_at: int | None = None
    ended: Ended = ""


class DeadLetter(Struct, Generic[T], frozen=True):
    """A message that was superseded, with the reason. `lease` is the number of its last lease (0: never taken)."""

    id: int
    payload: T
    reason: Death
    offered_at: int
    died_at: int
    deliveries: int
    lease: int


class QueueSnapshot(Struct, Generic[T], frozen=True):
    """A queue whole, at rest: its bounds, its counters, and all that it holds."""

    capacity: int
    retries_max: int
    retry_delay_ms: int
    dead_letters_max: int
    clock: int
    last_message: int
    last_lease: int
    messages: tuple[Message[T], ...] = ()
    dead: tuple[DeadLetter[T], ...] = ()
