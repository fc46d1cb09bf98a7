"""What the auditor says to each event of a node: what is wrong with it, and then what it changes in the picture."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_runs import all_ended, is_whole, run_ended
from mainspring.testing.simulation.oracle import backoff_bounds, delay_of, mapped_input, tries_again
from mainspring.testing.simulation.standing import can_run, send
from mainspring.testing.simulation.watched import (
    CRASHES_MAX,
    CRASHES_SHARED_MAX,
    TIMEOUT_KINDS,
    RunEnd,
    Watched,
    WatchedNode,
)
from mainspring.testing.simulation.work import deed


def ready(watched: Watched, event: ev.NodeReady) -> None:
    node = watched.nodes[event.path]
    _joined(watched, event.path, node)
    watched.must(event.run == node.run, "runs are counted", f"{event.path}: run {event.run}, not {node.run}")
    _due(watched, event.path, node)
    _not_stopping(watched, event.path)
    watched.move(node, "ready")


def _joined(watched: Watched, path: str, node: WatchedNode) -> None:
    """A run that begins has what its join waits for."""
    if node.status in ("pending", "gathering"):
        has = bool(node.taken) if watched.graph.rules[path].lanes else can_run(watched, path)
        watched.must(has, "a join has what it waits for", f"{path} starts: {node}")


def _not_stopping(watched: Watched, path: str) -> None:
    watched.must(
        watched.status == "running", "nothing new starts", f"{path} starts in an instance that is {watched.status}"
    )


def _due(watched: Watched, path: str, node: WatchedNode) -> None:
    if node.status == "retrying" and node.due is not None and watched.at < node.due:
        watched.flag("no retry before its time", f"{path} starts {node.due - watched.at} ms early")


def mapped(watched: Watched, event: ev.InputMapped) -> None:
    node = watched.nodes[event.path]
    template = watched.graph.nodes[event.path].input
    got = msgspec.json.decode(event.input)
    wanted = None if template is None else mapped_input(template, watched.values())
    watched.must(
        wanted is not None and got == wanted, "inputs are right", f"{event.path} is mapped {got}, not {wanted}"
    )
    watched.must(not node.is_mapped, "inputs are right", f"{event.path} is mapped twice in run {event.run}")
    watched.must(event.run == node.run, "runs are counted", f"{event.path}: run {event.run}, not {node.run}")
    node.mapped, node.is_mapped = got, True


def started(watched: Watched, event: ev.NodeStarted) -> None:
    node = watched.nodes[event.path]
    again = node.status == "waiting" and watched.graph.nodes[event.path].type != "delay"
    watched.must(
        again or node.status in ("pending", "gathering", "ready", "retrying"),
        "a node starts once",
        f"{event.path} starts while it is {node.status}",
    )
    _joined(watched, event.path, node)
    _due(watched, event.path, node)
    _not_stopping(watched, event.path)
    wanted = node.attempt + (not again)
    watched.must(
        event.attempt == wanted, "attempts are counted", f"{event.path}: attempt {event.attempt}, not {wanted}"
    )
    watched.must(event.run == node.run, "runs are counted", f"{event.path}: run {event.run}")
    retry = watched.graph.retry_of(event.path)
    most = retry.max_attempts if retry is not None and retry.strategy != "none" else 1
    watched.must(node.failures < most, "no attempt beyond maxAttempts", f"{event.path} after {node.failures} failures")
    watched.must(
        node.crashes < CRASHES_SHARED_MAX, "the crash limit holds", f"{event.path} after {node.crashes} crashes"
    )
    node.attempt, node.started_at, node.epoch, node.due = event.attempt, watched.at, watched.epoch, None
    watched.move(node, "running")


def waiting(watched: Watched, event: ev.NodeWaiting) -> None:
    node = watched.nodes[event.path]
    config = watched.graph.nodes[event.path].config
    if event.what == "timer":
        duration = delay_of(config, watched.input)
        watched.must(
            event.until == watched.at + (duration or 0) > watched.at,
            "delays last",
            f"{event.path} waits until {event.until}, and its duration is {duration}",
        )
    else:
        watched.must(event.what == "handler" and "absent" in config, "waits are named", f"{event.path}: {event.what}")
    node.due = event.until
    watched.move(node, "waiting")


def _report(watched: Watched, path: str, event: Any) -> str:
    """The end of the attempt as the ledger has it."""
    node = watched.nodes[path]
    watched.must(node.status == "running", "results belong to a running attempt", f"{path} is {node.status}")
    watched.must(
        (event.run, event.attempt) == (node.run, node.attempt),
        "results belong to the current attempt",
        f"{path}: a result of attempt {event.attempt}, and attempt {node.attempt} runs",
    )
    watched.must(
        node.epoch == watched.epoch, "results belong to this process", f"{path} was started by epoch {node.epoch}"
    )
    return watched.audit.end_of((watched.id, path, event.run, event.attempt), watched.epoch)


def completed(watched: Watched, event: ev.NodeCompleted) -> None:
    path, node = event.path, watched.nodes[event.path]
    if is_whole(watched, path):
        all_ended(watched, path, node, event)
        watched.move(node, "completed")
        send(watched, path, set(), 1, last=True)
        return
    fired = _did(watched, path, node, event)
    node.output = msgspec.json.decode(event.output)
    watched.move(node, "completed")
    send(watched, path, fired, 1, last=True)


def run_completed(watched: Watched, event: ev.RunCompleted) -> None:
    path, node = event.path, watched.nodes[event.path]
    fired = _did(watched, path, node, event)
    run_ended(watched, path, node, RunEnd(msgspec.json.decode(event.output), None, False))
    send(watched, path, fired, event.run, last=False)


def _did(watched: Watched, path: str, node: WatchedNode, event: ev.NodeCompleted | ev.RunCompleted) -> set[int]:
    """A run ended well: with the output of its work, and firing what that fires."""
    definition = watched.graph.nodes[path]
    output = msgspec.json.decode(event.output)
    if definition.type == "function":
        end = _report(watched, path, event)
        mine = deed(watched.audit.world.seed, definition, (watched.id, path, event.run, event.attempt))
        watched.must(end in ("ok", "abandoned"), "results come from work", f"{path} completes, and its work: {end!r}")
        watched.must(
            (mine.kind, mine.value, mine.port) == ("ok", output, event.port),
            "outputs are right",
            f"{path} attempt {event.attempt}: {output} by {event.port}, but the work was {mine}",
        )
    else:
        wanted = watched.input_of(path)
        watched.must(output == wanted, "outputs are right", f"{path} hands on {output}, not {wanted}")
        if definition.type == "delay":
            at_once = delay_of(definition.config, watched.input) == 0
            watched.must(
                node.status == ("running" if at_once else "waiting"), "delays last", f"{path} is {node.status}"
            )
            early = (node.due or node.started_at) - watched.at
            watched.must(early <= 0, "delays last", f"{path} ends {early} ms before its time")
    node.error, node.due = None, None
    values = watched.values()
    values.outputs[path] = output  # its own source has ended for a condition
    values.completed.add(path)
    fired, raising = watched.graph.fired_by_completion(path, event.port, output, values)
    _routed(watched, path, node, set(event.fired), fired, raising)
    return fired


def _routed(watched: Watched, path: str, node: WatchedNode, got: set[int], wanted: set[int], raising: set[int]) -> None:
    watched.must(got == wanted, "routing is right", f"{path} fires {sorted(got)}, not {sorted(wanted)}")
    watched.audit.raising[watched.id, path] = raising


def failed(watched: Watched, event: ev.NodeFailed) -> None:
    path, node = event.path, watched.nodes[event.path]
    if is_whole(watched, path):
        all_ended(watched, path, node, event)
        error = _error(event.error)
        watched.must(error == node.error, "a node ends as its runs did", f"{path}: {error}, not {node.error}")
        watched.move(node, "failed")
        send(watched, path, set(), 1, last=True)
        return
    fired = _did_not(watched, path, node, event)
    watched.move(node, "failed")
    send(watched, path, fired, 1, last=True)


def run_failed(watched: Watched, event: ev.RunFailed) -> None:
    path, node = event.path, watched.nodes[event.path]
    fired = _did_not(watched, path, node, event)
    run_ended(watched, path, node, RunEnd(None, node.error, event.handled))
    send(watched, path, fired, event.run, last=False)


def _did_not(watched: Watched, path: str, node: WatchedNode, event: ev.NodeFailed | ev.RunFailed) -> set[int]:
    """A run failed for good: for a reason that there is, and firing what that fires."""
    error = _error(event.error)
    if event.error.type == "UnknownPort":
        mine = deed(watched.audit.world.seed, watched.graph.nodes[path], (watched.id, path, event.run, event.attempt))
        _report(watched, path, event)
        known = {edge.port for edge in watched.graph.outgoing[path]}
        watched.must(
            mine.port not in known, "routing is right", f"{path} fails for port {mine.port!r}, and has {known}"
        )
    elif event.error.type == "CrashLimit":
        watched.must(node.crashes >= CRASHES_MAX, "the crash limit holds", f"{path} after {node.crashes} crashes")
    elif event.error.type in ("MappingError", "DelayError"):
        _not_begun(watched, path, node, event)
    else:
        again = _attempt_failed(watched, path, node, event)
        watched.must(not again, "retries are made", f"{path} gives up after {node.failures + 1} failures")
    node.failures += 1
    node.error, node.due = error, None
    fired, raising = watched.graph.fired_by_failure(path, error, watched.values())
    _routed(watched, path, node, set(event.fired), fired, raising)
    watched.must(event.handled == bool(fired), "handled is what fires", f"{path}: handled is {event.handled}")
    watched.unhandled += not event.handled
    return fired


def _not_begun(watched: Watched, path: str, node: WatchedNode, event: ev.NodeFailed | ev.RunFailed) -> None:
    """An expression of the node's own could not be evaluated: nothing was ordered."""
    definition = watched.graph.nodes[path]
    if event.error.type == "DelayError":
        watched.must(
            definition.type == "delay" and delay_of(definition.config, watched.input) is None,
            "failures have a cause",
            f"{path} has a duration: {definition.config}",
        )
        watched.must(node.status == "running", "failures have a cause", f"{path} is {node.status}")
        return
    raises = definition.input is not None and mapped_input(definition.input, watched.values()) is None
    watched.must(raises and not node.is_mapped, "failures have a cause", f"{path} has an input: {definition.input}")
    watched.must(event.run == node.run, "runs are counted", f"{path}: run {event.run}, not {node.run}")
    _joined(watched, path, node)
    _not_stopping(watched, path)
    watched.audit.world.points.hit("template raises")


def _attempt_failed(watched: Watched, path: str, node: WatchedNode, event: Any) -> bool:
    """Look at the failure of an attempt, and say whether another one must follow."""
    fault: ev.ErrorRecord = event.error
    definition = watched.graph.nodes[path]
    kinds: tuple[str, ...] = (fault.type, "Exception")
    end = _report(watched, path, event)
    if fault.type == "NodeTimeout":
        kinds = TIMEOUT_KINDS
        late = watched.at - node.started_at - (definition.timeout or 0)
        watched.must(late >= 0, "timeouts last", f"{path} times out {-late} ms early")
    else:
        mine = deed(watched.audit.world.seed, definition, (watched.id, path, event.run, event.attempt))
        watched.must(
            (mine.kind, end) == (fault.type, "failed"),
            "failures come from work",
            f"{path}: {fault.type}, {mine}, {end!r}",
        )
    watched.must(fault.attempt == event.attempt, "errors name their attempt", f"{path}: {fault}")
    return tries_again(watched.graph.retry_of(path), node.failures + 1, fault.type, kinds, fault.fatal)


def retrying(watched: Watched, event: ev.NodeRetrying) -> None:
    path, node = event.path, watched.nodes[event.path]
    again = _attempt_failed(watched, path, node, event)
    node.failures += 1
    watched.must(again, "no attempt beyond maxAttempts", f"{path} is to be tried again after {node.failures} failures")
    retry = watched.graph.retry_of(path)
    if retry is not None:
        least, most = backoff_bounds(retry, node.failures)
        delay = event.due - watched.at
        watched.must(least <= delay <= most, "backoff is right", f"{path}: {delay} ms, not {least} to {most}")
    node.due = event.due
    node.error = _error(event.error)
    watched.move(node, "retrying")


def routing_failed(watched: Watched, event: ev.RoutingFailed) -> None:
    raising = watched.audit.raising.get((watched.id, event.path), set())
    watched.must(event.connection in raising, "routing is right", f"{event.path}: connection {event.connection} failed")
    watched.unhandled += 1


def requeued(watched: Watched, event: ev.NodesRequeued) -> None:
    for ref in event.runs:
        node = watched.nodes[ref.path]
        watched.must(node.status == "running", "only what runs is requeued", f"{ref.path} is {node.status}")
        wrong = watched.audit.requeue_fault(node.epoch, watched.epoch, event.crashed)
        watched.must(not wrong, "crashes are counted", f"{ref.path}: {wrong}")
        node.crashes += event.crashed
        watched.move(node, "ready")


def _error(error: ev.ErrorRecord) -> dict[str, Any]:
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "context": msgspec.json.decode(error.context),
        "fatal": error.fatal,
    }
