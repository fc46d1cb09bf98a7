"""Defects of sagas, put in on purpose: see `mutants.py`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from msgspec import Raw
from msgspec.structs import replace

from mainspring.engine import dispatch, reading_back
from mainspring.graph import plan_undo
from mainspring.graph.plan_undo import Undo
from mainspring.journal import backwards
from mainspring.journal.backwards import Page
from mainspring.machine import capturing, fold, fold_blocks, fold_saga, inputs, stopping
from mainspring.machine import events as ev
from mainspring.machine.commands import compensation, lifecycle
from mainspring.machine.inputs import RunsRead
from mainspring.machine.instance import Instance
from mainspring.machine.nodes import running
from mainspring.machine.policies import deciding, failure, saga
from mainspring.machine.saga import Saga, UndoScope
from mainspring.machine.turn import Turn
from tests.simulator.mutants import mutant, put, rule

# --- whether and what -----------------------------------------------------------------------------------------------


@mutant
def nothing_is_undone(stack: ExitStack) -> None:
    put(stack, failure.saga, "begins", lambda turn, end: False)


@mutant
def nothing_is_undone_after_a_cancel(stack: ExitStack) -> None:
    original = saga.begins

    def begins(turn: Turn, end: ev.Event) -> bool:
        return not isinstance(end, ev.InstanceCancelled) and original(turn, end)

    put(stack, saga, "begins", begins)


@mutant
def undone_though_nobody_asked_for_it(stack: ExitStack) -> None:
    """A cancelled instance, whatever `compensateOnCancel` says."""
    original = saga.begins

    def begins(turn: Turn, end: ev.Event) -> bool:
        workflow = turn.plan.workflow
        turn.plan.workflow = replace(workflow, compensate_on_cancel=True)
        try:
            return original(turn, end)
        finally:
            turn.plan.workflow = workflow

    put(stack, saga, "begins", begins)


@mutant
def runs_in_bodies_are_not_undone(stack: ExitStack) -> None:
    original = Instance.may_undo

    def may_undo(self: Instance, path: str, undo: Undo) -> None:
        if "[" not in path:
            original(self, path, undo)

    of = backwards._of
    put(stack, Instance, "may_undo", may_undo)
    put(stack, backwards, "_of", lambda *args: of(*args) if "[" not in args[2] else (args[0].nodes[0], None))


@mutant
def other_branches_are_undone_too(stack: ExitStack) -> None:
    put(stack, saga, "_branches", lambda *args: False)


@mutant
def a_branch_that_was_skipped_counts(stack: ExitStack) -> None:
    put(stack, saga, "_came", lambda state: True)


@mutant
def what_failed_is_always_undone(stack: ExitStack) -> None:
    _undo_also(stack, failed=True)


@mutant
def what_is_in_doubt_is_always_undone(stack: ExitStack) -> None:
    _undo_also(stack, in_doubt=True)


@mutant
def what_failed_is_never_undone(stack: ExitStack) -> None:
    _undo_also(stack, failed=False)


@mutant
def what_is_in_doubt_is_never_undone(stack: ExitStack) -> None:
    _undo_also(stack, in_doubt=False)


def _undo_also(stack: ExitStack, **told: bool) -> None:
    original = plan_undo.Undo.__new__

    def new(cls: Any, *args: Any, **more: Any) -> Undo:
        return tuple.__new__(cls, original(cls, *args, **more)[:1] + _told(original(cls, *args, **more), told))

    put(stack, plan_undo.Undo, "__new__", new)


def _told(undo: Undo, told: dict[str, bool]) -> tuple[Any, ...]:
    return told.get("failed", undo.failed), told.get("in_doubt", undo.in_doubt), undo.child


# --- in which order, and how often ----------------------------------------------------------------------------------


@mutant
def undone_the_first_first(stack: ExitStack) -> None:
    original = Page.done

    def done(self: Page, row: int = 0, index: int = 0) -> RunsRead:
        page = original(self, row, index)
        return replace(page, runs=page.runs[::-1], outputs=page.outputs[::-1])

    put(stack, Page, "done", done)


@mutant
def undone_in_the_order_of_rows_alone(stack: ExitStack) -> None:
    """Several ends in one row: the first of them first."""
    original = Page.done

    def done(self: Page, row: int = 0, index: int = 0) -> RunsRead:
        page = original(self, row, index)
        both = sorted(zip(page.runs, page.outputs, strict=True), key=lambda one: -one[0].row)
        by_row: dict[int, list[Any]] = {}
        for one in both:
            by_row.setdefault(one[0].row, []).insert(0, one)
        mine = [one for some in by_row.values() for one in some]
        return replace(page, runs=tuple(one for one, _ in mine), outputs=tuple(two for _, two in mine))

    put(stack, Page, "done", done)


@mutant
def a_run_on_the_edge_of_a_page_is_lost(stack: ExitStack) -> None:
    original = Page.done
    put(stack, Page, "done", lambda self, row=0, index=0: original(self, row, max(index - 1, 0)))


@mutant
def a_page_begins_with_the_row_it_ended_in(stack: ExitStack) -> None:
    original = Page.done
    put(stack, Page, "done", lambda self, row=0, index=0: original(self, row, index + 2 if row else 0))


@mutant
def by_hand_all_is_undone_again(stack: ExitStack) -> None:
    def chosen(given: Saga, page: RunsRead) -> Any:
        yield from zip(page.runs, page.outputs, strict=True)

    original = saga._chosen
    put(stack, saga, "_chosen", lambda given, page: chosen(given, page) if given.resumed else original(given, page))


@mutant
def by_hand_only_what_was_not_tried(stack: ExitStack) -> None:
    original = saga._chosen

    def chosen(given: Saga, page: RunsRead) -> Any:
        kept, given.again = given.again, () if given.resumed else given.again
        try:
            yield from list(original(given, page))
        finally:
            given.again = kept

    put(stack, saga, "_chosen", chosen)


@mutant
def the_first_that_fails_ends_the_saga(stack: ExitStack) -> None:
    original = saga.go_on

    def go_on(turn: Turn) -> None:
        now = turn.instance.saga
        if now is not None and now.left:
            left = tuple(ev.Ref(one.path, one.run) for one in now.left)
            turn.emit(ev.CompensationEnded(left, now.undone, now.untried))
        else:
            original(turn)

    put(stack, saga, "go_on", go_on)


# --- crashes in the middle of it ------------------------------------------------------------------------------------


@mutant
def a_page_is_not_asked_for_again(stack: ExitStack) -> None:
    """After a restart, or a failed commit."""
    put(stack, lifecycle.saga, "ask_for_more", lambda turn: None)
    original = saga.begins

    def begins(turn: Turn, end: ev.Event) -> bool:
        with_saga = original(turn, end)
        if with_saga:
            turn.ask(saga.fx.ReadBack(0, 0))
        return with_saga

    put(stack, saga, "begins", begins)


@mutant
def a_failed_read_is_not_tried_again(stack: ExitStack) -> None:
    async def read(self: Any, live: Any, order: Any) -> None:
        page = await self._read(live, order)
        present = self._host.by_id.get(live.id)
        if present is not None:
            self._host.loop.post(present, page)

    async def answer(self: Any, live: Any, order: Any) -> None:
        try:
            await read(self, live, order)
        except reading_back.StoreError:
            return

    put(stack, reading_back.Reader, "_answer", answer)


@mutant
def what_is_read_back_may_find_nobody_at_home(stack: ExitStack) -> None:
    """It once was so: who waited for a page fell asleep."""
    put(stack, reading_back.Reader, "busy", lambda self: set())


@mutant
def failure_of_what_undoes_not_in_the_snapshot(stack: ExitStack) -> None:
    original = capturing._capture_saga

    def capture(given: Instance) -> Saga | None:
        found = original(given)
        return None if found is None else replace(found, unhandled=0, failure=None, writes=None)

    put(stack, capturing, "_capture_saga", capture)


@mutant
def nothing_starts_while_undoing_after_a_park(stack: ExitStack) -> None:
    original = fold.FOLD[ev.InstanceResumed]

    def resumed(given: Instance, event: ev.InstanceResumed, at: int) -> None:
        original(given, event, at)
        given.status = "running"

    stack.enter_context(_folding(ev.InstanceResumed, resumed))


def _folding(kind: type[ev.Event], how: Any) -> Any:
    return patch.dict(fold.FOLD, {kind: how})


# --- what it is told, and tells -------------------------------------------------------------------------------------


@mutant
def undone_under_the_key_of_the_work(stack: ExitStack) -> None:
    def mark(call: Any, given: Saga, scope: Any) -> None:
        original(call, given, scope)
        call.idempotency_key = call.idempotency_key.removesuffix(":undo")

    original = dispatch._mark_undoing
    put(stack, dispatch, "_mark_undoing", mark)


@mutant
def undone_with_the_output_of_the_last_run(stack: ExitStack) -> None:
    original = Page.done

    def done(self: Page, row: int = 0, index: int = 0) -> RunsRead:
        page = original(self, row, index)
        return replace(page, outputs=page.outputs[:1] * len(page.outputs))

    put(stack, Page, "done", done)


@mutant
def results_of_a_block_are_not_kept_for_its_undoing(stack: ExitStack) -> None:
    complete = running.complete

    def without(turn: Turn, node: Any, state: Any, *args: Any, **more: Any) -> bool:
        undo, node.undo = node.undo, None if more.get("derived") else node.undo
        kept = turn.emit

        def emit(event: ev.Event) -> None:
            node.undo = undo
            kept(event)

        try:
            return complete(_Emitting(turn, emit), node, state, *args, **more)  # type: ignore[arg-type]
        finally:
            node.undo = undo

    put(stack, running, "complete", without)


class _Emitting:
    """A turn with another `emit`."""

    def __init__(self, turn: Turn, emit: Any) -> None:
        object.__setattr__(self, "_turn", turn)
        object.__setattr__(self, "emit", emit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turn, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._turn, name, value)


@mutant
def what_undoes_a_later_run_is_of_another_branch(stack: ExitStack) -> None:
    """It once was so: the runs of a block did not begin at a multiple of its branches."""
    original = fold_blocks._block_started

    def started(given: Instance, event: ev.BlockStarted, at: int) -> None:
        original(given, event, at)
        scope, node = given.locate(event.path)
        scope.blocks[node.index].first = scope.state(node).bodies

    stack.enter_context(_folding(ev.BlockStarted, started))


@mutant
def what_was_left_is_not_told(stack: ExitStack) -> None:
    put(stack, saga, "told", lambda given: f"undone: {given.undone} of {given.undone} runs")


@mutant
def what_undoes_sets_variables_in_vain(stack: ExitStack) -> None:
    put(stack, fold_saga, "merge_writes", lambda into, writes: into)


@mutant
def bodies_of_what_undoes_fail_fast(stack: ExitStack) -> None:
    """It once was so, in the journal alone."""
    put(stack, deciding, "undoing", lambda scope: scope if isinstance(scope, UndoScope) else None)
    original = failure.carry_out

    def carry_out(turn: Turn, path: str, reason: str, decision: Any) -> None:
        if turn.instance.status == "compensating" and decision.what == "terminate":
            stopping.stop_nodes(turn, turn.scope.graph.nodes, reason, path)
        original(turn, path, reason, decision)

    put(stack, failure, "carry_out", carry_out)


@mutant
def cancelled_in_the_middle_of_undoing(stack: ExitStack) -> None:
    def cancel(turn: Turn, request: inputs.CancelInstance) -> None:
        if turn.instance.status == "compensating":
            turn.emit(ev.CompensationEnded((), 0, 0))
            turn.emit(ev.InstanceCancelled(Raw(b"null"), "cancelled"))
        else:
            original(turn, request)

    original = lifecycle.cancel
    rule(stack, inputs.CancelInstance, cancel)


@mutant
def a_saga_goes_on_without_being_asked(stack: ExitStack) -> None:
    """Whoever has it go on is told that it does, and it does not."""

    def again(turn: Turn, request: inputs.Compensate) -> None:
        before = turn.instance.saga
        compensation.again(turn, request)
        if before is not None:
            turn.effects.clear()

    rule(stack, inputs.Compensate, again)
