"""Messages into instances: kept once, in the order in which they came, until the turn that consumes them."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import UnknownInstance
from mainspring.journal.records import Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, message, more


async def _mail(store: Store, lease: Lease, limit: int = 100) -> list[str]:
    return [waiting.id for waiting in await store.mail(lease, limit)]


class InboxContract(Ground):
    """post, mail, listen, and `consumed` in commit."""

    async def test_a_message_comes_back_whole(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        assert await store.post(message("m", 1, NOW + 3))
        assert await store.mail(lease, 10) == [message("m", 1, NOW + 3)]

    async def test_posting_needs_no_session(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.release(lease)
        assert await store.post(message("m", 1))

    async def test_the_same_id_is_kept_once(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch)])
        assert await store.post(message("m", 1))
        assert not await store.post(message("m", 1))
        assert not await store.post(message("m", 2, NOW + 9))
        assert await store.mail(lease, 10) == [message("m", 1)]

    async def test_the_same_id_is_known_after_it_was_consumed(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        await store.post(message("m", 1))
        await store.commit(lease, [more(1, 2, consumed=("m",))])
        assert not await store.post(message("m", 1))
        assert await _mail(store, lease) == []

    async def test_an_unknown_instance_is_an_error(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        with pytest.raises(UnknownInstance):
            await store.post(message("m", 2))
        await store.commit(lease, [begin(2, lease.epoch)])
        assert await store.post(message("m", 2)), "the failed post did not use up the id"

    async def test_many_at_once_each_for_itself(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2, lease.epoch)])
        posts = [message("a", 1), message("b", 9), message("c", 2), message("a", 2), message("d", 1)]
        ends = await asyncio.gather(*(store.post(one) for one in posts), return_exceptions=True)
        assert [end if isinstance(end, bool) else type(end) for end in ends] == [
            True,
            UnknownInstance,
            True,
            False,
            True,
        ]
        assert await _mail(store, lease) == ["a", "c", "d"]

    async def test_mail_comes_in_order_of_arrival(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(number, lease.epoch) for number in (1, 2, 3)])
        # Neither the ids nor the times (two senders' clocks differ) tell the order; only the store knows it.
        posted = [("z", 3, 5), ("b", 1, 5), ("y", 2, 5), ("a", 3, 1), ("x", 1, 9), ("c", 2, 0)]
        for id, number, at in posted:
            await store.post(message(id, number, NOW + at))
        assert await _mail(store, lease) == [id for id, _, _ in posted]
        loaded = await store.load("i-3")
        assert loaded is not None
        assert [waiting.id for waiting in loaded.inbox] == ["z", "a"]
        assert await _mail(store, lease, 2) == ["z", "b"]

    async def test_mail_is_for_what_this_session_has_in_memory(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch), begin(2)])
        await store.post(message("m", 1))
        await store.post(message("n", 2))
        assert await _mail(store, lease) == ["m"]
        second = await store.acquire("second", NOW + TTL, TTL)
        assert await _mail(store, second) == []
        await store.claim(second, NOW + TTL, 10)
        assert await _mail(store, second) == ["m", "n"]

    async def test_consuming_takes_only_what_is_named(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        for id in "abc":
            await store.post(message(id, 1))
        await store.commit(lease, [Write(1, consumed=("b",))])
        assert await _mail(store, lease) == ["a", "c"]
        await store.commit(lease, [Write(1, consumed=("b", "unheard of"))])
        assert await _mail(store, lease) == ["a", "c"]

    async def test_a_listener_is_told_until_it_stops(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        told: list[str] = []
        stop = store.listen(lambda: told.append("one"))
        stop_other = store.listen(lambda: told.append("other"))
        await store.post(message("m", 1))
        assert {"one", "other"} <= set(told)
        stop()
        stop()
        told.clear()
        await store.post(message("n", 1))
        assert set(told) == {"other"}
        stop_other()
