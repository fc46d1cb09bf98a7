"""Random histories: whatever is done to a store, it answers as a naive model of dicts and lists does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mainspring.errors import NotOwner, StoreError, StoreHeld, UnknownInstance
from mainspring.journal.records import Lease, Write
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import (
    NOW,
    TTL,
    Ground,
    asleep,
    begin,
    ended,
    message,
    more,
    order,
    snapshot,
)
from mainspring.testing.store_contract.letters import letter

NUMBERS = st.integers(1, 6)
HISTORIES = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Model(RuleBasedStateMachine):
    """The store beside what it should hold. Six instances are enough for all that can go wrong between two."""

    def __init__(self, new_store: Callable[[], Store], again: Callable[[Store], Store], durable: bool) -> None:
        super().__init__()
        self.again, self.durable = again, durable
        self.runner = asyncio.Runner()
        self.store = new_store()
        self.do(self.store.open)
        self.now = NOW
        self.leases: list[Lease] = []
        self.sessions: dict[int, int] = {}  # those that are not over, and until when their leases run
        self.steady: dict[int, int] = {}  # and from when on they were renewed in time
        self.gone = False  # whoever had the lease closed its store: one that knows that need not wait
        self.seqs: dict[int, int] = {}
        self.open: dict[int, bool] = {}
        self.owner: dict[int, int] = {}
        self.wake: dict[int, int | None] = {}
        self.snaps: dict[int, list[tuple[int, bool]]] = {}
        self.inbox: list[tuple[str, int]] = []
        self.posted: dict[str, int] = {}
        self.outbox: dict[str, int] = {}  # and the session that sent it
        self.of: dict[str, int] = {}  # whose an outbox row or a dead letter is
        self.removed: set[int] = set()  # a number is never given twice
        self.log: list[tuple[int, int]] = []
        self.letters: list[str] = []
        self.limits: dict[str, bytes] = {}

    def do(self, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Wait for a verb's answer."""

        async def answer() -> Any:
            return await verb(*given, **named)

        return self.runner.run(answer())

    def teardown(self) -> None:
        self.do(self.store.close)
        self.runner.close()

    def _current(self, lease: Lease) -> bool:
        return lease.epoch in self.sessions

    def _sweep(self, own: int) -> None:
        """Whoever is late is over as soon as somebody looks who was not late himself."""
        since = self.steady[own]
        if self.store.shared and self.sessions[own] > self.now:
            for epoch, end in tuple(self.sessions.items()):
                if end <= self.now and (since <= end or since + TTL <= self.now):
                    del self.sessions[epoch]

    @rule(by=st.integers(0, TTL))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule()
    def acquire(self) -> None:
        held = not self.store.shared and any(end > self.now for end in self.sessions.values())
        try:
            lease = self.do(self.store.acquire, "model", self.now, TTL)
        except StoreHeld:
            assert held
            return
        assert not held or self.gone
        assert not self.leases or lease.epoch > self.leases[-1].epoch
        self.leases.append(lease)
        self.gone = False
        self.sessions = {epoch: end for epoch, end in self.sessions.items() if end > self.now and self.store.shared}
        self.sessions[lease.epoch] = self.now + TTL
        self.steady[lease.epoch] = self.now

    @precondition(lambda self: self.leases)
    @rule(back=st.integers(0, 1), release=st.booleans())
    def renew_or_release(self, back: int, release: bool) -> None:
        lease = self.leases[max(-1 - back, -len(self.leases))]
        current = self._current(lease)
        if release:
            self.do(self.store.release, lease)
            self.sessions.pop(lease.epoch, None)
            return
        try:
            self.do(self.store.renew, lease, self.now, TTL)
        except NotOwner:
            assert not current
            return
        assert current
        self.gone = False
        if self.sessions[lease.epoch] - TTL + TTL // 2 < self.now:  # it comes late: the store may have been away
            self.steady[lease.epoch] = self.now
        self.sessions[lease.epoch] = self.now + TTL

    @precondition(lambda self: self.leases)
    @rule(
        back=st.integers(0, 1),
        numbers=st.lists(NUMBERS, min_size=1, max_size=4),
        kinds=st.lists(
            st.sampled_from(["", "", "sleep", "end", "wait", "snapshot", "damaged"]), min_size=4, max_size=4
        ),
        spoil=st.sampled_from([None, None, None, 0, 3]),
        send=st.sampled_from([(), ("a",), ("b", "c")]),
        take=st.booleans(),
        dead=st.sampled_from([((), ()), (("a",), ()), (("b", "c"), ("a",)), ((), ("b",)), (("a",), ("a",))]),
    )
    def commit(
        self,
        back: int,
        numbers: list[int],
        kinds: list[str],
        spoil: int | None,
        send: tuple[str, ...],
        take: bool,
        dead: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> None:
        lease = self.leases[max(-1 - back, -len(self.leases))]
        numbers = [number for number in numbers if number not in self.removed]
        if not numbers:
            return
        seqs = dict(self.seqs)
        writes: list[Write] = []
        for number, kind in zip(numbers, kinds, strict=False):
            seq = seqs[number] = seqs.get(number, 0) + 1
            write = begin(number, lease.epoch) if seq == 1 else more(number, seq)
            if seq > 1 and kind in ("sleep", "wait", "end"):
                changes = {"sleep": asleep(self.now + 100), "wait": asleep(), "end": ended()}
                write.change = changes[kind]
            if kind in ("snapshot", "damaged"):
                write.snapshot = snapshot(number, seq, damaged=kind == "damaged")
            writes.append(write)
        writes[0].outbox = tuple(order(id, numbers[0]) for id in send)
        writes[0].buried, writes[0].raised = tuple(letter(id, numbers[0]) for id in dead[0]), dead[1]
        if take:
            writes[0].consumed = tuple(id for id, number in self.inbox if number == numbers[0])
        cut = {number for number in {*numbers, *self.seqs} if self.owner.get(number, 0) not in (0, lease.epoch)}
        cut = cut if self.store.shared else set()
        bad = False
        if spoil is not None and self.seqs:
            victim = min(self.seqs)
            bad = victim not in cut
            writes.insert(spoil or 0, more(victim, 1))
        try:
            done = self.do(self.store.commit, lease, writes)
        except NotOwner:
            assert not self._current(lease)
            return
        except StoreError:
            assert bad
            return
        assert self._current(lease)
        assert not bad
        assert done.refused == {write.instance for write in writes} & cut
        for write in writes:
            if write.instance not in cut:
                self._keep(write, lease)

    def _keep(self, write: Write, lease: Lease) -> None:
        number = write.instance
        if write.created is not None:
            self.open[number], self.owner[number], self.wake[number] = True, lease.epoch, None
        self.seqs[number] = write.rows[-1].seq
        self.log.extend((number, row.seq) for row in write.rows)
        if write.change is not None:
            change = write.change
            self.open[number], self.owner[number], self.wake[number] = change.open, change.owner, change.wake_at
        if write.snapshot is not None:
            sound = write.snapshot == snapshot(number, write.snapshot.seq)
            self.snaps[number] = [*self.snaps.get(number, [])[-1:], (write.snapshot.seq, sound)]
        self.letters = [id for id in self.letters if id not in write.raised]
        for one in write.buried:
            if one.id not in self.letters:
                self.letters.append(one.id)
                self.of[f"letter {one.id}"] = number
        for row in write.outbox:
            if row.id not in self.outbox:
                self.outbox[row.id] = lease.epoch
                self.of[row.id] = number
        self.inbox = [entry for entry in self.inbox if entry[0] not in write.consumed]

    @precondition(lambda self: self.leases)
    @rule(back=st.integers(0, 1), ids=st.lists(st.sampled_from("abc"), max_size=2, unique=True))
    def purge(self, back: int, ids: list[str]) -> None:
        lease = self.leases[max(-1 - back, -len(self.leases))]
        try:
            count = self.do(self.store.purge, lease, ids)
        except NotOwner:
            assert not self._current(lease)
            return
        assert self._current(lease)
        assert count == len(set(ids) & set(self.letters))
        self.letters = [id for id in self.letters if id not in ids]

    @precondition(lambda self: self.leases)
    @rule(back=st.integers(0, 1), states=st.dictionaries(st.sampled_from("kl"), st.sampled_from([b"", b"1", b"2"])))
    def keep_limits(self, back: int, states: dict[str, bytes]) -> None:
        lease = self.leases[max(-1 - back, -len(self.leases))]
        try:
            self.do(self.store.keep_limits, lease, states)
        except NotOwner:
            assert not self._current(lease)
            return
        assert self._current(lease)
        self.limits = {key: state for key, state in (self.limits | states).items() if state}

    @precondition(lambda self: self.leases)
    @rule(back=st.integers(0, 1), families=st.lists(st.lists(NUMBERS, unique=True, max_size=3), max_size=3))
    def remove(self, back: int, families: list[list[int]]) -> None:
        lease = self.leases[max(-1 - back, -len(self.leases))]
        families = families or [[number] for number in self.seqs]
        if self._current(lease):  # few have ended by chance
            self._end([number for family in families for number in family], lease)
        free = [
            one for place, one in enumerate(families) if not any(set(one) & set(other) for other in families[:place])
        ]
        try:
            gone = self.do(self.store.remove, lease, free)
        except NotOwner:
            assert not self._current(lease)
            return
        assert self._current(lease)
        needed = {self.of[id] for id in self.outbox} | {self.of[f"letter {id}"] for id in self.letters}
        stays = {number for number in self.seqs if self.open[number] or number in needed}
        going = {number for one in free if not stays & set(one) for number in one if number in self.seqs}
        assert sorted(gone) == sorted(going)
        self.removed |= going
        self.seqs = {number: seq for number, seq in self.seqs.items() if number not in going}
        self.log = [entry for entry in self.log if entry[0] not in going]
        self.inbox = [entry for entry in self.inbox if entry[1] not in going]
        self.posted = {id: number for id, number in self.posted.items() if number not in going}

    def _end(self, numbers: list[int], lease: Lease) -> None:
        ours = [one for one in dict.fromkeys(numbers) if one in self.seqs and self.owner[one] in (0, lease.epoch)]
        writes = [more(number, self.seqs[number] + 1, change=ended()) for number in ours[1:] or ours]
        if writes:
            self.do(self.store.commit, lease, writes)
            for write in writes:
                self._keep(write, lease)

    @precondition(lambda self: self.leases)
    @rule(limit=st.integers(1, 5))
    def compact(self, limit: int) -> None:
        place: int | None = 0
        while place is not None:
            try:
                place = self.do(self.store.compact, self.leases[-1], place, limit)
            except NotOwner:
                assert not self._current(self.leases[-1])
                return

    @rule(limit=st.integers(1, 3), after=st.sampled_from([None, "a", "b"]))
    def what_was_given_up_and_what_limits_remember(self, limit: int, after: str | None) -> None:
        page = [one.id for one in self.do(self.store.dead_letters, after=after, limit=limit)]
        begin = 0 if after is None else (self.letters.index(after) + 1 if after in self.letters else len(self.letters))
        assert page == self.letters[begin : begin + limit]
        assert self.do(self.store.kept_limits) == self.limits

    @rule(id=st.sampled_from("pqrstuvw"), number=NUMBERS)
    def post(self, id: str, number: int) -> None:
        try:
            new = self.do(self.store.post, message(id, number, self.now))
        except UnknownInstance:
            assert number not in self.seqs
            return
        assert number in self.seqs
        assert new == (id not in self.posted)
        if new:
            self.inbox.append((id, number))
            self.posted[id] = number

    @precondition(lambda self: self.leases)
    @rule(ids=st.lists(st.sampled_from("abc"), max_size=2))
    def sent(self, ids: list[str]) -> None:
        try:
            self.do(self.store.sent, self.leases[-1], ids)
        except NotOwner:
            assert not self._current(self.leases[-1])
            return
        assert self._current(self.leases[-1])
        self.outbox = {id: epoch for id, epoch in self.outbox.items() if id not in ids}

    @precondition(lambda self: self.leases)
    @rule(limit=st.integers(1, 6))
    def claim(self, limit: int) -> None:
        lease = self.leases[-1]
        try:
            claimed = self.do(self.store.claim, lease, self.now, limit)
        except NotOwner:
            assert not self._current(lease)
            return
        assert self._current(lease)
        self._sweep(lease.epoch)
        due = {number for number in self.seqs if self._due(number, lease.epoch)}
        given = {loaded.record.number for loaded in claimed}
        assert given <= due
        assert len(given) == len(claimed) == min(limit, len(due))
        for loaded in claimed:
            number = loaded.record.number
            self.owner[number], self.wake[number] = lease.epoch, None
            self._agrees(number, loaded)

    def _due(self, number: int, epoch: int) -> bool:
        if not self.open[number] or self.owner[number] == epoch:
            return False
        wake = self.wake[number]
        mail = any(to == number for _, to in self.inbox)
        if self.owner[number] != 0:
            return self.owner[number] not in self.sessions
        return mail or (wake is not None and wake <= self.now)

    def _agrees(self, number: int, loaded: Any) -> None:
        record = loaded.record
        assert (record.open, record.owner, record.wake_at) == (self.open[number], self.owner[number], self.wake[number])
        sound = [seq for seq, good in self.snaps.get(number, []) if good]
        after = sound[-1] if sound else 0
        assert (loaded.snapshot.seq if loaded.snapshot else 0) == after
        assert [row.seq for row in loaded.rows] == list(range(after + 1, self.seqs[number] + 1))
        assert [waiting.id for waiting in loaded.inbox] == [id for id, to in self.inbox if to == number]

    @rule()
    def reopen(self) -> None:
        if self.durable:
            self.do(self.store.close)
            self.store = self.again(self.store)
            self.do(self.store.open)
            self.gone = True

    @rule()
    def look(self) -> None:
        """Everything that can be read agrees with the model."""
        for number in self.seqs:
            loaded = self.do(self.store.load, f"i-{number}")
            self._agrees(number, loaded)
        lease = self.leases[-1] if self.leases else Lease(0, "", 0)
        followed = [(place.instance, place.seq) for place, _ in self.do(self.store.follow, 0, 10_000)]
        assert followed == self.log
        mine = [id for id, epoch in self.outbox.items() if epoch == lease.epoch or epoch not in self.sessions]
        assert [row.id for row in self.do(self.store.outbox, lease, 100)] == mine
        mail = [waiting.id for waiting in self.do(self.store.mail, lease, 100)]
        assert mail == [id for id, to in self.inbox if self.owner[to] == lease.epoch]
        sleepers = [self.wake[number] for number in self.seqs if self.open[number] and self.owner[number] == 0]
        assert self.do(self.store.next_wake, lease) == min((at for at in sleepers if at is not None), default=None)
        facts = self.do(self.store.facts)
        assert (facts.instances, facts.open, facts.turns) == (
            len(self.seqs),
            sum(self.open[number] for number in self.seqs),
            len(self.log),
        )


class HistoriesContract(Ground):
    """All verbs, in any order."""

    async def test_any_history(self, new_store: Callable[[], Store]) -> None:
        def machine() -> Model:
            return Model(new_store, self.again, self.durable)

        # In a thread, since each history runs an event loop of its own.
        await asyncio.to_thread(run_state_machine_as_test, cast(Any, machine), settings=HISTORIES)
