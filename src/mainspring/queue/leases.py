"""The queue with leases.

A message keeps its id for life, and the id is its place: of those that are due, the one offered first is given out first.
The ring holds what was never taken, in that order. What comes back is in `returned`, ordered by id, and the smaller of
the two first ids is the next.

The capacity counts all that is not settled, taken or not: a message on loan must find its place when it comes back.
"""

from __future__ import annotations

import copy
from typing import Generic, Literal, TypeVar

from mainspring.queue.agenda import Agenda
from mainspring.queue.bounds import (
    dead_letters_max_default,
    retries_max_default,
    retry_delay_ms_default,
    settings_within,
    snapshot_whole,
    visibility_ms_max,
    within,
)
from mainspring.queue.dead_letters import DeadLetters
from mainspring.queue.records import DeadLetter, Death, Lease, Message, QueueSnapshot, Refused, Settled, Token
from mainspring.queue.refusals import full, not_dead, not_held, out_of_room, stale
from mainspring.queue.ring import Ring

T = TypeVar("T")


class LeasedQueue(Generic[T]):
    """A bounded queue of messages that are taken on loan. `dead` are its dead letters."""

    __slots__ = (
        "_clock",
        "_delayed",
        "_expiries",
        "_held",
        "_in_flight",
        "_kept",
        "_last_lease",
        "_last_message",
        "_returned",
        "_ring",
        "capacity",
        "dead",
        "retries_max",
        "retry_delay_ms",
    )

    def __init__(
        self,
        capacity: int,
        *,
        retries_max: int = retries_max_default,
        retry_delay_ms: int = retry_delay_ms_default,
        dead_letters_max: int = dead_letters_max_default,
    ) -> None:
        settings_within(capacity, retries_max, retry_delay_ms, dead_letters_max)
        self.capacity = capacity
        self.retries_max = retries_max
        self.retry_delay_ms = retry_delay_ms
        self.dead: DeadLetters[T] = DeadLetters(dead_letters_max)
        self._clock = 0
        self._last_message = 0
        self._last_lease = 0
        self._held: dict[int, Message[T]] = {}
        self._in_flight = 0
        self._ring: Ring[Message[T]] = Ring(capacity, _in_line)
        self._returned = Agenda()
        self._delayed = Agenda()
        self._expiries = Agenda()
        self._kept = Agenda()

    # -- what the sender does

    def offer(self, payload: T, now: int) -> int | Refused:
        """Put a message at the end of the line. Its id, or a refusal where the queue is full: try later."""
        now = self._advance(now)
        if len(self._held) >= self.capacity and not self._bury_kept(now):
            return full(self.capacity)
        self._last_message += 1
        message = Message(self._last_message, payload, now)
        self._held[message.id] = message
        self._ring.append(message)
        return message.id

    # -- what the receiver does

    def checkout(self, now: int, visibility_ms: int | None) -> Lease[T] | None:
        """Take the first message that is due; nobody else sees it for `visibility_ms` (None: until it is settled).

        None where nothing is due; `next_due` says when to ask again. Expired leases are found here.
        """
        if visibility_ms is not None:
            within("visibility_ms", visibility_ms, 1, visibility_ms_max)
        now = self._advance(now)
        if self._expiries.keys or self._kept.keys:
            self.expire(now)
        message = self._next(now)
        if message is None:
            return None
        self._last_lease += 1
        self._in_flight += 1
        message.state = "leased"
        message.lease = self._last_lease
        message.deliveries += 1
        if visibility_ms is None:
            message.expires_at = None
        else:
            message.expires_at = now + visibility_ms
            self._expiries.set(message.id, message.expires_at)
        return _lease(message)

    def peek(self, now: int) -> T | None:
        """The payload of the message that a checkout would give, left where it is. Leases are not looked at."""
        message = self._first(self._advance(now))
        return None if message is None else message.payload

    def acknowledge(self, token: Token, now: int) -> Literal[True] | Refused:
        """The message is done with, and leaves the queue."""
        message = self._on_loan(token, self._advance(now))
        if isinstance(message, Refused):
            return message
        if message.expires_at is not None:
            self._expiries.drop(message.id)
        self._in_flight -= 1
        del self._held[message.id]
        return True

    def negative_acknowledge(self, token: Token, now: int, not_before: int | None = None) -> Settled | Refused:
        """The message could not be dealt with. It counts as a retry, and is due again at `not_before`.

        Without one that is now + retries x `retry_delay_ms`, as for a lease that expired.
        """
        now = self._advance(now)
        message = self._on_loan(token, now)
        if isinstance(message, Refused):
            return message
        return self._give_back(message, "returned", now, not_before)

    def extend(self, token: Token, now: int, visibility_ms: int) -> Lease[T] | Refused:
        """Keep the message until `visibility_ms` from now at least. An extension never shortens a lease."""
        within("visibility_ms", visibility_ms, 1, visibility_ms_max)
        now = self._advance(now)
        message = self._on_loan(token, now)
        if isinstance(message, Refused):
            return message
        if message.expires_at is not None and message.expires_at < now + visibility_ms:
            message.expires_at = now + visibility_ms
            self._expiries.set(message.id, message.expires_at)
        return _lease(message)

    # -- what both may want to know

    @property
    def depth(self) -> int:
        """Messages that wait to be taken, due or not yet."""
        return len(self._held) - self._in_flight - len(self._kept)

    @property
    def in_flight(self) -> int:
        """Messages on loan, those included whose lease has expired but was not found yet."""
        return self._in_flight

    @property
    def kept(self) -> int:
        """Messages whose retries are spent and for which the dead letters have no room."""
        return len(self._kept)

    def __len__(self) -> int:
        """All that counts against the capacity."""
        return len(self._held)

    def next_due(self, now: int) -> int | None:
        """When a checkout has something to do next: give a message, or find an expired lease. None: not by time alone."""
        now = max(now, self._clock)
        if self._returned.keys or self.depth > len(self._delayed):
            return now
        times = [time for time in (self._delayed.first(), self._expiries.first()) if time is not None]
        return max(now, min(times)) if times else None

    # -- what an operator does

    def supersede(self, id: int, now: int) -> DeadLetter[T] | Refused:
        """Make a message a dead letter by hand, wherever it is. Who has it on loan finds the token stale."""
        now = self._advance(now)
        message = self._held.get(id)
        if message is None:
            return not_held(id, id in self.dead, self._last_message)
        if self.dead.full:
            return out_of_room(self.dead.capacity)
        if message.state == "leased":
            self._in_flight -= 1
            message.ended = "superseded"
        for agenda in (self._returned, self._delayed, self._expiries, self._kept):
            agenda.drop(id)
        return self._bury(message, "superseded", now)

    def requeue(self, id: int, now: int) -> Literal[True] | Refused:
        """Put a dead letter back to work, due at once, with its retries before it and its old place in the order."""
        now = self._advance(now)
        letter = self.dead.inspect(id)
        if letter is None:
            return not_dead(id, id in self._held, self._last_message)
        if len(self._held) >= self.capacity:
            return full(self.capacity)
        self.dead.purge(id)
        message = Message(id, letter.payload, letter.offered_at, "returned", deliveries=letter.deliveries)
        message.lease = letter.lease
        message.ended = letter.reason
        self._held[id] = message
        self._returned.set(id, id)
        return True

    def expire(self, now: int) -> list[Settled]:
        """Find the expired leases and say what became of their messages. `checkout` does this first."""
        now = self._advance(now)
        found: list[Settled] = []
        while (expiry := self._expiries.first()) is not None and expiry <= now:
            message = self._held[self._expiries.take()]
            found.append(self._give_back(message, "expired", now, None))
        self._bury_kept(now)
        return found

    # -- at rest

    def snapshot(self) -> QueueSnapshot[T]:
        """All of it as records; payloads are not copied."""
        return QueueSnapshot(
            capacity=self.capacity,
            retries_max=self.retries_max,
            retry_delay_ms=self.retry_delay_ms,
            dead_letters_max=self.dead.capacity,
            clock=self._clock,
            last_message=self._last_message,
            last_lease=self._last_lease,
            messages=tuple(copy.copy(message) for message in self._held.values()),
            dead=tuple(self.dead.letters(0, len(self.dead))),
        )

    @classmethod
    def restore(cls, snapshot: QueueSnapshot[T]) -> LeasedQueue[T]:
        """A queue that goes on from where `snapshot` was taken: leases, delays and tokens are as they were."""
        snapshot_whole(snapshot)
        queue: LeasedQueue[T] = cls(
            snapshot.capacity,
            retries_max=snapshot.retries_max,
            retry_delay_ms=snapshot.retry_delay_ms,
            dead_letters_max=snapshot.dead_letters_max,
        )
        queue._clock = snapshot.clock
        queue._last_message = snapshot.last_message
        queue._last_lease = snapshot.last_lease
        for message in snapshot.messages:
            queue._take_in(copy.copy(message))
        for letter in snapshot.dead:
            queue.dead.add(letter)
        return queue

    # -- within

    def _advance(self, now: int) -> int:
        """The queue's time never goes back: what was due stays due, whatever a clock is set to."""
        if now > self._clock:
            self._clock = now
        return self._clock

    def _next(self, now: int) -> Message[T] | None:
        """Take the first message that is due out of wherever it waits."""
        message = self._first(now)
        if message is not None:
            if message.state == "line":
                self._ring.take()
            else:
                self._returned.take()
        return message

    def _first(self, now: int) -> Message[T] | None:
        """The first message that is due, left where it is."""
        self._fall_due(now)
        line = self._ring.first()
        returned = self._returned.first()
        # Mostly what comes back was offered before all that is in line, but one that died in line may have been requeued.
        if returned is None or (line is not None and line.id < returned):
            return line
        return self._held[returned]

    def _fall_due(self, now: int) -> None:
        while (due := self._delayed.first()) is not None and due <= now:
            id = self._delayed.take()
            self._held[id].state = "returned"
            self._returned.set(id, id)

    def _on_loan(self, token: Token, now: int) -> Message[T] | Refused:
        """The message that `token` is the right to, if it still is."""
        message = self._held.get(token.message)
        if message is None or message.lease != token.lease or message.state != "leased":
            return stale(token, message, token.message in self.dead, self._last_message, self._last_lease)
        if message.expires_at is not None and message.expires_at <= now:
            return Refused("expired", f"lease {token.lease} of message {token.message} ended at {message.expires_at}")
        return message

    def _give_back(
        self, message: Message[T], how: Literal["expired", "returned"], now: int, not_before: int | None
    ) -> Settled:
        """A lease ended without an acknowledgement: once more later, or no more."""
        self._expiries.drop(message.id)
        self._in_flight -= 1
        message.ended = how
        if message.retries < self.retries_max:
            message.retries += 1
            message.state = "delayed"
            message.not_before = now + message.retries * self.retry_delay_ms if not_before is None else not_before
            self._delayed.set(message.id, message.not_before)
            return Settled(message.id, "requeued", message.not_before)
        if self.dead.full:
            message.state = "kept"
            message.not_before = now
            self._kept.set(message.id, now)
            return Settled(message.id, "kept")
        self._bury(message, how, now)
        return Settled(message.id, "dead")

    def _bury_kept(self, now: int) -> bool:
        """Move what waits for room among the dead there. Whether anything moved."""
        moved = False
        while not self.dead.full and self._kept.first() is not None:
            message = self._held[self._kept.take()]
            assert message.ended, "kept without a lease that ended"
            self._bury(message, message.ended, now)
            moved = True
        return moved

    def _bury(self, message: Message[T], reason: Death, now: int) -> DeadLetter[T]:
        # The ring passes over a message in any other state than "line".
        message.state = "kept"
        del self._held[message.id]
        letter = DeadLetter(
            id=message.id,
            payload=message.payload,
            reason=reason,
            offered_at=message.offered_at,
            died_at=now,
            deliveries=message.deliveries,
            lease=message.lease,
        )
        self.dead.add(letter)
        return letter

    def _take_in(self, message: Message[T]) -> None:
        """A message out of a snapshot, to where its state says it was."""
        self._held[message.id] = message
        if message.state == "line":
            self._ring.append(message)
        elif message.state == "returned":
            self._returned.set(message.id, message.id)
        elif message.state == "delayed":
            self._delayed.set(message.id, message.not_before)
        elif message.state == "kept":
            self._kept.set(message.id, message.not_before)
        else:
            self._in_flight += 1
            if message.expires_at is not None:
                self._expiries.set(message.id, message.expires_at)


def _in_line(message: Message[T]) -> bool:
    return message.state == "line"


def _lease(message: Message[T]) -> Lease[T]:
    return Lease(message.id, message.lease, message.payload, message.deliveries, message.expires_at)
