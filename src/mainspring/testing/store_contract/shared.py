"""A store that several sessions share: each instance has one owner, and whoever comes too late writes nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mainspring.errors import NotOwner, StoreError
from mainspring.journal.records import Change, Lease, Position, TurnRow, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.cache import result
from mainspring.testing.store_contract.ground import (
    NOW,
    TTL,
    Ground,
    asleep,
    begin,
    blob,
    ended,
    message,
    more,
    order,
    record,
    row,
    snapshot,
)
from mainspring.testing.store_contract.letters import letter


async def _claimed(store: Store, lease: Lease, now: int = NOW, limit: int = 100) -> list[int]:
    return sorted(loaded.record.number for loaded in await store.claim(lease, now, limit))


async def _rows(store: Store, number: int) -> list[int]:
    loaded = await store.load(f"i-{number}")
    return [] if loaded is None else [one.seq for one in loaded.rows]


class SharedContract(Ground):
    """Two sessions, `lease` and `second`, on two handles, as two processes have them."""

    @pytest_asyncio.fixture
    async def other(self, store: Store) -> AsyncIterator[Store]:
        """Another handle on the same store."""
        other = self.again(store)
        await other.open()
        yield other
        await other.close()

    @pytest_asyncio.fixture
    async def second(self, other: Store, lease: Lease) -> Lease:
        """A session beside the first one."""
        return await other.acquire("second", NOW, TTL)

    async def test_it_says_so(self, store: Store) -> None:
        assert store.shared

    async def test_sessions_live_side_by_side(self, store: Store, other: Store, lease: Lease, second: Lease) -> None:
        assert second.epoch > lease.epoch
        await store.commit(lease, [begin(1, lease.epoch)])
        await other.commit(second, [begin(2, second.epoch)])
        await store.commit(lease, [more(1, 2)])
        assert (await _rows(other, 1), await _rows(store, 2)) == ([1, 2], [1])
        await store.renew(lease, NOW + TTL - 1, TTL)
        await other.renew(second, NOW + TTL - 1, TTL)

    async def test_many_sessions_begin_at_once(self, store: Store, lease: Lease) -> None:
        leases = await asyncio.gather(*[store.acquire(f"one {number}", NOW, TTL) for number in range(8)])
        assert len({one.epoch for one in leases}) == 8
        for number, one in enumerate(leases, start=1):
            await store.commit(one, [begin(number, one.epoch)])

    async def test_opening_at_once_migrates_once(self, store: Store) -> None:
        handles = [self.again(store) for _ in range(5)]
        await asyncio.gather(*[one.open() for one in handles])
        await asyncio.gather(*[one.close() for one in handles])

    async def test_numbers_are_never_given_twice_to_anybody(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        asked = [(store, lease), (other, second)] * 10
        firsts = await asyncio.gather(*[one.numbers(session, 7) for one, session in asked])
        given = [first + offset for first in firsts for offset in range(7)]
        assert len(set(given)) == len(given)

    # --- cut out

    async def test_another_sessions_instance_is_cut_out_and_the_rest_is_written(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await other.commit(second, [begin(1, second.epoch)])
        await other.post(message("m", 1))
        foreign = more(
            1, 2,
            consumed=("m",), outbox=(order("o", 1),), blobs=(blob(1, 2),), snapshot=snapshot(1, 2), change=ended(),
            cached=(result("a"),), buried=(letter("d", 1),),
        )  # fmt: skip
        done = await store.commit(lease, [begin(2, lease.epoch), foreign, more(1, 3), more(2, 2)])
        assert done.refused == {1}
        assert (await _rows(store, 1), await _rows(store, 2)) == ([1], [1, 2])
        loaded = await store.load("i-1")
        assert loaded is not None
        assert (loaded.blobs, loaded.snapshot, loaded.record) == ((), None, record(1, owner=second.epoch))
        assert [waiting.id for waiting in loaded.inbox] == ["m"]
        assert await store.outbox(lease, 10) == []
        assert await store.cached(b"a", NOW) is None
        assert await store.dead_letters() == []
        assert [found for _, found in await store.follow(done.position - 1, 10)] == [row(2, 1), row(2, 2)]

    async def test_a_group_of_which_nothing_is_left_is_no_error(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await other.commit(second, [begin(1, second.epoch), begin(2, second.epoch)])
        assert (await store.commit(lease, [more(1, 2), more(2, 2)])).refused == {1, 2}
        assert await _rows(store, 1) == [1]

    async def test_a_bad_write_beside_one_that_is_cut_out_is_an_error(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await other.commit(second, [begin(1, second.epoch)])
        await store.commit(lease, [begin(2, lease.epoch)])
        with pytest.raises(StoreError):
            await store.commit(lease, [more(1, 2), more(2, 1), begin(3, lease.epoch)])
        assert await store.find("i-3") is None

    async def test_an_instance_is_begun_by_one_session_only(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await other.commit(second, [begin(1, second.epoch, id="same")])
        done = await store.commit(lease, [begin(2, lease.epoch, id="same"), begin(3, lease.epoch), more(2, 2)])
        assert done.refused == {2}
        found = await store.find("same")
        assert found is not None
        assert (found.number, found.owner) == (1, second.epoch)
        assert await _rows(store, 3) == [1]
        # Its further turns were under way when the first was refused.
        assert (await store.commit(lease, [more(2, 3), more(3, 2)])).refused == {2}
        assert await _rows(store, 3) == [1, 2]

    async def test_of_many_that_begin_it_at_once_one_does(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        for turn in range(10):
            numbers = (2 * turn + 1, 2 * turn + 2)
            ends = await asyncio.gather(
                store.commit(lease, [begin(numbers[0], lease.epoch, id=f"same {turn}")]),
                other.commit(second, [begin(numbers[1], second.epoch, id=f"same {turn}")]),
            )
            refused = [number for end in ends for number in end.refused]
            found = await store.find(f"same {turn}")
            assert found is not None
            assert {*refused, found.number} == set(numbers)

    # --- due work

    async def test_the_living_keep_what_they_have(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.post(message("m", 1))
        assert await _claimed(other, second, NOW + TTL - 1) == []
        await store.commit(lease, [more(1, 2)])

    async def test_what_the_dead_had_goes_to_others(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch), more(1, 2)])
        second = await other.renew(second, NOW + TTL - 1, TTL)
        claimed = {one.record.number: one for one in await other.claim(second, NOW + TTL, 10)}
        assert sorted(claimed) == [1, 2]
        assert claimed[1].rows == (row(1, 1), row(1, 2))
        assert {one.record.owner for one in claimed.values()} == {second.epoch}
        with pytest.raises(NotOwner):
            await store.commit(lease, [more(1, 3)])
        with pytest.raises(NotOwner):
            await store.renew(lease, NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.claim(lease, NOW + TTL, 10)
        await other.commit(second, [more(1, 3)])
        assert await _rows(store, 1) == [1, 2, 3]

    async def test_a_late_owner_with_a_new_session_is_cut_out(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        second = await other.renew(second, NOW + TTL, TTL)
        assert await _claimed(other, second, NOW + TTL) == [1]
        again = await store.acquire("first again", NOW + TTL, TTL)
        assert (await store.commit(again, [more(1, 2)])).refused == {1}
        assert await _rows(store, 1) == [1]

    async def test_after_an_outage_nobody_ends_the_others(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        later = NOW + 3 * TTL
        assert await _claimed(other, second, later) == [], "it has not renewed its own lease yet"
        await other.renew(second, later, TTL)
        assert await _claimed(other, second, later + 1) == []
        await store.renew(lease, later + 2, TTL)
        await store.commit(lease, [more(1, 2)])

    async def test_after_a_short_outage_nobody_ends_the_others(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        """The one renewed just before it, and has its lease still; the other's turn came while the store was away."""
        await store.commit(lease, [begin(1, lease.epoch)])
        before, later = NOW + TTL // 3, NOW + TTL + 1
        await other.renew(second, before, TTL)
        await other.renew(second, later, TTL)
        assert await _claimed(other, second, later) == []
        await store.renew(lease, later + 1, TTL)
        await store.commit(lease, [more(1, 2)])

    async def test_whoever_does_not_come_back_after_an_outage_is_ended(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        later = NOW + 3 * TTL
        for step in range(4):
            now = later + step * TTL // 3 + step // 3
            await other.renew(second, now, TTL)
            assert await _claimed(other, second, now) == ([1] if step == 3 else [])

    async def test_what_was_given_back_goes_to_others_at_once(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.release(lease)
        assert await _claimed(other, second) == [1]

    async def test_claimers_get_disjoint_work(self, store: Store, other: Store, lease: Lease, second: Lease) -> None:
        third = await store.acquire("third", NOW + 1, TTL)
        asleep_too = [Write(number, change=asleep(NOW)) for number in range(21, 41)]
        begun = [begin(number, lease.epoch) for number in range(1, 21)] + [begin(n) for n in range(21, 61)]
        await store.commit(lease, [*begun, *asleep_too, *[Write(n, change=asleep()) for n in range(41, 61)]])
        for number in range(41, 61):
            await store.post(message(f"m{number}", number))
        await store.release(lease)
        pages = await asyncio.gather(
            *[_claimed(one, session, NOW, 4) for one, session in [(store, third), (other, second)] * 12]
        )
        given = [number for page in pages for number in page]
        assert len(set(given)) == len(given)
        given += await _claimed(store, third)
        assert sorted(given) == list(range(1, 61))

    async def test_a_takeover_among_commits_cuts_between_two_groups(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        second = await other.renew(second, NOW + TTL, TTL)
        wide = 10
        await store.commit(lease, [begin(number, lease.epoch) for number in range(1, wide + 1)])

        async def write(seq: int) -> int:
            try:
                await store.commit(lease, [more(number, seq) for number in range(1, wide + 1)])
            except NotOwner:
                return 0
            return seq

        writes = [asyncio.ensure_future(write(seq)) for seq in range(2, 12)]
        claimed: dict[int, int] = {}
        while len(claimed) < wide:
            for one in await other.claim(second, NOW + TTL, 3):
                claimed[one.record.number] = len(one.rows)
        kept = max([1, *[await task for task in writes]])
        assert set(claimed.values()) == {kept}, "what was claimed had rows still to come, or lost some"
        await other.commit(second, [more(number, kept + 1) for number in claimed])

    async def test_mail_from_another_session_wakes_the_owner(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        woken = asyncio.Event()
        stop = store.listen(woken.set)
        await self._until_quiet(woken)
        await other.post(message("m", 1))
        await asyncio.wait_for(woken.wait(), 10)
        stop()
        assert [waiting.id for waiting in await store.mail(lease, 10)] == ["m"]
        assert await other.mail(second, 10) == []

    async def test_a_session_that_ends_wakes_the_others(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        woken = asyncio.Event()
        stop = other.listen(woken.set)
        await self._until_quiet(woken)
        await store.release(lease)
        await asyncio.wait_for(woken.wait(), 10)
        stop()

    async def test_what_another_session_commits_is_news(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        woken, news = asyncio.Event(), asyncio.Event()
        stop = store.listen(woken.set, news.set)
        await self._until_quiet(woken)
        news.clear()
        await store.commit(lease, [begin(1, lease.epoch)])
        await other.commit(second, [begin(2, second.epoch)])
        await asyncio.wait_for(news.wait(), 10)
        assert not woken.is_set()
        stop()

    async def _until_quiet(self, woken: asyncio.Event) -> None:
        """A listener is woken once when it begins to hear, since there may have been something before."""
        await asyncio.wait_for(woken.wait(), 10)
        woken.clear()

    async def test_each_session_sends_what_is_its_own(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch), Write(1, outbox=(order("a", 1),))])
        await other.commit(second, [begin(2, second.epoch), Write(2, outbox=(order("b", 2),))])
        assert [one.id for one in await store.outbox(lease, 10)] == ["a"]
        assert [one.id for one in await other.outbox(second, 10)] == ["b"]
        await store.release(lease)
        assert [one.id for one in await other.outbox(second, 10)] == ["a", "b"]

    async def test_limits_keep_what_was_kept_last(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.keep_limits(lease, {"a": b"1", "b": b"1"})
        await other.keep_limits(second, {"a": b"2", "c": b"2"})
        assert await store.kept_limits() == {"a": b"2", "b": b"1", "c": b"2"}

    # --- positions

    async def test_a_follower_beside_many_writers_misses_nothing(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        """Positions of groups that are committed at once can be seen in their order: none below one that was seen."""
        seen: list[tuple[Position, TurnRow]] = []
        each, wide = 40, 4

        async def write(handle: Store, session: Lease, base: int) -> None:
            for number in range(base, base + each):
                await handle.commit(session, [begin(number, session.epoch), more(number, 2)])

        async def follow() -> None:
            while len(seen) < 2 * each * wide:
                seen.extend(await store.follow(seen[-1][0].group if seen else 0, 7))
                await asyncio.sleep(0)

        handles = [self.again(store) for _ in range(wide)]
        try:
            for handle in handles:
                await handle.open()
            sessions = [await handle.acquire(f"writer {place}", NOW, TTL) for place, handle in enumerate(handles)]
            async with asyncio.timeout(60):
                await asyncio.gather(
                    follow(),
                    *[write(*one, 1_000 * place + 1) for place, one in enumerate(zip(handles, sessions, strict=True))],
                )
        finally:
            for handle in handles:
                await handle.close()
        places = [(place.group, place.index) for place, _ in seen]
        assert places == sorted(set(places))
        groups = sorted({place.group for place, _ in seen})
        assert groups == list(range(groups[0], groups[-1] + 1))

    # --- retention

    async def test_two_that_remove_at_once_remove_each_once(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [write for number in range(1, 41) for write in (begin(number), _over(number))])
        there = [[number, number + 1] for number in range(1, 40, 2)]

        async def sweep(handle: Store, session: Lease, families: list[list[int]]) -> list[int]:
            gone: list[int] = []
            while left := [family for family in families if await handle.find(f"i-{family[0]}") is not None]:
                gone += await handle.remove(session, left[:5])
            return gone

        async with asyncio.timeout(60):
            first, last = await asyncio.gather(sweep(store, lease, there), sweep(other, second, there[::-1]))
        assert sorted(first + last) == list(range(1, 41))

    async def test_what_is_removed_cannot_be_opened_again_by_another(
        self, store: Store, other: Store, lease: Lease, second: Lease
    ) -> None:
        await store.commit(lease, [begin(1), _over(1), begin(2), _over(2)])
        assert await other.remove(second, [[1]]) == [1]
        opened = Change(status="running", open=True)
        done = await store.commit(lease, [more(1, 3, change=opened), more(2, 3, change=opened)])
        assert done.refused == {1}
        assert await store.find("i-1") is None
        assert [place.instance for place, _ in await store.follow(done.position - 1, 10)] == [2]
        assert await other.remove(second, [[2]]) == []


def _over(number: int) -> Write:
    return more(number, 2, change=ended())
