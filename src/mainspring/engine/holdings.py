"""What one instance has of its limits: its leases, its requests, and the lanes where it asks (SEMANTICS 72)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.definition.model import Workflow
from mainspring.engine import limit_names
from mainspring.graph.plan import Plan, PlanNode
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Holder, Lane, Need
from mainspring.limits.limit import Verdict
from mainspring.limits.pool import UNIT, Pool, Units

if TYPE_CHECKING:
    from mainspring.engine.live import Live
    from mainspring.engine.needs import Needs, Sort


class Holdings(Holder):
    """What one instance asks of its limits and has of them.

    `own` are the limits of this instance: "" is its concurrency, the others are units by their name. `lanes` are those of
    all instances that have none of their own, else this one's. At its instance's end it is empty, and serves another one of
    the same version: to make it costs more than what some steps ask of it.
    """

    __slots__ = ("gate", "id", "lanes", "live", "needs", "own", "plan", "sorts")

    def __init__(self, plan: Plan, needs: Needs, gate: Gate, lanes: dict[Sort, Lane]) -> None:
        Holder.__init__(self)
        self.plan = plan
        self.needs = needs
        self.gate = gate
        self.sorts = needs.sorts
        self.own = self._limits_of(plan.workflow)
        self.lanes = {} if self.own else lanes

    def _limits_of(self, workflow: Workflow) -> dict[str, Desk]:
        own: dict[str, Desk] = {}
        if workflow.max_concurrency is not None:
            places = Pool("", workflow.max_concurrency)
            places.held = self.leases  # whatever it holds has one of these places
            own[""] = Desk(places)
        for what, size in limit_names.amounts(workflow.quotas).items():
            own[what] = Desk(Units("", size))
        return own

    def serve(self, live: Live) -> None:
        """It is this instance's from now on."""
        self.live = live
        self.id = live.id
        for what, desk in self.own.items():
            desk.limit.key = limit_names.of_units(what, live.id) if what else limit_names.of_instance(live.id)

    def leave(self) -> None:
        """It is nobody's: they know each other, and together they would be left to the garbage collector."""
        del self.live

    def admit(self, node: PlanNode, path: str, run: int, attempt: int, now: int) -> Verdict:
        """Called by the machine: may this node start now? Where it is free it is taken."""
        # Each of these lines is on the way of every step that has a limit.
        lane = self.lanes.get(self.sorts.get(node)) or self.lane_for(node, path)  # type: ignore[arg-type]
        # Equal to a Lease, and made in a fifth of the time.
        return lane.admit(self.leases, (self.id, path, run, attempt), now)  # type: ignore[arg-type]

    def lane_for(self, node: PlanNode, path: str) -> Lane:
        """Where the request goes that is to be made for the node at `path`: a retry may need more than a first try."""
        sort = self.needs.sort_of(node, self.plan.workflow, lambda: self._has_failed(node, path))
        lane = self.lanes.get(sort)
        if lane is None:
            lane = self.lanes[sort] = self.gate.lane_in(sort.family, self._own_needs(sort))
        return lane

    def _has_failed(self, node: PlanNode, path: str) -> bool:
        state = self.live.instance.locate(path)[0].nodes[node.index]
        return state is not None and state.failures > 0

    def _own_needs(self, sort: Sort) -> tuple[Need, ...]:
        own = self.own
        units = ((own[what], round(amount * UNIT)) for what, amount in sort.resources.items() if what in own)
        return ((own[""], 1), *units) if "" in own else tuple(units)
