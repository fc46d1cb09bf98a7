"""What the auditor says to each event of a node: what is wrong with it, and then what it changes in the picture."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation.oracle import backoff_bounds, tries_again
from mainspring.testing.simulation.watched import (
    CRASHES_MAX,
    CRASHES_SHARED_MAX,
    FINAL,
    TIMEOUT_KINDS,
    Watched,
    WatchedNode,
)
from mainspring.testing.simulation.work import deed


def ready(watched: Watched, event: ev.NodeReady) -> None:
    node = watched.nodes[event.path]
    if node.status == "pending":
        watched.joined(event.path, node)
    _due(watched, event.path, node)
    _not_stopping(watched, event.path)
    watched.move(node, "ready")


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
    if template is None:
        watched.flag("inputs are right", f"{event.path} has no mapping")
        return
    source = template["y"].split(".")[1]
    other = watched.nodes[source].output
    wanted = {"x": watched.input["k"], "y": other.get("v") if isinstance(other, dict) else None}
    watched.must(got == wanted, "inputs are right", f"{event.path} is mapped {got}, not {wanted}")
    node.mapped, node.is_mapped = got, True


def started(watched: Watched, event: ev.NodeStarted) -> None:
    node = watched.nodes[event.path]
    again = node.status == "waiting" and watched.graph.nodes[event.path].type != "delay"
    watched.must(
        again or node.status in ("pending", "ready", "retrying"),
        "a node starts once",
        f"{event.path} starts while it is {node.status}",
    )
    if node.status == "pending":
        watched.joined(event.path, node)
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
        wanted = watched.at + config["duration"]
        watched.must(event.until == wanted, "delays last", f"{event.path} waits until {event.until}, not {wanted}")
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
    path, node, definition = event.path, watched.nodes[event.path], watched.graph.nodes[event.path]
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
            watched.must(node.status == "waiting", "delays last", f"{path} is {node.status}")
            watched.must(
                watched.at >= (node.due or 0), "delays last", f"{path} ends {node.due} before its time, at {watched.at}"
            )
    node.output, node.error, node.due = output, None, None
    fired, raising = watched.graph.fired_by_completion(path, event.port, output, watched.values())
    _routed(watched, path, node, set(event.fired), fired, raising)
    watched.move(node, "completed")
    watched.tokens(path, fired)


def _routed(watched: Watched, path: str, node: WatchedNode, got: set[int], wanted: set[int], raising: set[int]) -> None:
    watched.must(got == wanted, "routing is right", f"{path} fires {sorted(got)}, not {sorted(wanted)}")
    watched.audit.raising[watched.id, path] = raising


def failed(watched: Watched, event: ev.NodeFailed) -> None:
    path, node = event.path, watched.nodes[event.path]
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
    else:
        again = _attempt_failed(watched, path, node, event)
        watched.must(not again, "retries are made", f"{path} gives up after {node.failures + 1} failures")
    node.failures += 1
    node.error, node.due = error, None
    fired, raising = watched.graph.fired_by_failure(path, error, watched.values())
    _routed(watched, path, node, set(event.fired), fired, raising)
    watched.must(event.handled == bool(fired), "handled is what fires", f"{path}: handled is {event.handled}")
    watched.unhandled += not event.handled
    watched.move(node, "failed")
    watched.tokens(path, fired)


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


def skipped(watched: Watched, event: ev.NodesSkipped) -> None:
    for skip in event.skips:
        node = watched.nodes[skip.path]
        watched.must(node.status == "pending", "skips come before starts", f"{skip.path} is {node.status}")
        watched.must(bool(skip.reason), "a skip has a reason", skip.path)
        if watched.status == "running":
            full = node.tokens == len(watched.graph.incoming[skip.path]) > 0
            watched.must(full and not node.messages, "only dead paths are skipped", f"{skip.path}: {node}")
        watched.move(node, "skipped")
        watched.tokens(skip.path, set())


def cancelled(watched: Watched, event: ev.NodesCancelled) -> None:
    watched.must(
        watched.status in ("failing", "cancelling"), "cancelled for a cause", f"the instance is {watched.status}"
    )
    for ref in event.runs:
        node = watched.nodes[ref.path]
        watched.must(
            node.status not in (*FINAL, "pending"), "only what is open is cancelled", f"{ref.path} is {node.status}"
        )
        watched.move(node, "cancelled")
        watched.tokens(ref.path, set())


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
