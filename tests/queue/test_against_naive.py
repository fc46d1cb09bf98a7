"""Q1, Q3: the leased queue and the naive list do the same, whatever is asked of them in whatever order."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mainspring.queue import LeasedQueue, QueueSnapshot, Refused, Token
from tests.queue.naive import Naive

steps = st.sampled_from([-5, 0, 0, 1, 3, 10, 40])
visibilities = st.sampled_from([None, 1, 5, 20, 50])


class Queues(RuleBasedStateMachine):
    now = 100

    @initialize(
        capacity=st.integers(1, 12),
        retries=st.integers(0, 3),
        delay=st.sampled_from([0, 4, 10]),
        dead=st.integers(1, 3),
    )
    def begin(self, capacity: int, retries: int, delay: int, dead: int) -> None:
        self.queue: LeasedQueue[int] = LeasedQueue(
            capacity, retries_max=retries, retry_delay_ms=delay, dead_letters_max=dead
        )
        self.naive = Naive(capacity, retries, delay, dead)
        self.tokens: list[tuple[int, int]] = [(1, 1), (0, 0), (99, 99)]
        self.acknowledged: set[int] = set()
        self.purged: set[int] = set()

    def tick(self, step: int) -> int:
        self.now = max(0, self.now + step)
        self.naive.tick(self.now)
        return self.now

    @rule(step=steps, count=st.integers(1, 5))
    def offer(self, step: int, count: int) -> None:
        now = self.tick(step)
        for _ in range(count):
            answer = self.queue.offer(self.naive.offered + 7, now)
            assert (answer.reason if isinstance(answer, Refused) else answer) == self.naive.offer(
                self.naive.offered + 7
            )

    @rule(step=steps, visibility=visibilities, count=st.integers(1, 4))
    def checkout(self, step: int, visibility: int | None, count: int) -> None:
        now = self.tick(step)
        for _ in range(count):
            lease = self.queue.checkout(now, visibility)
            expected = self.naive.checkout(visibility)
            if lease is None or expected is None:
                assert lease is expected
                return
            keys = ("id", "lease", "payload", "given", "until")
            got = (lease.message, lease.lease, lease.payload, lease.delivery, lease.expires_at)
            assert got == tuple(expected[key] for key in keys)
            self.tokens.append((lease.message, lease.lease))

    @rule(step=steps)
    def peek(self, step: int) -> None:
        now = self.tick(step)
        due = [one for one in self.naive.queue if one["is"] == "waiting" and one["from"] <= self.naive.time]
        assert self.queue.peek(now) == (min(due, key=lambda one: one["id"])["payload"] if due else None)

    def token(self, data: st.DataObject) -> tuple[int, int]:
        # The late ones are mostly good, the early ones mostly stale; both are wanted.
        late = st.sampled_from(self.tokens[-4:])
        return data.draw(st.one_of(late, late, st.sampled_from(self.tokens)))

    @rule(step=steps, data=st.data())
    def acknowledge(self, step: int, data: st.DataObject) -> None:
        now, (id, lease) = self.tick(step), self.token(data)
        answer = self.queue.acknowledge(Token(id, lease), now)
        refusal = self.naive.why_not(id, lease)
        assert (answer.reason if isinstance(answer, Refused) else None) == refusal
        if refusal is None:
            self.naive.queue.remove(self.naive.held(id))
            self.acknowledged.add(id)

    @rule(step=steps, data=st.data(), after=st.sampled_from([None, None, None, -3, 0, 15]))
    def negative_acknowledge(self, step: int, data: st.DataObject, after: int | None) -> None:
        now, (id, lease) = self.tick(step), self.token(data)
        not_before = None if after is None else now + after
        answer: Any = self.queue.negative_acknowledge(Token(id, lease), now, not_before)
        refusal = self.naive.why_not(id, lease)
        if refusal is not None:
            assert not answer and answer.reason == refusal
        else:
            ended = self.naive.end(self.naive.held(id), "returned", not_before)
            assert (answer.outcome, answer.not_before) == ended

    @rule(step=steps, data=st.data(), visibility=st.sampled_from([1, 5, 50]))
    def extend(self, step: int, data: st.DataObject, visibility: int) -> None:
        now, (id, lease) = self.tick(step), self.token(data)
        answer: Any = self.queue.extend(Token(id, lease), now, visibility)
        refusal = self.naive.why_not(id, lease)
        if refusal is not None:
            assert not answer and answer.reason == refusal
            return
        one = self.naive.held(id)
        if one["until"] is not None:
            one["until"] = max(one["until"], self.naive.time + visibility)
        assert (answer.expires_at, answer.payload, answer.delivery) == (one["until"], one["payload"], one["given"])

    @rule(step=steps)
    def expire(self, step: int) -> None:
        found = self.queue.expire(self.tick(step))
        assert [(one.message, one.outcome, one.not_before) for one in found] == self.naive.expire()

    @rule(step=steps, id=st.integers(0, 30))
    def supersede(self, step: int, id: int) -> None:
        answer = self.queue.supersede(id, self.tick(step))
        assert (answer.reason if isinstance(answer, Refused) else None) == self.naive.supersede(id)

    @precondition(lambda self: self.naive.dead)
    @rule(step=steps, data=st.data())
    def requeue_a_dead_letter(self, step: int, data: st.DataObject) -> None:
        self.requeue(step, data.draw(st.sampled_from([one["id"] for one in self.naive.dead])))

    @rule(step=steps, id=st.integers(0, 30))
    def requeue(self, step: int, id: int) -> None:
        answer = self.queue.requeue(id, self.tick(step))
        assert (answer.reason if isinstance(answer, Refused) else None) == self.naive.requeue(id)

    @precondition(lambda self: self.naive.dead)
    @rule(data=st.data(), everything=st.booleans())
    def purge(self, data: st.DataObject, everything: bool) -> None:
        ids = [one["id"] for one in self.naive.dead]
        chosen = ids if everything else [data.draw(st.sampled_from(ids))]
        assert self.queue.dead.purge(None if everything else chosen[0]) == len(chosen)
        self.naive.dead = [one for one in self.naive.dead if one["id"] not in chosen]
        self.purged.update(chosen)

    @rule()
    def put_to_rest_and_wake(self) -> None:
        raw = msgspec.json.encode(self.queue.snapshot())
        self.queue = LeasedQueue.restore(msgspec.json.decode(raw, type=QueueSnapshot[int]))

    @invariant()
    def they_agree(self) -> None:
        queue, naive = self.queue, self.naive
        assert (queue.depth, queue.in_flight, queue.kept) == tuple(
            naive.count(what) for what in ("waiting", "leased", "kept")
        )
        assert len(queue) == len(naive.queue) <= queue.capacity
        keys = ("id", "payload", "reason", "at", "died", "given", "lease")
        assert [msgspec.structs.astuple(letter) for letter in queue.dead.letters()] == [
            tuple(one[key] for key in keys) for one in naive.dead
        ]
        assert queue.next_due(self.now) == naive.next_due(self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        held = {message.id for message in self.queue.snapshot().messages}
        dead = {letter.id for letter in self.queue.dead.letters()}
        parts = [held, dead, self.acknowledged, self.purged]
        assert sum(len(part) for part in parts) == self.naive.offered
        assert set[int]().union(*parts) == set(range(1, self.naive.offered + 1))


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
