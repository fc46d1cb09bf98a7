"""Many callers at once: every verb is safe to call while every other is under way."""

from __future__ import annotations

import asyncio

from mainspring.errors import NotOwner
from mainspring.journal.records import Lease
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, TTL, Ground, begin, message, more, row


class TogetherContract(Ground):
    """Concurrency within one process."""

    async def test_commits_posts_and_reads_at_once(self, store: Store, lease: Lease) -> None:
        wide, deep = 20, 10
        await store.commit(lease, [begin(number, lease.epoch) for number in range(1, wide + 1)])
        whole = True

        async def write(number: int) -> None:
            for seq in range(2, deep + 1):
                await store.commit(lease, [more(number, seq, consumed=(f"m{number}.{seq - 1}",))])

        async def post(number: int) -> None:
            answers = [await store.post(message(f"m{number}.{seq}", number)) for seq in range(1, deep)]
            assert all(answers)

        async def read(number: int) -> None:
            nonlocal whole
            for _ in range(deep):
                loaded = await store.load(f"i-{number}")
                assert loaded is not None
                whole &= loaded.rows == tuple(row(number, seq) for seq in range(1, len(loaded.rows) + 1))
                await store.instances(limit=5)
                await store.mail(lease, 5)

        async with asyncio.timeout(60):
            numbers = range(1, wide + 1)
            await asyncio.gather(*[work(number) for number in numbers for work in (write, post, read)])
        assert whole, "a reader saw rows with a gap"
        facts = await store.facts()
        assert (facts.instances, facts.turns) == (wide, wide * deep)
        assert len(await store.follow(0, 10_000)) == wide * deep

    async def test_one_of_many_posts_of_the_same_id_is_the_first(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1, lease.epoch)])
        answers = await asyncio.gather(*[store.post(message("m", 1)) for _ in range(20)])
        assert sorted(answers) == [False] * 19 + [True]

    async def test_numbers_at_once(self, store: Store, lease: Lease) -> None:
        firsts = await asyncio.gather(*[store.numbers(lease, 7) for _ in range(20)])
        given = [first + offset for first in firsts for offset in range(7)]
        assert len(set(given)) == len(given)

    async def test_a_takeover_among_commits_leaves_a_clean_cut(self, store: Store, lease: Lease) -> None:
        async def write(number: int) -> int:
            try:
                await store.commit(lease, [begin(number, lease.epoch), more(number, 2)])
            except NotOwner:
                return 0
            return number

        early = [asyncio.ensure_future(write(number)) for number in range(1, 11)]
        takeover = asyncio.ensure_future(store.acquire("second", NOW + TTL, TTL))
        late = [asyncio.ensure_future(write(number)) for number in range(11, 21)]
        kept = {await task for task in (*early, *late)} - {0}
        second = await takeover
        claimed = await store.claim(second, NOW + TTL, 100)
        assert {loaded.record.number for loaded in claimed} == kept
        assert all(len(loaded.rows) == 2 for loaded in claimed)
