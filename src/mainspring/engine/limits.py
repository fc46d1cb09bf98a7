"""The limits of this engine, bound to the nodes that need them (SEMANTICS 72 to 78).

The rules are in `mainspring/limits/`, which knows no engine. Here a node's definition leads to its lane, an attempt to its
lease, and an answer to an input. A lease is taken in the turn that starts the attempt, before that is durable, and given
back once the turn that ends it is. Were a turn thrown away, so is its lease: `ask_anew` keeps what runs, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mainspring.definition.model import CircuitBreaker
from mainspring.engine.admission import Admission
from mainspring.engine.clock import Clock
from mainspring.engine.holdings import Holdings
from mainspring.engine.live import Live
from mainspring.engine.needs import Needs, Sort
from mainspring.engine.settings import EngineSettings
from mainspring.engine.starving import Starving
from mainspring.graph.plan import Plan
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Lane, Need
from mainspring.limits.limit import STOPPED, UNUSED, Ended, Lease, Refusal, Verdict
from mainspring.limits.standing import Standing, standing_of
from mainspring.machine.effects import AskAdmission, ReleaseAdmission
from mainspring.machine.inputs import AdmissionGranted, AdmissionRefused, Input

logger = logging.getLogger("mainspring.engine")

SPARE_MAX = 256
"""Of each version the holdings of so many instances that are over are kept for those to come."""


class Limits:
    """`post` takes the answers. `first`: nobody has had this store before, so no bucket can have been used.

    `turns` has whatever else an attempt can hold: the turn of a suspect, a lock. `at` is when the last turns became durable,
    `began` when the session did.
    """

    def __init__(
        self,
        clock: Clock,
        settings: EngineSettings,
        find: Callable[[str], Live | None],
        post: Callable[[Live, Input], None],
        first: Callable[[], bool],
        breaker: Callable[[CircuitBreaker, str], tuple[Need, Need]],
        turns: Admission,
    ) -> None:
        self._clock = clock
        self.at = self.began = clock.now()
        self._find = find
        self._post = post
        self._first = first
        self._turns = turns
        self.gate = Gate(self._answered, settings.passed_over_max)
        self._waiting = self.gate.waiting
        self._owners: set[Holdings] = set()
        self._spare: dict[Plan, list[Holdings]] = {}
        self._needs = Needs(self.gate, settings, breaker, self._empty_at)
        self.desks = self._needs.desks
        self._lanes: dict[Sort, Lane] = {}
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.TimerHandle | None = None
        self._closed = False
        self._starving = Starving(self.gate, clock, settings.starvation_warning_ms)

    # --- asking and giving back ---------------------------------------------------------------------------------------

    def holdings(self, live: Live) -> Holdings | None:
        """What the machine asks for this instance. None where no node of it has a limit."""
        plan = live.program.plan
        if not plan.limited:
            return None
        spare = self._spare.get(plan)
        held = spare.pop() if spare else Holdings(plan, self._needs, self.gate, self._lanes)
        held.serve(live)
        if held.own:
            self._owners.add(held)
        return held

    def ask(self, live: Live, ask: AskAdmission) -> None:
        """A node wants to start, and could not at once."""
        held = live.holdings
        if held is None:
            return  # its instance has left memory, and asks again when it comes back
        try:
            node = live.instance.locate(ask.path)[1]
        except KeyError:
            return  # its scope was stopped by a turn that followed
        lease = Lease(live.id, ask.path, ask.run, ask.attempt)
        self.gate.ask(held.lane_for(node, ask.path), held, lease, self._clock.now())
        self.arrange()

    def release(self, live: Live, over: ReleaseAdmission) -> None:
        """An attempt is over, or wants nothing any more: it holds nothing of any sort."""
        if self._turns.places:
            self._turns.release(live, over.path, over.run)
        held = live.holdings
        if held is None:
            return
        # As `Gate.give_back` does, without another call for the usual attempt. The order itself says how it ended: another
        # object for each would be felt.
        lease = (live.id, over.path, over.run, over.attempt)
        lane = held.leases.pop(lease, None)  # type: ignore[call-overload]
        if lane is not None:
            lane.give_back(lease, over, self.at)
        if self._waiting:
            self.gate.over(lane, Lease(*lease), self.at)
            self.arrange()

    def ask_anew(self, live: Live, standing: Callable[[Lease], str]) -> None:
        """The instance was loaded again and will ask again: it keeps only what is held by attempts that run.

        `standing` says of an attempt whether it is `running`, has `begun` (and ended), or is `unknown`, as it never began.
        """
        held = live.holdings
        if held is not None:
            stands = {lease: standing(Lease(*lease)) for lease in (*held.leases, *held.waiting)}
            kept = {lease for lease, how in stands.items() if how == "running" and lease in held.leases}
            gone = {lease: STOPPED if how == "begun" else UNUSED for lease, how in stands.items() if lease not in kept}
            self._let_go(held, list(gone.items()))

    def renew(self, live: Live) -> None:
        """The instance runs by another version of its definition: who waits asks by that one's limits, who runs goes on.

        Its own limits count anew what begins from now on.
        """
        held = live.holdings
        waiting = list(held.waiting) if held is not None else []
        live.holdings = renewed = self.holdings(live)
        if held is not None:
            self._let_go(held, [(lease, UNUSED) for lease in waiting])
            self._let_go(held, [(lease, STOPPED) for lease in held.leases if not _has_limits(live, lease)])
            if renewed is not None:
                renewed.leases = {**held.leases}  # the old one's stay: a pool of its own counts them
                if held in self._owners:  # who runs holds what was the instance's own
                    self._owners.add(renewed)
            self._owners.discard(held)
        for _, path, run, attempt in waiting:
            try:
                node = live.instance.locate(path)[1]
            except KeyError:
                continue
            if node.resource is None:
                self._post(live, AdmissionGranted(path=path, run=run, seed=self._clock.seed()))
            else:
                self.ask(live, AskAdmission(path, run, node.resource, attempt=attempt))

    def forget(self, live: Live) -> None:
        """The instance leaves memory: what it holds and its requests go with it."""
        held = live.holdings
        if held is not None:
            self._let_go(held, [(lease, STOPPED) for lease in (*held.leases, *held.waiting)])
            self._owners.discard(held)
            live.holdings = None
            held.leave()
            spare = self._spare.setdefault(held.plan, [])
            if len(spare) < SPARE_MAX:
                spare.append(held)

    def busy(self) -> set[int]:
        """The numbers of the instances that wait for something: asleep they would lose it."""
        found = (self._find(lease.instance) for lease in self._waiting)
        return {live.number for live in found if live is not None}

    def close(self) -> None:
        """Nobody is woken any more."""
        self._closed = True
        self._starving.close()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def look_at(self, desk: Desk) -> None:
        """Somebody has changed the limit by hand."""
        self.gate.look_at(desk, self._clock.now())
        self.arrange()

    def standings(self) -> list[Standing]:
        """How each limit stands that somebody has asked for: its size, who holds it, how many wait."""
        now = self._clock.now()
        own = {desk for held in self._owners for lane in held.leases.values() for desk, _ in lane.needs}
        own.update(desk for one in self._waiting.values() for desk, _ in one.lane.needs)
        return sorted((standing_of(desk, now) for desk in (*self.desks.values(), *own)), key=lambda one: one.key)

    def _let_go(self, held: Holdings, leases: list[tuple[Lease, Ended]]) -> None:
        if leases:
            self.gate.give_back_all(held, leases, self._clock.now())
            self.arrange()

    def _answered(self, lease: Lease, verdict: Verdict) -> None:
        live = self._find(lease.instance)
        if live is None or live.holdings is None:
            return
        seed = self._clock.seed()
        if isinstance(verdict, Refusal):
            refused = AdmissionRefused(
                path=lease.path,
                run=lease.run,
                reason=verdict.reason,
                figures=verdict.figures,
                until=verdict.until,
                error=verdict.type,
                state=verdict.state,
                seed=seed,
            )
            self._post(live, refused)
        else:
            self._post(live, AdmissionGranted(path=lease.path, run=lease.run, seed=seed))

    # --- by time ------------------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Have a look when the next token is there, and when somebody has waited too long."""
        if self._closed:
            return
        self._starving.watch()
        if not self.gate.waits_for_time and self._wake is None:
            return
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        now = self._clock.now()
        due = self.gate.wake_at(now)
        if due is not None:
            self._wake = self._loop.call_later(max(due - now, 1) / 1000, self._look)

    def _look(self) -> None:
        self._wake = None
        self.gate.look(self._clock.now())
        self.arrange()

    def _empty_at(self) -> int | None:
        """A bucket was empty when this session began, unless nobody can have used it before: a restart never gives a burst
        (76)."""
        return None if self._first() else self.began


def _has_limits(live: Live, lease: Lease) -> bool:
    """Whether what a lease is for needs any, by the version that its instance runs by now."""
    try:
        return live.instance.locate(lease[1])[1].resource is not None
    except KeyError:
        return False
