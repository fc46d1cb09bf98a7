"""Turn after turn, wave after wave: docs/semantics.md, "Routing", and docs/semantics-blocks.md, "the line of waves"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import failures
from .running import Running
from .scopes import Scope
from .shape import Graph, Shape
from .state import NodeState
from .tasks import attempt
from .undoing import Saga, to_undo
from .waits import Signal, pass_milestone


class Naive(Running):
    """A graph on its way. `begin`, then a turn for each thing that happens, until it is `done` or `stopped`.

    `decided` (with what they took), `begun` and `skipped` tell in which order runs were decided to start and did, and nodes
    were skipped.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.under_way_before: set[tuple[str, int]] = set()
        self.in_doubt: set[tuple[str, int]] = set()
        self.output_before: Any = None

    @property
    def shape(self) -> Shape:
        """The graph's own."""
        return self.root.shape

    # --- turns

    def begin(self) -> None:
        """The first turn: nothing has ended, and the entry nodes start."""
        self.turn_begins()
        self.root.fresh = True
        self.to_the_line(self.root, [])
        self.carry_out()

    def turn(self, key: tuple[str, int]) -> None:
        """A run's work is over."""
        self.turn_begins()
        run = self.under_way[key]
        if run.asks:
            self.admitted(run)
        if not run.status and run.spec["type"] != "mutex":
            self.performs(run)
            self.to_the_line(run.scope, self.over(run))
        elif run.status:  # (it ended by being admitted)
            self.to_the_line(run.scope, [run.node])
        self.carry_out()

    def retried(self, key: tuple[str, int]) -> None:
        """An attempt has failed, and there is to be another one."""
        attempt(self.under_way[key], self.may_retry)
        assert not self.under_way[key].status, f"{key} is tried again, by the rules it is not"

    def admit(self, key: tuple[str, int]) -> None:
        """A run that asked for admission has it, which counts once; not while the instance stands still: it asks again."""
        run = self.under_way.get(key)
        if run is None or not run.asks or self.parked:
            return
        self.turn_begins()
        self.to_the_line(run.scope, self.admitted(run))
        self.carry_out()

    def timeout(self, key: tuple[str, int]) -> None:
        """The time of a block or of a wait is over."""
        self.turn_begins()
        run = self.under_way[key]
        self.stop_within(run)
        run.times_out()
        self.to_the_line(run.scope, self.over(run))
        self.carry_out()

    def bodies_timer(self, key: tuple[str, int]) -> None:
        """A block that had begun all that it could in one turn goes on."""
        self.turn_begins()
        run = self.under_way[key]
        assert run.passes is not None
        run.passes.timer = False
        self.to_the_line(run.scope, self.goes_on(run))
        self.carry_out()

    def signal(self, kind: str, name: str, payload: Any) -> None:
        """Somebody says something."""
        self.turn_begins()
        for run in self.waits.came(Signal(kind, name, payload)):
            self.to_the_line(run.scope, self.over(run))
        self.carry_out()

    def park(self) -> None:
        """Nothing starts from here on. What is skipped or ends for want of messages is decided as ever."""
        self.parked = True

    def resume(self) -> None:
        """All nodes of all scopes decide, in the order of the definition, as in any wave; and blocks go on."""
        self.parked = False
        self.turn_begins()
        for scope in [*self.scopes[1:], self.root]:
            if scope.terminates and not scope.closed and not self.saga:
                self.stop_rest(scope)
        if self.halted:
            self.instance_ends()
            return
        open = list(self.scopes)
        for scope in open:
            scope.all_decide = True
            self.to_the_line(scope, [], even_so=True)
        for run in [node.runs[-1] for scope in open for node in scope.nodes.values() if node.busy]:
            if run.passes is not None and not run.status:
                self.to_the_line(run.scope, self.goes_on(run))
        self.carry_out()

    def turn_begins(self) -> None:
        self.under_way_before = set(self.under_way)
        self.bodies_begun = 0

    def works(self, key: tuple[str, int]) -> bool:
        """Whether a run's end is not the graph's to say: a task's, or a delay's."""
        run = self.under_way.get(key)
        return run is not None and run.spec["type"] in ("function", "delay") and not run.falling

    def outlives(self, key: tuple[str, int]) -> bool:
        """Whether a run under way is one that a timeout ends for good: a block's, or a wait's."""
        run = self.under_way.get(key)
        return run is not None and not run.falling and (run.passes is not None or run.spec["type"] in ("wait", "mutex"))

    # --- the line of waves

    def carry_out(self) -> None:
        """Wave after wave, until the line is empty."""
        while self.waves and not self.halted:
            scope = self.waves.popleft()
            ended, scope.wave = scope.wave or [], None
            self.wave(scope, ended)
            if not self.halted and scope.wave is None and not scope.closed and scope.done and not self.parked:
                self.scope_ends(scope)
        if self.halted:
            self.instance_ends()

    def wave(self, scope: Scope, ended: list[str]) -> None:
        """One wave, in its own scope. What ended at once is its next one."""
        scope.line.extend(ended)
        if scope.fresh:
            scope.fresh = False
            for id, node in scope.nodes.items():
                if not scope.shape.incoming[id]:
                    self.starts(scope, node, [])
        else:
            if scope.all_decide:
                scope.all_decide = False
                for id in scope.nodes:
                    if scope.shape.incoming[id]:
                        self.decide(scope, id)
            self.first_part(scope)
        at_once: list[str] = []
        while scope.starting and not self.halted and not scope.closed:
            at_once += self.begin_run(scope.starting.pop(0))
        at_once += self.milestones(scope)
        if not self.halted:
            self.to_the_line(scope, at_once)

    def milestones(self, scope: Scope) -> list[str]:
        """Those that wait decide again, unless the instance stands still; then those leave that can, which are returned."""
        if self.parked or self.halted:
            return []
        waiting = [node.runs[-1] for node in scope.nodes.values() if node.busy and node.status == "running"]
        waiting = [run for run in waiting if run.spec["type"] == "milestone"]
        leaving = [run for run in waiting if pass_milestone(scope, run)]
        left = []
        for run in leaving:
            if scope.nodes[run.node].final:  # (stopped, by a failure that the end of one before brought)
                run.status = "cancelled"
                self.under_way.pop(run.key, None)
            else:
                self.over(run)
                left.append(run.node)
        return left

    # --- sagas

    def instance_ends(self) -> None:
        """It would end now: what was done is undone before, if that is asked for, and if there is anything."""
        undoes = self.status == "failed" or (self.status == "cancelled" and self.graph.get("compensateOnCancel"))
        if self.saga is not None or not undoes:
            return
        done = [one for one in self.done_runs if not one.perhaps or one[:2] in self.in_doubt]
        arrows = [(edge["source"], edge["target"]) for edge in self.shape.edges]
        statuses = {id: node.status for id, node in self.nodes.items()}
        failed = [
            id
            for id, node in self.nodes.items()
            if node.status == "failed" and any(run.status == "failed" and not run.fired for run in node.runs)
        ]
        order = to_undo(done, self.graph.get("scope") or "workflow", arrows, statuses, failed)
        if order:
            self.output_before = self.output
            self.saga = Saga(order)

    def undo(self, path: str, number: int) -> None:
        """The next run is undone: it must be this one."""
        saga = self.saga
        assert saga is not None, f"run {number} of {path} is undone, by the rules nothing is"
        assert saga.order and saga.doing is None, f"run {number} of {path} is undone out of its turn"
        saga.doing = done = saga.order.pop(0)
        assert (path, number) == done[:2], f"run {number} of {path} is undone, by the rules it is {done[:2]}"
        if path in self.nodes:
            self.nodes[path].status = "compensating"
        scope = Scope(done.undo, self.shape_of(done.undo), done.output)
        scope.parent, scope.prefix = self.root, f"{path}[undo:{number}]."
        id = path.rpartition(".")[2]
        scope.undoes = {"node": id, "path": path, "run": number, "output": done.output, "remaining": len(saga.order)}
        self.scopes.append(scope)
        scope.fresh = True
        self.to_the_line(scope, [])
        self.carry_out()

    def undone(self, scope: Scope, status: str) -> None:
        """What undoes a run has ended, well or badly."""
        assert self.saga is not None
        assert self.saga.doing is not None
        scope.closed = True
        self.scopes.remove(scope)
        path, number, *_ = self.saga.doing
        self.saga.doing = None
        self.saga.told.append((path, number, status == "completed"))
        if status == "completed":
            self.root.variables.update(scope.variables)
        if path in self.nodes:
            self.nodes[path].status = "compensated" if status == "completed" else "compensation_failed"

    # --- the end

    @property
    def open_nodes(self) -> Iterator[tuple[str, NodeState]]:
        """The nodes of all open scopes, with their addresses."""
        for scope in self.scopes:
            for id, node in scope.nodes.items():
                yield scope.prefix + id, node

    @property
    def unhandled(self) -> int:
        """The failures that nothing took care of, of the graph's own nodes."""
        return len(self.root.unhandled)

    @property
    def stopped(self) -> bool:
        """Whether the failure policy has ended it."""
        return self.root.terminates and not self.parked

    @property
    def done(self) -> bool:
        """Whether all nodes have ended."""
        return self.root.done and (self.saga is None or self.saga.over)

    @property
    def status(self) -> str:
        """The instance's."""
        if self.terminated is not None:
            return self.terminated[0]
        return failures.ending(self.graph, self.root.failed)

    def output_of(self, id: str) -> Any:
        """A node's output: a list where it can run more than once."""
        return self.root.output_of(id)

    @property
    def output(self) -> Any:
        """The instance's."""
        if self.saga is not None:
            return self.output_before
        if self.terminated is not None:
            return self.terminated[1]
        if self.status in ("completed", "partial_success") and self.graph["output"]:
            return {id: self.output_of(id) for id in self.graph["output"]}
        return self.root.leaves_output
