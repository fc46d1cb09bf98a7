"""Dead letters: buried and raised with a commit, kept once, lost only when somebody purges them."""

from __future__ import annotations

import pytest

from mainspring.errors import NotOwner, StoreError
from mainspring.journal.records import DeadLetter, Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, ended, more, order


def letter(id: str, instance: int = 1) -> DeadLetter:
    """One that can be told from all others."""
    return DeadLetter(
        id, instance, "node", f"because of {id}", NOW, f"node-{id}", 2, "subject", b"body of " + id.encode()
    )


def burying(*ids: str, instance: int = 1) -> Write:
    """A write that buries these."""
    return Write(instance, buried=tuple(letter(id, instance) for id in ids))


async def _ids(store: Store, after: str | None = None, limit: int = 100) -> str:
    return "".join([one.id for one in await store.dead_letters(after=after, limit=limit)])


class LettersContract(Ground):
    """dead_letters, dead_letter, purge, and `buried` and `raised` in commit."""

    async def test_a_letter_comes_back_whole(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a")])
        assert await store.dead_letter("a") == letter("a")
        assert await store.dead_letters() == [letter("a")]
        assert await store.dead_letter("unheard of") is None

    async def test_they_come_in_pages_in_the_order_in_which_they_were_buried(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), begin(2), burying("z", "b")])
        await store.commit(lease, [burying("y", instance=2), burying("a")])
        assert await _ids(store) == "zbya"
        assert await _ids(store, limit=3) == "zby"
        assert await _ids(store, "b") == "ya"
        assert await _ids(store, "b", 1) == "y"
        assert await _ids(store, "a") == ""
        assert await _ids(store, "unheard of") == ""

    async def test_one_is_kept_once_as_it_was_first(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), begin(2), burying("a", "b")])
        await store.commit(lease, [burying("a", instance=2), burying("a")])
        assert await store.dead_letters() == [letter("a"), letter("b")]

    async def test_one_is_raised_with_what_puts_it_back_to_work(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a", "b")])
        await store.commit(lease, [more(1, 2, raised=("a", "unheard of"), outbox=(order("o", 1),))])
        assert await _ids(store) == "b"
        assert await store.dead_letter("a") is None
        await store.commit(lease, [burying("a")])  # it dies again: then it is the last
        assert await _ids(store) == "ba"

    async def test_all_of_a_commit_or_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a")])
        with pytest.raises(StoreError):
            await store.commit(lease, [burying("b"), Write(1, raised=("a",)), more(1, 1)])
        assert await _ids(store) == "a"

    async def test_a_letter_outlives_its_instance(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a")])
        await store.commit(lease, [more(1, 2, change=ended())])
        assert await _ids(store) == "a"

    async def test_purging_loses_these_and_no_others(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a", "b", "c")])
        assert await store.purge(lease, ["a", "c", "unheard of"]) == 2
        assert await _ids(store) == "b"
        assert await store.purge(lease, ["a"]) == 0
        assert await store.purge(lease, []) == 0

    async def test_whoever_is_no_owner_buries_and_purges_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), burying("a")])
        later = await store.acquire("second", NOW + TTL, TTL)
        with pytest.raises(NotOwner):
            await store.purge(lease, ["a"])
        with pytest.raises(NotOwner):
            await store.commit(lease, [burying("b")])
        assert await _ids(store) == "a"
        assert await store.purge(later, ["a"]) == 1

    async def test_letters_are_there_after_a_restart(self, store: Store, lease: Lease) -> None:
        if not self.durable:
            pytest.skip("this store forgets when it is closed")
        await store.commit(lease, [begin(1), burying("a", "b", "c")])
        await store.purge(lease, ["b"])
        await store.close()
        other = self.again(store)
        await other.open()
        try:
            assert await other.dead_letters() == [letter("a"), letter("c")]
        finally:
            await other.close()
