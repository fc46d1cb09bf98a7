"""Defects, put into the production code on purpose: the simulator must find every one of them.

Each is a context manager that patches one thing. Where a name that is patched goes, the patch fails loudly: then the defect
must be found a new place, not be dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from mainspring.engine import loop as turn_loop
from mainspring.engine.admission import Admission
from mainspring.engine.dispatch import Dispatcher
from mainspring.engine.host import Host
from mainspring.engine.live import Entry, Live
from mainspring.engine.loop import TurnLoop
from mainspring.engine.recovery import Recovery
from mainspring.engine.timers import Timers
from mainspring.engine.writer import Writer
from mainspring.graph import plan
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import fold, inputs, stopping, waves
from mainspring.machine import step as machine
from mainspring.machine.commands import lifecycle
from mainspring.machine.policies import failure, retry
from mainspring.machine.turn import Turn
from mainspring.stores.contents import Contents
from mainspring.stores.sqlite import writing

MUTANTS: dict[str, Callable[[], Any]] = {}


def mutant(make: Callable[[ExitStack], None]) -> None:
    """Enter it into the list under its function's name."""

    @contextmanager
    def active() -> Iterator[None]:
        with ExitStack() as stack:
            make(stack)
            yield

    MUTANTS[make.__name__] = active


def put(stack: ExitStack, owner: Any, name: str, replacement: Any) -> None:
    stack.enter_context(patch.object(owner, name, replacement))


def rule(stack: ExitStack, kind: type[inputs.Input], replacement: Callable[[Turn, Any], None]) -> None:
    stack.enter_context(patch.dict(machine.RULES, {kind: replacement}))


# --- durability -----------------------------------------------------------------------------------------------------


@mutant
def effect_before_commit(stack: ExitStack) -> None:
    original = Writer.add

    def add(self: Writer, entry: Entry) -> None:
        effects, entry.effects = entry.effects, []
        original(self, entry)
        host: Any = self._committed.__self__  # type: ignore[attr-defined]
        for effect in effects:
            host.deeds.orders[type(effect)](entry.live, effect)

    put(stack, Writer, "add", add)


@mutant
def start_acknowledged_before_commit(stack: ExitStack) -> None:
    original = TurnLoop.post

    def post(self: TurnLoop, live: Live, input: inputs.Input) -> None:
        original(self, live, input)
        if isinstance(input, inputs.StartInstance):
            live.begun()

    put(stack, TurnLoop, "post", post)


@mutant
def stale_epoch_accepted(stack: ExitStack) -> None:
    put(stack, Contents, "check", lambda self, lease: None)
    put(stack, writing, "fence", lambda connection, lease: None)


@mutant
def loss_of_the_store_ignored(stack: ExitStack) -> None:
    put(stack, Host, "lost", lambda self, error: None)


@mutant
def later_turn_kept_after_a_failed_commit(stack: ExitStack) -> None:
    original = Recovery.lost_group

    def lost_group(self: Recovery, entries: Any, error: Exception) -> None:
        lost = list(entries)
        original(self, lost[:1], error)
        for entry in lost[1:]:
            self._host.writer.add(entry)

    put(stack, Recovery, "lost_group", lost_group)


@mutant
def inputs_of_a_failed_commit_not_taken_again(stack: ExitStack) -> None:
    original = Recovery.reload
    put(stack, Recovery, "reload", lambda self, live, inputs: original(self, live, []))


@mutant
def snapshot_off_by_one(stack: ExitStack) -> None:
    original = turn_loop.encode_snapshot
    put(stack, turn_loop, "encode_snapshot", lambda number, seq, state: original(number, seq - 1, state))


# --- wake-ups and timers --------------------------------------------------------------------------------------------


@mutant
def wake_up_lost(stack: ExitStack) -> None:
    put(stack, Recovery, "want", lambda self: None)


@mutant
def writer_not_woken(stack: ExitStack) -> None:
    put(stack, Writer, "add", lambda self, entry: self._waiting.append(entry))


@mutant
def retry_timer_dropped(stack: ExitStack) -> None:
    original = Timers.arm
    put(stack, Timers, "arm", lambda self, live, timer: timer.purpose == fx.RETRY or original(self, live, timer))


@mutant
def node_timeout_dropped(stack: ExitStack) -> None:
    original = Timers.arm
    put(stack, Timers, "arm", lambda self, live, timer: timer.purpose == fx.NODE_TIMEOUT or original(self, live, timer))


@mutant
def timers_not_armed_again_on_recovery(stack: ExitStack) -> None:
    def recover(turn: Turn, request: inputs.Recover) -> None:
        lifecycle.recover(turn, request)
        turn.effects[:] = [one for one in turn.effects if not isinstance(one, fx.ArmTimer)]

    rule(stack, inputs.Recover, recover)


@mutant
def sleeper_not_woken(stack: ExitStack) -> None:
    put(stack, Recovery, "_arrange", lambda self, wake_at: None)


# --- attempts and crashes -------------------------------------------------------------------------------------------


def _current_by_status(self: Turn, path: str, run: int, attempt: int, *statuses: str) -> Any:
    found = self.turn_to(path)
    if found is None or found[1].status not in statuses:
        self.dropped = "stale"
        return None
    self.reported = found[0]
    return found


@mutant
def doubled_result_accepted(stack: ExitStack) -> None:
    put(stack, Turn, "current", _current_by_status)


@mutant
def abandoning_ignored_and_late_result_accepted(stack: ExitStack) -> None:
    def finished(turn: Turn, report: inputs.TaskFinished) -> None:
        with patch.object(Turn, "current", _current_by_status):
            original(turn, report)

    original = machine.RULES[inputs.TaskFinished]
    put(stack, Dispatcher, "abandon", lambda self, live, order: None)
    rule(stack, inputs.TaskFinished, finished)


@mutant
def crash_not_counted(stack: ExitStack) -> None:
    def requeued(instance: Any, event: ev.NodesRequeued, at: int) -> None:
        for ref in event.runs:
            fold.move(instance, ref.path, "NodesRequeued")

    stack.enter_context(patch.dict(fold.FOLD, {ev.NodesRequeued: requeued}))


@mutant
def orderly_stop_counted_as_crash(stack: ExitStack) -> None:
    def interrupt(turn: Turn, request: inputs.Interrupt) -> None:
        running = [one for one in lifecycle._open_nodes(turn) if one[2].status == "running"]
        if running:
            turn.emit(ev.NodesRequeued(lifecycle._refs(running)))

    rule(stack, inputs.Interrupt, interrupt)


@mutant
def completed_node_runs_again_on_recovery(stack: ExitStack) -> None:
    def recover(turn: Turn, request: inputs.Recover) -> None:
        lifecycle.recover(turn, request)
        for node in turn.plan.nodes:
            state = turn.instance.nodes[node.index]
            if state is not None and state.status == "completed" and not node.machine_kind:
                state.status = "running"
                turn.ask(fx.DispatchTask(node.id, state.run, state.attempt, turn.instance.variables))

    rule(stack, inputs.Recover, recover)


@mutant
def suspects_all_at_once(stack: ExitStack) -> None:
    put(stack, Admission, "ask", lambda self, live, ask: self._grant(live, (ask.path, ask.run)))


@mutant
def two_sweeps_at_once(stack: ExitStack) -> None:
    """It once was so, and an instance was in memory twice."""
    put(stack, Recovery, "sweep", Recovery._sweep)


@mutant
def nothing_ordered_again_after_a_reload(stack: ExitStack) -> None:
    rule(stack, inputs.Reattach, lambda turn, request: None)


# --- decisions ------------------------------------------------------------------------------------------------------


@mutant
def retry_without_backoff(stack: ExitStack) -> None:
    put(stack, retry, "backoff", lambda *args, **more: 0)


@mutant
def retry_beyond_the_maximum(stack: ExitStack) -> None:
    original = retry.decide
    put(
        stack,
        retry,
        "decide",
        lambda policy, failures, *args, **more: original(policy, max(failures - 1, 1), *args, **more),
    )


@mutant
def skip_not_passed_on(stack: ExitStack) -> None:
    def fold_skip(instance: Any, skip: ev.Skip, at: int) -> None:
        state = fold.move(instance, skip.path, "NodesSkipped")[2]
        state.reason, state.because, state.ended_at = skip.reason, skip.because, at

    for owner in (waves, stopping, fold):
        put(stack, owner, "fold_skip", fold_skip)


@mutant
def join_does_not_wait_for_all(stack: ExitStack) -> None:
    original = plan.finish

    def finish(node: plan.PlanNode, *args: Any) -> None:
        original(node, *args)
        if node.in_degree > 1:
            node.in_degree -= 1

    put(stack, plan, "finish", finish)


@mutant
def fail_fast_cancels_nothing(stack: ExitStack) -> None:
    put(stack, failure, "stop_all", lambda *args: None)


# --- mail -----------------------------------------------------------------------------------------------------------


@mutant
def mail_delivered_twice(stack: ExitStack) -> None:
    original = Recovery._deliver

    def deliver(self: Recovery, live: Live, message: Any) -> None:
        if message.id not in self._delivered:
            original(self, live, message)
            self._delivered.discard(message.id)
        original(self, live, message)

    put(stack, Recovery, "_deliver", deliver)


@mutant
def mail_lost_on_reload(stack: ExitStack) -> None:
    original = Recovery._replace

    def replace(self: Recovery, live: Live, loaded: Any) -> None:
        live.held = [input for input in live.held or () if not input.message]
        original(self, live, loaded)

    put(stack, Recovery, "_replace", replace)
