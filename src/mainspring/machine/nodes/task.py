"""Reports of work done outside: finished, failed, no code for it, out of time."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import waves
from mainspring.machine.inputs import HandlerMissing, HandlersFound, TaskFailed, TaskFault, TaskFinished
from mainspring.machine.instance import NodeState
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import running
from mainspring.machine.policies import failure, retry
from mainspring.machine.turn import Turn


def finished(turn: Turn, report: TaskFinished) -> None:
    """The work is done. A report whose run or attempt is not the current one is dropped (SEMANTICS 13)."""
    found = turn.current(report.path, report.run, report.attempt, "running")
    if found is None:
        return
    node, state = found
    # A custom kind declares its ports, and whoever calls its code holds it to them: a connection may leave one unused.
    if report.port is not None and report.port not in node.ports and not node.custom:
        known = ", ".join(sorted(node.ports)) or "none"
        message = (
            f"the task left by port {report.port!r}, which no connection of {turn.path(node)} has (it has: {known})"
        )
        waves.follow(turn, node, running.fail_with(turn, node, state, "UnknownPort", message))
        return
    elif node.output_check is not None and (faults := node.output_check(report.output)):
        _attempt_failed(turn, node, state, _output_fault(node, faults))
        return
    else:
        if report.variables is not None:
            turn.emit(ev.VariablesSet(Raw(report.variables), turn.path(node), state.run))
        running.complete(turn, node, state, report.output, report.port, report.cached)
    waves.advance(turn, node)


def _output_fault(node: PlanNode, faults: tuple[str, ...]) -> TaskFault:
    """A task that gave what it should not will do so again, as a rule: it is tried again only where retryOn says so."""
    fault = TaskFault("OutputInvalid", "; ".join(faults), ("OutputInvalid",))
    named = node.retry is not None and retry.matches(fault, node.retry.retry_on)
    return fault if named else msgspec.structs.replace(fault, fatal=True)


def failed(turn: Turn, report: TaskFailed) -> None:
    """The work failed: again, or for good."""
    found = turn.current(report.path, report.run, report.attempt, "running")
    if found is not None:
        _attempt_failed(turn, *found, report.fault)


def timed_out(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """The attempt took longer than the node's timeout. The order to stop it is best effort."""
    turn.ask(fx.AbandonTask(turn.path(node), state.run, state.attempt))
    kinds = ("NodeTimeout", "TimeoutError", "builtins.TimeoutError", "Exception")
    _attempt_failed(turn, node, state, TaskFault("NodeTimeout", f"no result within {node.timeout} ms", kinds))


def _attempt_failed(turn: Turn, node: PlanNode, state: NodeState, fault: TaskFault) -> None:
    waves.follow(turn, node, running.fail_attempt(turn, node, state, fault))


def handler_missing(turn: Turn, report: HandlerMissing) -> None:
    """SEMANTICS 33: the node waits for its code, and no attempt is used."""
    found = turn.current(report.path, report.run, report.attempt, "running")
    if found is not None:
        node, state = found
        running.release(turn, node, state, "unused")
        turn.emit(ev.NodeWaiting(turn.path(node), state.run, "handler", report.handler))
        failure.settle(turn)


def handlers_found(turn: Turn, report: HandlersFound) -> None:
    """The code is there: go on with the very attempt that could not begin."""
    if turn.instance.status not in STARTING:
        turn.dropped = f"the instance is {turn.instance.status}"
        return
    for path in report.paths:
        found = turn.turn_to(path)
        if found is not None and found[1].status == "waiting" and found[1].waits_for.startswith("handler"):
            begin_again(turn, *found)
    if not turn.events:
        turn.dropped = "stale"


def begin_again(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """Begin the attempt that had no code. Its slot was given back meanwhile: where it needs one, it asks again."""
    if running.resource_of(node, state) is None:
        ended = running.begin(turn, node, same_attempt=True)
    else:
        ended = running.start(turn, node)
    waves.follow(turn, node, ended)
