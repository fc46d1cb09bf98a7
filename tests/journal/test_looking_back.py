"""Time travel: the state at any row, and after any event of a row, is the one that the live instance had right then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.machine.harness import Run, state_bytes
from tests.machine.random_bodies import random_block_graph
from tests.machine.random_failures import failing
from tests.machine.random_graphs import random_graph
from tests.machine.world import World

from mainspring.errors import UnknownInstance, UnknownMoment
from mainspring.graph.plan import Plan
from mainspring.journal import codec
from mainspring.journal.codec import encode_snapshot, encode_turn
from mainspring.journal.looking_back import Following, Moment, following, look_back
from mainspring.journal.records import InstanceRecord, Write
from mainspring.journal.store import Store
from mainspring.machine import inputs
from mainspring.machine.capturing import capture
from mainspring.machine.fold import consume, fold
from mainspring.machine.instance import Instance
from mainspring.machine.turn import Turn
from mainspring.stores.memory import MemoryStore
from mainspring.stores.sqlite import SqliteStore

slow = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


class Watched(Run):
    """A run that keeps what the live instance was after each turn, and what somebody has who folds each event as it comes."""

    def __init__(self, plan: Plan, random: Random) -> None:
        super().__init__(plan)
        self.random = random
        self.writes: list[Write] = []
        self.at_event: dict[tuple[int, int], bytes] = {}
        self.at_row: dict[int, tuple[bytes, int]] = {}
        self.streamed = Instance(plan, "i")

    def take(self, input: inputs.Input) -> Turn:
        turn = super().take(input)
        if turn.events:
            self.note(turn)
        return turn

    def note(self, turn: Turn) -> None:
        rows, blobs = encode_turn(1, len(self.at_row) + 1, turn.at, turn.message, turn.events)
        for row in rows:
            for index, event in enumerate(codec.decode_turn(row, blobs).events):
                fold(self.streamed, event, turn.at)
                self.at_event[row.seq, index] = state_bytes(self.streamed)
            self.at_row[row.seq] = self.at_event[row.seq, index], turn.at
        if turn.message:
            consume(self.streamed, turn.message)
        # (A turn whose row is in parts, or that has consumed a message, is whole with its last event.)
        self.at_event[rows[-1].seq, index] = live = state_bytes(self.instance)
        self.at_row[rows[-1].seq] = live, turn.at
        taken = encode_snapshot(1, rows[-1].seq, capture(self.instance)) if self.random.random() < 0.3 else None
        self.writes.append(Write(1, rows=rows, blobs=blobs, snapshot=taken))


def graph_of(random: Random, kind: str) -> dict[str, Any]:
    """A random graph: plain, with bodies, or with failures and sagas."""
    if kind == "plain":
        return random_graph(random, random.choice(("continue", "fail_fast")))
    return random_block_graph(random) if kind == "blocks" else failing(random, random_graph(random), blocks=False)


async def stored(store: Store, run: Watched) -> None:
    """The store with all that the run wrote, in groups."""
    await store.open()
    lease = await store.acquire("a test", 1, 1_000_000)
    assert await store.numbers(lease, 1) == 1
    first, *others = run.writes
    first.created = InstanceRecord(number=1, id="i", workflow="w", version="v1", status="running", created_at=1_000)
    await store.commit(lease, [first])
    while others:
        size = run.random.randint(1, 4)
        await store.commit(lease, others[:size])
        del others[:size]


async def agrees(store: Store, run: Watched) -> None:
    """At every place, what is looked back at is what was."""

    async def plan_of(record: InstanceRecord) -> Plan:
        return run.plan

    events = len(run.at_event)
    for seq, (state, at) in run.at_row.items():
        past = await look_back(store, plan_of, "i", seq)
        assert state_bytes(past.instance) == state, f"after row {seq}"
        assert (past.at, past.moment, past.record.status) == (at, Moment(seq), past.instance.status)
    for number, ((seq, index), state) in enumerate(run.at_event.items(), 1):
        past = await look_back(store, plan_of, "i", (seq, index))
        assert state_bytes(past.instance) == state, f"after event {index} of row {seq}"
        assert await following(store, "i", past.moment) == Following(events - number, len(run.at_row) - seq)


@pytest.mark.apart
@slow
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(("plain", "blocks", "failures")),
    st.sampled_from((0, 5)),
    st.booleans(),
)
def test_every_place_in_the_journal_is_as_it_was(random: Random, kind: str, unkind: int, small: bool) -> None:
    """`small`: values and rows are cut where they are not large, so that there are blobs, and turns of several rows."""
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(codec, "BLOB_BYTES_MIN", 12)
            patch.setattr(codec, "ROW_BYTES_MAX", codec.ROOM_PER_ROW + 300)
        world = World(graph_of(random, kind), random, unkind)
        world.run = run = Watched(world.run.plan, random)
        world.drive()

        async def on(store: Store) -> None:
            await stored(store, run)
            await agrees(store, run)
            await store.close()

        asyncio.run(on(MemoryStore()))


@pytest.mark.parametrize("seed", range(6))
async def test_on_sqlite_too(seed: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "BLOB_BYTES_MIN", 12)
    random = Random(seed)
    world = World(graph_of(random, ("plain", "blocks", "failures")[seed % 3]), random, unkind=3)
    world.run = run = Watched(world.run.plan, random)
    world.drive()
    store = SqliteStore(str(tmp_path / "store.db"), inline=True)
    await stored(store, run)
    await agrees(store, run)
    await store.close()


async def _three_rows() -> tuple[Store, Plan]:
    """An instance with rows at 1,000, 2,000 and 4,000."""
    from tests.machine.harness import graph

    run = Watched(graph("a -> b"), Random(1))
    run.start({"x": 1})
    run.now = 2_000
    run.finish("a", 1)
    run.now = 4_000
    run.finish("b", 2)
    store = MemoryStore()
    await stored(store, run)
    return store, run.plan


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


async def test_a_time_means_the_last_row_by_then() -> None:
    store, plan = await _three_rows()

    async def plan_of(record: InstanceRecord) -> Plan:
        return plan

    for time, row in ((1_000, 1), (1_999, 1), (2_000, 2), (3_999, 2), (4_000, 3), (10**12, 3)):
        assert (await look_back(store, plan_of, "i", _time(time))).moment == Moment(row)
    naive = datetime.fromtimestamp(2.5)  # noqa: DTZ006
    assert (await look_back(store, plan_of, "i", naive)).moment == Moment(2)
    with pytest.raises(UnknownMoment, match="had not begun"):
        await look_back(store, plan_of, "i", _time(999))


async def test_the_record_says_what_it_said_then() -> None:
    store, plan = await _three_rows()

    async def plan_of(record: InstanceRecord) -> Plan:
        return plan

    then = (await look_back(store, plan_of, "i", 2)).record
    assert (then.status, then.open, then.ended_at) == ("running", True, None)
    now = (await look_back(store, plan_of, "i", 3)).record
    assert (now.status, now.open, now.ended_at) == ("completed", False, 4_000)


@pytest.mark.parametrize(
    ("at", "says"),
    [(0, "no row 0: .* rows 1 to 3"), (4, "no row 4: .* rows 1 to 3"), (-1, "no row"), ((2, 9), "no event 9: .* 0 to"),
     ((2, -1), "no event -1")],
)  # fmt: skip
async def test_a_place_that_is_not_there_says_which_there_are(at: Any, says: str) -> None:
    store, plan = await _three_rows()

    async def plan_of(record: InstanceRecord) -> Plan:
        return plan

    with pytest.raises(UnknownMoment, match=says):
        await look_back(store, plan_of, "i", at)
    for place in (1, 0, _time(5_000), _time(5)):
        with pytest.raises(UnknownInstance):
            await look_back(store, plan_of, "nobody", place)
    assert isinstance((await look_back(store, plan_of, "i", 1)).instance, Instance)
