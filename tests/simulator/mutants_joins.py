"""Defects of joins, inboxes and parking, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from mainspring.engine.loop import TurnLoop
from mainspring.graph import plan
from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine import capturing, fold, inputs, joins, values, waves
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.inbox import Inbox
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.scope import Scope
from mainspring.machine.turn import Turn
from mainspring.queue import LeasedQueue
from tests.simulator.mutants import mutant, put

# --- any and n ------------------------------------------------------------------------------------------------------


@mutant
def any_runs_again_on_a_late_message(stack: ExitStack) -> None:
    original = waves.Wave._decide

    def decide(self: waves.Wave, node: PlanNode, state: NodeState | None) -> None:
        original(self, node, state)
        if node.need and state is not None and state.status == "completed" and not node.machine_kind:
            state.status = "running"
            self._turn.ask(
                fx.DispatchTask(self._turn.path(node), state.run, state.attempt, self._turn.instance.variables)
            )

    put(stack, waves.Wave, "_decide", decide)


@mutant
def n_counts_one_too_few(stack: ExitStack) -> None:
    original = plan.settle_joins

    def settle(made: Plan) -> None:
        original(made)
        for node in made.nodes:
            node.need -= node.need > 1

    put(stack, plan, "settle_joins", settle)


@mutant
def n_gives_up_while_a_message_can_come(stack: ExitStack) -> None:
    original = joins._by_number

    def by_number(node: PlanNode, state: NodeState) -> str:
        decision = original(node, state)
        return "skip" if decision == "wait" and state.tokens > len(state.messages or ()) else decision

    put(stack, joins, "_by_number", by_number)


@mutant
def late_message_changes_an_input(stack: ExitStack) -> None:
    """Unseen, until the node is tried again."""
    original = fold._tokens

    def tokens(scope: Scope, node: PlanNode, fired: tuple[int, ...], at: int) -> None:
        late = []
        for index in fired:
            target = scope.graph.connections[index].target
            state = scope.nodes[target]
            if scope.graph.nodes[target].need and state is not None and state.status != "pending":
                late.append((state, index))
        original(scope, node, fired, at)
        for state, index in late:
            state.messages = [*(state.messages or ()), index]

    def messages(scope: Scope, node: PlanNode, state: NodeState) -> Any:
        if node.inbox is not None:
            return [lease.payload for lease in scope.inbox(node).taken]
        return [ev.Token(index) for index in state.messages or ()]

    put(stack, fold, "_tokens", tokens)
    put(stack, values, "_messages", messages)


@mutant
def others_are_not_stopped_but_for_one(stack: ExitStack) -> None:
    original = Plan.stopped_by
    put(stack, Plan, "stopped_by", lambda self, join: original(self, join)[:-1])


@mutant
def others_are_stopped_and_one_too_many(stack: ExitStack) -> None:
    original = Plan.stopped_by

    def stopped_by(self: Plan, join: PlanNode) -> list[PlanNode]:
        region = original(self, join)
        return [*region, *(leaf for leaf in self.leaves[:1] if leaf is not join and leaf not in region)]

    put(stack, Plan, "stopped_by", stopped_by)


# --- nodes that run more than once ----------------------------------------------------------------------------------


@mutant
def taken_message_lost_at_a_crash(stack: ExitStack) -> None:
    original = fold.FOLD[ev.NodesRequeued]

    def requeued(instance: Instance, event: ev.NodesRequeued, at: int) -> None:
        original(instance, event, at)
        for ref in event.runs:
            scope, node = instance.locate(ref.path)
            inbox = scope.inbox(node) if node.inbox is not None else None
            if inbox is not None and all(lane.depth for lane in inbox.lanes):
                for lane, lease in zip(inbox.lanes, inbox.taken, strict=True):
                    lane.acknowledge(lease, at)
                inbox.take(at)

    stack.enter_context(patch.dict(fold.FOLD, {ev.NodesRequeued: requeued}))


@mutant
def second_message_in_a_queue_lost(stack: ExitStack) -> None:
    original = Inbox.deliver

    def deliver(self: Inbox, token: ev.Token, at: int) -> None:
        if not self.lanes[self.plan.lane_of[token.connection]].depth:
            original(self, token, at)

    put(stack, Inbox, "deliver", deliver)


@mutant
def taken_message_comes_back_with_a_snapshot(stack: ExitStack) -> None:
    original = capturing.restore_inbox

    def restore(plan: Any, state: Any) -> Inbox:
        inbox = original(plan, state)
        for lane, lease in zip(inbox.lanes, inbox.taken, strict=False):
            if not lane.depth:
                lane.offer(lease.payload, 0)
        return inbox

    put(stack, capturing, "restore_inbox", restore)


@mutant
def ports_take_from_one_lane_twice(stack: ExitStack) -> None:
    original = Inbox.first, Inbox.take

    def lanes(self: Inbox) -> list[LeasedQueue[ev.Token]]:
        return [self.lanes[0]] * len(self.lanes) if self.lanes[0].depth >= len(self.lanes) else self.lanes

    def take(self: Inbox, at: int) -> None:
        leases = [lane.checkout(at, None) for lane in lanes(self)]
        self.taken = [lease for lease in leases if lease is not None]

    def first(self: Inbox, at: int) -> tuple[ev.Token, ...] | None:
        if lanes(self) is self.lanes:
            return original[0](self, at)
        return tuple(message.payload for message in self.lanes[0].snapshot().messages if message.state == "line")[
            : len(self.lanes)
        ]

    put(stack, Inbox, "take", take)
    put(stack, Inbox, "first", first)


@mutant
def room_ignored(stack: ExitStack) -> None:
    original = Inbox.__init__

    def init(self: Inbox, plan: Any) -> None:
        original(self, plan)
        self.lanes = [LeasedQueue(1_000) for _ in self.lanes]

    put(stack, Inbox, "__init__", init)
    put(stack, waves, "has_room", lambda instance, node: True)


@mutant
def withheld_node_forgotten(stack: ExitStack) -> None:
    put(stack, waves.Wave, "_room_in", lambda self, node: None)


@mutant
def repeating_node_ends_too_early(stack: ExitStack) -> None:
    original = joins._by_inbox

    def by_inbox(inbox: Inbox) -> str:
        decision = original(inbox)
        return "end" if decision == "wait" and inbox.idle and inbox.results else decision

    put(stack, joins, "_by_inbox", by_inbox)


@mutant
def attempts_of_a_run_not_counted_anew(stack: ExitStack) -> None:
    def activated(instance: Instance, event: ev.NodeActivated, at: int) -> None:
        scope, node = instance.locate(event.path)
        before = scope.state(node)
        kept = before.attempt, before.failures
        original(instance, event, at)
        before.attempt, before.failures = kept

    original = fold.FOLD[ev.NodeActivated]
    stack.enter_context(patch.dict(fold.FOLD, {ev.NodeActivated: activated}))


@mutant
def mapped_input_kept_for_the_next_run(stack: ExitStack) -> None:
    def activated(instance: Instance, event: ev.NodeActivated, at: int) -> None:
        scope, node = instance.locate(event.path)
        state = scope.state(node)
        kept = state.input
        original(instance, event, at)
        state.input = kept

    original = fold.FOLD[ev.NodeActivated]
    stack.enter_context(patch.dict(fold.FOLD, {ev.NodeActivated: activated}))


@mutant
def result_of_another_run_accepted(stack: ExitStack) -> None:
    def current(self: Turn, path: str, run: int, attempt: int, *statuses: str) -> Any:
        found = self.turn_to(path)
        return original(self, path, run if found is None else found[1].run, attempt, *statuses)

    original = Turn.current
    put(stack, Turn, "current", current)


@mutant
def outputs_of_runs_out_of_order(stack: ExitStack) -> None:
    original = Inbox.outputs

    def outputs(self: Inbox) -> bytes:
        kept, self.results = self.results, self.results[::-1]
        try:
            return original.fget(self)  # type: ignore[attr-defined, no-any-return]
        finally:
            self.results = kept

    put(stack, Inbox, "outputs", property(outputs))


# --- parking --------------------------------------------------------------------------------------------------------


@mutant
def half_taken_input_left_in_memory(stack: ExitStack) -> None:
    def fault(self: TurnLoop, live: Any, input: inputs.Input, error: Exception) -> None:
        self.post(live, inputs.ParkInstance(reason=f"the machine failed: {error}"))

    put(stack, TurnLoop, "_fault", fault)


@mutant
def parked_instance_starts_nodes(stack: ExitStack) -> None:
    put(stack, waves, "STARTING", frozenset({"running", "parked"}))


@mutant
def resumed_instance_forgets_what_became_startable(stack: ExitStack) -> None:
    put(stack, waves, "go_on", lambda turn: None)
