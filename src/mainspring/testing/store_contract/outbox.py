"""What leaves: a row before it is a deed, once, in order, until it has arrived."""

from __future__ import annotations

from mainspring.journal.records import Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, ended, order


async def _ids(store: Store, lease: Lease, limit: int = 100) -> list[str]:
    return [waiting.id for waiting in await store.outbox(lease, limit)]


class OutboxContract(Ground):
    """outbox, sent, and `outbox` in commit."""

    async def test_rows_come_back_whole(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, outbox=(order("o", 1),))])
        assert await store.outbox(lease, 10) == [order("o", 1)]

    async def test_they_come_in_the_order_of_their_commits(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), begin(2)])
        await store.commit(lease, [Write(2, outbox=(order("z", 2), order("b", 2))), Write(1, outbox=(order("y", 1),))])
        await store.commit(lease, [Write(1, outbox=(order("a", 1, NOW - 5),))])
        assert await _ids(store, lease) == ["z", "b", "y", "a"]
        assert await _ids(store, lease, 2) == ["z", "b"]
        await store.sent(lease, ["z", "a"])
        await store.commit(lease, [Write(1, outbox=(order("0", 1),))])
        assert await _ids(store, lease) == ["b", "y", "0"]

    async def test_the_same_id_is_kept_once(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, outbox=(order("o", 1),))])
        await store.commit(lease, [Write(1, outbox=(order("o", 1, NOW + 1), order("p", 1)))])
        assert await store.outbox(lease, 10) == [order("o", 1), order("p", 1)]

    async def test_what_has_arrived_is_gone(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, outbox=tuple(order(id, 1) for id in "abc"))])
        await store.sent(lease, ["a", "c", "unheard of"])
        await store.sent(lease, [])
        assert await _ids(store, lease) == ["b"]

    async def test_it_outlives_its_session_and_its_instance(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, outbox=(order("o", 1),), change=ended())])
        second = await store.acquire("second", NOW + TTL, TTL)
        assert await _ids(store, second) == ["o"]
