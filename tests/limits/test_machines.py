"""The limits, each by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.limits.adaptive import Adaptive
from mainspring.limits.bucket import Bucket
from mainspring.limits.limit import FREE, UNUSED, WAIT, Ended, Lease, Refusal
from mainspring.limits.pool import UNIT, Pool, Units

OK = Ended("ok", 10)


def lease(number: int) -> Lease:
    return Lease("i", "n", number, 1)


def test_a_pool_has_as_many_leases_as_places() -> None:
    pool = Pool("gpu", 2)
    pool.take(lease(1), 1, 0)
    assert pool.check(1, 0) is FREE and pool.check(2, 0) is WAIT
    pool.take(lease(2), 1, 0)
    assert pool.check(1, 0) is WAIT
    pool.give_back(lease(3), OK, 0)  # nobody's
    pool.give_back(lease(1), OK, 0)
    assert pool.check(1, 0) is FREE
    assert list(pool.holders()) == [lease(2)]
    assert pool.figures(0) == {"size": 2, "active": 1}
    assert pool.due(1, 0) is None


def test_units_come_back_exactly_as_they_were_taken() -> None:
    units = Units("cpu", 0.3)
    for number in range(3):
        assert units.check(round(0.1 * UNIT), 0) is FREE
        units.take(lease(number), round(0.1 * UNIT), 0)
    assert units.check(1, 0) is WAIT
    assert units.figures(0) == {"size": 0.3, "active": 3, "taken": 0.3}
    for number in range(3):
        units.give_back(lease(number), OK, 0)
    assert units.check(300, 0) is FREE and units.due(1, 0) is None and not units.holders()
    assert isinstance(units.check(301, 0), Refusal)


@pytest.mark.parametrize("rate", [10, 100, 1_000])
def test_a_bucket_keeps_its_rate_in_windows_of_ten_seconds(rate: int) -> None:
    bucket = Bucket("b", rate, 1_000, None, 0)
    taken: list[int] = []
    for now in range(60_000):
        while bucket.check(1, now) is FREE:
            bucket.take(lease(1), 1, now)
            taken.append(now)
    for start in range(0, 50_000, 1_000):
        within = sum(start <= at < start + 10_000 for at in taken)
        assert within == pytest.approx(10 * rate, rel=0.05)


@given(
    st.floats(0.1, 2_000),
    st.sampled_from([100, 1_000, 60_000]),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=40),
    st.booleans(),
)
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(
    rate: float, per: int, burst: int, tries: list[tuple[int, int]], full: bool
) -> None:
    """In no span at all: of any length, from any moment on."""
    bucket = Bucket("b", rate, per, burst, None if full else 0)
    now, taken = 0, []
    for wait, asked in tries:
        now += wait
        for _ in range(asked):
            if bucket.check(1, now) is FREE:
                bucket.take(lease(1), 1, now)
                taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - start) / per + 1e-6
    if not full:  # a restart never gives a burst
        assert all(number + 1 <= rate * at / per + 1e-6 for number, at in enumerate(taken))


def test_a_bucket_says_when_there_will_be_a_token() -> None:
    bucket = Bucket("b", 3, 1_000, 1, 100)
    due = bucket.due(1, 100)
    assert due == 100 + math.ceil(1_000 / 3)
    assert bucket.check(1, due - 1) is WAIT and bucket.check(1, due) is FREE
    assert bucket.due(2, due) is None and bucket.check(2, due + 10_000) is WAIT  # never so many at once
    assert bucket.due(1, due + 50) == due + 50
    assert bucket.figures(due) == {"size": 1, "active": 0, "rate": 3, "per": 1_000, "tokens": 1}
    assert not bucket.holders()


def test_a_token_that_was_never_used_is_there_again() -> None:
    bucket = Bucket("b", 1, 1_000, 1, None)
    bucket.take(lease(1), 1, 50)
    bucket.give_back(lease(1), OK, 60)
    assert bucket.check(1, 60) is WAIT
    bucket.take(lease(2), 1, 1_050)
    bucket.give_back(lease(2), UNUSED, 1_060)
    assert bucket.check(1, 1_060) is FREE
    bucket.take(lease(3), 1, 1_060)
    bucket.take(lease(4), 1, 2_060)
    bucket.give_back(lease(3), UNUSED, 2_070)  # it would have run over since
    assert bucket.check(1, 2_070) is WAIT


def test_another_size_leaves_what_was_taken_taken() -> None:
    bucket = Bucket("b", 1, 1_000, None, None)
    bucket.take(lease(1), 1, 0)
    bucket.resize(10, 1_000, None)
    assert bucket.burst == 10
    pool = Adaptive("a", 4)
    pool.resize(8)
    assert (pool.size, pool.most) == (8, 8)
    pool.resize(2)
    assert pool.size == 2


# --- AIMD ------------------------------------------------------------------------------------------------------------


def attempts(pool: Adaptive, count: int, *, failed: int = 0, took: int = 10, now: int = 0) -> None:
    for number in range(count):
        pool.take(lease(number), 1, now)
        pool.give_back(lease(number), Ended("failed" if number < failed else "ok", took), now)


def test_it_halves_when_more_than_a_tenth_fail_and_grows_by_one_when_it_goes_well() -> None:
    pool = Adaptive("a", 16)
    attempts(pool, 20, failed=2)
    assert pool.size == 16
    attempts(pool, 20, failed=3)
    assert pool.size == 8
    attempts(pool, 20, failed=20, now=999)  # at most once in a second
    assert pool.size == 8
    attempts(pool, 20, failed=20, now=1_000)
    assert pool.size == 4
    attempts(pool, 19)
    assert pool.size == 4
    attempts(pool, 1)
    assert pool.size == 5
    assert pool.figures(0) == {"size": 5, "active": 0, "most": 16}
    pool.resize(20)
    assert (pool.size, pool.most) == (5, 20)


def test_it_halves_when_attempts_take_twice_what_is_usual_and_never_below_one() -> None:
    pool = Adaptive("a", 3)
    attempts(pool, 20, took=10)
    attempts(pool, 20, took=20)
    assert pool.size == 3
    attempts(pool, 20, took=100)
    assert pool.size == 1
    attempts(pool, 20, took=400, now=5_000)
    assert pool.size == 1


def test_what_is_slow_for_good_becomes_usual() -> None:
    pool = Adaptive("a", 8)
    attempts(pool, 20, took=10)
    for number in range(20):
        attempts(pool, 20, took=50, now=2_000 * number)
    assert pool.size == 8


def test_attempts_that_were_stopped_say_nothing() -> None:
    pool = Adaptive("a", 4)
    for number in range(60):
        pool.take(lease(number), 1, 0)
        pool.give_back(lease(number), Ended("stopped", 9_999), 0)
        pool.give_back(lease(number), Ended("failed"), 0)  # it is over already
    assert pool.size == 4
    assert not pool.holders()


@settings(max_examples=300)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(("take", "take", "use", "back")), st.integers(0, 40), st.integers(0, 5))),
)
def test_tokens_that_come_back_give_no_burst(burst: int, moves: list[tuple[str, int, int]]) -> None:
    """What is used in the end is what a bucket would have let through that nobody took the others from (73, 76)."""
    bucket, interval = Bucket("b", 1, 10, burst, 0), 10
    open_: list[tuple[Lease, int]] = []
    used: list[int] = []
    now = 0
    for number, (what, passed, which) in enumerate(moves):
        now += passed
        one = Lease(f"i{number}", "n", 1, 1)
        if what == "take" and bucket.admit(one, 1, now) is FREE:
            open_.append((one, now))
        elif what != "take" and open_:
            one, taken = open_.pop(which % len(open_))
            bucket.give_back(one, Ended("ok" if what == "use" else "unused"), now)
            used += [taken] if what == "use" else []
        left = sorted([*used, *(taken for _, taken in open_)])
        full_at = float(burst * interval)
        for taken in left:
            full_at = max(full_at, taken) + interval
            assert full_at - taken <= burst * interval + 1e-6
        assert abs(max(bucket.due(1, now) or 0, now) - max(math.ceil(full_at - (burst - 1) * interval), now)) <= 1
