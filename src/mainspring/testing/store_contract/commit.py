"""A group becomes durable as a whole, or nothing of it does."""

from __future__ import annotations

import pytest

from mainspring.errors import NotOwner, StoreError
from mainspring.journal.records import Change, Lease, Write
from mainspring.journal.store import Store
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


class CommitContract(Ground):
    """commit: what goes in comes out, in order, whole."""

    async def test_rows_come_back_as_they_were(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch), more(1, 2, 3)])
        loaded = await store.load("i-1")
        assert loaded is not None
        assert loaded.rows == (row(1, 1), row(1, 2), row(1, 3))
        assert loaded.record == record(1, owner=lease.epoch)

    async def test_bodies_are_any_bytes(self, store: Store, lease: Lease) -> None:
        body = bytes(range(256)) * 8
        rows = (row(1, 1), row(1, 2).__class__(1, 2, body, 4_294_967_295))
        await store.commit(lease, [Write(1, rows=rows, created=record(1))])
        loaded = await store.load("i-1")
        assert loaded is not None
        assert loaded.rows == rows

    async def test_positions_rise(self, store: Store, lease: Lease) -> None:
        positions = [(await store.commit(lease, [begin(number)])).position for number in range(1, 5)]
        assert positions == sorted(set(positions))

    async def test_an_empty_group_changes_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [])
        assert (await store.facts()).instances == 0

    async def test_blobs_come_with_their_rows(self, store: Store, lease: Lease) -> None:
        blobs = (blob(1, 2, 0), blob(1, 2, 1))
        await store.commit(lease, [begin(1), more(1, 2, blobs=blobs), more(1, 3, blobs=(blob(1, 3),))])
        loaded = await store.load("i-1")
        assert loaded is not None
        assert set(loaded.blobs) == {*blobs, blob(1, 3)}

    async def test_the_last_change_of_a_group_counts(self, store: Store, lease: Lease) -> None:
        waiting = Change(status="paused", open=True, owner=lease.epoch)
        await store.commit(lease, [begin(1), more(1, 2, change=waiting), more(1, 3, change=ended("failed", NOW + 5))])
        found = await store.find("i-1")
        assert found is not None
        assert (found.status, found.open, found.ended_at, found.reason) == ("failed", False, NOW + 5, "because")
        assert (found.owner, found.wake_at) == (0, None)

    async def test_a_change_leaves_what_it_does_not_name(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, key="k", parent="p", created_at=NOW - 7)])
        await store.commit(lease, [Write(1, change=ended())])
        found = await store.find("i-1")
        assert found is not None
        assert (found.key, found.parent, found.created_at, found.version) == ("k", "p", NOW - 7, "v1")

    async def test_an_instance_may_begin_and_end_in_one_group(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), more(1, 2, change=ended())])
        found = await store.find("i-1")
        assert found is not None
        assert not found.open

    @pytest.mark.parametrize("place", ["first", "last"])
    @pytest.mark.parametrize("fault", ["row", "rows", "id", "number", "twin", "final", "unended"])
    async def test_one_bad_write_leaves_nothing_of_its_group(
        self, store: Store, lease: Lease, fault: str, place: str
    ) -> None:
        await store.commit(lease, [begin(1, lease.epoch), more(1, 2)])
        await store.post(message("m", 1))
        bad = {
            "row": more(1, 2),
            "rows": Write(4, rows=(row(4, 1), row(4, 1)), created=record(4)),
            "id": begin(4, id="i-1"),
            "number": begin(1, id="another"),
            "twin": begin(4, id="i-3"),
            "final": Write(1, change=Change(status="completed", open=False)),
            "unended": begin(4, open=True, ended_at=NOW),
        }[fault]
        good = [
            more(1, 3, consumed=("m",), outbox=(order("o", 1),), blobs=(blob(1, 3),), snapshot=snapshot(1, 3)),
            begin(3, lease.epoch, id="i-3"),
        ]
        with pytest.raises(StoreError) as refused:
            await store.commit(lease, [bad, *good] if place == "first" else [*good, bad])
        assert not isinstance(refused.value, NotOwner)
        loaded = await store.load("i-1")
        assert loaded is not None
        assert (loaded.rows, loaded.blobs, loaded.snapshot) == ((row(1, 1), row(1, 2)), (), None)
        assert loaded.record == record(1, owner=lease.epoch)
        assert [waiting.id for waiting in loaded.inbox] == ["m"]
        assert await store.outbox(lease, 10) == []
        assert await numbers_of(store) == [1]
        assert len(await store.follow(0, 100)) == 2

    async def test_after_a_refusal_the_session_goes_on(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        with pytest.raises(StoreError):
            await store.commit(lease, [more(1, 1)])
        await store.commit(lease, [more(1, 2)])
        loaded = await store.load("i-1")
        assert loaded is not None
        assert [one.seq for one in loaded.rows] == [1, 2]

    async def test_a_late_group_changes_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.post(message("m", 1))
        second = await store.acquire("second", NOW + TTL, TTL)
        late = more(1, 2, consumed=("m",), outbox=(order("o", 1),), change=ended(), snapshot=snapshot(1, 2))
        with pytest.raises(NotOwner):
            await store.commit(lease, [late, begin(2)])
        (claimed,) = await store.claim(second, NOW + TTL, 10)
        assert claimed.rows == (row(1, 1),)
        assert [waiting.id for waiting in claimed.inbox] == ["m"]
        assert await numbers_of(store) == [1]
        assert await store.outbox(second, 10) == []
        await store.commit(second, [more(1, 2)])
