"""One run of a case: the production engine in virtual time, with modelled tasks, under the checker's hand.

The engine runs until it has nothing more to do. Then there is a choice of what happens next: one of the tasks at work ends,
somebody answers what is waited for, or time goes on to the next timer. Whoever explores decides; the choices that were
made are the `order` of a case. Time stands still but for that, so that equal states look equal.

Work that could end in time is never taken for late: time goes on to the timeout of an attempt only where the case has that
attempt hang, or where nothing else could happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from mainspring.engine.engine import Engine
from mainspring.engine.live import Live
from mainspring.engine.result import InstanceResult
from mainspring.engine.settings import EngineSettings
from mainspring.errors import CommandRefused, MainspringError
from mainspring.journal.codec import decode_turn
from mainspring.journal.history import rebuild
from mainspring.journal.records import InstanceRecord, Write
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.signals import Awaited
from mainspring.messaging.task import TaskCall
from mainspring.tasks.pinning import pinned
from mainspring.testing.checking.faults import PORT, Case, Fault
from mainspring.testing.checking.ledger import Broken, Deed, Ledger
from mainspring.testing.checking.outputs import INPUT, example
from mainspring.testing.checking.recording import RecordingStore
from mainspring.testing.checking.space import FALLBACK, Space
from mainspring.testing.checking.states import state_of, state_of_all
from mainspring.testing.checking.tasks import Attempt, ModelledKind, describe, leaving
from mainspring.testing.running import LONG_MS
from mainspring.testing.virtual import BEGINNING, Scheduler, VirtualLoop, at_once

STEPS_MAX = 20_000
"""Iterations of the event loop in one run: more means that something goes round in circles."""

CHOICES_MAX = 5_000
"""Things that happen one after the other in one run, likewise."""

YEAR_MS = 366 * 86_400_000

Label = tuple[str, ...]
"""What an option is known by in another run of the same case, in which the process died."""


class Option(Struct):
    """Something that could happen next."""

    label: Label
    act: Callable[[], None]


class Point(Struct):
    """A place at which the process could die: after this write. `store` is what it would leave (None: not kept)."""

    write: int
    choices: int
    deeds: int
    now: float
    digest: bytes
    store: RecordingStore | None


class Steering:
    """Decides what a trial leaves open. By itself: the first of what could happen, and nothing is kept."""

    def choose(self, trial: Trial, options: Sequence[Option]) -> int | None:
        """Which of the options; None ends the trial there."""
        return 0

    def keeps(self, digest: bytes) -> bool:
        """Whether a process shall die in this state."""
        return False

    def reached(self, digest: bytes) -> None:
        """The machine is in this state, durably."""


class Trial:
    """`go` runs it. Then `broken` has the first invariant that did not hold, `results` the instances' ends."""

    def __init__(
        self,
        space: Space,
        case: Case,
        steering: Steering,
        store: RecordingStore | None = None,
        ledger: Ledger | None = None,
        now: float = 0.0,
    ) -> None:
        self.space = space
        self.case = case
        self.steering = steering
        self.store = store or RecordingStore()
        self.ledger = ledger or Ledger(space.parts, space.pools)
        self.labels: list[Label] = []
        self.points: list[Point] = []
        self.results: dict[str, InstanceResult] = {}
        self.cut = False
        self.writes = 0
        self._scheduler = Scheduler(0)
        self._scheduler.now = now
        self._complaints: list[str] = []
        self._loop = VirtualLoop(self._scheduler, "checked", self._complain)  # type: ignore[abstract]
        self._attempts: list[Attempt] = []
        self._names: dict[int, str] = {}
        self._states: dict[str, bytes] = {}
        self._runs: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._answered: set[tuple[str, str, int, tuple[str, ...]]] = set()
        self._faults = {(fault.workflow, fault.place): fault for fault in case.faults}
        self._engine: Engine | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._failed: list[BaseException] = []

    # --- running ------------------------------------------------------------------------------------------------------

    @property
    def broken(self) -> Broken | None:
        """The first invariant that did not hold."""
        return self.ledger.broken

    def go(self) -> Trial:
        """Run it to its end."""
        self.store.told = self._written
        try:
            self._do(self._begin)
            self._drive()
        finally:
            self._loop.dispose()
            self.store.told = lambda writes: None
        if not self.cut and self.broken is None:
            self._look()
        return self

    def _do(self, work: Callable[[], Any]) -> None:
        asyncio.events._set_running_loop(self._loop)
        try:
            work()
        finally:
            asyncio.events._set_running_loop(None)

    def _begin(self) -> None:
        kind = ModelledKind(self)
        kinds = {
            node.definition.type: kind
            for part in self.space.parts.values()
            for node in part.plan.everywhere()
            if not node.machine_kind
        }
        settings = EngineSettings(
            lease_ms=LONG_MS, sleep_after_ms=LONG_MS, snapshot_turns_min=8, pools=self.space.pools
        )
        clock = _Clock(self._scheduler, len(self.ledger.deeds))
        self._engine = Engine(
            self.store, {"function": kind, **kinds}, describe, clock=clock, settings=settings, pin=pinned
        )
        self._spawn(self._live(self._engine))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[Any] = self._loop.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    async def _live(self, engine: Engine) -> None:
        await engine.__aenter__()
        for child in self.space.children:
            engine.register(child)
        given = self.space.parts[self.space.root.id].outputs.get(self.case.variant, INPUT)
        for number in range(self.space.instances):
            await engine.start(self.space.definition, input=given, key=str(number + 1))

    def _drive(self) -> None:
        while self.broken is None and not self._failed and self._settle():
            options: list[Option] = []
            if not self._over():
                self._do(partial(self._gather, options))
            if not options:
                return
            if len(self.labels) >= CHOICES_MAX:
                self._break("it ends", f"{CHOICES_MAX:,} things have happened one after the other, and it runs still")
                return
            chosen = 0
            if len(options) > 1:
                wanted = self.steering.choose(self, options)
                if wanted is None:
                    self.cut = True
                    return
                chosen = min(wanted, len(options) - 1)
            self.labels.append(options[chosen].label)
            self._do(options[chosen].act)

    def _settle(self) -> bool:
        """Have the engine do all that it can do now."""
        for _ in range(STEPS_MAX):
            if not self._loop.runnable():
                return True
            self._loop.turn()
        self._break("it ends", "it goes round in circles, and time does not go on")
        return False

    def _over(self) -> bool:
        started = all(task.done() for task in self._tasks)
        return started and not self.store.unfinished and not self.store.undelivered

    # --- what could happen --------------------------------------------------------------------------------------------

    def _gather(self, into: list[Option]) -> None:
        found = [self._ending(attempt) for attempt in self._attempts if not attempt.hangs]
        found += self._answers()
        time = self._time(bool(found))
        into += [*found, time] if time is not None else found

    def _ending(self, attempt: Attempt) -> Option:
        call = attempt.call
        return Option(("end", call.instance, call.path, str(call.run)), lambda: _end(attempt))

    def _answers(self) -> list[Option]:
        """Whoever is waited for may answer now; once."""
        found = []
        assert self._engine is not None
        for live in self._engine.host.lives.values():
            for path, awaited in live.instance.waits.items():
                scope, node = live.instance.locate(path)
                state = scope.nodes[node.index]
                run = 1 if state is None else state.run
                mark = (live.id, path, run, awaited.names)
                fault = self._fault(live.program.plan.workflow.id, node.place)
                self.ledger.begun.add((live.program.plan.workflow.id, node.place))
                if awaited.kind in ("signal", "event", "approval") and mark not in self._answered:
                    if fault is not None and fault.way == "unanswered":
                        continue
                    approved = fault is None or fault.way != "rejected"
                    part = self.space.parts[live.program.plan.workflow.id]
                    schema = node.definition.config.get("schema", {})
                    payload = part.outputs.get(self.case.variant, node.id) or example(schema, schema)
                    named = fault is not None and fault.way.startswith(PORT)
                    name = fault.way[len(PORT) :] if fault is not None and named else awaited.names[0]
                    act = partial(self._answer, live, path, run, awaited, name, approved, payload)
                    found.append(Option(("answer", live.id, path, str(run)), act))
        return found

    def _answer(
        self, live: Live, path: str, run: int, awaited: Awaited, name: str, approved: bool, payload: Any
    ) -> None:
        self._answered.add((live.id, path, run, awaited.names))
        self._see("answer", live.id, path, run)
        self._spawn(self._send(live.id, awaited, name, approved, payload))

    async def _send(self, id: str, awaited: Awaited, name: str, approved: bool, payload: Any) -> None:
        engine = self._engine
        assert engine is not None
        try:
            if awaited.kind == "approval":
                await engine.approve(id, name, approved)
            elif awaited.kind == "event":
                await engine.publish(name, payload)
            else:
                await engine.signal(id, name, payload)
        except CommandRefused:  # it ended just then
            pass

    def _time(self, otherwise: bool) -> Option | None:
        """Time may go on to whatever is due next, unless that would call work late that could end in time."""
        assert self._engine is not None
        first = self._engine.host.timers.first()
        now_ms = BEGINNING + round(self._scheduler.now * 1000)
        when = self._loop.next_timer()
        due = None if when is None else BEGINNING + round(when * 1000)
        label: Label = ("time",)
        if first is not None:
            live, timer = first
            if timer.purpose in (fx.NODE_TIMEOUT, fx.INSTANCE_TIMEOUT) and otherwise and not self._hangs(live, timer):
                return None
            # The engine looks at its clock every ten seconds while it waits for a timer: that is nothing that happens.
            if due is None or due >= timer.due or due - now_ms >= 10_000:
                due, label = max(timer.due, now_ms), ("time", live.id, timer.path, timer.purpose)
        if due is None or due - now_ms > YEAR_MS:
            return None
        now = (due - BEGINNING) / 1000
        # The loop's own timer may be the last bit of a float later.
        return Option(label, partial(self._go_on, when if when is not None and abs(when - now) < 1e-6 else now))

    def _go_on(self, now: float) -> None:
        self._scheduler.now = max(self._scheduler.now, now)

    def _hangs(self, live: Live, timer: fx.ArmTimer) -> bool:
        """Whether this is the timeout of something that will not come by itself."""
        mine = [one for one in self._attempts if one.call.instance == live.id]
        if not timer.path:
            return not any(not one.hangs for one in mine)
        within = [one for one in mine if one.call.path == timer.path or one.call.path.startswith(f"{timer.path}[")]
        return all(one.hangs for one in within)

    # --- what tasks tell ----------------------------------------------------------------------------------------------

    def begins(self, call: TaskCall) -> Attempt:
        """An attempt begins."""
        assert self._engine is not None
        live = self._engine.host.by_id[call.instance]
        workflow = live.program.plan.workflow.id
        node = live.instance.locate(call.path)[1]
        fault = self._fault(workflow, node.place)
        hangs, fails, port = False, False, None
        if fault is not None:
            way = fault.way
            before = self.ledger.retried.get((call.instance, call.path, call.run), 0)
            hangs = way == "timeout"
            fails = (
                way == "error" or (way == "once" and not before) or (way == "second" and self._nth(call, fault) == 2)
            )
            port = way[len(PORT) :] if way.startswith(PORT) else None
        part = self.space.parts[workflow]
        value = part.outputs.get(self.case.variant, node.id)
        if not value and FALLBACK in node.place:  # it gives what the node would have given
            owner = node.place.rpartition(FALLBACK)[0].rpartition(".")[2]
            value = part.outputs.get(self.case.variant, owner)
        ending = self._loop.create_future()
        attempt = Attempt(call, ending, hangs, fails, leaving(value, port))
        self._attempts.append(attempt)
        self._see("begin", call.instance, call.path, call.run, call.attempt, call.idempotency_key, None, node, workflow)
        return attempt

    def over(self, attempt: Attempt, how: str) -> None:
        """It is at its end: done, fail or stop."""
        if attempt in self._attempts:
            self._attempts.remove(attempt)
        call = attempt.call
        if not self._loop.dead:
            self._see(how, call.instance, call.path, call.run, call.attempt, call.idempotency_key)

    def _fault(self, workflow: str, place: str) -> Fault | None:
        return self._faults.get((self.space.parts[workflow].name, place))

    def _nth(self, call: TaskCall, fault: Fault) -> int:
        """Which of the runs at this place it is, in its instance, crashes and retries not counted."""
        runs = self._runs.setdefault((call.instance, fault.place), [])
        if not runs:  # those of processes before this one
            for deed in self.ledger.deeds:
                mine = deed.what == "begin" and deed.instance == call.instance and deed.node is not None
                if mine and deed.node.place == fault.place and (deed.path, deed.run) not in runs:  # type: ignore[union-attr]
                    runs.append((deed.path, deed.run))
        if (call.path, call.run) not in runs:
            runs.append((call.path, call.run))
        return runs.index((call.path, call.run)) + 1

    # --- what becomes durable -----------------------------------------------------------------------------------------

    def _written(self, writes: Sequence[Write]) -> None:
        self.writes += 1
        for write in writes:
            if write.created is not None:
                self._names[write.instance] = write.created.id
            for row in write.rows:
                for event in decode_turn(row, write.blobs).events:
                    path, run = getattr(event, "path", ""), getattr(event, "run", 0)
                    self._see("event", self._name(write.instance), path, run, event=event)
        digest = self._digest(writes)
        self.steering.reached(digest)
        kept = self.steering.keeps(digest)
        left = self.store.left() if kept else None
        now = self._scheduler.now
        self.points.append(Point(self.writes, len(self.labels), len(self.ledger.deeds), now, digest, left))

    def _name(self, number: int) -> str:
        if number not in self._names:
            self._names[number] = self.store.name_of(number)
        return self._names[number]

    def _digest(self, writes: Sequence[Write]) -> bytes:
        assert self._engine is not None
        by_number = self._engine.host.lives
        for write in writes:
            live = by_number.get(write.instance)
            if live is not None:
                self._states[live.id] = state_of(live.instance)
        return state_of_all(self._states, self.store.undelivered)

    def here(self) -> bytes:
        """The state at a choice: of the instances, and of what is at work and has been done besides."""
        calls = [one.call for one in self._attempts]
        work = sorted(f"{call.instance}/{call.path}/{call.run}/{call.attempt}" for call in calls)
        answered = sorted("/".join((one[0], one[1], str(one[2]), *one[3])) for one in self._answered)
        parts = [*work, "", *answered, "", *self._compensable()]
        return state_of_all(self._states, [*self.store.undelivered, *parts])

    def _compensable(self) -> list[str]:
        """In which order what can be undone was done: the journal knows, and no state does."""
        if not any(part.undoes for part in self.space.parts.values()):
            return []
        return [
            f"{deed.instance}/{deed.path}/{deed.run}"
            for deed in self.ledger.deeds
            if isinstance(deed.event, ev.NodeCompleted | ev.RunCompleted)
        ]

    def _see(
        self,
        what: str,
        instance: str,
        path: str,
        run: int,
        attempt: int = 0,
        key: str = "",
        event: ev.AnyEvent | None = None,
        node: Any = None,
        workflow: str = "",
    ) -> None:
        at = round(self._scheduler.now * 1000)
        self.ledger.see(Deed(what, at, instance, path, run, attempt, key, event, node, workflow))

    # --- the end ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What became of the instances, and of whatever went wrong beside them."""
        for error in self._failed[:1]:
            self._break("it runs", f"{type(error).__name__}: {error}")
        for text in self._complaints[:1]:
            self._break("it runs", text)
        for record in at_once(self.store.instances(limit=10_000)):
            self._read(record)

    def _read(self, record: InstanceRecord) -> None:
        assert self._engine is not None
        loaded = at_once(self.store.load(record.id))
        definition = at_once(self.store.definition(record.version))
        if loaded is None or definition is None:
            self._break("no token is lost", f"{record.id} is gone from the store")
            return
        try:
            plan = self._engine.host.programs.restored(definition).plan
            self.results[record.id] = InstanceResult(rebuild(plan, loaded)[0])
        except MainspringError as error:
            self._break("what is durable can be read", f"{record.id}: {error}")

    def _break(self, invariant: str, text: str) -> None:
        if self.ledger.broken is None:
            self.ledger.broken = Broken(invariant, text)

    def _complain(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._complaints.append(f"{context.get('message')}: {error!r}")


def _end(attempt: Attempt) -> None:
    if not attempt.ending.done():
        attempt.ending.set_result(None)


class _Clock:
    """Time as the trial has it. Nothing is left to chance; what is drawn differs between two lives, as ids must."""

    steady = False

    def __init__(self, scheduler: Scheduler, life: int) -> None:
        self._scheduler = scheduler
        self._drawn = life << 32

    def now(self) -> int:
        return BEGINNING + round(self._scheduler.now * 1000)

    def seed(self) -> int:
        self._drawn += 1
        return self._drawn
