"""What the auditor says to each event of a node under way: what is wrong with it, and then what it changes in the picture."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_blocks import lock_asked
from mainspring.testing.simulation.checks_breakers import OPEN
from mainspring.testing.simulation.checks_by_hand import given_input, is_completed
from mainspring.testing.simulation.milestones import port_of
from mainspring.testing.simulation.oracle import backoff_bounds, delay_of, mapped_input, tries_again
from mainspring.testing.simulation.standing import can_run
from mainspring.testing.simulation.watched import CRASHES_SHARED_MAX, TIMEOUT_KINDS, Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope, error_value
from mainspring.testing.simulation.work import deed


def ready(watched: Watched, event: ev.NodeReady) -> None:
    scope, id, node = watched.find(event.path)
    joined(scope, id, node)
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}, not {node.run}")
    _due(scope, id, node)
    not_stopping(scope, id)
    watched.move(node, "ready")


def joined(scope: WatchedScope, id: str, node: WatchedNode) -> None:
    """A run that begins has what its join waits for."""
    if node.status in ("pending", "gathering"):
        has = bool(node.taken) if scope.graph.rules[id].lanes else can_run(scope, id)
        scope.must(has, "a join has what it waits for", f"{id} starts: {node}")


def not_stopping(scope: WatchedScope, id: str) -> None:
    text = f"{id} starts in an instance that is {scope.whole.status}"
    scope.must(scope.whole.going, "nothing new starts", text)


def _due(scope: WatchedScope, id: str, node: WatchedNode) -> None:
    if node.status == "retrying" and node.due is not None:
        early = node.due - scope.whole.at
        scope.must(early <= 0, "no retry before its time", f"{id} starts {early} ms early")


def mapped(watched: Watched, event: ev.InputMapped) -> None:
    scope, id, node = watched.find(event.path)
    template = scope.graph.nodes[id].input
    got = msgspec.json.decode(event.input)
    wanted = None if template is None else mapped_input(template, scope.look())
    given = given_input(watched, event)
    wanted = wanted if given is UNSET else given
    scope.must(wanted is not None and got == wanted, "inputs are right", f"{id} is mapped {got}, not {wanted}")
    scope.must(not node.is_mapped, "inputs are right", f"{id} is mapped twice in run {event.run}")
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}, not {node.run}")
    node.mapped, node.is_mapped = got, True


def started(watched: Watched, event: ev.NodeStarted) -> None:
    scope, id, node = watched.find(event.path)
    again = node.status == "waiting" and node.waits_for == "handler"
    scope.must(
        again or node.status in ("pending", "gathering", "ready", "retrying"),
        "a node starts once",
        f"{id} starts while it is {node.status}",
    )
    ends = is_completed(watched, event.path)
    if not ends:
        joined(scope, id, node)
        _due(scope, id, node)
        not_stopping(scope, id)
    wanted = node.attempt + (not again)
    scope.must(event.attempt == wanted, "attempts are counted", f"{id}: attempt {event.attempt}, not {wanted}")
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}")
    retry = scope.graph.retry_of(id)
    most = retry.max_attempts if retry is not None and retry.strategy != "none" and not scope.graph.bodies[id] else 1
    scope.must(node.failures < most, "no attempt beyond maxAttempts", f"{id} after {node.failures} failures")
    scope.must(node.crashes < CRASHES_SHARED_MAX, "the crash limit holds", f"{id} after {node.crashes} crashes")
    node.attempt, node.started_at, node.epoch, node.due = event.attempt, watched.at, watched.epoch, None
    waited = node.status in ("ready", "waiting")
    watched.move(node, "running")
    if not ends and not _is_refused(watched, event):
        watched.audit.holdings.take(scope, id, node)
        watched.audit.windows.started(scope, id, node, waited)


def _is_refused(watched: Watched, event: ev.NodeStarted) -> bool:
    """Whether it is only by name that the attempt begins: a breaker refuses it in the same turn."""
    following = (one for one in watched.events[watched.place + 1 :] if getattr(one, "path", None) == event.path)
    error = getattr(next(following, None), "error", None)
    return error is not None and error.type == OPEN


def waiting(watched: Watched, event: ev.NodeWaiting) -> None:
    scope, id, node = watched.find(event.path)
    definition = scope.graph.nodes[id]
    if event.what == "timer":
        duration = delay_of(definition.config, watched.input)
        scope.must(
            event.until == watched.at + (duration or 0) > watched.at,
            "delays last",
            f"{id} waits until {event.until}, and its duration is {duration}",
        )
    elif event.what == "lock":
        lock_asked(scope, id, event)
    elif event.what == "milestone":
        port = port_of(scope, id) if definition.type == "milestone" else "none"
        scope.must(port is None, "milestones are between two nodes", f"{id} waits, and could leave by {port}")
    else:
        watched.audit.holdings.unused(scope, id)
        watched.audit.windows.unused(scope, id, node)
        named = event.what == "handler" and "absent" in definition.config
        scope.must(named, "waits are named", f"{id}: {event.what}")
    node.due, node.waits_for = event.until, event.what
    watched.move(node, "waiting")


def attempt_of(node: WatchedNode, event: Any) -> int:
    """The attempt that an event ends: one that has the node fall back does not say it."""
    return node.attempt if isinstance(event, ev.NodeFellBack) else int(event.attempt)


def report(scope: WatchedScope, id: str, event: Any) -> str:
    """The end of the attempt as the ledger has it."""
    node, epoch = scope.nodes[id], scope.whole.epoch
    scope.must(node.status == "running", "results belong to a running attempt", f"{id} is {node.status}")
    attempt = attempt_of(node, event)
    scope.must(
        (event.run, attempt) == (node.run, node.attempt),
        "results belong to the current attempt",
        f"{id}: a result of attempt {attempt}, and attempt {node.attempt} runs",
    )
    scope.must(node.epoch == epoch, "results belong to this process", f"{id} was started by epoch {node.epoch}")
    return scope.whole.audit.end_of(scope.key(id, event.run, attempt), epoch)


def attempt_failed(scope: WatchedScope, id: str, node: WatchedNode, event: Any) -> bool:
    """Look at the failure of an attempt, and say whether another one must follow."""
    fault: ev.ErrorRecord = event.error
    definition = scope.graph.nodes[id]
    kinds: tuple[str, ...] = (fault.type, "Exception")
    end = report(scope, id, event)
    if fault.type == OPEN:
        kinds = (OPEN,)
        scope.must(end == "it never began", "open is open", f"{id} is refused, and its work: {end!r}")
        scope.whole.audit.calls.refused(scope, id, event)
    elif fault.type == "NodeTimeout":
        kinds = TIMEOUT_KINDS
        late = scope.whole.at - node.started_at - (definition.timeout or 0)
        scope.must(late >= 0, "timeouts last", f"{id} times out {-late} ms early")
    else:
        key = scope.key(id, event.run, attempt_of(node, event))
        mine = deed(scope.whole.audit.world.seed, definition, key)
        right = (mine.kind, end) == (fault.type, "failed")
        scope.must(right, "failures come from work", f"{id}: {fault.type}, {mine}, {end!r}")
    if fault.type != OPEN:
        scope.whole.audit.calls.fails(scope, id)
        scope.whole.audit.windows.ended(scope, id, node, failed=True)
    scope.must(fault.attempt == attempt_of(node, event), "errors name their attempt", f"{id}: {fault}")
    budget = scope.graph.policies.bound("retry_budget")
    if budget is not None and scope.undoing is None and scope.whole.retries >= budget:
        scope.whole.audit.world.points.hit("the retry budget is spent")
        return False
    return tries_again(scope.graph.retry_of(id), node.failures + 1, fault.type, kinds, fault.fatal)


def retrying(watched: Watched, event: ev.NodeRetrying) -> None:
    scope, id, node = watched.find(event.path)
    again = attempt_failed(scope, id, node, event)
    node.failures += 1
    watched.retries += scope.undoing is None
    scope.must(again, "no attempt beyond maxAttempts", f"{id} is to be tried again after {node.failures} failures")
    retry = scope.graph.retry_of(id)
    if retry is not None:
        least, most = backoff_bounds(retry, node.failures)
        if event.error.type == OPEN:  # not before the breaker may let it through
            until = msgspec.json.decode(event.error.context)["until"]
            wait = 0 if until is None else max(until - watched.at, 0)
            least, most = max(least, wait), max(most, wait)
        delay = event.due - watched.clock
        scope.must(least <= delay <= most, "backoff is right", f"{id}: {delay} ms, not {least} to {most}")
    node.due = event.due
    node.error = error_value(event.error)
    watched.move(node, "retrying")


def requeued(watched: Watched, event: ev.NodesRequeued) -> None:
    for ref in event.runs:
        scope, id, node = watched.find(ref.path)
        scope.must(node.status == "running", "only what runs is requeued", f"{id} is {node.status}")
        wrong = watched.audit.requeue_fault(node.epoch, watched.epoch, event.crashed)
        scope.must(not wrong, "crashes are counted", f"{id}: {wrong}")
        node.crashes += event.crashed
        watched.move(node, "ready")
