"""Who may start: the answer to AskAdmission. All are granted at once, but for suspects, which start one at a time.

A suspect is a node that was in flight at two crashes (SEMANTICS 9). Were several of them started together, the next crash
would bring innocent ones to the bound along with the killer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mainspring.engine.live import Live
from mainspring.machine.effects import AskAdmission
from mainspring.machine.inputs import AdmissionGranted

SUSPECTS = "suspects"


class Admission:
    """`answer` takes the input that says yes."""

    def __init__(self, answer: Callable[[Live, AdmissionGranted], None], seed: Callable[[], int]) -> None:
        self._answer = answer
        self._seed = seed
        self._holder: tuple[Live, str, int] | None = None
        self._queue: deque[tuple[Live, AskAdmission]] = deque()

    def ask(self, live: Live, ask: AskAdmission) -> None:
        """A node wants to start."""
        if ask.resource != SUSPECTS:
            self._grant(live, ask)
        elif self._holder is None:
            self._holder = (live, ask.path, ask.run)
            self._grant(live, ask)
        elif not self._known(live, ask):
            self._queue.append((live, ask))

    def release(self, live: Live, path: str, run: int) -> None:
        """A node holds its slot no longer, or wants none any more."""
        if self._holder == (live, path, run):
            self._holder = None
            self._next()
        elif self._queue:
            kept = [(one, ask) for one, ask in self._queue if not (one is live and (ask.path, ask.run) == (path, run))]
            self._queue = deque(kept)

    def forget(self, live: Live) -> None:
        """The instance leaves memory: its slot and its requests go with it."""
        if self._queue:
            self._queue = deque((one, ask) for one, ask in self._queue if one is not live)
        if self._holder is not None and self._holder[0] is live:
            self._holder = None
            self._next()

    def ask_anew(self, live: Live, running: Callable[[str, int], bool]) -> None:
        """The instance was loaded again and will ask again: it keeps only the slot of a run that is still under way.

        Of a run, not of a node: the next run of a repeating one may be under way already, and would never give it back.
        """
        self._queue = deque((one, ask) for one, ask in self._queue if one is not live)
        if self._holder is not None and self._holder[0] is live and not running(*self._holder[1:]):
            self._holder = None
            self._next()

    def busy(self) -> set[int]:
        """The numbers of the instances that hold or want a slot: asleep they would lose their place."""
        holder = () if self._holder is None else (self._holder[0].number,)
        return {live.number for live, _ in self._queue}.union(holder)

    def _known(self, live: Live, ask: AskAdmission) -> bool:
        if self._holder == (live, ask.path, ask.run):
            return True
        return any(one is live and (other.path, other.run) == (ask.path, ask.run) for one, other in self._queue)

    def _next(self) -> None:
        if self._queue:
            # The least suspect first: if one of them is a killer, the others are through by the time it starts.
            live, ask = min(self._queue, key=lambda item: item[1].crashes)
            self._queue.remove((live, ask))
            self._holder = (live, ask.path, ask.run)
            self._grant(live, ask)

    def _grant(self, live: Live, ask: AskAdmission) -> None:
        self._answer(live, AdmissionGranted(path=ask.path, run=ask.run, seed=self._seed()))
