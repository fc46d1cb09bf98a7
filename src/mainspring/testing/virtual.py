"""Virtual time: asyncio without a clock, a selector or a thread.

A `Scheduler` has the time. Each simulated process has a `VirtualLoop` of its own on it, so a process can be stopped (its
loop is not served), killed (its loop is thrown away, with everything that waits in it) or left behind its peers, and none
of its callbacks can leak into another's. When nothing is ready anywhere, time jumps to the next timer.

asyncio's promises are kept: callbacks of one loop run in the order in which they were scheduled. What asyncio leaves open
is drawn by the seed: which loop is served next, and the order of timers that are due at the same moment.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import warnings
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

BEGINNING = 1_700_000_000_000
"""What time it is (UTC milliseconds) when a simulation begins."""


class Stalled(Exception):
    """Nothing is ready, no timer is set, and the end has not come: whatever is awaited will never come."""


class Runaway(Exception):
    """More iterations than the bound: something goes round in circles without time passing."""


class Scheduler:
    """Serves its loops in turn. `acts` are what the outside world does to the processes: they run in no loop."""

    def __init__(self, seed: int | str, iterations_max: int = 20_000) -> None:
        self.now = 0.0
        self.iterations = 0
        self.random = Random(f"{seed}/scheduler")
        self.loops: list[VirtualLoop] = []
        self._iterations_max = iterations_max
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._stopped = False

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Have `act` called at `when` (seconds)."""
        self._count += 1
        heapq.heappush(self._acts, (when, self._count, act))

    def stop(self) -> None:
        """Have `run` return before anything else happens."""
        self._stopped = True

    def run(self) -> None:
        """Until `stop`. Raises Stalled, Runaway."""
        while not self._stopped:
            ready = [loop for loop in self.loops if loop.runnable()]
            if ready:
                loop = ready[0] if len(ready) == 1 else ready[int(self.random.random() * len(ready))]
                loop.turn()
                self.iterations += 1
                if self.iterations > self._iterations_max:
                    raise Runaway(f"{self.iterations} iterations, and only {self.now:.3f} s have passed")
                continue
            self._advance()

    def _advance(self) -> None:
        """Let time jump to whatever comes next."""
        times = [when for loop in self.loops if (when := loop.next_timer()) is not None]
        if self._acts:
            times.append(self._acts[0][0])
        if not times:
            raise Stalled("nothing is ready and no timer is set")
        self.now = max(self.now, min(times))
        while self._acts and self._acts[0][0] <= self.now and not self._stopped:
            heapq.heappop(self._acts)[2]()


class VirtualLoop(asyncio.AbstractEventLoop):
    """One process's event loop: callbacks, timers, futures, tasks, and nothing else."""

    def __init__(self, scheduler: Scheduler, name: str, complain: Callable[[dict[str, Any]], None]) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self._scheduler = scheduler
        self._complain = complain
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        scheduler.loops.append(self)

    # --- what the scheduler asks --------------------------------------------------------------------------------------

    def runnable(self) -> bool:
        """Whether a turn would do something now."""
        if self.paused or self.dead:
            return False
        return bool(self._ready) or ((when := self.next_timer()) is not None and when <= self._scheduler.now)

    def next_timer(self) -> float | None:
        """When the next timer is due; None where the loop is not served."""
        timers = self._timers
        while timers and timers[0][3].cancelled():
            heapq.heappop(timers)
        return timers[0][0] if timers and not self.paused and not self.dead else None

    def turn(self) -> None:
        """One iteration: the timers that are due, then all that was ready when it began."""
        now, timers, ready = self._scheduler.now, self._timers, self._ready
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[3])
        events._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()
                    if self.dead or self.paused:  # killed or stopped in the middle of it
                        break
        finally:
            events._set_running_loop(None)
        if self.dead:
            self.dispose()

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Tasks that are not done, in the order of their creation."""
        return [task for task in self._tasks if not task.done()]

    def dispose(self) -> None:
        """The process is gone: nothing of it runs any more, not even what it has put down for the case of its end."""
        self.dead = True
        self._ready.clear()
        self._timers.clear()
        left, self._tasks = self.unfinished(), {}
        if self in self._scheduler.loops:
            self._scheduler.loops.remove(self)
        running = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for task in left:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _close(task.get_coro())
        finally:
            events._set_running_loop(running)

    # --- what asyncio asks --------------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._scheduler.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return self.dead

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.dead:
            self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._scheduler.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.dead:
            self._count += 1
            heapq.heappush(self._timers, (when, self._scheduler.random.random(), self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio tells its loops of this; here a cancelled timer goes when its turn comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        if len(self._tasks) > 200:
            self._tasks = dict.fromkeys(self.unfinished())
        self._tasks[task] = None
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self._complain(context)


def _close(coroutine: Any) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # "never awaited": no more than its process was
            coroutine.close()
    except RuntimeError:  # it waits in a `finally`; a killed process would not either
        pass


_NOWHERE = VirtualLoop(Scheduler(0), "nowhere", lambda context: None)  # type: ignore[abstract]


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never really waits, outside of any simulated process."""
    before = events._get_running_loop()
    events._set_running_loop(_NOWHERE)
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        events._set_running_loop(before)
    work.close()
    raise RuntimeError("a coroutine that should not wait does")


class VirtualClock:
    """A process's own idea of the time: the scheduler's, put off by `offset` milliseconds, which may jump."""

    steady = False

    def __init__(self, scheduler: Scheduler, seed: int | str, offset: int = 0) -> None:
        self._scheduler = scheduler
        self._random = Random(f"{seed}/clock")
        self.offset = offset

    def now(self) -> int:
        """UTC milliseconds."""
        return BEGINNING + int(self._scheduler.now * 1000 + 1e-6) + self.offset

    def seed(self) -> int:
        """64 bits of the seeded sequence."""
        return self._random.getrandbits(64)
