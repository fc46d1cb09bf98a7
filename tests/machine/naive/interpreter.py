"""Turn after turn, wave after wave: docs/semantics.md, "Routing", in its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

from .joins import Joins
from .shape import Graph, Shape
from .state import NodeState, Run
from .tasks import ends_at_once, perform
from .values import Message, Raised, default_input, holds


class Naive:
    """A graph on its way. `begin`, then a `turn` for each end of what is under way, until it is `done` or `stopped`.

    `decided`, `begun` and `skipped` tell in which order runs were decided to start and did, and nodes were skipped.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shape = Shape(graph)
        self.nodes = {id: NodeState(id, [*self._queues(id)]) for id in self.shape.nodes}
        self.joins = Joins(self.shape, self.nodes)
        self.under_way: dict[tuple[str, int], Run] = {}
        self.under_way_before: set[tuple[str, int]] = set()
        self.ended: dict[tuple[str, int], Run] = {}
        self.starting: list[Run] = []
        self.decided: list[tuple[str, int]] = []
        self.begun: list[tuple[str, int]] = []
        self.skipped: list[str] = []
        self.line: deque[str] = deque()
        self.parked = False
        self.terminated: tuple[str, Any] | None = None

    def _queues(self, id: str) -> Collection[str | None]:
        return self.shape.ports(id) if self.shape.join(id) == "ports" else (None,)

    # --- turns and waves

    def begin(self) -> None:
        """The first turn: nothing has ended, and the entry nodes start."""
        for id, node in self.nodes.items():
            if not self.shape.incoming[id]:
                self.starts(node, [])
        self.waves(self.second_part())

    def turn(self, key: tuple[str, int]) -> None:
        """A run's work is over."""
        self.under_way_before = set(self.under_way)
        run = self.under_way.pop(key)
        perform(self.shape, run, self.asks)
        self.ends(run)
        self.waves([run.node])

    def park(self) -> None:
        """Nothing starts from here on. What is skipped or ends for want of messages is decided as ever."""
        self.parked = True

    def resume(self) -> None:
        """All nodes decide, in the order of the definition; then it goes on as in any wave."""
        self.parked = False
        self.under_way_before = set(self.under_way)
        for id in self.nodes:
            if self.shape.incoming[id]:
                self.decide(id)
        self.first_part([])
        self.waves(self.second_part())

    def waves(self, ended: list[str]) -> None:
        """Until nothing ends at once."""
        while ended:
            self.first_part(ended)
            ended = self.second_part()

    def first_part(self, ended: list[str]) -> None:
        """All that can be decided, is."""
        self.line.extend(ended)
        while self.line:
            id = self.line.popleft()
            for index in self.shape.outgoing[id]:
                self.decide(self.shape.edges[index]["target"])
            if self.shape.repeats(id):
                self.decide(id)
        while self.room_was_found():
            pass
        assert not self.line

    def room_was_found(self) -> bool:
        """Those that wait for room alone decide again, in the order of the definition."""
        before = len(self.starting)
        for id, node in self.nodes.items():
            if self.shape.repeats(id) and self.joins.can_take(node):
                self.decide(id)
        return len(self.starting) > before

    def second_part(self) -> list[str]:
        """What was decided to start does so. Returns the nodes that ended by that, in order."""
        starting, self.starting = self.starting, []
        ended = [run.node for run in starting if self.terminated is None and self.begin_run(run)]
        return ended if self.terminated is None else []

    # --- deciding

    def decide(self, id: str) -> None:
        """The node's turn has come: it starts, is skipped, ends, or goes on waiting."""
        node = self.nodes[id]
        if node.final or node.busy:
            return
        if self.shape.repeats(id):
            self.decide_repeating(node)
            return
        taken = self.joins.satisfied(node)
        if taken is not None:
            if not self.parked:
                self.joined(node, taken)
        elif self.joins.hopeless(node):
            self.skip(node)

    def joined(self, node: NodeState, taken: list[Message]) -> None:
        """The join of a node that runs once is satisfied."""
        self.starts(node, taken)
        if (self.shape.nodes[node.id]["join"] or {}).get("cancelOthers"):
            self.stop_others(node.id)

    def starts(self, node: NodeState, taken: list[Message]) -> None:
        node.status = "chosen"
        self.starting.append(node.takes(taken))
        self.decided.append(self.starting[-1].key)

    def skip(self, node: NodeState) -> None:
        node.status = "skipped"
        self.skipped.append(node.id)
        self.line.append(node.id)

    def stop_others(self, join: str) -> None:
        """Cancelled where they were under way, skipped where they had not begun."""
        for id in self.shape.stopped_by(join):
            node = self.nodes[id]
            if node.final:
                continue
            begun = node.busy and node.status != "chosen"
            node.status = "cancelled" if begun else "skipped"
            if begun:
                node.runs[-1].status = "cancelled"
                del self.under_way[node.runs[-1].key]
            else:
                self.skipped.append(id)
                self.starting = [run for run in self.starting if run.node != id]
                node.runs.clear()

    # --- nodes that run more than once

    def decide_repeating(self, node: NodeState) -> None:
        if self.joins.can_take(node):
            if self.joins.has_room(node) and not self.parked:
                self.starts(node, [queue.popleft() for queue in node.inbox.values()])
        elif self.joins.nothing_can_come(node):
            if not node.runs:
                self.skip(node)
                return
            node.status = "failed" if node.failures else "completed"
            self.line.append(node.id)

    # --- runs

    def begin_run(self, run: Run) -> bool:
        """A run begins. True where it ended by that."""
        node = self.shape.nodes[run.node]
        self.nodes[run.node].status = "running"
        self.begun.append(run.key)
        try:
            mapping = node["mapping"]
            run.input = (
                default_input(self.shape, run.node, run.taken, self.graph["input"])
                if mapping is None
                else self.mapped(*mapping)
            )
        except Raised:
            run.doomed = True
        if not ends_at_once(node, run):
            self.under_way[run.key] = run
            return False
        perform(self.shape, run, self.asks)
        if node["type"] == "terminate" and run.status == "completed":
            self.terminate(run)
        else:
            self.ends(run)
        return True

    def asks(self, condition: tuple[str, Any], value: Any) -> bool:
        """Whether a condition holds in a node's own config."""
        return holds(condition, value, None, self.graph["input"], self.completed_now)

    @property
    def completed_now(self) -> set[str]:
        return {id for id, node in self.nodes.items() if node.status == "completed"}

    def terminate(self, run: Run) -> None:
        """It is done, and with it the instance: what is under way is cancelled, what has not begun is skipped."""
        self.nodes[run.node].status = "completed"
        self.ended[run.key] = run
        self.terminated = (self.shape.nodes[run.node]["decides"]["status"], run.output)
        for id, node in self.nodes.items():
            if node.final:
                continue
            node.status = "cancelled" if self.has_begun(node) else "skipped"
            if node.status == "skipped":
                self.skipped.append(id)
        self.under_way.clear()

    def has_begun(self, node: NodeState) -> bool:
        """Whether a run of it has begun: one that was chosen, and has not begun, does not count."""
        return len(node.runs) > (node.status == "chosen")

    def mapped(self, kind: str, source: str | None) -> Any:
        """The shapes of input mappings that the generator makes."""
        if kind == "raise":
            raise Raised
        output = self.nodes[source].output(False) if source else None
        return {"from": output, "x": (self.graph["input"] or {}).get("x")}

    def ends(self, run: Run) -> None:
        """A run has ended for good: its tokens are put on the connections, all at once."""
        node = self.nodes[run.node]
        node.status = "gathering" if self.shape.repeats(run.node) else run.status
        self.ended[run.key] = run
        for index in self.shape.outgoing[run.node]:
            try:
                fires = self.fires(self.shape.edges[index], run)
            except Raised:
                run.routing_faults += 1
                continue
            if fires:
                run.fired.append(index)
                payload = run.error if run.status == "failed" else run.output
                target = self.nodes[self.shape.edges[index]["target"]]
                target.inbox[self.shape.queue(index)].append(Message(index, run.number, payload))

    def fires(self, edge: dict[str, Any], run: Run) -> bool:
        if run.status == "completed":
            if edge["trigger"] == "fail" or edge["port"] not in run.ports:
                return False
        elif edge["trigger"] == "complete" or edge["port"] is not None:
            return False
        if edge["condition"] is None:
            return True
        return holds(edge["condition"], run.output, run.error, self.graph["input"], self.completed_now)

    # --- the end

    @property
    def unhandled(self) -> int:
        """The failures that nothing took care of."""
        return sum(run.unhandled for run in self.ended.values())

    @property
    def stopped(self) -> bool:
        """Whether the failure policy has ended it."""
        return self.graph["policy"] == "fail_fast" and self.unhandled > 0 and not self.parked

    @property
    def done(self) -> bool:
        """Whether all nodes have ended."""
        return all(node.final for node in self.nodes.values())

    @property
    def status(self) -> str:
        """The instance's."""
        if self.terminated is not None:
            return self.terminated[0]
        return "failed" if self.unhandled else "completed"

    def output_of(self, id: str) -> Any:
        """A node's output: a list where it can run more than once."""
        return self.nodes[id].output(self.shape.repeats(id))

    @property
    def output(self) -> Any:
        """The instance's."""
        if self.terminated is not None:
            return self.terminated[1]
        if self.status == "completed" and self.graph["output"]:
            return {id: self.output_of(id) for id in self.graph["output"]}
        leaves = [id for id in self.nodes if not self.shape.outgoing[id]]
        if len(leaves) == 1:
            return self.output_of(leaves[0])
        return {id: self.output_of(id) for id in leaves if self.nodes[id].status == "completed"}
