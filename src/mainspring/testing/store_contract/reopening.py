"""What was acknowledged is there when the store is opened again."""

from __future__ import annotations

import pytest

from mainspring.errors import NotOwner
from mainspring.journal.records import DefinitionRecord, Lease, Write
from mainspring.journal.store import Store
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
    snapshot,
)


class ReopeningContract(Ground):
    """open, close."""

    async def _fill_everything(self, store: Store, lease: Lease) -> None:
        await store.define(DefinitionRecord("v1", "orders", b"body", "/here", NOW))
        await store.commit(lease, [begin(1, lease.epoch), more(1, 2, blobs=(blob(1, 2),)), begin(2), begin(3)])
        await store.commit(lease, [more(1, 3, snapshot=snapshot(1, 3)), more(1, 4, outbox=(order("o", 1),))])
        await store.commit(lease, [Write(2, change=asleep(NOW + 50)), Write(3, change=ended())])
        await store.post(message("m", 1))
        await store.post(message("n", 2))
        await store.commit(lease, [Write(1, consumed=("m",))])

    async def test_everything_is_kept(self, store: Store, lease: Lease) -> None:
        if not self.durable:
            pytest.skip("this store forgets when it is closed")
        await self._fill_everything(store, lease)
        before = await self._everything(store, lease)
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            assert await self._everything(other, lease) == before
            assert not await other.post(message("m", 1)), "a consumed message's id is still known"
            second = await other.acquire("second", NOW + TTL, TTL)
            assert second.epoch > lease.epoch
            assert await other.numbers(second, 1) > 0
            claimed = {loaded.record.number for loaded in await other.claim(second, NOW + TTL, 10)}
            assert claimed == {1, 2}
            with pytest.raises(NotOwner):
                await other.commit(lease, [more(1, 5)])
        finally:
            await other.close()

    async def _everything(self, store: Store, lease: Lease) -> list[object]:
        facts = await store.facts()
        return [
            [await store.load(f"i-{number}") for number in (1, 2, 3)],
            await store.follow(0, 1_000),
            await store.outbox(lease, 10),
            await store.mail(lease, 10),
            await store.next_wake(lease),
            await store.definition("v1"),
            (facts.instances, facts.open, facts.turns, facts.schema, facts.lease),
        ]

    async def test_opening_and_closing_twice_is_no_error(self, store: Store) -> None:
        await store.open()
        await store.close()
        await store.close()
        await store.open()

    async def test_numbers_go_on_after_reopening(self, store: Store, lease: Lease) -> None:
        first = await store.numbers(lease, 10)
        await store.release(lease)
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            second = await other.acquire("second", NOW, TTL)
            assert await other.numbers(second, 1) >= (first + 10 if self.durable else 1)
        finally:
            await other.close()
