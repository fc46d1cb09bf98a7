"""Who may write: never a session that is over."""

from __future__ import annotations

import pytest

from mainspring.errors import NotOwner
from mainspring.journal.records import Lease
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, more, numbers_of


class OwnershipContract(Ground):
    """acquire, renew, release, and the fence in every writing verb."""

    async def test_epochs_only_rise(self, store: Store) -> None:
        epochs = []
        for turn in range(4):
            lease = await store.acquire(f"holder {turn}", NOW + turn, TTL)
            epochs.append(lease.epoch)
            await store.release(lease)
        assert epochs == sorted(set(epochs))
        assert epochs[0] > 0, "0 means: owned by nobody"

    async def test_a_lease_says_what_was_asked_for(self, store: Store) -> None:
        lease = await store.acquire("me", NOW, TTL)
        assert (lease.holder, lease.expires_at) == ("me", NOW + TTL)
        assert (await store.facts()).lease == lease

    async def test_an_expired_lease_is_taken_over(self, store: Store, lease: Lease) -> None:
        second = await store.acquire("second", NOW + TTL, TTL)
        assert second.epoch > lease.epoch

    async def test_renewal_keeps_the_epoch_and_moves_the_end(self, store: Store, lease: Lease) -> None:
        renewed = await store.renew(lease, NOW + 5_000, TTL)
        assert (renewed.epoch, renewed.expires_at) == (lease.epoch, NOW + 5_000 + TTL)
        assert (await store.facts()).lease == renewed

    async def test_a_lease_can_be_renewed_late_if_nobody_came(self, store: Store, lease: Lease) -> None:
        renewed = await store.renew(lease, NOW + 5 * TTL, TTL)
        await store.commit(renewed, [begin(1, lease.epoch)])
        assert await numbers_of(store) == [1]

    async def test_a_released_store_is_free_at_once(self, store: Store, lease: Lease) -> None:
        await store.release(lease)
        assert (await store.facts()).lease is None
        assert (await store.acquire("second", NOW + 1, TTL)).epoch > lease.epoch

    async def test_release_of_a_lost_session_is_no_error_and_ends_nothing(self, store: Store, lease: Lease) -> None:
        second = await store.acquire("second", NOW + TTL, TTL)
        await store.release(lease)
        assert (await store.facts()).lease == second
        await store.commit(second, [begin(1, second.epoch)])

    async def test_a_late_session_can_write_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.acquire("second", NOW + TTL, TTL)
        await self._refused_everywhere(store, lease)

    async def test_a_released_session_can_write_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.release(lease)
        await self._refused_everywhere(store, lease)

    async def _refused_everywhere(self, store: Store, lease: Lease) -> None:
        before = await store.facts()
        with pytest.raises(NotOwner):
            await store.commit(lease, [more(1, 2), begin(2, lease.epoch)])
        with pytest.raises(NotOwner):
            await store.renew(lease, NOW + 1, TTL)
        with pytest.raises(NotOwner):
            await store.numbers(lease, 1)
        with pytest.raises(NotOwner):
            await store.claim(lease, NOW + 10 * TTL, 10)
        with pytest.raises(NotOwner):
            await store.sent(lease, ["x"])
        after = await store.facts()
        assert (after.instances, after.turns, after.lease) == (before.instances, before.turns, before.lease)

    async def test_numbers_are_never_given_twice(self, store: Store, lease: Lease) -> None:
        given: list[int] = []
        for count in (1, 5, 1, 100):
            first = await store.numbers(lease, count)
            given.extend(range(first, first + count))
        second = await store.acquire("second", NOW + TTL, TTL)
        first = await store.numbers(second, 10)
        given.extend(range(first, first + 10))
        assert len(set(given)) == len(given)
        assert min(given) > 0
