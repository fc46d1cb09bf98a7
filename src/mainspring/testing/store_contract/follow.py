"""All rows of all instances in the order of their commits: each once, none missed, whoever reads meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import StoreError
from mainspring.journal.records import Lease, Position, TurnRow, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import Ground, asleep, begin, more, row


async def _all(store: Store, limit: int) -> list[tuple[Position, TurnRow]]:
    found: list[tuple[Position, TurnRow]] = []
    while page := await store.follow(found[-1][0].group if found else 0, limit):
        found.extend(page)
    return found


class FollowContract(Ground):
    """follow, and the positions that commit gives."""

    async def test_in_commit_order_with_places(self, store: Store, lease: Lease) -> None:
        first = await store.commit(lease, [begin(2), begin(1)])
        second = await store.commit(lease, [more(1, 2, 3), more(2, 2)])
        entries = await store.follow(0, 100)
        assert [found for _, found in entries] == [row(2, 1), row(1, 1), row(1, 2), row(1, 3), row(2, 2)]
        assert [(place.group, place.index) for place, _ in entries] == [
            (first.position, 0),
            (first.position, 1),
            (second.position, 0),
            (second.position, 1),
            (second.position, 2),
        ]
        assert all((place.instance, place.seq) == (found.instance, found.seq) for place, found in entries)

    async def test_from_a_position_on(self, store: Store, lease: Lease) -> None:
        positions = [(await store.commit(lease, [begin(number)])).position for number in range(1, 6)]
        after = await store.follow(positions[2], 100)
        assert [place.group for place, _ in after] == positions[3:]
        assert await store.follow(positions[-1], 100) == []
        assert await store.follow(positions[-1] + 100, 100) == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1_000])
    async def test_pages_hold_whole_groups_and_miss_nothing(self, store: Store, lease: Lease, limit: int) -> None:
        expected: list[TurnRow] = []
        for number in range(1, 12):
            writes = [begin(number), more(number, *range(2, 2 + number % 4))]
            await store.commit(lease, writes)
            expected.extend(one for write in writes for one in write.rows)
        entries = await _all(store, limit)
        assert [found for _, found in entries] == expected
        for page_end in {place.group for place, _ in entries}:
            page = await store.follow(page_end - 1, limit)
            groups = {place.group for place, _ in page}
            assert len(groups) == 1 or len(page) <= limit

    async def test_groups_without_rows_and_refused_ones_leave_no_gap(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1)])
        await store.commit(lease, [Write(1, change=asleep())])
        with pytest.raises(StoreError):
            await store.commit(lease, [more(1, 1)])
        await store.commit(lease, [])
        last = await store.commit(lease, [more(1, 2)])
        entries = await _all(store, 1)
        assert [found for _, found in entries] == [row(1, 1), row(1, 2)]
        assert entries[-1][0].group == last.position

    async def test_a_follower_beside_the_writer_misses_nothing(self, store: Store, lease: Lease) -> None:
        seen: list[tuple[Position, TurnRow]] = []
        total = 60

        async def write(numbers: range) -> None:
            for number in numbers:
                await store.commit(lease, [begin(number), more(number, 2)])

        async def follow() -> None:
            while len(seen) < 2 * total:
                seen.extend(await store.follow(seen[-1][0].group if seen else 0, 5))
                await asyncio.sleep(0)

        async with asyncio.timeout(30):
            await asyncio.gather(follow(), write(range(1, 31)), write(range(31, 61)))
        places = [(place.group, place.index) for place, _ in seen]
        assert places == sorted(set(places))
        assert sorted((found.instance, found.seq) for _, found in seen) == [
            (number, seq) for number in range(1, total + 1) for seq in (1, 2)
        ]
