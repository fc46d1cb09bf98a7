"""Goes through the runs of a workflow: each set of failures, in each order that tells states apart, killed in each state.

A set of failures is searched depth first. At a choice whose state was met before (with the same failures) nothing new can
follow, so the run goes on there without branching, or ends. A process that dies leaves its store and nothing else: so each
run is killed once in each durable state that no earlier one of its set was in, and what follows begins from a copy
of the store.

Sets are taken in the order of their size, in two rounds: first one run of each, then the rest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from mainspring.testing.checking.endings import broken_at_end
from mainspring.testing.checking.faults import Case, Fault
from mainspring.testing.checking.ledger import Broken
from mainspring.testing.checking.space import Space
from mainspring.testing.checking.trial import Label, Option, Point, Steering, Trial


class Budget(Struct, frozen=True):
    """How much is explored at most. What is left out is told."""

    seconds_max: float = 60.0
    """Time, on the wall."""

    schedules_max: int = 200
    """Orders of events for each set of failures and outputs; beyond that they are drawn, a tenth as many."""

    kills_max: int = 1_000
    """Deaths of the process, likewise."""


class Found(Struct):
    """A run that breaks an invariant."""

    case: Case
    broken: Broken
    trial: Trial


class Tally(Struct):
    """What has been explored so far."""

    sets: dict[int, int] = {}
    sets_in_all: dict[int, int] = {}
    sets_alike: int = 0
    schedules: int = 0
    kills: int = 0
    states: int = 0
    cut: int = 0
    drawn: int = 0
    outcomes: dict[str, int] = {}
    out_of_time: bool = False


class Explorer:
    """`run` gives the first run that breaks an invariant, or None. `told` hears of each run, for progress."""

    def __init__(
        self,
        space: Space,
        failures: int,
        budget: Budget,
        seed: int,
        told: Callable[[Tally], None] = lambda tally: None,
    ) -> None:
        self.space = space
        self.tally = Tally()
        self._failures = failures
        self._budget = budget
        self._seed = seed
        self._told = told
        self._states: set[bytes] = set()
        self._until = 0.0
        self._reached: dict[tuple[Fault, ...], set[tuple[str, str]]] = {}

    def run(self) -> Found | None:
        """Explore all that the budget allows."""
        self._until = time.monotonic() + self._budget.seconds_max
        for size in range(self._failures + 1):
            searches = [
                _Search(self, faults, variant)
                for faults in self.space.sets(size)
                for variant in range(self.space.variants)
            ]
            self.tally.sets_in_all[size] = len({search.faults for search in searches})
            found = self._search(size, searches)
            if found is not None or self.tally.out_of_time:
                return found
        return None

    def _search(self, size: int, searches: list[_Search]) -> Found | None:
        begun: set[tuple[Fault, ...]] = set()
        for rounds in (1, self._budget.schedules_max):
            for search in searches:
                if self.expired:
                    return None
                if rounds > 1 and self._alike(search):
                    continue
                found = search.go_on(rounds)
                begun.add(search.faults)
                self.tally.sets[size] = len(begun)
                if found is not None:
                    return found
        self.tally.sets_alike += len({search.faults for search in searches if self._alike(search)})
        return None

    def _alike(self, search: _Search) -> bool:
        """Whether one of its failures cannot happen beside the others: then a smaller set has all of its runs."""
        return bool(search.faults) and any(
            (one.workflow, one.place) not in self.reached(tuple(other for other in search.faults if other != one))
            for one in search.faults
        )

    def reached(self, faults: tuple[Fault, ...]) -> set[tuple[str, str]]:
        """Where work began in runs with these failures, over all outputs."""
        return self._reached.setdefault(faults, set())

    def all_reached(self) -> list[set[tuple[str, str]]]:
        """Likewise, of each set of failures."""
        return list(self._reached.values())

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        if time.monotonic() > self._until:
            self.tally.out_of_time = True
        return self.tally.out_of_time

    def saw(self, digest: bytes) -> None:
        """The machine was in this state."""
        self._states.add(digest)
        self.tally.states = len(self._states)

    def counted(self) -> None:
        """A run is over."""
        self._told(self.tally)

    @property
    def budget(self) -> Budget:
        """How much may be explored."""
        return self._budget

    def random(self, what: str) -> Random:
        """Chance, the same for the same seed."""
        return Random(f"{self._seed}/{what}")


class _Search:
    """The runs with one set of failures and one choice of outputs."""

    def __init__(self, explorer: Explorer, faults: tuple[Fault, ...], variant: int) -> None:
        self.explorer = explorer
        self.faults = faults
        self.variant = variant
        self.frontier: deque[tuple[int, ...]] = deque([()])
        self.seen: set[bytes] = set()
        self.killed: set[bytes] = set()
        self.schedules = 0
        self.kills = 0
        self._drawn = False

    def go_on(self, schedules: int) -> Found | None:
        """So many runs more, or as many as there are."""
        explorer, budget = self.explorer, self.explorer.budget
        for _ in range(schedules):
            if not self.frontier or self.schedules >= budget.schedules_max or explorer.expired:
                break
            found = self._one(self.frontier.pop(), None)
            if found is not None:
                return found
        if self.frontier and self.schedules >= budget.schedules_max and not self._drawn:
            self._drawn = True
            explorer.tally.cut += 1
            for number in range(max(budget.schedules_max // 10, 1)):
                if explorer.expired:
                    break
                explorer.tally.drawn += 1
                found = self._one((), explorer.random(f"{self.faults}/{self.variant}/{number}"))
                if found is not None:
                    return found
        return None

    def _one(self, prefix: tuple[int, ...], random: Random | None) -> Found | None:
        """A run, and each death in it that is new."""
        explorer = self.explorer
        steering = _Branching(self, prefix, random)
        trial = Trial(explorer.space, Case(self.faults, self.variant), steering).go()
        case = Case(self.faults, self.variant, _trimmed(steering.taken))
        self.schedules += 1
        explorer.tally.schedules += 1
        self._saw_begin(trial)
        broken = None if trial.cut else broken_at_end(trial)
        self._count(trial)
        explorer.counted()
        if broken is not None or trial.broken is not None:
            return Found(case, broken or trial.broken or Broken("", ""), trial)
        return self._deaths(trial, case)

    def _deaths(self, trial: Trial, case: Case) -> Found | None:
        for point in trial.points:
            if point.store is None or self.explorer.expired:
                continue
            after = killed(trial, point)
            self.kills += 1
            self.explorer.tally.kills += 1
            broken = broken_at_end(after, None if trial.cut else trial)
            self._count(after)
            self._saw_begin(after)
            point.store = None
            if broken is not None:
                return Found(Case(case.faults, case.variant, case.order, point.write), broken, after)
        return None

    def _saw_begin(self, trial: Trial) -> None:
        parts = self.explorer.space.parts
        self.explorer.reached(self.faults).update((parts[of].name, place) for of, place in trial.ledger.begun)

    def _count(self, trial: Trial) -> None:
        outcomes = self.explorer.tally.outcomes
        for result in trial.results.values():
            if result.parent is None:
                outcomes[result.status] = outcomes.get(result.status, 0) + 1


class _Branching(Steering):
    """Follows the order that is given; beyond it the first option, and the others are kept for later."""

    def __init__(self, search: _Search, prefix: tuple[int, ...], random: Random | None) -> None:
        self.taken: list[int] = []
        self._search = search
        self._prefix = prefix
        self._random = random
        self._known = False
        self._kept = False

    def choose(self, trial: Trial, options: Sequence[Option]) -> int | None:
        place = len(self.taken)
        if self._random is not None:
            self.taken.append(self._random.randrange(len(options)))
            return self.taken[-1]
        if place < len(self._prefix):
            self.taken.append(self._prefix[place])
            return self._prefix[place]
        if not self._known:
            here = trial.here()
            if here in self._search.seen:
                if not self._kept:
                    return None  # what follows has been seen, and nobody is to die before it
                self._known = True
            else:
                self._search.seen.add(here)
                base = tuple(self.taken)
                self._search.frontier.extend((*base, other) for other in range(len(options) - 1, 0, -1))
        self.taken.append(0)
        return 0

    def keeps(self, digest: bytes) -> bool:
        search = self._search
        if digest in search.killed or len(search.killed) >= search.explorer.budget.kills_max:
            return False
        search.killed.add(digest)
        self._kept = True
        return True

    def reached(self, digest: bytes) -> None:
        self._search.explorer.saw(digest)


class Guided(Steering):
    """Has things happen in the order in which they did in another run, as far as they can."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self._labels = list(labels)

    def choose(self, trial: Trial, options: Sequence[Option]) -> int | None:
        there = {option.label: number for number, option in enumerate(options)}
        for place, label in enumerate(self._labels):
            if label in there:
                del self._labels[place]
                return there[label]
        return 0


class Ordered(Steering):
    """A given order of choices, and the first option beyond it. Keeps what a death after write `killed` would leave."""

    def __init__(self, order: Sequence[int], killed: int | None) -> None:
        self._order = list(order)
        self._killed = killed
        self._writes = 0

    def choose(self, trial: Trial, options: Sequence[Option]) -> int | None:
        return self._order.pop(0) if self._order else 0

    def keeps(self, digest: bytes) -> bool:
        self._writes += 1
        return self._writes == self._killed


def killed(trial: Trial, point: Point) -> Trial:
    """What follows when the process of a trial dies at a point: another one goes on from what it left."""
    ledger = trial.ledger.after_death(trial.ledger.deeds[: point.deeds])
    guide = Guided(trial.labels[point.choices :])
    after = Trial(trial.space, trial.case, guide, point.store, ledger, point.now)
    return after.go()


def played(space: Space, case: Case) -> tuple[Trial, Broken | None]:
    """A case, run once. The trial is the one after the death, where there is one."""
    trial = Trial(space, case, Ordered(case.order, case.killed)).go()
    if case.killed is None or trial.broken is not None:
        return trial, broken_at_end(trial)
    point = next((one for one in trial.points if one.store is not None), None)
    if point is None:
        return trial, None
    after = killed(trial, point)
    return after, broken_at_end(after, trial)


def _trimmed(order: Sequence[int]) -> tuple[int, ...]:
    """Without the zeros at its end: they are what happens anyway."""
    last = max((place for place, choice in enumerate(order) if choice), default=-1)
    return tuple(order[: last + 1])
