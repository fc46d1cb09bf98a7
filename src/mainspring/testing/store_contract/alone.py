"""A store that belongs to one session at a time: while its lease lives, nobody else gets one."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import StoreHeld
from mainspring.journal.records import Lease
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin


class AloneContract(Ground):
    """StoreHeld."""

    async def test_it_says_so(self, store: Store) -> None:
        assert not store.shared

    async def test_a_living_lease_keeps_others_out(self, store: Store, lease: Lease) -> None:
        with pytest.raises(StoreHeld, match="first"):
            await store.acquire("second", NOW + TTL - 1, TTL)
        await store.commit(lease, [begin(1, lease.epoch)])

    async def test_a_refused_session_does_not_harm_the_owner(self, store: Store, lease: Lease) -> None:
        for _ in range(3):
            with pytest.raises(StoreHeld):
                await store.acquire("second", NOW + 1, TTL)
        assert (await store.facts()).lease == lease

    async def test_a_renewed_lease_keeps_others_out_for_longer(self, store: Store, lease: Lease) -> None:
        renewed = await store.renew(lease, NOW + 5_000, TTL)
        assert (renewed.epoch, renewed.expires_at) == (lease.epoch, NOW + 5_000 + TTL)
        with pytest.raises(StoreHeld):
            await store.acquire("second", NOW + TTL + 1, TTL)

    async def test_release_of_a_lost_session_lets_nobody_in(self, store: Store, lease: Lease) -> None:
        second = await store.acquire("second", NOW + TTL, TTL)
        await store.release(lease)
        assert (await store.facts()).lease == second
        await store.commit(second, [begin(1, second.epoch)])
        with pytest.raises(StoreHeld):
            await store.acquire("third", NOW + TTL + 1, TTL)

    async def test_one_of_many_takeovers_wins(self, store: Store, lease: Lease) -> None:
        answers = await asyncio.gather(
            *[store.acquire(f"heir {heir}", NOW + TTL, TTL) for heir in range(8)], return_exceptions=True
        )
        assert sum(isinstance(answer, Lease) for answer in answers) == 1
