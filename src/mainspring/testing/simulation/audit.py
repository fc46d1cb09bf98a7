"""The auditor: sees every write that reaches the store and every attempt that begins, and says at once what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mainspring.engine.live import Live
from mainspring.engine.result import InstanceResult
from mainspring.errors import StoreCorrupt
from mainspring.journal.codec import decode_turn
from mainspring.journal.records import BlobRow, InboxMessage, Lease, Loaded, SnapshotRow, TurnRow, Write
from mainspring.machine.capturing import capture
from mainspring.messaging.task import TaskCall
from mainspring.testing.simulation.checks import take_row
from mainspring.testing.simulation.checks_breakers import Calls
from mainspring.testing.simulation.checks_by_hand import ByHand
from mainspring.testing.simulation.checks_letters import Letters
from mainspring.testing.simulation.checks_limits import Holdings
from mainspring.testing.simulation.checks_windows import Windows
from mainspring.testing.simulation.oracle import Graph
from mainspring.testing.simulation.watched import SUSPECT_CRASHES, Watched
from mainspring.testing.simulation.watched_scope import WatchedScope, timeout_of
from mainspring.testing.simulation.work import Begin, Key

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

STOPPED_WITHIN_SECONDS = 0.02
"""How long work may go on that the engine should have stopped."""


class Audit:
    """`instances` is the picture it has, `ledger` what has been done, `rows` what must be found in the store at the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.instances: dict[int, Watched] = {}
        self.by_id: dict[str, Watched] = {}
        self.rows: dict[int, list[TurnRow]] = {}
        self.snapshots: dict[int, list[SnapshotRow]] = {}
        self.blobs: dict[int, list[BlobRow]] = {}
        self.raising: dict[tuple[str, str], set[int]] = {}
        self.ledger: dict[Key, list[Begin]] = {}
        self.ends: dict[str, bytes] = {}
        self.sleeping: dict[int, int | None] = {}
        self.freed: dict[str, float] = {}
        self.suspect_left = -1.0
        self.holdings = Holdings(world)
        self.calls = Calls(world)
        self.windows = Windows(world)
        self.letters = Letters(world)
        self.hands = ByHand(world)
        self._consumed: dict[str, bool] = {}
        self._in_group: list[str] = []
        self._graphs: dict[str, Graph] = {}
        self._work: dict[str, tuple[tuple[str, str, int], bytes]] = {}
        self._suspects: dict[int, set[Key]] = {}

    # --- ownership ----------------------------------------------------------------------------------------------------

    def epoch(self, lease: Lease, verb: str) -> None:
        """A session that is over must not get through."""
        if lease.epoch != self.world.epoch:
            self.world.fail(
                "one epoch writes", f"{verb} by epoch {lease.epoch}, and the store is at {self.world.epoch}"
            )

    def claimed(self, lease: Lease, claimed: Sequence[Loaded]) -> None:
        """Instances were taken."""
        self.epoch(lease, "claim")
        for loaded in claimed:
            self.sleeping.pop(loaded.record.number, None)

    # --- writes -------------------------------------------------------------------------------------------------------

    def committed(self, process: Process, lease: Lease, writes: Sequence[Write]) -> None:
        """A group is durable."""
        self.epoch(lease, "commit")
        self._in_group = []
        for write in writes:
            watched = self.instances.get(write.instance)
            if watched is None:
                watched = self._create(write)
                if watched is None:
                    return
            for row in write.rows:
                self._row(watched, row, write, lease.epoch)
            for id in write.consumed:
                self._consume(id)
            if watched.given_up or watched.asked_again or write.buried or write.raised or not write.rows:
                self.letters.written(watched, write)
            if write.snapshot is not None:
                if write.snapshot.seq != watched.seq:
                    watched.flag("snapshots agree", f"a snapshot after row {write.snapshot.seq}")
                self.snapshots.setdefault(write.instance, []).append(write.snapshot)
            if write.blobs:
                self.blobs.setdefault(write.instance, []).extend(write.blobs)
            self._record(watched, write, lease)

    def _create(self, write: Write) -> Watched | None:
        record = write.created
        known = None if record is None else self.by_id.get(record.id)
        gone = known is not None and known.number in self.world.leaving.gone
        if record is None or (known is not None and not gone):
            self.world.fail("an instance is created once", f"number {write.instance}: {record}")
            return None
        if gone:
            self._forget(record.id)
        workflow = self.world.workflow_of(record.workflow)
        graph = self._graphs.get(workflow.id)
        if graph is None:
            graph = self._graphs[workflow.id] = Graph.of(workflow)
        watched = Watched(self, record.id, write.instance, graph)
        self.instances[write.instance] = self.by_id[record.id] = watched
        self.rows[write.instance] = []
        return watched

    def _forget(self, id: str) -> None:
        """Whoever has it started once more, by its key, after it has gone, starts another one."""
        for key in [key for key in self.ledger if key[0] == id]:
            del self.ledger[key]
        self._work = {name: work for name, work in self._work.items() if work[0][0] != id}
        self.ends.pop(id, None)

    def _row(self, watched: Watched, row: TurnRow, write: Write, epoch: int) -> None:
        try:
            body = decode_turn(row, write.blobs)
        except StoreCorrupt as error:
            watched.flag("rows can be read", str(error))
            return
        self.rows[watched.number].append(row)
        self.world.tell_turn(watched, row.seq, body)
        take_row(watched, row.seq, body.at, body.message, body.events, epoch)

    def _consume(self, id: str) -> None:
        """A second time is right only where nobody knew whether the first was durable."""
        if id not in self.world.posts:
            self.world.fail("a message has effect once", f"{id} is consumed and was never posted")
        elif self._consumed.get(id):
            self.world.fail("a message has effect once", f"{id} is consumed a second time")
        self._consumed[id] = True
        self._in_group.append(id)

    def doubt(self) -> None:
        """Nobody will learn that the last group is durable: what it consumed may be taken again."""
        self._consumed.update(dict.fromkeys(self._in_group, False))

    def read(self, messages: Sequence[InboxMessage]) -> None:
        """An answer of the store that was overtaken by a commit: what was consumed meanwhile will be taken once more.

        The machine knows such a message and lets it have no effect; that is looked at row by row.
        """
        self._consumed.update((message.id, False) for message in messages if message.id in self._consumed)

    def is_consumed(self, id: str) -> bool:
        """Whether the message has had its effect."""
        return id in self._consumed

    def _record(self, watched: Watched, write: Write, lease: Lease) -> None:
        """What the instance's record says must be what its rows say."""
        record = write.created or write.change
        if record is None:
            return
        open_ = watched.open
        if record.open and not open_ and not write.rows:
            self.letters.opened(watched, record)
            return
        if not open_ and not record.open:
            self.letters.reopened.pop(watched.number, None)
        if (record.status, record.open) != (watched.status, open_):
            # A later turn of the same group may have gone on: then its own change follows. Else it is wrong.
            watched.flag("records agree with rows", f"the record says {record.status}, the rows {watched.status}")
        if record.owner == lease.epoch or not open_:
            if not open_ and record.owner != 0:
                watched.flag("records agree with rows", "a final instance has an owner")
            self.sleeping.pop(write.instance, None)
            return
        if watched.status == "paused":  # mail has it go on, or its time
            until = None if watched.pause is None else watched.pause[1]
            late = until is not None and (record.wake_at is None or record.wake_at > until)
            if late:
                watched.flag("sleepers are woken", f"it sleeps until {record.wake_at}, and is paused until {until}")
            self.sleeping[write.instance] = record.wake_at
            return
        if record.wake_at is None:
            watched.flag("sleepers are woken", "it sleeps, and has no time to wake")
            return
        due = self.first_due(watched)
        if watched.status == "parked":
            due = record.wake_at  # only mail has it go on, and mail wakes it
        if due is None or record.wake_at > due:
            watched.flag("sleepers are woken", f"it sleeps until {record.wake_at}, and has something due at {due}")
        self.sleeping[write.instance] = record.wake_at

    def first_due(self, watched: Watched) -> int | None:
        """When the instance's first timer is due."""
        times = []
        if watched.graph.workflow.timeout is not None and watched.saga is None:
            times.append(watched.times_out_at)
        for scope, id, node in watched.nodes():
            if node.status in ("retrying", "waiting") and node.due is not None:
                times.append(node.due)
            due = timeout_of(scope, id, node)
            if due is not None:
                times.append(due)
        # By the clock as it was when they asked: it may have been set back since.
        times += [block.asked_at for block in watched.blocks() if block.asked and block.may_begin()]
        return min(times, default=None)

    def requeue_fault(self, before: int, now: int, crashed: bool) -> str:
        """What is wrong with giving back an attempt that epoch `before` had started ("": nothing)."""
        if not crashed:
            process = self.world.owner()
            return (
                "" if before == now and process is not None and process.stopping else "given back by who does not stop"
            )
        if before == now:
            return "counted as crashed by the very process that runs it"
        ended = self.world.endings.get(before, "crash")
        return "counted as crashed, and its process had stopped in good order" if ended == "clean" else ""

    # --- work ---------------------------------------------------------------------------------------------------------

    def began(self, process: Process, key: Key, call: TaskCall) -> Begin:
        """An attempt begins."""
        begin = Begin(process.engine.host.ownership.epoch(), self.world.scheduler.now)
        self._check_key(key, call)
        known = self.by_id.get(key[0])
        noted = key if known is None else (key[0], known.in_ledger(key[1]), *key[2:])
        begins = self.ledger.setdefault(noted, [])
        again = known is not None and known.ahead  # what was not durable may be decided, and begun, anew
        if any(one.epoch == begin.epoch for one in begins) and not again:
            self.world.fail("an attempt begins once", f"{key} begins twice in epoch {begin.epoch}")
        begins.append(begin)
        if begin.epoch == self.world.epoch:  # a process that has lost the store may be behind; it can harm nothing
            self._check_begin(key, call, begin)
        return begin

    def _check_key(self, key: Key, call: TaskCall) -> None:
        """One idempotency key, one piece of work: whoever is given it twice may do nothing the second time."""
        known = self.by_id.get(key[0])
        again = known is not None and (known.ahead or known.in_ledger(key[1]) != key[1])
        before = self._work.setdefault(call.idempotency_key, (key[:3], call.input))
        work = (key[:3], before[1] if again else call.input)  # how much is left to undo is less than before
        if before != work:
            self.world.fail("keys are stable", f"{call.idempotency_key} is the key of {key[:3]}, and of other work")

    def _check_begin(self, key: Key, call: TaskCall, begin: Begin) -> None:
        id, path, run, attempt = key
        watched = self.by_id.get(id)
        if watched is not None and path.rpartition(".")[0] in watched.gone:
            begin.too_late = f"{id}: {path} run {run} attempt {attempt} begins, and its body has ended"
            return
        scope = None if watched is None else watched.scope_of(path)
        node = None if scope is None else scope.nodes[path.rpartition(".")[2]]
        if watched is not None and watched.runs_ahead and (node is None or (node.run, node.attempt) <= (run, attempt)):
            if node is None or (node.run, node.attempt) < (run, attempt):
                self.world.points.hit("work ahead of what is durable")
            return
        if watched is None or scope is None or node is None or (node.run, node.attempt) < (run, attempt):
            self.world.fail("effect after commit", f"{key} begins, and its start is not durable")
            return
        if node.status in ("completed", "failed", "skipped", "gathering") or run < node.run:
            begin.too_late = f"{id}: {path} run {run} attempt {attempt} begins, and run {node.run} is {node.status}"
        elif node.attempt != attempt or node.run != run:
            watched.flag("attempts are counted", f"{path} attempt {attempt} begins, and {node.attempt} is current")
        undoes = scope.undoes
        wanted_key = f"{id}/{path}/{run}" if undoes is None else f"{id}/{undoes.path}/{undoes.run}:undo"
        if call.idempotency_key != wanted_key:
            watched.flag("keys are stable", f"{path} gets {call.idempotency_key}")
        self._check_context(watched, scope, call)
        if node.status == "running":
            self.calls.began(scope, path.rpartition(".")[2], node)
            got, wanted = msgspec.json.decode(call.input), scope.input_of(path.rpartition(".")[2])
            if got != wanted:
                watched.flag("inputs are right", f"{path} gets {got}, not {wanted}")
            if node.crashes >= SUSPECT_CRASHES:
                self._one_suspect(watched, key, begin)

    def _check_context(self, watched: Watched, scope: WatchedScope, call: TaskCall) -> None:
        """What undoes a run is told why, and which one."""
        undoing = scope.undoing
        wanted = None if undoing is None else watched.saga_now.context(undoing)
        got = msgspec.json.decode(call.compensation) if call.compensation else None
        if got != wanted:
            watched.flag("what undoes knows what", f"{call.path} is told {got}, not {wanted}")

    def worked(self, process: Process, call: TaskCall) -> None:
        """An attempt has come to its end. In a body that has ended it should have been stopped: nobody takes its result."""
        now = self.world.scheduler.now
        watched = self.by_id.get(call.instance)
        since = now if watched is None else watched.gone.get(call.path.rpartition(".")[0], now)
        if since < now - STOPPED_WITHIN_SECONDS and now > process.disturbed_until and process.epoch == self.world.epoch:
            text = f"{call.instance}: {call.path} was done, and its body ended at {since:.3f}"
            self.world.fail("work of a body ends with it", text)

    def _one_suspect(self, watched: Watched, key: Key, begin: Begin) -> None:
        others = self._suspects.setdefault(begin.epoch, set())
        for other in sorted(others):
            scope = self.by_id[other[0]].scope_of(other[1])
            if scope is None:
                continue  # its body has ended, and it with that
            node = scope.nodes[other[1].rpartition(".")[2]]
            if other != key and node.status == "running" and (node.run, node.attempt) == other[2:]:
                watched.flag("suspects start one at a time", f"{key[1]} begins beside {other}")
        others.add(key)

    def end_of(self, key: Key, epoch: int) -> str:
        """How the attempt ended in this epoch, by the ledger."""
        ends = [one.end for one in self.ledger.get(key, ()) if one.epoch == epoch]
        return next((end for end in ends if end in ("ok", "failed")), ends[-1] if ends else "it never began")

    def latest(self, key: Key, epoch: int) -> Begin | None:
        """The attempt as this epoch began it."""
        return next((one for one in self.ledger.get(key, ()) if one.epoch == epoch), None)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def ended_live(self, live: Live) -> None:
        """A process has an instance at its end: kept, to be compared with what its rows give."""
        left = [*live.instance.open, *live.instance.blocks]
        if left:
            self.world.fail("no scope is left at the end", f"{live.id} has {left} in memory")
        self.ends[live.id] = msgspec.msgpack.encode(capture(live.instance))

    def answered(self, id: str, result: InstanceResult) -> None:
        """Somebody was told a result: it must be durable, and the last word."""
        watched = self.by_id.get(id)
        again = watched is not None and (watched.reopenings or (watched.saga is not None and watched.saga.round > 1))
        if watched is not None and watched.open and again:
            return  # it was told of the end before somebody had it go on
        if watched is None or watched.open or result.status != watched.status:
            self.world.fail("results are durable", f"{id} was told as {result.status}: {watched and watched.status}")
        elif result.output != watched.output:
            watched.flag("outputs are right", f"the result gives {result.output}, not {watched.output}")
