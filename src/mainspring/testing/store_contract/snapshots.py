"""Snapshots: two are kept, and a damaged one is never handed out."""

from __future__ import annotations

from mainspring.journal.records import Lease, SnapshotRow
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, blob, more, snapshot


class SnapshotsContract(Ground):
    """What a load begins with."""

    async def _fill_rows(self, store: Store, lease: Lease, *taken: SnapshotRow) -> None:
        """Nine rows, a blob at each from the second on, and these snapshots."""
        due = {one.seq: one for one in taken}
        writes = [more(1, seq, blobs=(blob(1, seq),), snapshot=due.get(seq)) for seq in range(2, 10)]
        await store.commit(lease, [begin(1, lease.epoch), *writes])

    async def _loaded(self, store: Store, until: int | None = None) -> tuple[int | None, list[int], list[int]]:
        loaded = await store.load("i-1", until=until)
        assert loaded is not None
        begins = None if loaded.snapshot is None else loaded.snapshot.seq
        if loaded.snapshot is not None:
            assert loaded.snapshot == snapshot(1, loaded.snapshot.seq)
        return begins, [one.seq for one in loaded.rows], sorted(one.seq for one in loaded.blobs)

    async def test_without_one_all_rows_are_there(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease)
        assert await self._loaded(store) == (None, list(range(1, 10)), list(range(2, 10)))

    async def test_the_newest_and_the_rows_after_it(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 3), snapshot(1, 6))
        assert await self._loaded(store) == (6, [7, 8, 9], [7, 8, 9])

    async def test_a_damaged_newest_one_falls_back_to_the_one_before(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 2), snapshot(1, 4), snapshot(1, 7, damaged=True))
        assert await self._loaded(store) == (4, [5, 6, 7, 8, 9], [5, 6, 7, 8, 9])

    async def test_two_damaged_ones_cost_only_time(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 4, damaged=True), snapshot(1, 7, damaged=True))
        assert await self._loaded(store) == (None, list(range(1, 10)), list(range(2, 10)))

    async def test_two_are_kept(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, *[snapshot(1, seq) for seq in (2, 4, 6, 8)])
        assert (await self._loaded(store))[0] == 8
        assert (await self._loaded(store, until=7))[0] == 6
        assert (await self._loaded(store, until=5))[0] is None

    async def test_one_taken_again_replaces_itself(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 4), snapshot(1, 8, damaged=True))
        await store.commit(lease, [more(1, snapshot=snapshot(1, 8))])
        assert (await self._loaded(store))[0] == 8
        assert (await self._loaded(store, until=7))[0] == 4

    async def test_until_uses_none_that_is_later(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 3), snapshot(1, 6))
        assert await self._loaded(store, until=5) == (3, [4, 5], [4, 5])
        assert await self._loaded(store, until=6) == (6, [], [])
        assert await self._loaded(store, until=2) == (None, [1, 2], [2])
        assert await self._loaded(store, until=99) == (6, [7, 8, 9], [7, 8, 9])

    async def test_a_claim_begins_with_it_too(self, store: Store, lease: Lease) -> None:
        await self._fill_rows(store, lease, snapshot(1, 3), snapshot(1, 6, damaged=True))
        second = await store.acquire("second", NOW + TTL, TTL)
        (claimed,) = await store.claim(second, NOW + TTL, 10)
        assert claimed.snapshot == snapshot(1, 3)
        assert [one.seq for one in claimed.rows] == [4, 5, 6, 7, 8, 9]
