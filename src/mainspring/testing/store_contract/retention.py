"""Instances at their end are removed: whole, whole families, and never one that is still needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.errors import NotOwner, UnknownInstance
from mainspring.journal.records import InstanceRecord, Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.cache import result
from mainspring.testing.store_contract.ground import (
    NOW,
    TTL,
    Ground,
    begin,
    blob,
    ended,
    message,
    more,
    numbers_of,
    order,
    record,
    row,
    snapshot,
)
from mainspring.testing.store_contract.letters import burying


def whole(number: int, **fields: Any) -> list[Write]:
    """An instance from its beginning to its end, with something of everything."""
    return [
        begin(number, **fields),
        more(number, 2, blobs=(blob(number, 2),), snapshot=snapshot(number, 2)),
        more(number, 3, change=ended()),
    ]


async def compacted(store: Store, lease: Lease, limit: int = 2) -> int:
    """Have all room given back; in how many calls."""
    calls, place = 1, await store.compact(lease, 0, limit)
    while place is not None:
        assert calls < 1_000, "it never comes to an end"
        calls, place = calls + 1, await store.compact(lease, place, limit)
    return calls


async def _each(store: Store, lease: Lease, *groups: Sequence[Write]) -> None:
    for group in groups:
        await store.commit(lease, group)


class RetentionContract(Ground):
    """remove, compact, and what others see of it."""

    async def test_nothing_is_left_of_what_was_removed(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1), whole(2), whole(3))
        await store.post(message("m1", 2))
        await store.post(message("m2", 2))
        await store.commit(lease, [Write(2, consumed=("m1",))])
        assert await store.remove(lease, [[2]]) == [2]
        assert await numbers_of(store) == [3, 1]
        assert await store.find("i-2") is None
        assert await store.load("i-2") is None
        assert await store.turns("i-2") is None
        assert [place.instance for place, _ in await store.follow(0, 100)] == [1, 1, 1, 3, 3, 3]
        assert sorted(await store.ended(["i-1", "i-2"])) == ["i-1", "i-2"]
        with pytest.raises(UnknownInstance):
            await store.post(message("m3", 2))
        facts = await store.facts()
        assert (facts.instances, facts.open, facts.turns) == (2, 0, 6)

    async def test_the_others_are_as_they_were(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1), whole(2), [begin(3, lease.epoch)])
        await store.post(message("m", 3))
        before = [await store.load("i-1"), await store.load("i-3"), await store.turns("i-1")]
        await store.remove(lease, [[2]])
        await compacted(store, lease)
        assert [await store.load("i-1"), await store.load("i-3"), await store.turns("i-1")] == before
        assert [one.id for one in await store.mail(lease, 10)] == ["m"]
        await store.commit(lease, [more(3, 2)])

    async def test_what_is_not_at_its_end_stays(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, [begin(1), begin(2, lease.epoch)], whole(3))
        assert await store.remove(lease, [[1], [2], [3], [77]]) == [3]
        assert await numbers_of(store) == [2, 1]
        assert await store.remove(lease, []) == []

    async def test_a_family_goes_as_a_whole_or_stays_as_a_whole(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1), whole(2, parent="i-1"), [begin(3, parent="i-1")])
        assert await store.remove(lease, [[2, 3, 1]]) == []
        await store.commit(lease, [more(3, 2, change=ended())])
        assert sorted(await store.remove(lease, [[2, 3, 1]])) == [1, 2, 3]

    async def test_a_child_stays_while_its_parent_is_open(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, [begin(1)], whole(2, parent="i-1"), whole(3, parent="i-77"))
        assert await store.remove(lease, [[2], [3]]) == [3]
        await store.commit(lease, [more(1, 2, change=ended())])
        assert await store.remove(lease, [[2]]) == [2]

    async def test_what_has_something_to_send_or_a_dead_letter_stays(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1), whole(2), whole(3))
        await store.commit(lease, [Write(1, outbox=(order("o", 1),)), burying("a", instance=2)])
        assert await store.remove(lease, [[1], [2], [3]]) == [3]
        assert len(await store.outbox(lease, 10)) == 1
        assert len(await store.dead_letters()) == 1
        await store.sent(lease, ["o"])
        await store.purge(lease, ["a"])
        assert sorted(await store.remove(lease, [[1], [2]])) == [1, 2]

    async def test_a_child_stays_while_its_parent_may_still_send_its_start_again(
        self, store: Store, lease: Lease
    ) -> None:
        await _each(store, lease, whole(1), whole(2, parent="i-1"))
        await store.commit(lease, [Write(1, outbox=(order("o", 1),))])
        assert await store.remove(lease, [[2]]) == []
        await store.sent(lease, ["o"])
        assert await store.remove(lease, [[2]]) == [2]

    async def test_definitions_results_and_limits_stay(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1))
        await store.commit(lease, [Write(1, cached=(result("a"),))])
        await store.keep_limits(lease, {"x": b"state"})
        await store.remove(lease, [[1]])
        await compacted(store, lease)
        assert await store.cached(b"a", NOW) == result("a")
        assert await store.kept_limits() == {"x": b"state"}

    async def test_one_of_the_same_id_begins_anew(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1, id="same"))
        await store.post(message("m", 1))
        await store.commit(lease, [Write(1, consumed=("m",))])
        await store.remove(lease, [[1]])
        await store.commit(lease, [begin(2, lease.epoch, id="same")])
        assert await store.post(message("m", 2)), "what the one before has had must not keep this one's from coming"
        loaded = await store.load("same")
        assert loaded is not None
        assert (loaded.rows, loaded.snapshot, loaded.blobs) == ((row(2, 1),), None, ())
        assert [one.id for one in loaded.inbox] == ["m"]

    async def test_positions_go_on_after_what_was_removed(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, *[whole(number) for number in range(1, 8)])
        last = await store.commit(lease, [Write(7, change=ended())])
        await store.remove(lease, [[1], [2], [4], [5], [6], [7]])
        for _ in range(2):
            assert [place.instance for place, _ in await store.follow(0, 1)] == [3, 3, 3]
            assert await store.follow(last.position, 10) == []
            await compacted(store, lease)
        later = await store.commit(lease, [begin(8)])
        assert later.position == last.position + 1
        assert [place.instance for place, _ in await store.follow(0, 100)] == [3, 3, 3, 8]
        assert [place.group for place, _ in await store.follow(last.position, 100)] == [later.position]

    async def test_followers_get_over_any_number_of_removed_groups(self, store: Store, lease: Lease) -> None:
        for number in range(1, 30):
            await _each(store, lease, *[[write] for write in whole(number)])
        await store.remove(lease, [[number] for number in range(1, 29)])
        assert {place.instance for place, _ in await store.follow(0, 2)} == {29}
        assert await compacted(store, lease, limit=5) >= 2
        assert [place.instance for place, _ in await store.follow(0, 100)] == [29, 29, 29]

    async def test_whoever_is_no_owner_removes_nothing(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, whole(1))
        later = await store.acquire("second", NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.remove(lease, [[1]])
        with pytest.raises(NotOwner):
            await store.compact(lease, 0, 10)
        assert await numbers_of(store) == [1]
        assert await store.remove(later, [[1]]) == [1]

    async def test_readers_see_all_of_an_instance_or_nothing(self, store: Store, lease: Lease) -> None:
        await _each(store, lease, *[whole(number) for number in range(1, 31)])

        async def read(number: int) -> None:
            while (loaded := await store.turns(f"i-{number}")) is not None:
                assert [one.seq for one in loaded.rows] == [1, 2, 3]
                assert len(loaded.blobs) == 1
                await asyncio.sleep(0)

        async def remove() -> None:
            for number in range(1, 31, 3):
                await store.remove(lease, [[number, number + 1], [number + 2]])

        async with asyncio.timeout(60):
            await asyncio.gather(*[read(number) for number in (1, 8, 30)], remove())
        assert await numbers_of(store) == []

    async def test_what_was_removed_is_not_there_after_a_restart(self, store: Store, lease: Lease) -> None:
        if not self.durable:
            pytest.skip("this store forgets when it is closed")
        await _each(store, lease, whole(1), whole(2), whole(3))
        await store.remove(lease, [[1]])
        await compacted(store, lease)
        await store.remove(lease, [[3]])
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            assert await numbers_of(other) == [2]
            assert [place.instance for place, _ in await other.follow(0, 100)] == [2, 2, 2]
            kept: InstanceRecord | None = await other.find("i-2")
            assert kept == record(2, status="completed", open=False, ended_at=NOW, reason="because")
        finally:
            await other.close()
