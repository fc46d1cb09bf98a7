"""The limits of this engine, bound to the nodes that need them (SEMANTICS 72 to 78).

The rules are in `mainspring/limits/`, which knows no engine. Here a node's definition leads to its lane, an attempt to its
lease, and an answer to an input. A lease is taken in the turn that starts the attempt, before that is durable, and given
back once the turn that ends it is. Were a turn thrown away, so is its lease: `ask_anew` keeps what runs, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from functools import partial

from mainspring.definition.model import CircuitBreaker, Workflow
from mainspring.engine import limit_names
from mainspring.engine.admission import Admission
from mainspring.engine.clock import Clock
from mainspring.engine.live import Live
from mainspring.engine.settings import EngineSettings
from mainspring.engine.starving import Starving
from mainspring.graph.plan import PlanNode
from mainspring.limits.adaptive import Adaptive
from mainspring.limits.bucket import Bucket
from mainspring.limits.fair import PRIORITIES
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Holder, Lane, Need
from mainspring.limits.limit import STOPPED, UNUSED, Ended, Lease, Limit, Refusal, Verdict
from mainspring.limits.pool import UNIT, Absent, Pool, Units
from mainspring.limits.standing import Standing, standing_of
from mainspring.machine.effects import AskAdmission, ReleaseAdmission
from mainspring.machine.inputs import AdmissionGranted, AdmissionRefused, Input

logger = logging.getLogger("mainspring.engine")

ADAPTIVE_MAX = 100
"""How many of an adaptive node run at once at most, where its definition does not say."""


class Sort:
    """Nodes that need the same, but for the limits of their instances."""

    __slots__ = ("family", "resources")

    def __init__(self, gate: Gate, node: PlanNode, workflow: Workflow, shared: tuple[Need, ...]) -> None:
        self.family = gate.family(PRIORITIES[node.definition.priority or "normal"], workflow.id, shared)
        self.resources = limit_names.amounts(node.definition.resources)


NOTHING_OWN: dict[str, Desk] = {}
"""Never added to: most instances have no limits of their own."""


class Holdings(Holder):
    """What one instance asks of its limits and has of them.

    `lanes` are those of all instances that have no limits of their own, else this one's.
    """

    __slots__ = ("id", "lanes", "limits", "live", "own", "sorts")

    def __init__(self, limits: Limits, live: Live) -> None:
        Holder.__init__(self)
        self.limits = limits
        self.live = live
        self.id = live.id
        self.sorts = limits.sorts
        workflow = live.program.plan.workflow
        if workflow.max_concurrency is None and workflow.quotas is None:
            self.own = NOTHING_OWN
            self.lanes = limits.lanes
        else:
            self.own = limits.own_of(live, self)
            self.lanes = {} if self.own else limits.lanes

    def admit(self, node: PlanNode, path: str, run: int, attempt: int, now: int) -> Verdict:
        """Called by the machine: may this node start now? Where it is free it is taken."""
        # Each of these lines is on the way of every step that has a limit.
        lane = self.lanes.get(self.sorts.get(node)) or self.lane_for(node, path)  # type: ignore[arg-type]
        # Equal to a Lease, and made in a fifth of the time.
        return lane.admit(self.leases, (self.id, path, run, attempt), now)  # type: ignore[arg-type]

    def lane_for(self, node: PlanNode, path: str) -> Lane:
        """Where the request goes that is to be made for the node at `path`: a retry may need more than a first try."""
        sort = self.limits.sort_of(node, self.live, lambda: self._has_failed(node, path))
        lane = self.lanes.get(sort)
        if lane is None:
            lane = self.lanes[sort] = self.limits.gate.lane_in(sort.family, self._own_needs(sort))
        return lane

    def _has_failed(self, node: PlanNode, path: str) -> bool:
        state = self.live.instance.locate(path)[0].nodes[node.index]
        return state is not None and state.failures > 0

    def _own_needs(self, sort: Sort) -> tuple[Need, ...]:
        own = self.own
        units = ((own[what], round(amount * UNIT)) for what, amount in sort.resources.items() if what in own)
        return ((own[""], 1), *units) if "" in own else tuple(units)


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
        self._settings = settings
        self._find = find
        self._post = post
        self._first = first
        self._breaker = breaker
        self._turns = turns
        self.gate = Gate(self._answered, settings.passed_over_max)
        self._waiting = self.gate.waiting
        self._owners: set[Holdings] = set()
        self.sorts: dict[PlanNode, Sort] = {}
        self.lanes: dict[Sort, Lane] = {}
        self.desks: dict[str, Desk] = {}
        self._by_try: dict[PlanNode, tuple[Sort, Sort]] = {}
        self._alike: dict[Hashable, Sort] = {}
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.TimerHandle | None = None
        self._closed = False
        self._starving = Starving(self.gate, clock, settings.starvation_warning_ms)

    # --- asking and giving back ---------------------------------------------------------------------------------------

    def holdings(self, live: Live) -> Holdings | None:
        """What the machine asks for this instance. None where no node of it has a limit."""
        if not live.program.plan.limited:
            return None
        held = Holdings(self, live)
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
            live.holdings = None  # they know each other: together they would be left to the garbage collector

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

    # --- what a node needs --------------------------------------------------------------------------------------------

    def own_of(self, live: Live, held: Holdings) -> dict[str, Desk]:
        """The limits of one instance: "" is its concurrency, the others are units by their name."""
        workflow = live.program.plan.workflow
        own: dict[str, Desk] = {}
        if workflow.max_concurrency is not None:
            pool = Pool(limit_names.of_instance(live.id), workflow.max_concurrency)
            pool.held = held.leases
            own[""] = Desk(pool)
        if workflow.quotas is None:
            return own
        for what, size in limit_names.amounts(workflow.quotas).items():
            own[what] = Desk(Units(limit_names.of_units(what, live.id), size))
        return own

    def sort_of(self, node: PlanNode, live: Live, failed: Callable[[], bool]) -> Sort:
        """What the node needs. Where retries have a budget of their target's, it is asked whether it has failed before."""
        found = self.sorts.get(node)
        if found is not None:
            return found
        told, workflow = node.definition.circuit_breaker, live.program.plan.workflow
        if told is None or told.retry_ratio is None:
            found = self.sorts[node] = self._sort(node, workflow, tuple(self._shared_needs(node, workflow.id)))
            return found
        by_try = self._by_try.get(node)
        if by_try is None:
            shared = tuple(self._shared_needs(node, workflow.id))
            call, budget = self._breaker(told, f"{node.place} of {workflow.id}")
            after = shared.index(call) + 1  # a retry is marked as one right after the call
            again = (*shared[:after], budget, *shared[after:])
            by_try = self._by_try[node] = self._sort(node, workflow, shared), self._sort(node, workflow, again)
        return by_try[failed()]

    def _sort(self, node: PlanNode, workflow: Workflow, shared: tuple[Need, ...]) -> Sort:
        definition = node.definition
        own = workflow.id, workflow.max_concurrency is not None, workflow.quotas
        alike = own, definition.priority, shared, definition.resources
        found = self._alike.get(alike)
        if found is None:
            found = self._alike[alike] = Sort(self.gate, node, workflow, shared)
        return found

    def _shared_needs(self, node: PlanNode, workflow: str) -> Iterable[Need]:
        definition = node.definition
        most, rate = definition.max_concurrent_executions, definition.rate_limit
        name = limit_names.of_node(node, workflow)
        sizes = limit_names.amounts(self._settings.quotas)
        if definition.adaptive:
            yield (
                self._desk(name, lambda key: Adaptive(key, most or ADAPTIVE_MAX), most or ADAPTIVE_MAX),
                1,
            )
        elif most is not None:
            yield self._desk(name, lambda key: Pool(key, most), most), 1
        if definition.pool is not None:
            yield self._pool(definition.pool), 1
        for what, amount in limit_names.amounts(definition.resources).items():
            if what in sizes:
                yield (
                    self._desk(limit_names.of_units(what, limit_names.OF_THE_ENGINE), partial(Units, size=sizes[what])),
                    round(amount * UNIT),
                )
        if definition.circuit_breaker is not None:
            yield self._breaker(definition.circuit_breaker, f"{node.place} of {workflow}")[0]
        if rate is not None:  # the last one: what is looked at after a token would have to give it back
            desk = self._desk(
                limit_names.of_rate(node, workflow),
                lambda key: Bucket(key, rate.rate, rate.per, rate.burst, self._empty_at()),
            )
            assert isinstance(desk.limit, Bucket)
            desk.limit.resize(rate.rate, rate.per, rate.burst)
            yield desk, 1

    def _pool(self, name: str) -> Desk:
        pools = self._settings.pools
        if name in pools:
            return self._desk(limit_names.of_pool(name), lambda key: Pool(key, pools[name]))
        there_are = ", ".join(sorted(pools)) or "none"
        what = f"this engine has no pool {name} (it has: {there_are}); its size is a setting: pools, or --pool {name}=N"
        return self._desk(limit_names.of_pool(name), lambda key: Absent(key, what))

    def _desk(self, key: str, make: Callable[[str], Limit], size: int | None = None) -> Desk:
        """The one desk of that name. What a later version of a workflow says of its size holds from then on."""
        desk = self.desks.get(key)
        if desk is None:
            desk = self.desks[key] = Desk(make(key))
        elif size is not None and isinstance(desk.limit, Pool):
            desk.limit.resize(size)
        return desk

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
