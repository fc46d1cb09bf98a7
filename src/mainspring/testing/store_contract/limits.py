"""What limits have to remember: one small state by key, the last that was kept."""

from __future__ import annotations

import pytest

from mainspring.errors import NotOwner
from mainspring.journal.records import Lease
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground


class LimitsContract(Ground):
    """keep_limits, kept_limits."""

    async def test_a_state_comes_back_as_it_was_kept_last(self, store: Store, lease: Lease) -> None:
        assert await store.kept_limits() == {}
        await store.keep_limits(lease, {"breaker:a": b"\x00\xff", "breaker:\u00fc b": b"1"})
        await store.keep_limits(lease, {"breaker:a": b"2", "other": b"3"})
        await store.keep_limits(lease, {})
        assert await store.kept_limits() == {"breaker:a": b"2", "breaker:\u00fc b": b"1", "other": b"3"}

    async def test_an_empty_one_takes_it_out(self, store: Store, lease: Lease) -> None:
        await store.keep_limits(lease, {"a": b"1", "b": b"2"})
        await store.keep_limits(lease, {"a": b"", "unheard of": b""})
        assert await store.kept_limits() == {"b": b"2"}

    async def test_whoever_is_no_owner_keeps_nothing(self, store: Store, lease: Lease) -> None:
        await store.keep_limits(lease, {"a": b"1"})
        later = await store.acquire("second", NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.keep_limits(lease, {"a": b"2", "b": b"2"})
        assert await store.kept_limits() == {"a": b"1"}
        await store.keep_limits(later, {"a": b"3"})
        assert await store.kept_limits() == {"a": b"3"}

    async def test_a_state_is_there_after_a_restart(self, store: Store, lease: Lease) -> None:
        if not self.durable:
            pytest.skip("this store forgets when it is closed")
        await store.keep_limits(lease, {"a": b"1", "b": b"2"})
        await store.keep_limits(lease, {"b": b""})
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            assert await other.kept_limits() == {"a": b"1"}
        finally:
            await other.close()
