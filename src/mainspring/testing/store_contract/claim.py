"""Due work: what nobody has in memory and has something to do is given to one session, once."""

from __future__ import annotations

import asyncio

from mainspring.journal.records import Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, asleep, begin, ended, message, more, row


async def _claimed(store: Store, lease: Lease, now: int = NOW, limit: int = 100) -> list[int]:
    return sorted(loaded.record.number for loaded in await store.claim(lease, now, limit))


class ClaimContract(Ground):
    """claim, next_wake."""

    async def test_nothing_is_due_in_an_empty_store(self, store: Store, lease: Lease) -> None:
        assert await store.claim(lease, NOW, 10) == []
        assert await store.next_wake(lease) is None

    async def test_what_we_have_in_memory_is_not_due(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.post(message("m", 1))
        assert await _claimed(store, lease, NOW + 10 * TTL) == []

    async def test_a_dead_owners_instances_go_to_the_next(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch), more(2, 2)])
        second = await store.acquire("second", NOW + TTL, TTL)
        claimed = {loaded.record.number: loaded for loaded in await store.claim(second, NOW + TTL, 10)}
        assert sorted(claimed) == [1, 2]
        assert claimed[2].rows == (row(2, 1), row(2, 2))
        assert {loaded.record.owner for loaded in claimed.values()} == {second.epoch}
        found = await store.find("i-1")
        assert found is not None
        assert found.owner == second.epoch

    async def test_each_is_given_once(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(number, lease.epoch) for number in range(1, 21)])
        second = await store.acquire("second", NOW + TTL, TTL)
        pages = await asyncio.gather(*[_claimed(store, second, NOW + TTL, 3) for _ in range(10)])
        given = [number for page in pages for number in page]
        assert sorted(given) == list(range(1, 21))
        assert max(len(page) for page in pages) <= 3

    async def test_a_final_instance_is_never_due(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), more(1, 2, change=ended())])
        await store.post(message("m", 1))
        second = await store.acquire("second", NOW + TTL, TTL)
        assert await _claimed(store, second, NOW + TTL) == []

    async def test_a_sleeper_is_due_at_its_time(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, change=asleep(NOW + 500))])
        await store.commit(lease, [begin(2), Write(2, change=asleep(NOW + 300))])
        assert await store.next_wake(lease) == NOW + 300
        assert await _claimed(store, lease, NOW + 299) == []
        assert await _claimed(store, lease, NOW + 300) == [2]
        assert await store.next_wake(lease) == NOW + 500
        assert await _claimed(store, lease, NOW + 10_000) == [1]
        assert await store.next_wake(lease) is None

    async def test_among_those_that_are_named(self, store: Store, lease: Lease) -> None:
        ids = ["a", "a/x/1", "a/x/1/y/1", "ab", "b", "b/x/1", "c_d", "c%"]
        await store.commit(lease, [begin(number, id=id) for number, id in enumerate(ids, start=1)])
        sleeping = [Write(number, change=asleep(NOW + number)) for number in range(1, 9)]
        await store.commit(lease, sleeping)
        assert await store.next_wake(lease, ["b", "ab"]) == NOW + 4
        assert await store.next_wake(lease, []) is None

        async def claimed(*among: str) -> list[int]:
            return sorted(one.record.number for one in await store.claim(lease, NOW + TTL, 10, list(among)))

        assert await claimed() == []
        assert await claimed("x", "b", "c%") == [5, 8]
        assert await claimed("a", "a/") == [1, 2, 3]
        await store.release(lease)
        second = await store.acquire("second", NOW, TTL)
        assert [one.record.number for one in await store.claim(second, NOW, 10, ["a"])] == [1]
        assert await _claimed(store, second, NOW + TTL) == [2, 3, 4, 5, 6, 7, 8]

    async def test_a_claimed_sleeper_can_sleep_again(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, change=asleep(NOW))])
        assert await _claimed(store, lease) == [1]
        await store.commit(lease, [Write(1, change=asleep(NOW + 100))])
        assert await store.next_wake(lease) == NOW + 100
        assert await _claimed(store, lease, NOW + 100) == [1]

    async def test_mail_wakes_a_sleeper_before_its_time(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), begin(2), Write(1, change=asleep(NOW + 500)), Write(2, change=asleep())])
        await store.post(message("m", 2))
        assert await _claimed(store, lease) == [2]
        await store.post(message("n", 1))
        (claimed,) = await store.claim(lease, NOW, 10)
        assert [waiting.id for waiting in claimed.inbox] == ["n"]

    async def test_consumed_mail_wakes_nobody(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.post(message("m", 1))
        await store.commit(lease, [Write(1, consumed=("m",), change=asleep())])
        assert await _claimed(store, lease, NOW + 10 * TTL) == []

    async def test_whoever_waits_for_nothing_is_left_alone(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, change=asleep())])
        second = await store.acquire("second", NOW + TTL, TTL)
        assert await _claimed(store, second, NOW + 10 * TTL) == []

    async def test_a_sleeper_outlives_its_session(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, change=asleep(NOW + 500))])
        second = await store.acquire("second", NOW + TTL, TTL)
        assert await _claimed(store, second, NOW + 499) == []
        assert await _claimed(store, second, NOW + TTL) == [1]
