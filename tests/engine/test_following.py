"""Following one instance and everything: in order, from any place, without a gap, however slow the follower is."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from benchmarks import followers

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.engine import tails
from mainspring.engine.following import Behind, Followed
from mainspring.journal.store import Store
from mainspring.testing.postgres_server import drop, fresh_url
from tests.engine.conftest import node, workflow

Place = tuple[int, int, str, int, int, bytes]


async def quick(large: bool = False) -> str:
    return "x" * (40_000 if large else 3)


def chain(length: int = 4, large: bool = False) -> Any:
    """A chain; with `large`, of steps whose outputs are blobs."""
    nodes = [node("n0", quick, input={"large": large})]
    nodes += [node(f"n{i}", quick, f"n{i - 1}", input={"large": large}) for i in range(1, length)]
    return workflow(*nodes)


def plain(one: Followed) -> Place:
    """What must be the same, whichever way it came."""
    place = one.position
    assert (place.seq, bool(one.id)) == (one.seq, True)
    return place.group, place.index, one.id, one.seq, one.index, msgspec.json.encode((one.at, one.event))


async def journal(engine: ms.Engine, runs: list[ms.Run]) -> dict[str, list[tuple[int, int, bytes]]]:
    """What the store has of each instance."""
    found = {}
    for run in runs:
        events = [one async for one in run.events()]
        found[run.id] = [(one.seq, one.index, msgspec.json.encode((one.at, one.event))) for one in events]
    return found


def by_instance(items: list[Place]) -> dict[str, list[tuple[int, int, bytes]]]:
    found: dict[str, list[tuple[int, int, bytes]]] = {}
    for _, _, id, seq, index, body in items:
        found.setdefault(id, []).append((seq, index, body))
    return found


async def up_to_the_end(stream: Any, ends: int) -> list[Any]:
    """What is followed, until so many instances have ended."""
    found: list[Any] = []
    async for one in stream:
        found.append(one)
        ends -= isinstance(one, Followed) and one.name in ("InstanceCompleted", "InstanceFailed")
        if not ends:
            break
    await stream.aclose()
    return found


@pytest.mark.parametrize("large", [False, True])
async def test_everything_comes_in_the_order_of_commits_as_it_is_in_the_journal(store: Store, large: bool) -> None:
    async with ms.Engine(store) as engine:
        live = asyncio.create_task(up_to_the_end(engine.follow(), 12))
        runs = [await engine.start(chain(large=large and i % 2 == 0)) for i in range(12)]
        found = [plain(one) for one in await asyncio.wait_for(live, 30)]
        assert [one[:2] for one in found] == sorted(one[:2] for one in found)
        assert by_instance(found) == await journal(engine, runs)
        again = [plain(one) for one in await up_to_the_end(engine.follow(), 12)]
        assert again == found, "the tail and the store differ"
        assert len(engine._tails) == 0


async def test_from_any_place_on(store: Store) -> None:
    async with ms.Engine(store) as engine:
        runs = [await engine.start(chain(2, large=i == 1)) for i in range(3)]
        for run in runs:
            await run.result()
        whole = await up_to_the_end(engine.follow(), 3)
        for number, one in enumerate(whole[:-1]):
            after = await up_to_the_end(engine.follow(one), _ends(whole[number + 1 :]))
            assert [plain(each) for each in after] == [plain(each) for each in whole[number + 1 :]]
            rest = _beyond(whole, one)
            if rest:
                beyond = await up_to_the_end(engine.follow(one.position), _ends(rest))
                assert [plain(each) for each in beyond] == [plain(each) for each in rest]


def _ends(items: list[Any]) -> int:
    return sum(one.name == "InstanceCompleted" for one in items)


def _beyond(whole: list[Any], one: Followed) -> list[Any]:
    place = one.position.group, one.position.index
    return [each for each in whole if (each.position.group, each.position.index) > place]


async def test_who_stalls_is_told_and_misses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "TAIL_ROWS_MAX", 10)
    async with ms.Engine(store) as engine:
        stream = engine.follow()
        first = await engine.start(chain(1))
        await first.result()
        got: list[Any] = [await anext(stream)]
        assert engine._tails._of_all  # it is brought what comes
        runs = [await engine.start(chain(6)) for _ in range(8)]
        for run in runs:
            await run.result()
        assert not engine._tails._of_all, "one that stalls is still served"
        assert len(engine._tails) == 1 and stream.lag > 0
        got += await asyncio.wait_for(up_to_the_end(stream, 9), 30)
        behind = [one for one in got if isinstance(one, Behind)]
        assert len(behind) == 1 and behind[0].commits > 0
        place = got.index(behind[0])
        assert behind[0].after == got[place - 1].position
        found = [plain(one) for one in got if not isinstance(one, Behind)]
        assert by_instance(found) == await journal(engine, [first, *runs])


@pytest.mark.parametrize("bound", ["TAIL_ROWS_MAX", "TAIL_BYTES_MAX"])
async def test_an_instance_is_followed_whole_by_who_is_slow(
    store: Store, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, bound, 3)
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(30))
        places = []
        async for one in run.events():
            places.append((one.seq, one.index))
            for _ in range(20):  # others go on meanwhile
                await asyncio.sleep(0)
        assert places == [(one.seq, one.index) async for one in run.events()]
        assert [seq for seq, index in places if index == 0] == list(range(1, places[-1][0] + 1))


@pytest.fixture
def counted() -> tuple[Store, list[int]]:
    """A store, and after which rows an instance was read in it."""
    store = open_store("memory:")
    reads: list[int] = []
    turns = store.turns

    async def reading(*args: Any, **more: Any) -> Any:
        reads.append(more["after"])
        return await turns(*args, **more)

    store.turns = reading  # type: ignore[method-assign]
    return store, reads


async def test_who_keeps_up_reads_the_store_at_the_beginning_at_most(counted: tuple[Store, list[int]]) -> None:
    store, reads = counted
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(50))
        await asyncio.sleep(0)
        events = [one async for one in run.events()]
    assert len(events) > 100 and len(reads) <= 1, reads


async def test_who_follows_what_has_just_begun_reads_nothing(counted: tuple[Store, list[int]]) -> None:
    """Its first turns are in the newest group; and only where they are all that there is."""
    store, reads = counted
    async with ms.Engine(store) as engine:
        run = await _signals(engine, "go", "on")
        stream = run.events()
        first = [await anext(stream), await anext(stream)]
        await _signalled(engine, run, "go")
        assert not reads
        late = run.events()
        begun = [await anext(late), await anext(late)]
        assert reads == [0]
        await _signalled(engine, run, "on")
        assert begun == first
        whole = first + [one async for one in stream]
        assert begun + [one async for one in late] == whole == [one async for one in run.events()]


async def test_followers_that_leave_or_are_dropped_leave_nothing(store: Store) -> None:
    async with ms.Engine(store) as engine:
        run = await engine.start(workflow(node("a", type="wait", config={"signal": "go"})))
        for stream in (engine.follow(), run.events()):
            async for _ in stream:
                break
        assert len(engine._tails) == 2
        del stream, _
        gc.collect()
        while len(engine._tails):
            await asyncio.sleep(0)
        waiting = asyncio.create_task(up_to_the_end(engine.follow(), 9))
        while not engine._tails._of_all:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(engine._tails) == 0
        never = engine.follow()  # never begun
        assert len(engine._tails) == 0 and never.lag >= 0
        await run.signal("go")
        await run.result()
        assert not engine._tails._of_one


async def test_the_end_of_the_engine_is_told() -> None:
    async with ms.Engine("memory:") as engine:
        told = asyncio.create_task(up_to_the_end(engine.follow(), 1))
        while not engine._tails._of_all:
            await asyncio.sleep(0)
    with pytest.raises(ms.MainspringError, match="stopped"):
        await told
    with pytest.raises(ms.MainspringError, match="not running"):
        engine.follow()


async def test_unknown_instances() -> None:
    async with ms.Engine("memory:") as engine:
        with pytest.raises(ms.UnknownInstance):
            await anext(engine.events("nobody"))


@pytest.fixture
def postgres_url() -> Iterator[str]:
    url = fresh_url()
    yield url
    asyncio.run(drop(url))


async def test_what_another_engine_commits_is_followed_too(postgres_url: str) -> None:
    async with ms.Engine(postgres_url) as here, ms.Engine(postgres_url) as there:
        live = asyncio.create_task(up_to_the_end(here.follow(), 10))
        runs = [await (here, there)[i % 2].start(chain()) for i in range(10)]
        found = [plain(one) for one in await asyncio.wait_for(live, 30)]
        assert [one[:2] for one in found] == sorted(one[:2] for one in found)
        assert by_instance(found) == await journal(here, runs)


async def _signals(engine: ms.Engine, *names: str) -> ms.Run:
    """An instance that waits for one after the other."""
    steps = [node(one, None, *names[:i][-1:], type="wait", config={"signal": one}) for i, one in enumerate(names)]
    return await engine.start(workflow(*steps))


async def _signalled(engine: ms.Engine, run: ms.Run, name: str) -> None:
    await run.signal(name)
    while (await run.state()).nodes[name].status != "completed":
        await asyncio.sleep(0)
    await engine.idle()


@pytest.mark.parametrize("of_one", [True, False])
async def test_what_a_tail_was_not_brought_is_read(store: Store, of_one: bool) -> None:
    """Numbers alone tell that something is missing, whatever the reason is."""
    async with ms.Engine(store) as engine:
        run = await _signals(engine, "a", "b", "c")
        stream: Any = run.events() if of_one else engine.follow()
        reading = asyncio.create_task(up_to_the_end(stream, 1 if not of_one else 10**9))
        number = engine.host.by_id[run.id].number if of_one else None
        while not len(engine._tails) or next(iter(engine._tails._joined)).waiter is None:
            await asyncio.sleep(0)
        tail = next(iter(engine._tails._joined))
        await _signalled(engine, run, "a")
        engine._tails._drop(tail, number)
        await _signalled(engine, run, "b")
        engine._tails.join(tail, number)
        await run.signal("c")
        got = await asyncio.wait_for(reading, 10)
        assert [(one.seq, one.index) for one in got] == [(one.seq, one.index) async for one in run.events()]


@pytest.mark.parametrize("of_one", [True, False])
async def test_what_is_missing_is_read_before_more_is_handed_out(store: Store, of_one: bool) -> None:
    """Long before the instance's end, which would be looked up anyway."""
    async with ms.Engine(store) as engine:
        run = await _signals(engine, "a", "b", "c", "d")
        stream: Any = run.events() if of_one else engine.follow()
        got: list[tuple[int, int]] = []
        there = asyncio.Event()

        async def read() -> None:
            async for one in stream:
                got.append((one.seq, one.index))
                if one.name == "NodeCompleted" and one.event.path == "c":
                    there.set()

        reading = asyncio.create_task(read())
        while not len(engine._tails) or next(iter(engine._tails._joined)).waiter is None:
            await asyncio.sleep(0)
        tail = next(iter(engine._tails._joined))
        number = engine.host.by_id[run.id].number if of_one else None
        engine._tails._drop(tail, number)
        await _signalled(engine, run, "a")
        engine._tails.join(tail, number)
        await _signalled(engine, run, "b")
        await _signalled(engine, run, "c")
        await asyncio.wait_for(there.wait(), 10)
        assert [seq for seq, index in got if index == 0] == list(range(1, got[-1][0] + 1))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_hundred_that_stall_are_all_told_and_caught_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long form, with 100 instances of 200 steps, is the benchmark `followers`."""
    monkeypatch.setattr(tails, "TAIL_ROWS_MAX", 20)
    assert await followers.told_and_caught_up(str(tmp_path / "store.db"), length=2) == 100


async def test_who_keeps_up_with_an_instance_that_is_opened_again_goes_on(store: Store) -> None:
    """Its end is told by the tail: no end is one where more has come meanwhile."""
    async with ms.Engine(store) as engine:
        run = await _signals(engine, "a")
        stream = run.events()
        got = [(await anext(stream)).seq]
        tail = next(iter(engine._tails._joined))
        got += [(await anext(stream)).seq for _ in range(2)]
        await run.signal("a")
        await run.result()
        await engine.rerun(run.id, "a")
        await engine.idle()
        assert tail.queue
        await run.signal("a")
        await run.result()
        got += [one.seq async for one in stream]
        assert got == [one.seq async for one in run.events()]


async def test_a_commit_without_rows_is_no_end_of_the_stream(store: Store) -> None:
    async with ms.Engine(store) as engine:
        live = asyncio.create_task(up_to_the_end(engine.follow(), 2))
        runs = [await engine.start(chain())]
        await runs[0].result()
        await store.commit(engine.host.ownership.lease(), [])
        runs.append(await engine.start(chain()))
        found = [plain(one) for one in await asyncio.wait_for(live, 10)]
        assert by_instance(found) == await journal(engine, runs)


async def test_who_stalls_on_an_instance_is_served_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "TAIL_ROWS_MAX", 3)
    async with ms.Engine(store) as engine:
        run = await engine.start(chain(20))
        stream = run.events()
        first = await anext(stream)
        await run.result()
        assert not engine._tails._of_one and len(engine._tails) == 1
        rest = [one async for one in stream]
        assert [first, *rest] == [one async for one in run.events()]
        assert len(engine._tails) == 0
