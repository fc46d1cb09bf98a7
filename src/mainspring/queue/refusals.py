"""Why the queue says no, in words."""

from __future__ import annotations

from typing import Any

from mainspring.queue.records import Message, Refused, Token


def full(capacity: int) -> Refused:
    return Refused("full", f"the queue holds {capacity} of {capacity} messages (capacity); offer it again later")


def out_of_room(capacity: int) -> Refused:
    text = f"there are {capacity} of {capacity} dead letters (dead_letters_max); requeue or purge some first"
    return Refused("dead_letters_full", text)


def stale(token: Token, message: Message[Any] | None, dead: bool, last_message: int, last_lease: int) -> Refused:
    """Why `token` is no right to anything. `message` is what the queue still holds under its id."""
    if not 1 <= token.lease <= last_lease:
        return Refused("unknown", f"the queue never gave lease {token.lease}")
    if message is None:
        return not_held(token.message, dead, last_message)
    if token.lease > message.lease:
        return Refused("unknown", f"lease {token.lease} was never one of message {message.id}")
    if token.lease < message.lease:
        return Refused("replaced", f"message {message.id} was given out again, as lease {message.lease}")
    assert message.ended, "a lease that is over without an end"
    how = {"expired": "expired", "returned": "was returned", "superseded": "ended when its message was superseded"}
    return Refused(message.ended, f"lease {token.lease} of message {message.id} {how[message.ended]}")


def not_held(id: int, dead: bool, last_message: int) -> Refused:
    """There is no such message in the queue."""
    if dead:
        return Refused("dead", f"message {id} is a dead letter")
    if 1 <= id <= last_message:
        return Refused("gone", f"message {id} was acknowledged, or purged from the dead letters")
    return Refused("unknown", f"the queue never held a message {id}")


def not_dead(id: int, held: bool, last_message: int) -> Refused:
    """There is no such dead letter."""
    if held:
        return Refused("not_dead", f"message {id} is in the queue, not among the dead letters")
    return not_held(id, False, last_message)
