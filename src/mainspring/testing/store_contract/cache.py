"""Results that may be used again: kept with a commit, under a key, for a time, up to a number."""

from __future__ import annotations

from zlib import crc32

import pytest

from mainspring.errors import NotOwner, StoreError
from mainspring.journal.records import CacheRow, Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, more


def result(key: str, expires_at: int = NOW + 100, text: str = "", *, damaged: bool = False) -> CacheRow:
    """A result that can be told from all others. `damaged`: its checksum does not fit."""
    body = f"result of {key}{text}".encode()
    return CacheRow(key.encode(), expires_at, body, crc32(body) ^ damaged)


def keeping(*rows: CacheRow) -> Write:
    """A write that keeps these."""
    return Write(1, cached=rows)


async def _there(store: Store, keys: str, now: int = NOW) -> str:
    """Those of the one-letter keys under which there is something."""
    return "".join([key for key in keys if await store.cached(key.encode(), now) is not None])


class CacheContract(Ground):
    """cached, trim, and `cached` in commit."""

    async def test_a_result_comes_back_whole(self, store: Store, lease: Lease) -> None:
        kept = CacheRow(bytes(range(32)), NOW + 5, b"\x00\xff" * 100, crc32(b"\x00\xff" * 100))
        await store.commit(lease, [begin(1), keeping(kept, result("other"))])
        assert await store.cached(bytes(range(32)), NOW) == kept
        assert await store.cached(b"unheard of", NOW) is None

    async def test_its_time_ends(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(result("a", NOW + 10))])
        assert await _there(store, "a", NOW + 9) == "a"
        assert await _there(store, "a", NOW + 10) == ""

    async def test_a_later_result_takes_the_place_of_the_one_before(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(result("a", NOW + 10)), keeping(result("a", NOW + 20, " again"))])
        assert await store.cached(b"a", NOW + 15) == result("a", NOW + 20, " again")
        await store.commit(lease, [keeping(result("a", NOW + 12))])
        assert await store.cached(b"a", NOW) == result("a", NOW + 12)

    async def test_a_damaged_result_is_never_handed_out(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(result("a", damaged=True), result("b"))])
        assert await _there(store, "ab") == "b"

    async def test_a_commit_that_fails_keeps_no_result(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1)])
        with pytest.raises(StoreError):
            await store.commit(lease, [keeping(result("a")), more(1, 1)])
        second = await store.acquire("second", NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.commit(lease, [keeping(result("a"))])
        assert await _there(store, "a") == ""
        await store.commit(second, [keeping(result("a"))])
        assert await _there(store, "a") == "a"

    async def test_trimming_takes_what_is_over_first(self, store: Store, lease: Lease) -> None:
        rows = [result("a", NOW + 50), result("b", NOW + 10), result("c", NOW + 50), result("d", NOW + 20)]
        await store.commit(lease, [begin(1), keeping(*rows)])
        assert await store.trim(lease, NOW, 10, 10) == 0
        assert await store.trim(lease, NOW + 20, 10, 10) == 2
        assert await _there(store, "abcd") == "ac"

    async def test_trimming_takes_the_oldest_above_the_bound(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(*[result(key) for key in "dcba"])])
        await store.commit(lease, [keeping(result("d"))])  # so that it is the youngest now
        assert await store.trim(lease, NOW, 2, 10) == 2
        assert await _there(store, "abcd") == "ad"
        assert await store.trim(lease, NOW, 2, 10) == 0
        assert await store.trim(lease, NOW, 0, 10) == 2
        assert await _there(store, "abcd") == ""

    async def test_trimming_has_a_bound(self, store: Store, lease: Lease) -> None:
        over = [result(key, NOW + 1) for key in "abc"]
        await store.commit(lease, [begin(1), keeping(*over, *[result(key) for key in "defg"])])
        went = [await store.trim(lease, NOW + 1, 1, 2) for _ in range(4)]
        assert went == [2, 2, 2, 0]
        assert await _there(store, "abcdefg", NOW) == "g"

    async def test_only_the_owner_trims(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(result("a", NOW + 1))])
        second = await store.acquire("second", NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.trim(lease, NOW + 5, 0, 10)
        assert await _there(store, "a") == "a"
        assert await store.trim(second, NOW + 5, 0, 10) == 1

    async def test_results_outlive_their_session(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), keeping(result("a", NOW + 10 * TTL))])
        await store.acquire("second", NOW + TTL, TTL)
        assert await _there(store, "a", NOW + TTL) == "a"

    async def test_results_outlive_the_closing_of_a_durable_store(self, store: Store, lease: Lease) -> None:
        if not self.durable:
            pytest.skip("this store forgets when it is closed")
        await store.commit(lease, [begin(1), keeping(result("a"))])
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            assert await other.cached(b"a", NOW) == result("a")
        finally:
            await other.close()
