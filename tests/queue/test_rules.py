"""Q1, Q3: the rules of docs/concepts/queues.md, one by one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from mainspring.queue import Lease, LeasedQueue, Message, QueueSnapshot, Refused, Token, inbox_capacity
from mainspring.queue.records import Reason

DOCUMENT = (Path(__file__).parents[2] / "docs" / "concepts" / "queues.md").read_text("utf-8")


def taken(queue: LeasedQueue[Any], now: int, visibility: int | None = 10) -> Lease[Any]:
    lease = queue.checkout(now, visibility)
    assert lease is not None
    return lease


def filled(count: int, **bounds: int) -> LeasedQueue[str]:
    queue: LeasedQueue[str] = LeasedQueue(**{"capacity": count, **bounds})
    for number in range(count):
        queue.offer("abcdefghij"[number], 0)
    return queue


def refusal(answer: Any) -> str:
    assert isinstance(answer, Refused) and not answer and answer.text
    return answer.reason


def given_up(queue: LeasedQueue[Any], now: int = 0) -> int:
    """Take the first message and return it until its retries are spent. Its id."""
    while True:
        lease = taken(queue, now)
        settled = queue.negative_acknowledge(lease, now, not_before=now)
        assert not isinstance(settled, Refused)
        if settled.outcome != "requeued":
            return settled.message


def test_q1_first_in_first_out() -> None:
    queue = filled(3)
    assert [taken(queue, 0).payload for _ in range(3)] == ["a", "b", "c"]
    assert queue.checkout(0, 10) is None


def test_q1_order_is_that_of_the_offers_among_those_that_are_due() -> None:
    queue = filled(3)
    first, second = taken(queue, 0), taken(queue, 0)
    queue.negative_acknowledge(second, 1, not_before=5)
    queue.negative_acknowledge(first, 1, not_before=6)
    assert taken(queue, 4).payload == "c"
    # Both came due meanwhile: `a` was offered first, although it was due last.
    assert [taken(queue, 7).payload, taken(queue, 7).payload] == ["a", "b"]


def test_q1_what_is_taken_is_invisible_until_its_timeout() -> None:
    queue = filled(1)
    taken(queue, 0, 100)
    assert queue.checkout(99, 100) is None
    assert (queue.depth, queue.in_flight) == (0, 1)
    assert queue.checkout(100, 100) is None  # found expired, and requeued for later
    assert (queue.depth, queue.in_flight) == (1, 0)


def test_q1_an_expired_lease_is_requeued_for_now_plus_retries_times_two_seconds() -> None:
    queue = filled(1)
    now = 0
    for retries in (1, 2, 3):
        lease = taken(queue, now)
        assert lease.delivery == retries
        now += 1_000  # long after it expired: the delay counts from where it was found
        assert queue.checkout(now, 10) is None
        assert queue.next_due(now) == now + retries * 2_000
        now += retries * 2_000
        assert queue.checkout(now - 1, 10) is None


def test_q1_after_three_retries_a_message_is_superseded_and_a_dead_letter() -> None:
    queue = filled(1)
    for now in (0, 10_000, 20_000):
        taken(queue, now)
        queue.checkout(now + 10, 10)
    last = taken(queue, 30_000)
    assert last.delivery == 4
    assert queue.checkout(40_000, 10) is None
    (letter,) = queue.dead.letters()
    assert (letter.payload, letter.reason, letter.deliveries, letter.died_at) == ("a", "expired", 4, 40_000)
    assert len(queue) == 0
    assert refusal(queue.acknowledge(last, 40_000)) == "dead"


def test_q1_a_negative_acknowledgement_requeues_by_the_same_rule_or_for_a_given_time() -> None:
    queue = filled(2)
    settled: Any = queue.negative_acknowledge(taken(queue, 5), 7)
    assert (settled.outcome, settled.not_before) == ("requeued", 2_007)
    settled = queue.negative_acknowledge(taken(queue, 8), 8, not_before=50)
    assert (settled.outcome, settled.not_before) == ("requeued", 50)
    assert queue.next_due(8) == 50
    assert taken(queue, 50).payload == "b"


def test_q1_given_up_by_negative_acknowledgements() -> None:
    queue = filled(1)
    assert given_up(queue) == 1
    assert queue.dead.letters()[0].reason == "returned"


def test_q1_no_retries_at_all() -> None:
    queue = filled(1, retries_max=0)
    assert given_up(queue) == 1
    assert queue.dead.letters()[0].deliveries == 1


def test_q1_extend() -> None:
    queue = filled(1)
    lease = taken(queue, 0, 10)
    longer = queue.extend(lease, 5, 100)
    assert isinstance(longer, Lease) and longer.expires_at == 105
    assert queue.checkout(104, 10) is None and queue.in_flight == 1
    shorter = queue.extend(lease, 6, 1)
    assert isinstance(shorter, Lease) and shorter.expires_at == 105  # never shortened
    assert queue.acknowledge(longer, 104)


def test_q1_a_lease_without_a_timeout_lasts_until_it_is_settled() -> None:
    """SEMANTICS 10: a long task is never run twice for being long."""
    queue = filled(1)
    lease = taken(queue, 0, None)
    assert queue.checkout(10**15, 10) is None
    assert queue.next_due(10**15) is None
    assert queue.extend(lease, 10**15, 5) == lease
    assert queue.acknowledge(lease, 10**15)


def test_q1_stale_tokens_are_refused_and_say_why() -> None:
    queue = filled(4, retry_delay_ms=0)
    lease = taken(queue, 0)
    for verb in (queue.acknowledge, queue.negative_acknowledge, lambda token, now: queue.extend(token, now, 5)):
        assert refusal(verb(lease, 10)) == "expired"  # over, although nobody has found it yet
    assert queue.in_flight == 1
    queue.expire(10)
    assert refusal(queue.acknowledge(lease, 10)) == "expired"
    again = taken(queue, 10)
    assert refusal(queue.acknowledge(lease, 11)) == "replaced"
    queue.negative_acknowledge(again, 11)
    assert refusal(queue.acknowledge(again, 11)) == "returned"
    third = taken(queue, 11)
    queue.acknowledge(third, 11)
    assert refusal(queue.acknowledge(third, 11)) == "gone"
    assert refusal(queue.acknowledge(Token(2, 99), 11)) == "unknown"
    assert refusal(queue.acknowledge(Token(2, 0), 11)) == "unknown"
    assert refusal(queue.acknowledge(Token(2, 3), 11)) == "unknown"  # lease 3 was of message 1
    assert refusal(queue.acknowledge(Token(99, 1), 11)) == "unknown"
    fourth = taken(queue, 12)
    queue.supersede(fourth.message, 12)
    assert refusal(queue.acknowledge(fourth, 12)) == "dead"
    queue.requeue(fourth.message, 12)
    assert refusal(queue.acknowledge(fourth, 12)) == "superseded"


def test_q1_supersede_by_hand_wherever_the_message_is() -> None:
    queue = filled(5, dead_letters_max=5)
    leased, delayed, returned = taken(queue, 0, 10), taken(queue, 0), taken(queue, 0)
    queue.negative_acknowledge(delayed, 0, not_before=500)
    queue.negative_acknowledge(returned, 0, not_before=0)
    taken(queue, 0)
    queue.negative_acknowledge(Token(3, 4), 0, not_before=2)
    for id in (leased.message, delayed.message, returned.message, 5):
        letter = queue.supersede(id, 1)
        assert not isinstance(letter, Refused) and (letter.id, letter.reason) == (id, "superseded")
    assert [taken(queue, 1_000).payload] == ["d"]
    assert queue.checkout(1_000, 10) is None
    assert refusal(queue.supersede(1, 1)) == "dead"
    assert refusal(queue.supersede(6, 1)) == "unknown"


def test_q1_requeue_a_dead_letter() -> None:
    queue = filled(2)
    id = given_up(queue)
    assert queue.requeue(id, 5) is True
    assert len(queue.dead) == 0
    lease = taken(queue, 5)
    assert (lease.payload, lease.delivery) == (
        "a",
        5,
    )  # its old place, before `b`; how often it was given out is not forgotten
    settled: Any = queue.negative_acknowledge(lease, 5)
    assert settled.outcome == "requeued"  # its retries are before it again
    assert refusal(queue.requeue(id, 5)) == "not_dead"
    assert refusal(queue.requeue(77, 5)) == "unknown"


def test_q1_one_that_died_in_line_and_was_requeued_has_its_old_place() -> None:
    queue = filled(3)
    queue.supersede(2, 0)
    queue.requeue(2, 0)
    assert [taken(queue, 0).payload for _ in range(3)] == ["a", "b", "c"]


def test_q3_requeue_into_a_full_queue_is_refused_and_the_letter_stays() -> None:
    queue = filled(1)
    id = given_up(queue)
    assert queue.offer("b", 1)
    assert refusal(queue.requeue(id, 1)) == "full"
    assert queue.dead.inspect(id) is not None


def test_q1_inspect_page_and_purge_dead_letters() -> None:
    queue = filled(5)
    for id in (4, 2, 5):
        queue.supersede(id, 9)
    assert [letter.id for letter in queue.dead.letters()] == [4, 2, 5]
    assert [letter.id for letter in queue.dead.letters(1, 1)] == [2]
    letter = queue.dead.inspect(2)
    assert letter is not None and (letter.payload, letter.died_at, letter.lease) == ("b", 9, 0)
    assert queue.dead.inspect(1) is None
    assert (queue.dead.purge(2), queue.dead.purge(2), queue.dead.purge()) == (1, 0, 2)
    assert refusal(queue.requeue(2, 9)) == "gone"


def test_q3_a_full_queue_refuses_the_sender_and_drops_nothing() -> None:
    queue = filled(2)
    assert refusal(queue.offer("c", 0)) == "full"
    lease = taken(queue, 0)
    assert refusal(queue.offer("c", 0)) == "full"  # on loan is not gone: it needs its place when it comes back
    queue.acknowledge(lease, 0)
    assert queue.offer("c", 0) == 3
    assert [taken(queue, 0).payload, taken(queue, 0).payload] == ["b", "c"]


def test_q3_full_dead_letters_keep_the_message_in_the_queue_and_push_back() -> None:
    queue = filled(3, dead_letters_max=1)
    given_up(queue)
    assert given_up(queue) == 2
    assert (queue.kept, queue.depth, len(queue), len(queue.dead)) == (1, 1, 2, 1)
    assert refusal(queue.supersede(3, 0)) == "dead_letters_full"
    assert taken(queue, 0).payload == "c"  # what is kept is given to nobody
    assert queue.checkout(0, 10) is None and queue.next_due(0) == 10
    assert queue.offer("d", 1) and refusal(queue.offer("e", 1)) == "full"
    queue.dead.purge()
    assert queue.offer("e", 2) == 5  # the kept one makes room
    assert (queue.kept, [letter.id for letter in queue.dead.letters()]) == (0, [2])


def test_q3_what_is_kept_moves_over_at_the_next_checkout_with_room() -> None:
    queue = filled(2, dead_letters_max=1)
    given_up(queue), given_up(queue)
    queue.dead.purge()
    assert queue.checkout(7, 10) is None
    (letter,) = queue.dead.letters()
    assert (letter.id, letter.reason, letter.died_at) == (2, "returned", 7)
    assert len(queue) == 0


def test_q1_peek_shows_what_a_checkout_would_give() -> None:
    queue = filled(2)
    assert queue.peek(0) == "a"
    lease = taken(queue, 0)
    assert queue.peek(0) == "b"
    queue.negative_acknowledge(lease, 0, not_before=5)
    assert (queue.peek(4), queue.peek(5)) == ("b", "a")
    assert [taken(queue, 5).payload, taken(queue, 5).payload] == ["a", "b"]
    assert queue.peek(5) is None


def test_q1_expire_says_what_became_of_each() -> None:
    queue = filled(3, retries_max=1, retry_delay_ms=5, dead_letters_max=1)
    for _ in range(3):
        taken(queue, 0, 10)
    assert [(one.message, one.outcome, one.not_before) for one in queue.expire(20)] == [
        (1, "requeued", 25),
        (2, "requeued", 25),
        (3, "requeued", 25),
    ]
    taken(queue, 25, 10), taken(queue, 25, 9)
    assert [(one.message, one.outcome) for one in queue.expire(40)] == [(2, "dead"), (1, "kept")]
    assert queue.expire(41) == []


def test_q1_next_due_wakes_without_polling() -> None:
    queue: LeasedQueue[str] = LeasedQueue(4)
    assert queue.next_due(5) is None
    queue.offer("a", 5)
    assert queue.next_due(5) == 5
    lease = taken(queue, 5, 100)
    assert queue.next_due(6) == 105  # to find the lease expired
    queue.negative_acknowledge(lease, 7, not_before=50)
    assert queue.next_due(8) == 50
    assert queue.next_due(60) == 60
    queue.checkout(50, None)
    assert queue.next_due(60) is None


def test_q1_time_never_goes_back() -> None:
    queue = filled(2)
    lease = taken(queue, 100, 10)
    queue.expire(200)
    assert queue.next_due(0) == 200  # `b` is there
    assert taken(queue, 0, 10).expires_at == 210
    assert refusal(queue.acknowledge(lease, 105)) == "expired"
    assert queue.next_due(0) == 210
    (first, _) = queue.snapshot().messages
    assert first.not_before == 2_200


def test_q1_a_snapshot_is_the_queue_whole() -> None:
    queue = filled(8, dead_letters_max=1)
    leases = [taken(queue, 0, visibility) for visibility in (10, None, 10, 10, 10)]
    queue.negative_acknowledge(leases[2], 1, not_before=2)
    queue.negative_acknowledge(leases[3], 1, not_before=900)
    queue.supersede(5, 1)
    while queue.kept == 0:
        settled: Any = queue.negative_acknowledge(taken(queue, 2), 2, not_before=2)
        assert settled.message == 3
    raw = msgspec.msgpack.encode(queue.snapshot())
    other = LeasedQueue.restore(msgspec.msgpack.decode(raw, type=QueueSnapshot[str]))
    assert {message.state for message in other.snapshot().messages} == {"leased", "kept", "delayed", "line"}
    for one in (queue, other):
        assert [taken(one, 3, None).payload for _ in range(3)] == ["f", "g", "h"]
        assert [settled.message for settled in one.expire(10)] == [1]
        assert one.acknowledge(leases[1], 10**9)
        one.dead.purge()
        assert [taken(one, 10**9, None).payload for _ in range(2)] == ["a", "d"]
    assert queue.snapshot() == other.snapshot()


def test_q1_a_line_that_grows_round_the_end_of_its_array_stays_in_order() -> None:
    queue: LeasedQueue[int] = LeasedQueue(100)
    given: list[int] = []
    for number in range(60):
        id = queue.offer(number, 0)
        assert id
        if number % 7 == 3:
            assert queue.supersede(id, 0)
        elif number % 3 == 2:
            lease = queue.checkout(0, None)
            assert lease is not None and queue.acknowledge(lease, 0)
            given.append(lease.payload)
    while (lease := queue.checkout(0, None)) is not None:
        given.append(lease.payload)
    assert given == [number for number in range(60) if number % 7 != 3]


def test_q3_a_snapshot_holds_what_waits_for_room_among_the_dead() -> None:
    queue: LeasedQueue[str] = LeasedQueue(3, retries_max=0, dead_letters_max=1)
    for payload in "ab":
        queue.offer(payload, 0)
        lease = queue.checkout(0, None)
        assert lease is not None
        queue.negative_acknowledge(lease, 0)
    again = LeasedQueue.restore(queue.snapshot())
    assert (len(again.dead), again.kept) == (1, 1)
    again.dead.purge()
    again.expire(1)
    assert (len(again.dead), again.kept) == (1, 0)


def test_a_snapshot_does_not_change_with_its_queue() -> None:
    queue = filled(2)
    before = queue.snapshot()
    taken(queue, 5)
    assert [message.state for message in before.messages] == ["line", "line"]
    restored = LeasedQueue.restore(before)
    taken(restored, 0)
    assert [message.state for message in before.messages] == ["line", "line"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"messages": tuple(Message(id, "", 0) for id in (1, 2, 3))}, "number of messages in the snapshot is 3"),
        ({"messages": (Message(1, "", 0), Message(1, "", 0))}, "twice"),
        ({"messages": (Message(2, "", 0), Message(1, "", 0))}, "out of order"),
        ({"messages": (Message(9, "", 0),)}, "id in the snapshot is 9"),
        ({"dead_letters_max": 0}, "dead_letters_max"),
        ({"capacity": 0, "messages": ()}, "capacity"),
    ],
)
def test_a_snapshot_that_no_queue_made_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LeasedQueue.restore(msgspec.structs.replace(filled(2).snapshot(), **changes))


@pytest.mark.parametrize(
    "bounds",
    [
        {"capacity": 0},
        {"capacity": 1_000_001},
        {"capacity": 1, "retries_max": -1},
        {"capacity": 1, "retry_delay_ms": -1},
        {"capacity": 1, "dead_letters_max": 0},
    ],
)
def test_settings_have_bounds_with_names(bounds: dict[str, int]) -> None:
    name = list(bounds)[-1]
    with pytest.raises(ValueError, match=name):
        LeasedQueue(**bounds)


@pytest.mark.parametrize("visibility", [0, -1, 7 * 24 * 3_600_000 + 1])
def test_visibility_is_bounded(visibility: int) -> None:
    queue = filled(2)
    with pytest.raises(ValueError, match="visibility_ms"):
        queue.checkout(0, visibility)
    with pytest.raises(ValueError, match="visibility_ms"):
        queue.extend(taken(queue, 0), 0, visibility)


@pytest.mark.parametrize(("declared", "degree", "capacity"), [(None, 0, 1), (None, 5, 5), (3, 5, 5), (8, 5, 8)])
def test_an_inbox_never_refuses_a_token(declared: int | None, degree: int, capacity: int) -> None:
    """SEMANTICS 10: capacity is max(declared, in-degree)."""
    assert inbox_capacity(declared, degree) == capacity
    queue: LeasedQueue[int] = LeasedQueue(inbox_capacity(declared, degree))
    assert all(queue.offer(token, 0) for token in range(degree))


def test_memory_grows_with_what_is_held_not_with_the_capacity_or_the_past() -> None:
    queue: LeasedQueue[int] = LeasedQueue(1_000_000, dead_letters_max=2)
    queue.offer(0, 0)
    beating = taken(queue, 0, 1_000)
    for now in range(500):
        queue.extend(beating, now, 2_000)
        # Offered, superseded while in the line (its place in the ring stays behind as a gap), requeued and done.
        id = queue.offer(now, now)
        assert isinstance(id, int)
        queue.supersede(id, now)
        queue.requeue(id, now)
        assert queue.acknowledge(taken(queue, now, 60_000), now)
    assert len(queue) == 1
    assert len(queue._ring._slots) <= 16
    for agenda in (queue._returned, queue._delayed, queue._expiries, queue._kept):
        assert len(agenda._heap) <= 20
    assert queue.acknowledge(beating, 2_498)


def test_every_reason_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| ", DOCUMENT, re.MULTILINE)) == set(get_args(Reason))


def test_the_example_of_the_document_runs() -> None:
    for program in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL):
        exec(compile(program, "queues.md", "exec"), {})
