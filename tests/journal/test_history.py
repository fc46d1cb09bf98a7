"""From rows to an instance: whatever the machine did, its rows give the same instance again, with or without snapshots."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.definition.model import Connection, Node, Retry, Workflow
from mainspring.errors import StoreCorrupt, StoreTooNew
from mainspring.graph.plan import Plan
from mainspring.journal import codec
from mainspring.journal.codec import decode_snapshot, encode_snapshot, encode_turn
from mainspring.journal.history import rebuild
from mainspring.journal.records import BlobRow, InstanceRecord, Loaded, SnapshotRow, TurnRow
from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.capturing import InstanceState, capture, restore
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE_FINAL
from mainspring.machine.step import step
from mainspring.machine.turn import Refused

BEGIN = 1_700_000_000_000


class History:
    """One instance driven by a seed: whatever may happen to it, happens."""

    def __init__(self, seed: int, large: bool = False) -> None:
        self.random = Random(seed)
        self.plan = Plan(self._workflow(), "v1")
        self.live = Instance(self.plan, "i-1")
        self.now = BEGIN
        self.rows: list[TurnRow] = []
        self.blobs: list[BlobRow] = []
        self.states: list[SnapshotRow] = []
        self.large = large
        self.orders: list[fx.AnyEffect] = []
        self.messages = 0

    def _workflow(self) -> Workflow:
        draw = self.random
        nodes, edges = [], []
        for index in range(draw.randint(2, 9)):
            kind = draw.choice(["function", "function", "function", "delay", "log"])
            retry = Retry(max_attempts=draw.randint(1, 3)) if draw.random() < 0.4 else None
            timeout = draw.choice([None, 500])
            config = {"duration": 250} if kind == "delay" else {}
            given = {"n": "${ input.n }"} if draw.random() < 0.3 else None
            limit = 1 if draw.random() < 0.2 else None
            node = Node(id=f"n{index}", type=kind, config=config, retry=retry, timeout=timeout, input=given)
            nodes.append(msgspec.structs.replace(node, max_concurrent_executions=limit))
            for source in draw.sample(range(index), min(index, draw.randint(0, 2))):
                condition = draw.choice([None, None, None, "output.n > 4", "output.pad > 4"])  # the last one raises
                trigger = draw.choice(["complete", "complete", "fail", "all"])
                edges.append(Connection(source=f"n{source}", target=f"n{index}", condition=condition, trigger=trigger))
        policy = draw.choice(["continue", "fail_fast"])
        return Workflow(id="random", nodes=tuple(nodes), connections=tuple(edges), failure_policy=policy)

    def take(self, input: inputs.Input) -> None:
        try:
            turn = step(self.plan, self.live, input, self.now)
        except Refused:
            return
        if turn.events:
            rows, blobs = encode_turn(1, len(self.rows) + 1, turn.at, turn.message, turn.events)
            self.rows += rows
            self.blobs += blobs
            self.states.append(encode_snapshot(1, len(self.rows), capture(self.live)))
        self.orders += turn.effects

    def run(self) -> None:
        draw = self.random
        self.take(inputs.StartInstance(workflow="random", version="v1", input=b'{"n":5}', seed=draw.getrandbits(64)))
        for _ in range(200):
            if self.live.status in INSTANCE_FINAL or not self.orders:
                break
            self.now += draw.randint(0, 300)
            self._meddle() if draw.random() < 0.15 else self._report()

    def _meddle(self) -> None:
        draw = self.random
        self.messages += 1
        seed, message = draw.getrandbits(64), f"m{self.messages}"
        wish = draw.choice(["recover", "interrupt", "reattach", "park", "resume", "cancel"])
        if wish == "cancel" and draw.random() < 0.3:
            self.take(inputs.CancelInstance(by="me", seed=seed, message=message))
        elif wish == "park":
            self.take(inputs.ParkInstance(reason="test", seed=seed))
            self.take(inputs.ResumeInstance(seed=seed, message=message))
        else:
            self.take(inputs.Interrupt(seed=seed) if wish == "interrupt" else inputs.Recover(seed=seed))
            if wish == "interrupt":
                self.take(inputs.Reattach(seed=seed))

    def _report(self) -> None:
        order = self.orders.pop(self.random.randrange(len(self.orders)))
        seed = self.random.getrandbits(64)
        if isinstance(order, fx.DispatchTask):
            self.take(self._end_of(order, seed))
        elif isinstance(order, fx.ArmTimer) and self.live.status not in INSTANCE_FINAL:
            self.take(
                inputs.TimerFired(
                    path=order.path, run=order.run, attempt=order.attempt, purpose=order.purpose, seed=seed
                )
            )
        elif isinstance(order, fx.AskAdmission):
            self.take(inputs.AdmissionGranted(path=order.path, run=order.run, seed=seed))

    def _end_of(self, order: fx.DispatchTask, seed: int) -> inputs.Input:
        where = {"path": order.path, "run": order.run, "attempt": order.attempt}
        chance = self.random.random()
        if chance < 0.2:
            fault = inputs.TaskFault("ValueError", "no", ("ValueError",), context={"at": 1})
            return inputs.TaskFailed(**where, fault=fault, seed=seed)
        value = {"n": self.random.randint(0, 9), "pad": "x" * (40_000 if self.large and chance < 0.6 else 5)}
        variables = b'{"v":1}' if chance > 0.9 else None
        return inputs.TaskFinished(**where, output=msgspec.json.encode(value), variables=variables, seed=seed)

    def loaded(self, snapshot: SnapshotRow | None = None) -> Loaded:
        after = snapshot.seq if snapshot else 0
        record = InstanceRecord(number=1, id="i-1", workflow="random", version="v1", status="", created_at=BEGIN)
        rows = tuple(row for row in self.rows if row.seq > after)
        return Loaded(record, snapshot, rows, tuple(self.blobs), ())


def _state(instance: Instance) -> tuple[InstanceState, int, int]:
    return capture(instance), instance.active, instance.finished


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.booleans())
def test_rows_give_the_live_instance_again(seed: int, large: bool) -> None:
    history = History(seed, large)
    history.run()
    rebuilt, seq = rebuild(history.plan, history.loaded())
    assert seq == len(history.rows)
    assert _state(rebuilt) == _state(history.live)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_any_snapshot_and_the_rows_after_it_give_the_same(seed: int) -> None:
    history = History(seed)
    history.run()
    whole = _state(rebuild(history.plan, history.loaded())[0])
    for snapshot in history.states:
        rebuilt, seq = rebuild(history.plan, history.loaded(snapshot))
        assert seq == len(history.rows)
        assert _state(rebuilt) == whole


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_until_gives_the_state_as_it_was(seed: int) -> None:
    history = History(seed)
    history.run()
    for snapshot in history.states:
        then, seq = rebuild(history.plan, history.loaded(), until=snapshot.seq)
        assert seq == snapshot.seq
        assert capture(then) == decode_snapshot(snapshot)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_a_snapshot_restores_what_it_was_taken_of(seed: int) -> None:
    history = History(seed)
    history.run()
    row = encode_snapshot(1, 9, capture(history.live))
    assert row.seq == 9
    restored = restore(history.plan, "i-1", decode_snapshot(row))
    assert _state(restored) == _state(history.live)
    assert encode_snapshot(1, 9, capture(restored)) == row


def test_random_histories_reach_all_that_can_happen_now() -> None:
    """The properties above are worth what their histories hold."""
    seen: set[str] = set()
    for seed in range(300):
        history = History(seed)
        history.run()
        seen |= {type(event).__name__ for row in history.rows for event in codec.decode_turn(row).events}
    assert seen >= {
        "InstanceStarted", "InstanceParked", "InstanceResumed", "InstanceFailing", "InstanceCancelRequested",
        "InstanceCompleted", "InstanceFailed", "InstanceCancelled", "VariablesSet", "InputMapped", "NodeReady",
        "NodeStarted", "NodeWaiting", "NodeRetrying", "NodeCompleted", "NodeFailed", "RoutingFailed", "NodesSkipped",
        "NodesCancelled", "NodesRequeued",
    }  # fmt: skip


def _long() -> History:
    for seed in range(100):
        history = History(seed)
        history.run()
        if len(history.rows) > 6:
            return history
    raise AssertionError("no seed gives a history of seven rows")


def test_a_missing_row_is_found() -> None:
    history = _long()
    for gone in range(len(history.rows) - 1):
        del_one = msgspec.structs.replace(
            history.loaded(), rows=tuple(row for row in history.rows if row.seq != gone + 1)
        )
        with pytest.raises(StoreCorrupt, match=f"row {gone + 1} is missing"):
            rebuild(history.plan, del_one)


def test_a_damaged_or_later_snapshot_says_so() -> None:
    history = _long()
    row = history.states[-1]
    for place in range(len(row.body)):
        damaged = bytearray(row.body)
        damaged[place] ^= 0x10
        with pytest.raises(StoreCorrupt):
            decode_snapshot(msgspec.structs.replace(row, body=bytes(damaged)))
    from zlib import crc32

    nonsense = msgspec.msgpack.encode([1, {"status": 5}])
    with pytest.raises(StoreCorrupt):
        decode_snapshot(SnapshotRow(1, 1, nonsense, crc32(nonsense)))
    later = msgspec.msgpack.encode([codec.VERSION + 1, {"anything": "else"}])
    with pytest.raises(StoreTooNew):
        decode_snapshot(SnapshotRow(1, 1, later, crc32(later)))
