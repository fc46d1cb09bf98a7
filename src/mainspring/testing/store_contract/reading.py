"""Reading takes nothing, changes nothing and needs no session."""

from __future__ import annotations

from mainspring.journal.records import Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import (
    Ground,
    asleep,
    begin,
    blob,
    ended,
    message,
    more,
    record,
    row,
    snapshot,
)


class ReadingContract(Ground):
    """find, load, instances, turns, facts."""

    async def test_what_is_not_there_is_none(self, store: Store, lease: Lease) -> None:
        assert await store.find("i-1") is None
        assert await store.load("i-1") is None
        assert await store.turns("i-1") is None
        assert await store.instances() == []

    async def test_a_record_is_found_by_its_id(self, store: Store, lease: Lease) -> None:
        odd = 'it\'s "so"; -- ünï?#'
        await store.commit(lease, [begin(1, id=odd, key="k", parent="p", wake_at=5, reason="r")])
        assert await store.find(odd) == record(1, id=odd, key="k", parent="p", wake_at=5, reason="r")

    async def test_loading_takes_nothing(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), Write(1, change=asleep(5))])
        await store.post(message("m", 1))
        before = await store.load("i-1")
        assert await store.load("i-1") == before
        assert before is not None
        assert (before.record.owner, before.record.wake_at) == (0, 5)
        assert [waiting.id for waiting in before.inbox] == ["m"]

    async def test_load_until_a_row(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), more(1, 2, 3, 4)])
        for until in range(6):
            loaded = await store.load("i-1", until=until)
            assert loaded is not None
            assert [one.seq for one in loaded.rows] == list(range(1, min(until, 4) + 1))

    async def test_instances_come_newest_first_in_pages(self, store: Store, lease: Lease) -> None:
        for number in (2, 1, 5, 3, 4):
            await store.commit(lease, [begin(number)])
        pages: list[list[int]] = []
        before: int | None = None
        while page := await store.instances(before=before, limit=2):
            pages.append([found.number for found in page])
            before = page[-1].number
        assert pages == [[5, 4], [3, 2], [1]]

    async def test_instances_by_status_and_workflow(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(number, workflow="ab"[number % 2]) for number in range(1, 9)])
        await store.commit(lease, [Write(number, change=ended("failed")) for number in (3, 4, 5)])

        async def numbers(**filters: str) -> list[int]:
            return [found.number for found in await store.instances(**filters)]  # type: ignore[arg-type]

        assert await numbers(status="failed") == [5, 4, 3]
        assert await numbers(workflow="a") == [8, 6, 4, 2]
        assert await numbers(status="running", workflow="b") == [7, 1]
        assert await numbers(status="unheard of") == []
        page = await store.instances(status="failed", before=5, limit=1)
        assert [found.number for found in page] == [4]

    async def test_turns_in_pages_with_their_blobs(self, store: Store, lease: Lease) -> None:
        writes = [more(1, seq, blobs=(blob(1, seq),), snapshot=snapshot(1, seq)) for seq in range(2, 8)]
        await store.commit(lease, [begin(1), *writes])
        seen: list[int] = []
        while True:
            page = await store.turns("i-1", after=len(seen), limit=3)
            assert page is not None
            assert page.snapshot is None
            assert sorted(one.seq for one in page.blobs) == [one.seq for one in page.rows if one.seq > 1]
            if not page.rows:
                break
            assert len(page.rows) <= 3
            seen.extend(one.seq for one in page.rows)
        assert seen == list(range(1, 8))
        whole = await store.turns("i-1")
        assert whole is not None
        assert whole.rows == tuple(row(1, seq) for seq in range(1, 8))

    async def test_which_have_ended_or_are_not_there(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(number, lease.epoch) for number in range(1, 5)])
        await store.commit(lease, [Write(2, change=ended()), Write(4, change=ended("failed"))])
        assert sorted(await store.ended(["i-1", "i-2", "i-3", "i-4", "i-5"])) == ["i-2", "i-4", "i-5"]
        assert await store.ended([]) == []

    async def test_facts_count(self, store: Store, lease: Lease) -> None:
        await store.commit(lease, [begin(1), begin(2), more(2, 2, 3), begin(3)])
        await store.commit(lease, [Write(3, change=ended())])
        facts = await store.facts()
        assert (facts.instances, facts.open, facts.turns) == (3, 2, 5)
        assert facts.bytes > 0
        assert facts.schema >= 1
        assert facts.url == store.url
