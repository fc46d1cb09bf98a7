"""The gate, against a naive account of the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.limits.breaker import Breaker, Rules
from mainspring.limits.bucket import Bucket
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Holder, Lane
from mainspring.limits.limit import FREE, UNUSED, WAIT, Ended, Lease, Refusal, Verdict
from mainspring.limits.pool import UNIT, Pool, Units
from tests.limits.naive import NaiveBucket, Watched

OK = Ended("ok", 1)


def lease(number: int, instance: str = "i") -> Lease:
    return Lease(instance, f"n{number}", 1, 1)


class Answers:
    """Who was answered, in order."""

    def __init__(self) -> None:
        self.gate = Gate(self._answered)
        self.holder = Holder()
        self.admitted: list[Lease] = []
        self.refused: list[tuple[Lease, Refusal]] = []

    def _answered(self, lease: Lease, verdict: Verdict) -> None:
        if isinstance(verdict, Refusal):
            self.refused.append((lease, verdict))
        else:
            self.admitted.append(lease)


# --- order -----------------------------------------------------------------------------------------------------------


def test_priorities_share_four_to_two_to_one_and_nobody_waits_for_a_block() -> None:
    it = Answers()
    pool = Desk(Pool("p", 1))
    lanes = [it.gate.lane(priority, "w", [(pool, 1)]) for priority in (0, 1, 2)]
    assert lanes[0].admit(it.holder.leases, lease(0), 0) is FREE
    for number in range(1, 43):
        it.gate.ask(lanes[number % 3], it.holder, lease(number), 0)
    current = lease(0)
    while it.holder.leases:
        it.gate.give_back(it.holder, current, OK, 0)
        current = it.admitted[-1]
    shares = "".join("hnl"[int(one.path[1:]) % 3] for one in it.admitted)
    assert shares[:14] == "hnhlhnhhnhlhnh"
    assert sorted(it.admitted) == sorted(lease(number) for number in range(1, 43))


def test_workflows_take_turns_and_each_is_first_come_first_served() -> None:
    it = Answers()
    pool = Desk(Pool("p", 1))
    busy, quiet = (it.gate.lane(1, workflow, [(pool, 1)]) for workflow in ("busy", "quiet"))
    it.gate.ask(busy, it.holder, lease(0), 0)
    for number in range(1, 6):
        it.gate.ask(busy, it.holder, lease(number), 0)
    it.gate.ask(quiet, it.holder, lease(6), 0)
    for _ in range(4):
        it.gate.give_back(it.holder, it.admitted[-1], OK, 0)
    assert [one.path for one in it.admitted] == ["n0", "n1", "n6", "n2", "n3"]


def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    it = Answers()
    units = Desk(Units("u", 4))
    small, large = (it.gate.lane(1, "w", [(units, amount * UNIT)]) for amount in (1, 4))
    it.gate.ask(small, it.holder, lease(0), 0)
    it.gate.ask(large, it.holder, lease(1), 0)
    assert small.admit(it.holder.leases, lease(2), 0) is WAIT  # there is room, but somebody waits
    it.gate.ask(small, it.holder, lease(2), 0)  # passes by, since the large one cannot use what is there
    assert [one.path for one in it.admitted] == ["n0", "n2"]


def test_whoever_is_passed_over_too_often_has_what_it_lacks_kept_for_it() -> None:
    it = Answers()
    it.gate = Gate(it._answered, passed_over_max=3)
    units = Desk(Units("u", 4))
    small, large = (it.gate.lane(1, "w", [(units, amount * UNIT)]) for amount in (1, 4))
    it.gate.ask(small, it.holder, lease(0), 0)
    it.gate.ask(large, it.holder, lease(99), 0)
    number = 1
    while lease(99) not in it.admitted:
        it.gate.ask(small, it.holder, lease(number), 0)
        if number % 2:
            it.gate.give_back(it.holder, next(iter(it.holder.leases)), OK, 0)
        number += 1
        assert number < 20, "the large one starves"
    assert list(it.holder.leases) == [lease(99)]
    assert units.kept_for is None


def test_two_limits_taken_alternately_by_others_do_not_starve_who_needs_both() -> None:
    it = Answers()
    it.gate = Gate(it._answered, passed_over_max=5)
    left, right = Desk(Pool("l", 1)), Desk(Pool("r", 1))
    both = it.gate.lane(1, "w", [(left, 1), (right, 1)])
    only = [it.gate.lane(1, "w", [(desk, 1)]) for desk in (left, right)]
    for side in (0, 1):
        it.gate.ask(only[side], it.holder, lease(side), 0)
    it.gate.ask(both, it.holder, lease(99), 0)
    holding = [lease(0), lease(1)]
    number = 2
    while lease(99) not in it.admitted:
        side = number % 2
        it.gate.ask(only[side], it.holder, lease(number), 0)
        it.gate.give_back(it.holder, holding[side], OK, 0)
        if lease(number) in it.holder.leases:
            holding[side] = lease(number)
        number += 1
        assert number < 100, "the one that needs both starves"


def test_a_thousand_instances_move_between_two_desks_as_one() -> None:
    it = Answers()
    pool, bucket = Desk(Pool("p", 5)), Desk(Bucket("b", 1, 10, 1, None))
    shared = [(pool, 1), (bucket, 1)]
    lanes = [it.gate.lane(1, "w", shared, [(Desk(Pool(f"own{number}", 1)), 1)]) for number in range(1_000)]
    for number, lane in enumerate(lanes):
        it.gate.ask(lane, it.holder, lease(0, f"i{number}"), 0)
        it.gate.ask(lane, it.holder, lease(1, f"i{number}"), 0)
    moves = 0
    move = it.gate._move

    def counted(*args: object) -> None:
        nonlocal moves
        moves += 1
        move(*args)  # type: ignore[arg-type]

    it.gate._move = counted  # type: ignore[method-assign,assignment]
    now = 0
    while it.gate.waiting or it.holder.leases:
        now += 10
        it.gate.look(now)
        if now % 20 == 0 and it.holder.leases:
            it.gate.give_back(it.holder, next(iter(it.holder.leases)), OK, now)
    assert len(it.admitted) == 2_000
    assert moves < 10_000


# --- refusals --------------------------------------------------------------------------------------------------------


def test_more_units_than_there_are_is_refused() -> None:
    it = Answers()
    lane = it.gate.lane(1, "w", [(Desk(Units("cpu", 2)), 3 * UNIT)])
    assert isinstance(lane.admit(it.holder.leases, lease(0), 0), Refusal)
    it.gate.ask(lane, it.holder, lease(0), 0)
    assert it.refused[0][1].figures == {"asked": 3, "size": 2}
    assert not it.gate.waiting


class Switch(Pool):
    """A pool that refuses when it is told to: as a breaker that opens while some wait."""

    open = False

    def check(self, amount: int, now: int) -> Verdict:
        return Refusal("it is open") if self.open else super().check(amount, now)


def test_whoever_waits_is_refused_when_the_limit_begins_to_refuse() -> None:
    it = Answers()
    switch, pool = Switch("s", 1), Desk(Pool("p", 1))
    desk = Desk(switch)
    own = Desk(Pool("own", 1))
    lanes = [it.gate.lane(1, "w", [(desk, 1), (pool, 1)], needs) for needs in ([], [(own, 1)], [(own, 1)])]
    for number in range(4):
        it.gate.ask(lanes[number % 3], it.holder, lease(number), 0)
    switch.open = True
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert sorted(one.path for one, _ in it.refused) == ["n1", "n2", "n3"]
    assert not it.gate.waiting
    assert desk.queue is None


def test_a_lane_alone_at_its_own_limit_is_refused_too() -> None:
    it = Answers()
    switch = Switch("own", 1)
    lane = it.gate.lane(1, "w", [], [(Desk(switch), 1)])
    it.gate.ask(lane, it.holder, lease(0), 0)
    it.gate.ask(lane, it.holder, lease(1), 0)
    switch.open = True
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert [one for one, _ in it.refused] == [lease(1)]


# --- leases ----------------------------------------------------------------------------------------------------------


def test_what_was_taken_in_a_turn_that_is_thrown_away_is_given_back_with_its_token() -> None:
    it = Answers()
    pool, bucket = Desk(Pool("p", 1)), Desk(Bucket("b", 1, 1_000, 1, None))
    lane = it.gate.lane(1, "w", [(pool, 1), (bucket, 1)])
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE  # the turn is taken again before anybody knew
    it.gate.ask(lane, it.holder, lease(1), 0)
    it.gate.give_back_all(it.holder, [(lease(1), UNUSED), (lease(0), UNUSED)], 0)
    assert not it.holder.leases and not it.gate.waiting and not it.admitted
    assert lane.admit(it.holder.leases, lease(2), 0) is FREE


def test_an_admitted_one_that_asks_again_is_told_again() -> None:
    it = Answers()
    lane = it.gate.lane(1, "w", [(Desk(Pool("p", 1)), 1)])
    it.gate.ask(lane, it.holder, lease(0), 0)
    it.gate.ask(lane, it.holder, lease(0), 0)
    assert it.admitted == [lease(0), lease(0)]
    it.gate.give_back(it.holder, lease(0), OK, 0)
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert lane.admit(it.holder.leases, lease(1), 0) is FREE


def test_what_a_request_lacks_can_be_told() -> None:
    it = Answers()
    pool, other = Desk(Pool("p", 1)), Desk(Pool("q", 1))
    lane = it.gate.lane(1, "w", [(pool, 1), (other, 1)])
    it.gate.ask(lane, it.holder, lease(0), 0)
    it.gate.ask(lane, it.holder, lease(1), 0)
    assert it.gate.lacks(lease(1), 0) == [pool, other]
    assert (pool.queued(), other.queued()) == (1, 0)


# --- against the naive account ---------------------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["now", "ask", "ask", "ask", "end", "end", "time"]),
        st.integers(0, 11),
        st.integers(0, 30),
        st.integers(1, 40),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(OPERATIONS, st.integers(0, 3), st.data())
def test_it_admits_whoever_can_be_and_nobody_else(
    operations: list[tuple[str, int, int, int]], passed_over_max: int, data: st.DataObject
) -> None:
    buckets = {"b": NaiveBucket(2, 10, 3)}
    it = Watched(buckets, passed_over_max)
    shared = [Desk(Pool("p", 2)), Desk(Pool("q", 1)), Desk(Units("u", 4)), Desk(Bucket("b", 2, 10, 3, 0))]
    own = [[Desk(Pool(f"own{i}", 2)), Desk(Units(f"units{i}", 3))] for i in range(3)]
    some = st.lists(st.booleans(), min_size=4, max_size=4)
    lanes: list[tuple[int, Lane]] = []
    for number in range(12):
        instance = number % 3
        wants = data.draw(some)
        amount = data.draw(st.integers(1, 4)) * UNIT
        needs = [
            (desk, amount if desk.limit.key == "u" else 1) for desk, want in zip(shared, wants, strict=True) if want
        ]
        mine = data.draw(st.integers(0, 3))
        private = [(own[instance][0], 1)] if mine & 1 else []
        private += [(own[instance][1], min(amount, 3 * UNIT))] if mine & 2 else []
        if not needs and not private:
            needs = [(shared[0], 1)]
        priority = data.draw(st.integers(0, 2))
        lanes.append((instance, it.gate.lane(priority, f"w{number % 2}", needs, private)))
    for what, which, number, by in operations:
        instance, lane = lanes[which]
        one = Lease(f"i{instance}", f"n{which}", number, 1)
        if what == "now":
            it.at_once(lane, one)
        elif what == "ask":
            it.ask(lane, one)
        elif what == "end":
            held = [*it.held, *it.waiting]
            if held:
                it.end(held[number % len(held)])
        else:
            it.pass_time(by)
    for _ in range(2_000):  # whoever waits is admitted in the end, if all others end
        if not it.held and not it.waiting:
            break
        if it.held:
            it.end(next(iter(it.held)))
        else:
            it.pass_time(5)
    assert not it.waiting
    assert all(desk.queue is None and desk.kept_for is None for desk in [*shared, *(d for pair in own for d in pair)])


def test_who_waits_already_does_not_wait_twice() -> None:
    it = Answers()
    desk = Desk(Pool("p", 1))
    lane = it.gate.lane(1, "w", [(desk, 1)])
    for one in (lease(0), lease(1), lease(1)):
        it.gate.ask(lane, it.holder, one, 0)
    assert desk.queued() == 1 and not it.gate.waits_for_time


def test_a_pool_that_becomes_larger_admits_who_waits() -> None:
    it = Answers()
    pool = Pool("own", 1)
    desk = Desk(pool)
    lane = it.gate.lane(1, "w", [], [(desk, 1)])
    for number in range(3):
        it.gate.ask(lane, it.holder, lease(number), 0)
    assert desk.queued() == 2
    pool.resize(2)
    it.gate.look_at(desk, 0)
    assert it.admitted == [lease(0), lease(1)]


def test_a_lane_whose_own_limit_begins_to_refuse_leaves_its_family() -> None:
    it = Answers()
    own, pool = Switch("own", 1), Desk(Pool("p", 1))
    blocked = it.gate.lane(1, "w", [(pool, 1)], [(Desk(own), 1)])
    free = it.gate.lane(1, "w", [(pool, 1)])
    for number, lane in enumerate((free, blocked, free)):
        it.gate.ask(lane, it.holder, lease(number), 0)
    own.open = True
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert [one for one, _ in it.refused] == [lease(1)]
    assert it.admitted == [lease(0), lease(2)]


def test_what_is_out_of_date_in_a_family_is_swept() -> None:
    it = Answers()
    pool = Desk(Pool("p", 1))
    lanes = [it.gate.lane(1, "w", [(pool, 1)], [(Desk(Pool(f"own{n}", 1)), 1)]) for n in range(2)]
    it.gate.ask(lanes[0], it.holder, lease(0), 0)
    it.gate.ask(lanes[0], it.holder, lease(1), 0)
    it.gate.ask(it.gate.lane(1, "w", [(pool, 1)]), it.holder, lease(2), 0)
    for number in range(3, 60):  # comes and goes, behind one that stays
        it.gate.ask(lanes[1], it.holder, lease(number), 0)
        it.gate.withdraw(lease(number), 0)
    assert len(lanes[1].family._heap) <= 20
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert len(it.admitted) == 2


# --- several limits at once --------------------------------------------------------------------------------------------


def test_what_one_limit_lacks_is_taken_from_no_other() -> None:
    it = Answers()
    first, second, tokens = Desk(Pool("a", 2)), Desk(Pool("b", 1)), Desk(Bucket("c", 1, 1_000, 1, None))
    lane = it.gate.lane(1, "w", [(first, 1), (second, 1), (tokens, 1)])
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE
    assert lane.admit(it.holder.leases, lease(1), 0) is WAIT, "b has no place"
    assert list(first.limit.holders()) == [lease(0)]
    it.gate.give_back(it.holder, lease(0), OK, 0)
    assert lane.admit(it.holder.leases, lease(1), 0) is WAIT, "c has no token"
    assert not first.limit.holders() and not second.limit.holders()
    assert lane.admit(it.holder.leases, lease(1), 1_000) is FREE


def test_a_call_that_lacks_a_token_is_not_one_that_the_breaker_counts() -> None:
    """What a breaker has counted cannot be put back: all limits are asked first."""
    it = Answers()
    breaker = Breaker("breaker of t", Rules(minimum_throughput=1, half_open_successes=1, open_for=100, retry_ratio=1.0))
    guarded, tokens = Desk(breaker), Desk(Bucket("c", 1, 1_000, 1, None))
    lane = it.gate.lane(1, "w", [(guarded, 1), (tokens, 1)])
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE
    assert lane.admit(it.holder.leases, lease(1), 0) is WAIT
    assert breaker.retry_figures(0)["calls"] == 1
    it.gate.give_back(it.holder, lease(0), Ended("failed", 1), 0)
    refused = lane.admit(it.holder.leases, lease(1), 50)
    assert isinstance(refused, Refusal) and refused.until == 100
    it.gate.ask(it.gate.lane(1, "v", [(tokens, 1)]), it.holder, lease(2), 150)
    assert lane.admit(it.holder.leases, lease(1), 150) is WAIT, "somebody waits for a token"


def test_a_lane_that_needs_nothing_is_free() -> None:
    """As that of a node whose units nobody has bounded."""
    it = Answers()
    lane = it.gate.lane(1, "w", [])
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE
    it.gate.ask(lane, it.holder, lease(1), 0)
    assert it.admitted == [lease(1)]


def test_one_that_waits_for_its_own_instance_is_refused_by_a_breaker_that_opened_meanwhile() -> None:
    """It waits by itself, not with the others that need the breaker; it was let through as none of those was left."""
    it = Answers()
    breaker = Breaker("b", Rules(minimum_throughput=1))
    lane = it.gate.lane(1, "w", [(Desk(breaker), 1)], [(Desk(Pool("own", 1)), 1)])
    assert lane.admit(it.holder.leases, lease(0), 0) is FREE
    it.gate.ask(lane, it.holder, lease(1), 0)
    it.gate.give_back(it.holder, lease(0), Ended("failed", 1), 10)
    assert breaker.kept.state == "open"
    assert it.admitted == [] and [one for one, _ in it.refused] == [lease(1)]
    assert not it.holder.leases and not it.gate.waiting


def test_whoever_needs_some_of_several_kinds_waits_behind_who_waits_for_any_and_the_next_one_too() -> None:
    """Units and a bucket, and pools and a bucket: no newcomer takes what the other lacks."""
    for first in (Units("u", 4), Pool("p", 4)):
        it = Answers()
        desk, tokens = Desk(first), Desk(Bucket("b", rate=1, per=1_000, burst=1, now=None))
        lane = it.gate.lane(1, "w", [(desk, 1), (tokens, 1)])
        assert lane.admit(it.holder.leases, lease(0), 0) is FREE
        it.gate.ask(lane, it.holder, lease(1), 0)
        assert lane.admit(it.holder.leases, lease(2), 1_000) is WAIT, "its token is that of who waits"
        it.gate.look(1_000)
        assert it.admitted == [lease(1)] and len(desk.limit.holders()) == 2


class Telling(Breaker):
    """A breaker that notes who was turned away."""

    told: list[Refusal]

    def declined(self, refusal: Refusal) -> None:
        self.told.append(refusal)


def test_who_is_turned_away_is_told_to_all_limits_that_it_needs() -> None:
    """By each way of asking at once."""
    for others in ([], [(Desk(Pool("p", 9)), 1)], [(Desk(Units("u", 9)), 1)]):
        it = Answers()
        breaker = Telling("breaker", Rules())
        breaker.told = []
        breaker.force_open(0, "by hand")
        lane = it.gate.lane(1, "w", [*others, (Desk(breaker), 1)])
        refused = lane.admit(it.holder.leases, lease(0), 0)
        assert breaker.told == [refused] and not it.holder.leases
