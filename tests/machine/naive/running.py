"""A run's life: it begins, does what can be done at once, ends and puts its tokens; and the bodies that it begins."""

from __future__ import annotations

from typing import Any

from . import failures
from .blocks import BLOCKS, Blocks
from .passes import Passes
from .scopes import Loop, Scope, Sight
from .shape import Graph
from .state import Run
from .stopping import Stopping
from .tasks import perform
from .values import Message, Raised, default_input, error_of, holds, make
from .waits import pass_milestone

BODIES_PER_TURN_MAX = 100


class Running(Stopping):
    """What happens to runs. `begun` tells in which order they began. `now` is the time, for delays `until` one.

    `decisions` tells what each failure led to, in order; `retries` counts those that draw on the budget.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.blocks = Blocks(graph["input"], self.begin_body, self.may_begin)
        self.ended: dict[tuple[str, int], Run] = {}
        self.begun: list[tuple[str, int]] = []
        self.decisions: list[tuple[str, str]] = []
        self.retries = 0
        self.bodies_begun = 0
        self.now = 0

    def to_the_line(self, scope: Scope, ended: list[str], even_so: bool = False) -> None:
        """Nodes have ended: the scope's wave stands in the line, or is put at its end."""
        if scope.closed or not (ended or even_so or scope.fresh):
            return
        if scope.wave is None:
            scope.wave = []
            self.waves.append(scope)
        scope.wave += ended

    def begin_run(self, run: Run) -> list[str]:
        """A run begins. Returns the nodes that ended by that, in order."""
        run.scope.nodes[run.node].status = "running"
        self.begun.append(run.key)
        self.under_way[run.key] = run
        if run.spec["limited"]:
            run.asks = True
            return []
        self.prepare(run)
        if run.spec["type"] == "mutex" and not run.doomed:
            run.asks = True
            return []
        return self.go(run)

    def prepare(self, run: Run) -> None:
        """Its input, and what else is worked out before anything is ordered."""
        try:
            mapping = run.spec["mapping"]
            run.came = default_input(run.scope.shape, run.node, run.taken, run.scope.entry)
            run.input = run.came if mapping is None else self.mapped(run.scope, *mapping)
            run.came = run.input
            if run.spec["type"] == "mutex":
                make(run.spec["block"]["name"], self.sees(run))
        except Raised:
            run.doomed = True

    def mapped(self, scope: Scope, kind: str, template: Any) -> Any:
        """The shapes of input mappings that the generator makes."""
        sees = Sight(scope, self.graph["input"], error=scope.error, loop=scope.loop)
        if kind == "raise":
            raise Raised
        if kind == "make":
            return make(template, sees)
        output = sees.get(f"nodes.{template}.output") if template else None
        return {"from": output, "x": (self.graph["input"] or {}).get("x")}

    def sees(self, run: Run) -> Sight:
        """What expressions in a node's own config see."""
        return self.blocks.sees(run, run.input)

    def admitted(self, run: Run) -> list[str]:
        """It has what it asked for. Returns the nodes that ended by that."""
        run.asks = False
        if run.spec["limited"]:
            self.prepare(run)
        return self.go(run)

    def go(self, run: Run) -> list[str]:
        """A run does what can be done at once. Returns the nodes that ended by that, in order."""
        kind, stopped = run.spec["type"], list[str]()
        if run.doomed:
            run.fails("MappingError")
        elif kind in BLOCKS:
            self.blocks.start(run)
        elif kind == "wait":
            self.waits.start(run, self.sees(run))
        elif kind == "milestone":
            pass_milestone(run.scope, run)
        elif kind == "function":
            run.variables = run.scope.all_variables
        elif kind != "delay" or self.is_past(run):
            self.stop_bodies(run.scope, run.spec.get("cancels", ()))
            stopped = [id for id in run.spec.get("cancels", ()) if self.stop_node(run.scope, id)]
            self.performs(run)
        return [*stopped, *self.over(run)] if run.status else stopped

    def performs(self, run: Run) -> None:
        """Its work is done, or has failed for good."""
        perform(run, self.sees(run), self.may_retry)
        if self.saga is not None and run.spec["type"] == "terminate" and run.status == "completed":
            run.fails("Undoing")

    def may_retry(self) -> bool:
        """One from the budget of the instance, on which what undoes does not draw."""
        budget = self.graph.get("retryBudget")
        if budget is None or self.saga is not None:
            return True
        self.retries += 1
        return self.retries <= budget

    def is_past(self, run: Run) -> bool:
        """Whether a delay has nothing to wait for."""
        until = run.spec.get("until")
        return bool(run.spec["duration"] == 0 if until is None else until <= self.now)

    def over(self, run: Run) -> list[str]:
        """A run has a status: what is left within it is stopped, and its tokens are put; unless something stands in for it.

        Returns the node, where it has ended.
        """
        self.stop_within(run)
        if run.status == "failed" and self.falls_back(run):
            return []
        self.under_way.pop(run.key, None)
        self.ended[run.key] = run
        self.remember(run)
        if run.spec["type"] == "terminate" and run.status == "completed" and not run.degraded:
            self.terminate(run)
        else:
            self.ends(run)
        return [run.node]

    # --- fallbacks

    def falls_back(self, run: Run) -> bool:
        """The next fallback is decided for, if there is one. It begins once the instance does not stand still."""
        stand_ins = run.spec.get("fallbacks", ())
        place = len(run.passes.begun) if run.falling and run.passes else 0
        if run.scope.stands_in or place >= len(stand_ins):
            return False
        if not run.falling:
            run.falling, run.own_error = True, run.error
            run.passes = Passes(run, [None] * len(stand_ins), len(stand_ins))
        self.decisions.append(("fallback", f"{run.key[0]} {stand_ins[place]['nodes'][0]['id']}"))
        run.status, run.error = "", None
        run.scope.nodes[run.node].status = "falling_back"
        self.stands_in(run)
        return True

    def stands_in(self, run: Run) -> None:
        """The fallback that was decided for begins, unless it has."""
        assert run.passes is not None
        if not run.passes.open:
            self.begin_body(run, len(run.passes.begun), run.came, run.scope.loop)

    def stood_in(self, run: Run, status: str, value: Any) -> None:
        """A fallback has ended: its output is the owner's, or the owner has failed as it did before."""
        if status == "completed":
            run.completes(value)
            run.degraded = True
        else:
            run.status, run.error = "failed", run.own_error

    def ends(self, run: Run) -> None:
        """A run has ended for good: its tokens are put on the connections, all at once."""
        scope, node = run.scope, run.scope.nodes[run.node]
        node.status = "gathering" if scope.shape.repeats(run.node) else run.status
        faults: list[dict[str, Any]] = []
        for index in scope.shape.outgoing[run.node]:
            try:
                fires = self.fires(scope, scope.shape.edges[index], run)
            except Raised:
                run.routing_faults += 1
                faults.append({**error_of("ConditionError"), "code": scope.shape.edges[index]["id"]})
                continue
            if fires:
                run.fired.append(index)
                payload = run.error if run.status == "failed" else run.output
                target = scope.nodes[scope.shape.edges[index]["target"]]
                target.inbox[scope.shape.queue(index)].append(Message(index, run.number, payload))
        if run.status == "failed" and not run.fired:
            assert run.error is not None
            faults.insert(0, run.error)
        elif run.status == "failed":
            self.decisions.append(("continue", run.key[0]))
        scope.unhandled += faults
        if faults and run.node not in scope.failed:
            scope.failed.append(run.node)
        decided = [self.decide_of(scope, run) for _ in faults]
        self.decisions += [(what, run.key[0]) for what in decided]
        if "terminate" in decided:
            self.stop_rest(scope)

    def decide_of(self, scope: Scope, run: Run) -> str:
        """What an unhandled failure means."""
        if scope.stands_in or scope.undoing is not None:
            return "continue"
        return failures.decision(self.graph, run.spec, scope.failed if scope is self.root else None)

    def fires(self, scope: Scope, edge: dict[str, Any], run: Run) -> bool:
        if run.status == "completed":
            if edge["trigger"] == "fail" or edge["port"] not in run.ports:
                return False
        elif edge["trigger"] == "complete" or edge["port"] is not None:
            return False
        if edge["condition"] is None:
            return True
        sees = Sight(scope, self.graph["input"], output=run.output, error=run.error, loop=scope.loop)
        return holds(edge["condition"], run.output, sees)

    # --- bodies

    def begin_body(self, run: Run, place: int, entry: Any, loop: Loop | None) -> bool:
        """A body begins, unless none may."""
        assert run.passes is not None
        if not self.may_begin(run):
            return False
        self.bodies_begun += 1
        node, bodies = run.scope.nodes[run.node], run.bodies
        body = bodies[place if len(bodies) > 1 else 0]
        if place == 0 and not run.falling:
            node.bodies += -node.bodies % len(bodies)  # each run begins at a multiple of its branches
        scope = Scope(body, self.shape_of(body), entry, run, node.bodies, place, loop)
        node.bodies += 1
        run.passes.begins(scope)
        self.scopes.append(scope)
        scope.fresh = True
        self.to_the_line(scope, [])
        return True

    def may_begin(self, run: Run) -> bool:
        """Whether a body may begin in this turn. If only the turn's share of them is used up, a timer is asked for."""
        assert run.passes is not None
        if not self.parked and self.bodies_begun >= BODIES_PER_TURN_MAX:
            run.passes.timer = True
        return not self.parked and self.bodies_begun < BODIES_PER_TURN_MAX

    def goes_on(self, run: Run) -> list[str]:
        """A block may begin bodies again. Returns its node if that was its end."""
        if run.falling:
            self.stands_in(run)
        else:
            self.blocks.go_on(run)
        return self.over(run) if run.status else []

    def scope_ends(self, scope: Scope) -> None:
        """No node of it is under way: a body is judged, and may end its block; the graph's own end is the instance's."""
        if scope is self.root:
            self.instance_ends()
            return
        status, value = "completed", None
        if scope.unhandled:
            status, value = "failed", scope.unhandled[0]
        else:
            try:
                value = self.body_output(scope)
            except Raised:
                status, value = "failed", error_of("MappingError")
        run = scope.block
        if run is None:
            self.undone(scope, status)
            return
        self.close(scope, status, value)
        if run.falling:
            self.stood_in(run, status, value)
        else:
            self.blocks.body_ended(scope, status, value)
        if run.status:
            self.to_the_line(run.scope, self.over(run))

    def instance_ends(self) -> None:
        """The graph is through."""
        raise NotImplementedError

    def undone(self, scope: Scope, status: str) -> None:
        """What undoes a run has ended."""
        raise NotImplementedError

    def body_output(self, scope: Scope) -> Any:
        output = scope.graph.get("output")
        if output is None:
            return scope.leaves_output
        return make(output, Sight(scope, self.graph["input"], loop=scope.loop))
