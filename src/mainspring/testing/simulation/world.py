"""The world of one run: two processes on one store, what is asked of them, what is done to them, and when it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct

from mainspring.definition.model import Workflow
from mainspring.journal.codec import Body
from mainspring.journal.records import InboxMessage, Lease
from mainspring.journal.store import Store
from mainspring.stores.memory import MemoryStore
from mainspring.stores.sqlite import SqliteStore
from mainspring.testing.simulation.audit import Audit
from mainspring.testing.simulation.by_hand import left_over
from mainspring.testing.simulation.checks_letters import Seen
from mainspring.testing.simulation.checks_limits import nothing_leaks
from mainspring.testing.simulation.due import overdue
from mainspring.testing.simulation.final import check_all, compare_lives
from mainspring.testing.simulation.hands import Hands
from mainspring.testing.simulation.leaving import Leaving
from mainspring.testing.simulation.pauses import pause_one
from mainspring.testing.simulation.points import Points
from mainspring.testing.simulation.poison import ask_again
from mainspring.testing.simulation.process import Process
from mainspring.testing.simulation.profile import Order, draw_profile
from mainspring.testing.simulation.strikes import CLOCK_NOTICED_SECONDS, resume, strike
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.simulation.wishes import Wishes
from mainspring.testing.virtual import BEGINNING, Runaway, Scheduler, Stalled, at_once

WATCH_SECONDS = 0.25
HEALED_WITHIN_SECONDS = 300.0
"""After the faults have stopped, all must be at its end within this time: longer than any workflow can take."""

ITERATIONS_MAX = 40_000
"""Long sagas before a target that recovers slowly take half of it."""

OF_A_LEASE = 0.7
"""Work that ends its process costs about a lease each time: so much more time there is for each."""

_SHM = Path("/dev/shm")


class Post(Struct):
    """A message to an instance. `at`: when its owner should have heard of it."""

    instance: int
    at: float


class Failure(Struct, frozen=True):
    """An invariant that did not hold."""

    invariant: str
    text: str


class World:
    """See the module's text. `recording` keeps the story, for people."""

    def __init__(self, seed: int | str, *, recording: bool = False) -> None:
        self.seed = seed
        self.recording = recording
        self.story: list[str] = []
        self.failure: Failure | None = None
        self.scheduler = Scheduler(seed, ITERATIONS_MAX)
        self.random = Random(f"{seed}/world")
        self.faults_random = Random(f"{seed}/faults")
        self.profile = draw_profile(seed)
        self.harm = self.profile.harm
        self.latency = self.profile.latency
        self.faults_until = self.profile.faults_until
        self.settings = self.profile.settings
        self.points = Points()
        self.audit = Audit(self)
        self.epoch = 0
        self.endings: dict[int, str] = {}
        self.processes: dict[str, Process] = {}
        self.posts: dict[str, Post] = {}
        self.cancels: dict[str, int] = {}
        self.poisoned: dict[str, int] = {}
        self.resumes: dict[str, float] = {}
        self.pauses: dict[str, int] = {}
        self.pause_random = Random(f"{seed}/pauses")
        self.compensations: dict[str, int] = {}
        self.to_do: set[str] = set()
        self.hand_random = Random(f"{seed}/by hand")
        self.wishes = Wishes(self)
        self.hands = Hands(self)
        self.leaving = Leaving(self)
        self.acked: set[str] = set()
        self.healing = False
        self.closing = False
        self._launched = 0
        self._all_over = False
        self.messages = 0
        self._workflows = {order.workflow.id: order.workflow for order in self.profile.orders}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if self.profile.sqlite:
            self._folder = tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None)
        self._memory = MemoryStore()
        self.tool = self.connect()

    # --- one run ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """From the first launch to the last end."""
        try:
            self._plan()
            self.scheduler.run()
            if self.failure is None:
                check_all(self)
        except Stalled as stall:
            self.fail("nothing gets stuck", f"{stall}; {self._left()}")
        except Runaway as runaway:
            self.fail("nothing goes round in circles", str(runaway))

    def close(self) -> None:
        """Throw away what is left."""
        for process in tuple(self.processes.values()):
            process.ending = process.ending or "over"
            process.gone = True
            process.loop.dispose()
            self._disconnect(process)
        at_once(self.tool.close())
        if self._folder is not None:
            self._folder.cleanup()

    def _plan(self) -> None:
        at, draw = self.scheduler.at, self.random.random
        at(0.0, lambda: self.launch("A"))
        at(draw() * 0.1, lambda: self.launch("B"))
        for order in self.profile.orders:
            at(order.at, lambda order=order: self.place(order))  # type: ignore[misc]
        for _ in range(self.profile.events):
            at(draw() * self.faults_until, lambda: strike(self))
        for _ in range(self.pause_random.choice((0, 0, 1, 2, 4))):
            at(self.pause_random.random() * self.faults_until, lambda: pause_one(self))
        self.hands.plan()
        self.leaving.plan()
        at(self.faults_until, self._heal)
        at(WATCH_SECONDS, self._watch)

    def connect(self) -> Store:
        """A way to the store: of its own for each process, where the store is a file."""
        if self._folder is None:
            return self._memory
        return SqliteStore(f"{self._folder.name}/s.db", inline=True, durability="normal")

    def _disconnect(self, process: Process) -> None:
        if self._folder is not None:
            at_once(process.store.inner.close())  # as the operating system does for a dead process

    # --- processes ----------------------------------------------------------------------------------------------------

    def launch(self, role: str) -> None:
        """A process begins."""
        if role in self.processes or self.closing or self.failure is not None:
            return
        self._launched += 1
        wrong = self.profile.jumps and not self.healing
        offset = round((self.random.random() - 0.5) * 2 * self.settings.lease_ms) if wrong else 0
        self.processes[role] = Process(self, role, self._launched, offset)

    def finished(self, process: Process) -> None:
        """A process is no more."""
        if process.epoch:
            clean = process.ending == "orderly" and not process.spoilt
            self.endings[process.epoch] = "clean" if clean else "crash"
        if self.processes.get(process.role) is process:
            del self.processes[process.role]
        self._disconnect(process)
        for order in self.profile.orders:
            if order.process is process:
                order.process = None
                self.later(0.02, lambda order=order: self.place(order))  # type: ignore[misc]
        if not self.closing:
            wait = 0.01 if self.healing else self.random.choice((0.0, 0.05, 0.5, 2.0)) * self.random.random()
            self.later(wait, lambda: self.launch(process.role))
        elif not self.processes:
            self.scheduler.stop()

    def acquired(self, process: Process, lease: Lease) -> None:
        """A process has the store."""
        if lease.epoch <= self.epoch:
            self.fail("epochs grow", f"{process.name} got epoch {lease.epoch} after {self.epoch}")
        self.epoch = process.epoch = lease.epoch
        for other in self.processes.values():
            other.disturb(other.allowance)  # it learns of its loss when it renews its lease

    def owner(self) -> Process | None:
        """The process with the newest epoch, if it lives."""
        return next((one for one in self.processes.values() if one.epoch == self.epoch and not one.gone), None)

    def serving(self) -> Process | None:
        """The process that can be asked for something."""
        owner = self.owner()
        return owner if owner is not None and owner.serving and not owner.loop.paused else None

    # --- what is asked of them ----------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do it then."""
        self.scheduler.at(self.scheduler.now + seconds, act)

    def place(self, order: Order) -> None:
        """Ask whoever serves to start an instance."""
        if order.id or order.process is not None:
            return
        process = self.serving()
        if process is None:
            self.later(0.1, lambda: self.place(order))
            return
        order.process, order.placed_at = process, self.scheduler.now
        if order.times > 1:
            self.points.hit("start with the same key twice")
        if order.key is None:
            self.points.hit("keyless start")
        process.do(process.start(order), "client start")

    def acknowledged(self, order: Order, id: str) -> None:
        """A start has returned: from here on the instance exists."""
        order.id, order.process = id, None
        self.acked.add(id)
        if id not in self.audit.by_id:
            self.fail("acknowledged is durable", f"{id} was acknowledged, and is not in the store")

    def refused(self, order: Order, process: Process, error: Exception) -> None:
        """A start has failed; whoever wants it tries again."""
        self.tell(f"{process.name}: starting {order.key}: {error}")
        if order.process is process:
            order.process = None
            self.later(0.05, lambda: self.place(order))

    def posted(self, message: InboxMessage, new: bool, process: Process | None = None) -> None:
        """A message is in the store. Only its own process hears of it where the store is a file."""
        if new:
            heard = process is not None and (self._folder is None or process is self.owner())
            allowance = 0.0 if heard else self.settings.lease_ms / 3000 + 0.1
            self.posts[message.id] = Post(message.instance, self.scheduler.now + allowance)
            self.tell(f"message {message.id} is posted")
            self.wishes.posted(message)
            self.audit.hands.posted(message)
        elif message.id not in self.posts:
            self.fail("messages are kept once", f"{message.id} is said to be known")

    def buried(self, letter: Seen) -> None:
        """A run of a node was given up: somebody may want it to run again."""
        self.wishes.about(letter)

    def now_at_owner(self) -> int:
        """What the clock of the process says that owns the store."""
        owner = self.owner()
        return BEGINNING + int(self.scheduler.now * 1000) if owner is None else owner.clock.now()

    def left_over(self, watched: Watched) -> None:
        """A saga had to leave something: somebody may have it go on."""
        left_over(self, watched)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """No more faults from here on: whatever is open must come to its end."""
        self.tell("the faults stop")
        self.healing = True
        self.harm = 0.0
        for process in tuple(self.processes.values()):
            resume(self, process)
            process.complete_at = min(process.complete_at, self.scheduler.now)
            if process.clock.offset:
                process.clock.offset = 0
                process.disturb(CLOCK_NOTICED_SECONDS)
        for role in ("A", "B"):
            self.launch(role)

    def _watch(self) -> None:
        """Look whether something is overdue, and whether all is over."""
        now = self.scheduler.now
        for one in self.processes.values():
            if one.serving and not one.loop.paused and one.epoch < self.epoch and now > one.disturbed_until:
                self.fail("who has lost the store stops", f"{one.name} goes on with epoch {one.epoch} of {self.epoch}")
        process = self.serving()
        if process is not None and now > process.disturbed_until:
            late = next(overdue(self, process), None)
            if late is not None:
                self.fail("nothing due is left lying", f"{process.name}: {late}")
        counted = process is not None and now > process.disturbed_until and self.audit.windows.targets
        if process is not None and counted and process.engine.host.idle:
            process.do(process.look_at_breakers(), "client look")
        if process is not None and self.random.random() < 0.2:
            compare_lives(self, process)
        if self.healing:
            for watched in self.audit.instances.values():
                ask_again(self, watched)
        if self.healing and process is not None and self._over(process):
            if self._all_over:
                nothing_leaks(self, process)
                self._close_down()
                return
            self._all_over = True  # what a reload has on its way may still come
        else:
            self._all_over = False
        killed = self.points.hits["task ends its process"] * self.settings.lease_ms / 1000
        if now > self.faults_until + HEALED_WITHIN_SECONDS + OF_A_LEASE * killed:
            self.fail("every instance ends", self._left())
        self.later(WATCH_SECONDS, self._watch)

    def _over(self, process: Process) -> bool:
        if (
            self.to_do
            or self.wishes.left()
            or self.hands.left()
            or any(watched.open for watched in self.audit.instances.values())
        ):
            return False
        return all(order.id for order in self.profile.orders) and all(waiter.done() for _, waiter in process.results)

    def _left(self) -> str:
        left = [f"{one.id} is {one.status}" for one in self.audit.instances.values() if one.open]
        unplaced = [f"{order.key} was never started" for order in self.profile.orders if not order.id]
        return "; ".join([*left, *unplaced, *self.wishes.left(), *self.hands.left()]) or "nothing is open"

    def _close_down(self) -> None:
        self.closing = True
        self.tell("all is over")
        for process in tuple(self.processes.values()):
            resume(self, process)
            if process.up:
                process.stop("orderly")
            else:
                process.finish("crash")
        if not self.processes:
            self.scheduler.stop()

    # --- what they tell -----------------------------------------------------------------------------------------------

    def workflow_of(self, id: str) -> Workflow:
        """A definition by its id."""
        return self._workflows[id]

    def fail(self, invariant: str, text: str) -> None:
        """An invariant does not hold. The first one counts: what follows follows from it."""
        if self.failure is None:
            self.failure = Failure(invariant, text)
            self.tell(f"FAILED: {invariant}: {text}")
            self.scheduler.stop()

    def tell(self, text: str) -> None:
        """A line of the story."""
        if self.recording:
            self.story.append(f"{self.scheduler.now:9.3f}  {text}")

    def tell_turn(self, watched: Watched, seq: int, body: Body) -> None:
        """A row of the story."""
        if self.recording:
            events = ", ".join(_short(event) for event in body.events)
            self.tell(f"    {watched.id} row {seq} at {body.at - BEGINNING}: {events}")


def _short(event: Any) -> str:
    name = type(event).__name__
    path = getattr(event, "path", None)
    if path is not None:
        attempt = getattr(event, "attempt", None)
        return f"{name} {path}" + (f"#{attempt}" if attempt is not None else "")
    for field in ("skips", "runs"):
        some = getattr(event, field, None)
        if some is not None:
            return f"{name} {[one.path for one in some]}" + (" crashed" if getattr(event, "crashed", False) else "")
    return name
