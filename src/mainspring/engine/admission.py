"""Who may start: the answer to AskAdmission. Suspects start one at a time, a lock has one holder; all others are granted.

A suspect is a node that was in flight at two crashes (SEMANTICS 9). Were several of them started together, the next crash
would bring innocent ones to the bound along with the killer.

A lock is held through crashes. After one nobody but its holder knows of it, so none is granted to anybody else before all
instances that were open have gone on: whoever held one has asked for it again by then, and has it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from mainspring.engine.live import Live
from mainspring.machine.effects import AskAdmission
from mainspring.machine.inputs import AdmissionGranted

logger = logging.getLogger("mainspring.engine")

SUSPECTS = "suspects"
LOCK = "lock:"
"""What the resource of a lock begins with; the rest is its name."""


Run = tuple[str, int]
"""A run of a node: its path and its number."""


class _Turnstile:
    """One at a time. Those who want to be next stand in the order in which they asked, each with its crashes."""

    __slots__ = ("holder", "queue")

    def __init__(self) -> None:
        self.holder: tuple[Live, Run] | None = None
        self.queue: OrderedDict[tuple[Live, Run], int] = OrderedDict()


class Admission:
    """`answer` takes the input that says yes."""

    def __init__(self, answer: Callable[[Live, AdmissionGranted], None], seed: Callable[[], int]) -> None:
        self._answer = answer
        self._seed = seed
        self._turnstiles: dict[str, _Turnstile] = {}
        self.places: dict[Live, dict[Run, str]] = {}
        self._swept = False
        self._awaited: set[Live] = set()

    # --- asking and giving back ---------------------------------------------------------------------------------------

    def ask(self, live: Live, ask: AskAdmission) -> None:
        """A node wants to start; or it has started before a crash, and holds what it asks for."""
        resource, run = ask.resource, (ask.path, ask.run)
        if resource != SUSPECTS and not resource.startswith(LOCK):
            self._grant(live, run)
            return
        turnstile = self._turnstiles.setdefault(resource, _Turnstile())
        if ask.held:
            self._hold_again(turnstile, live, run, resource)
        elif turnstile.holder != (live, run):
            turnstile.queue.setdefault((live, run), ask.crashes)
            self.places.setdefault(live, {})[run] = resource
            self._next(resource)

    def _hold_again(self, turnstile: _Turnstile, live: Live, run: Run, resource: str) -> None:
        """It needs no answer: it goes on as one that holds it."""
        if turnstile.holder is None:
            turnstile.holder = (live, run)
            self.places.setdefault(live, {})[run] = resource
        elif turnstile.holder != (live, run):
            logger.error("%s: %s holds %s, which %s has", live.id, run[0], resource, turnstile.holder[0].id)

    def release(self, live: Live, path: str, run: int) -> None:
        """A node holds nothing longer, or wants nothing any more."""
        places = self.places.get(live)
        resource = None if places is None else places.get((path, run))
        if resource is not None:
            self._let_go(live, (path, run), resource)

    def forget(self, live: Live) -> None:
        """The instance leaves memory: what it holds and its requests go with it."""
        self._let_all_go(live, self.places.get(live, {}))
        self.recovered(live)

    def ask_anew(self, live: Live, running: Callable[[str, int], bool]) -> None:
        """The instance was loaded again and will ask again: it keeps only what a run holds that is still under way.

        Of a run, not of a node: the next run of a repeating one may be under way already, and would never give it back.
        """
        places = self.places.get(live, {})
        kept = {run for run, resource in places.items() if self._holds(resource, live, run) and running(*run)}
        self._let_all_go(live, {run: resource for run, resource in places.items() if run not in kept})

    def busy(self) -> set[int]:
        """The numbers of the instances that hold or want something (asleep they would lose it), and of those that have not
        gone on yet: what they wait for is not known before."""
        return {live.number for live in (*self.places, *self._awaited)}

    def _holds(self, resource: str, live: Live, run: Run) -> bool:
        return self._turnstiles[resource].holder == (live, run)

    def _let_all_go(self, live: Live, places: dict[Run, str]) -> None:
        """What it wants before what it holds: else a place that becomes free would be granted to the instance itself."""
        for run, resource in sorted(places.items(), key=lambda item: self._holds(item[1], live, item[0])):
            self._let_go(live, run, resource)

    def _let_go(self, live: Live, run: Run, resource: str) -> None:
        """It holds and wants this no longer."""
        places = self.places[live]
        del places[run]
        if not places:
            del self.places[live]
        turnstile = self._turnstiles[resource]
        turnstile.queue.pop((live, run), None)
        if turnstile.holder == (live, run):
            turnstile.holder = None
        self._next(resource)

    def _next(self, resource: str) -> None:
        turnstile = self._turnstiles[resource]
        queue = turnstile.queue
        if turnstile.holder is not None:
            return
        if not queue:
            del self._turnstiles[resource]
        elif resource == SUSPECTS or self._open:
            # The least suspect first: if one of them is a killer, the others are through by the time it starts. For a lock
            # it is the one who asked first.
            turnstile.holder = min(queue, key=queue.__getitem__) if resource == SUSPECTS else next(iter(queue))
            del queue[turnstile.holder]
            self._grant(*turnstile.holder)

    def _grant(self, live: Live, run: Run) -> None:
        self._answer(live, AdmissionGranted(path=run[0], run=run[1], seed=self._seed()))

    # --- after a crash ------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> bool:
        return self._swept and not self._awaited

    def expect(self, live: Live) -> None:
        """The instance was open in a session before this one, and may hold locks."""
        self._awaited.add(live)

    def recovered(self, live: Live) -> None:
        """The instance has gone on: what it holds it has asked for."""
        if live in self._awaited:
            self._awaited.remove(live)
            self._perhaps_open()

    def swept(self) -> None:
        """All that was open is in memory."""
        if not self._swept:
            self._swept = True
            self._perhaps_open()

    def _perhaps_open(self) -> None:
        if self._open:
            for resource in tuple(self._turnstiles):
                self._next(resource)
