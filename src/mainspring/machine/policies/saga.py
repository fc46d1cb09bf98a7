"""Compensation: when a saga begins, what it undoes next, and how the instance ends after it (SEMANTICS 64-70)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.fold_saga import to_undo
from mainspring.machine.inputs import RunsRead
from mainspring.machine.instance import Instance
from mainspring.machine.saga import LEFT_MAX, Saga, UndoScope
from mainspring.machine.scope import NodeState
from mainspring.machine.turn import Turn, WaveToCome

NAMED_MAX = 5
"""So many runs that could not be undone are named in the reason of the end."""

_ENDS: dict[type[ev.Event], str] = {ev.InstanceFailed: "failed", ev.InstanceCancelled: "cancelled"}


# --- the beginning ----------------------------------------------------------------------------------------------------


def begins(turn: Turn, end: ev.Event) -> bool:
    """Whether what was done is undone before the instance ends so. Then that has begun."""
    instance = turn.instance
    ends = _ENDS.get(type(end))
    if ends is None or instance.saga is not None or not instance.undoable:
        return False
    workflow = turn.plan.workflow
    if ends == "cancelled" and not workflow.compensate_on_cancel:
        return False
    failed = _first_failed(instance)
    scope = workflow.compensation_scope or "workflow"
    nodes = _branch(instance, failed) if scope == "branch" else ()
    if not to_undo(instance, nodes):
        return False
    first = failed[0] if failed and ends == "failed" else None
    path, error = ("", None) if first is None else (turn.plan.nodes[first].id, _error(instance.nodes[first]))
    reason: str = end.reason  # type: ignore[attr-defined]
    output: Raw = end.output  # type: ignore[attr-defined]
    turn.emit(ev.CompensationStarted(scope, reason, (), ends, path, error, nodes, output=output))
    if turn.plan.timeout is not None:
        turn.ask(fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT))
    ask_for_more(turn)
    return True


def begin(turn: Turn) -> None:
    """The saga has started: have the first page read, or see that there is nothing to be undone."""
    saga = turn.instance.saga
    assert saga is not None, "it has started"
    if saga.total:
        turn.ask(fx.ReadBack(0, 0))
    else:
        turn.emit(ev.CompensationEnded())


def _error(state: NodeState | None) -> ev.ErrorRecord | None:
    return None if state is None else state.error


def _first_failed(instance: Instance) -> Sequence[int]:
    """The numbers of the nodes whose failure nobody took, in the order in which they failed."""
    failed = [
        (state.ended_at, index)
        for index, state in enumerate(instance.nodes)
        if state is not None and state.status == "failed" and not state.handled
    ]
    return [index for _, index in sorted(failed)]


def _branch(instance: Instance, failed: Sequence[int]) -> tuple[str, ...]:
    """The failed nodes, and what led to each of them since the last point from which another branch started."""
    found: set[int] = set()
    for index in failed:
        found |= _back_from(instance, index)
    return tuple(instance.plan.nodes[index].id for index in sorted(found))


def _back_from(instance: Instance, failed: int) -> set[int]:
    nodes = instance.plan.nodes
    before = {failed}
    line = [failed]
    for index in line:
        for source in {edge.source for edge in nodes[index].incoming} - before:
            before.add(source)
            line.append(source)
    found = {failed}
    line = [failed]
    for index in line:
        for edge in nodes[index].incoming:
            if edge.source not in found and not _branches(instance, nodes[edge.source], before):
                found.add(edge.source)
                line.append(edge.source)
    return found


def _branches(instance: Instance, node: PlanNode, before: set[int]) -> bool:
    """Whether something that does not lead to the failed node came after this one. What was skipped did not."""
    return any(edge.target not in before and _came(instance.nodes[edge.target]) for edge in node.outgoing)


def _came(state: NodeState | None) -> bool:
    return state is not None and state.status not in ("pending", "skipped")


# --- one run after the other ------------------------------------------------------------------------------------------


def ask_for_more(turn: Turn) -> None:
    """Have the next page read back, unless something else is to be done first."""
    saga = turn.instance.saga
    if saga is None or saga.over or saga.doing or saga.at < len(saga.runs):
        return
    turn.ask(fx.ReadBack(saga.row, saga.index))


def read(turn: Turn, page: RunsRead) -> bool:
    """Runs that were read back from the journal: those that are to be undone are next. False: nobody waits for them."""
    saga = turn.instance.saga
    if turn.instance.status != "compensating" or saga is None or saga.doing or saga.at < len(saga.runs):
        return False
    if (page.row, page.index) != (saga.row, saga.index) or (saga.started and not saga.row):
        return False
    chosen = list(_chosen(saga, page))
    outputs = Raw(b"[" + b",".join(output for _, output in chosen) + b"]")
    turn.emit(ev.CompensationPlanned(tuple(done for done, _ in chosen), outputs, page.next_row, page.next_index))
    go_on(turn)
    return True


def _chosen(saga: Saga, page: RunsRead) -> Iterable[tuple[ev.Done, bytes]]:
    nodes = frozenset(saga.nodes)
    again = {(one.path, one.run) for one in saga.again}
    reached = saga.stopped_at is None
    for done, output in zip(page.runs, page.outputs, strict=True):
        if nodes and done.path.partition("[")[0] not in nodes:
            continue
        # One event may have ended several runs, of which only the first were taken up; they are all on one page.
        reached = reached or (done.path, done.run) == saga.stopped_at
        untried = (done.row, done.index) < saga.stopped
        if untried and not reached:
            untried = (done.row, done.index + 1) < saga.stopped
        if saga.resumed and (done.path, done.run) not in again and not untried:
            continue  # it is undone
        yield done, output


def go_on(turn: Turn) -> None:
    """Undo the next run, or have more of them read, or end."""
    saga = turn.instance.saga
    assert saga is not None and not saga.doing, "one at a time"
    if saga.at == len(saga.runs) and saga.row and saga.taken < saga.total:
        turn.ask(fx.ReadBack(saga.row, saga.index))
    elif saga.at == len(saga.runs) or len(saga.left) >= LEFT_MAX:
        left = tuple(ev.Ref(one.path, one.run) for one in saga.left)
        turn.emit(ev.CompensationEnded(left, saga.undone, saga.untried))
    else:
        done = saga.runs[saga.at]
        turn.emit(ev.NodeCompensating(done.path, done.run, saga.round))
        scope = next(one for one in turn.instance.open.values() if isinstance(one, UndoScope))
        turn.line[scope] = WaveToCome([], scope.graph.roots)


def scope_over(turn: Turn, scope: UndoScope) -> None:
    """The undo node has ended, and with it the undoing of that run, well or badly."""
    done = scope.done
    turn.scope = turn.instance
    if scope.unhandled:
        assert scope.error is not None, "what fails has an error"
        turn.emit(ev.NodeCompensationFailed(done.path, done.run, scope.error))
    else:
        turn.emit(ev.NodeCompensated(done.path, done.run))
    go_on(turn)


def why_not_again(instance: Instance, for_parent: bool = False) -> str:
    """Why a saga cannot be taken up again ("": it can)."""
    saga = instance.saga
    if for_parent and (saga is None or (saga.over and saga.left == [] and not saga.untried)):
        return "" if instance.status in ("completed", "partial_success") else "there is nothing to be undone"
    if saga is None or not saga.over:
        return "nothing was to be undone" if saga is None else "it is being undone"
    return "" if saga.left or saga.untried else "nothing is left to be undone"


# --- the end ----------------------------------------------------------------------------------------------------------


def end(instance: Instance) -> ev.Event | None:
    """How the instance ends after its saga (None: that goes on)."""
    saga = instance.saga
    if saga is None or not saga.over:
        return None
    if saga.ends in ("completed", "partial_success"):
        return _of_child(instance, saga)
    output = Raw(saga.output)
    reason = f"{saga.reason}; {told(saga)}" if saga.reason else told(saga)
    if saga.ends == "cancelled":
        return ev.InstanceCancelled(output, reason)
    return ev.InstanceFailed(output, reason)


def _of_child(instance: Instance, saga: Saga) -> ev.Event:
    """A child that its parent had undone is that, or as it was."""
    output = Raw(saga.output)
    if not saga.left and not saga.untried:
        return ev.InstanceCompensated(told(saga))
    if saga.ends == "partial_success":
        return ev.InstancePartiallySucceeded(output, told(saga))
    return ev.InstanceCompleted(output, instance.degraded > 0, told(saga))


def told(saga: Saga) -> str:
    """What came of a saga, in words."""
    total = saga.undone + len(saga.left) + saga.untried
    parts = [f"undone: {saga.undone} of {total} {'run' if total == 1 else 'runs'}"]
    if saga.left:
        named = ", ".join(_name(one.path, one.run) for one in saga.left[:NAMED_MAX])
        more = len(saga.left) - NAMED_MAX
        parts.append(f"not undone: {named}{f' and {more} more' if more > 0 else ''}")
    if saga.untried:
        parts.append(f"not tried: {saga.untried}")
    return "; ".join(parts)


def _name(path: str, run: int) -> str:
    return path if run == 1 else f"{path} (run {run})"
