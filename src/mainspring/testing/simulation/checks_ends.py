"""What the auditor says to the ends of nodes and of their runs: with what, for what reason, and firing which connections."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_blocks import block_completed, block_failed, block_gone
from mainspring.testing.simulation.checks_by_hand import given_output, is_completed
from mainspring.testing.simulation.checks_letters import CRASH_LIMIT
from mainspring.testing.simulation.checks_nodes import attempt_failed, attempt_of, joined, not_stopping, report
from mainspring.testing.simulation.checks_policies import all_fell_back, decided, stood_in
from mainspring.testing.simulation.checks_policies import fell_back as falls_back
from mainspring.testing.simulation.checks_runs import all_ended, is_whole, run_ended
from mainspring.testing.simulation.checks_saga import note
from mainspring.testing.simulation.checks_windows import SPENT
from mainspring.testing.simulation.milestones import port_of
from mainspring.testing.simulation.oracle import delay_of, mapped_input, ports_of
from mainspring.testing.simulation.standing import send
from mainspring.testing.simulation.watched import CRASHES_MAX, FINAL, Watched
from mainspring.testing.simulation.watched_scope import RunEnd, WatchedNode, WatchedScope, error_value
from mainspring.testing.simulation.work import deed

Completed = ev.NodeCompleted | ev.RunCompleted
Failed = ev.NodeFailed | ev.RunFailed


def completed(watched: Watched, event: ev.NodeCompleted) -> None:
    scope, id, node = watched.find(event.path)
    if is_whole(scope, id):
        all_ended(scope, id, node, event)
        watched.move(node, "completed")
        send(scope, id, set(), 1, last=True)
        return
    node.output, fired = _did(scope, id, node, event)
    watched.move(node, "completed")
    send(scope, id, fired, 1, last=True)


def run_completed(watched: Watched, event: ev.RunCompleted) -> None:
    scope, id, node = watched.find(event.path)
    output, fired = _did(scope, id, node, event)
    run_ended(scope, id, node, RunEnd(output, None, False))
    send(scope, id, fired, event.run, last=False)


def _did(scope: WatchedScope, id: str, node: WatchedNode, event: Completed) -> tuple[Any, set[int]]:
    """A run ended well: with the output of its work, and firing what that fires."""
    definition = scope.graph.nodes[id]
    output = msgspec.json.decode(event.output)
    ports: list[str | None] = [event.port]
    by_hand = is_completed(scope.whole, scope.path(id))
    if by_hand:
        output = given_output(scope, id, node, event)
    elif node.status == "falling_back":
        stated = stood_in(scope, id, event)
        wanted = stated if id in scope.graph.undo else None
        scope.must(output == wanted, "outputs are right", f"{id} gives {output}, not {wanted}")
        block_gone(scope, id)
        output = stated
    elif definition.type == "function":
        _worked(scope, id, event, output)
        scope.whole.audit.windows.ended(scope, id, node, failed=False)
    elif scope.graph.bodies[id]:
        output = block_completed(scope, id, node, event, output)
    else:
        ports = _passed_on(scope, id, node, output, event.port)
    stands_in = node.status == "falling_back" and not by_hand
    scope.must(event.degraded == stands_in, "who falls back is degraded", f"{id}: {event}")
    node.error, node.due, node.waits_for = None, None, ""
    fired, raising = scope.graph.fired_by_completion(id, ports, scope.look_after(id, output, None))
    _routed(scope, id, set(event.fired), fired, raising)
    note(scope, id, event.run, "completed", output)
    return output, fired


def _worked(scope: WatchedScope, id: str, event: Completed, output: Any) -> None:
    end = report(scope, id, event)
    key = scope.key(id, event.run, event.attempt)
    mine = deed(scope.whole.audit.world.seed, scope.graph.nodes[id], key)
    scope.must(end in ("ok", "abandoned"), "results come from work", f"{id} completes, and its work: {end!r}")
    scope.must(
        (mine.kind, mine.value, mine.port) == ("ok", output, event.port),
        "outputs are right",
        f"{id} attempt {event.attempt}: {output} by {event.port}, but the work was {mine}",
    )


def _passed_on(scope: WatchedScope, id: str, node: WatchedNode, output: Any, port: str | None) -> list[str | None]:
    """A node that hands on its input, by the ports that it decides on: these."""
    definition, whole = scope.graph.nodes[id], scope.whole
    wanted = scope.input_of(id)
    scope.must(output == wanted, "outputs are right", f"{id} hands on {output}, not {wanted}")
    if definition.type == "milestone":
        ports: list[str | None] = [port_of(scope, id)]
        scope.must(None not in ports, "milestones are between two nodes", f"{id} leaves by {port}, and should wait")
    else:
        ports = ports_of(definition, None, scope.look(value=wanted)) or ["raises"]
    scope.must(port == ports[0], "routing is right", f"{id} leaves by {port}, not {ports[0]}")
    if definition.type == "delay":
        at_once = delay_of(definition.config, whole.input) == 0
        scope.must(node.status == ("running" if at_once else "waiting"), "delays last", f"{id} is {node.status}")
        early = (node.due or node.started_at) - whole.at
        scope.must(early <= 0, "delays last", f"{id} ends {early} ms before its time")
    elif definition.type == "cancel":
        left = [one for one in scope.graph.stopped_by(id) if scope.nodes[one].status not in FINAL]
        scope.must(not left, "a cancel node stops what it lists", f"{id} is through, and {left} go on")
    return ports


def _routed(scope: WatchedScope, id: str, got: set[int], wanted: set[int], raising: set[int]) -> None:
    scope.must(got == wanted, "routing is right", f"{id} fires {sorted(got)}, not {sorted(wanted)}")
    scope.raising[id] = raising


def failed(watched: Watched, event: ev.NodeFailed) -> None:
    scope, id, node = watched.find(event.path)
    if is_whole(scope, id):
        all_ended(scope, id, node, event)
        error = error_value(event.error)
        scope.must(error == node.error, "a node ends as its runs did", f"{id}: {error}, not {node.error}")
        node.handled, node.ended_at = event.handled, watched.at
        watched.move(node, "failed")
        send(scope, id, set(), 1, last=True)
        return
    fired = _did_not(scope, id, node, event)
    watched.move(node, "failed")
    send(scope, id, fired, 1, last=True)


def run_failed(watched: Watched, event: ev.RunFailed) -> None:
    scope, id, node = watched.find(event.path)
    fired = _did_not(scope, id, node, event)
    run_ended(scope, id, node, RunEnd(None, node.error, event.handled))
    send(scope, id, fired, event.run, last=False)


def _did_not(scope: WatchedScope, id: str, node: WatchedNode, event: Failed) -> set[int]:
    """A run failed for good: for a reason that there is, and firing what that fires."""
    error = error_value(event.error)
    if node.status == "falling_back":
        all_fell_back(scope, id, event)
        block_gone(scope, id)
    else:
        _cause(scope, id, node, event)
        ways_out = [graph.nodes for graph in scope.graph.fallbacks[id]]
        scope.must(not ways_out, "fallbacks are tried in order", f"{id} fails, and has {ways_out}")
    node.failures += 1
    node.error, node.due, node.waits_for = error, None, ""
    fired, raising = scope.graph.fired_by_failure(id, scope.look_after(id, None, error))
    _routed(scope, id, set(event.fired), fired, raising)
    scope.must(event.handled == bool(fired), "handled is what fires", f"{id}: handled is {event.handled}")
    if not event.handled:
        scope.fails(id, error)
    decided(scope, id, event, event.handled)
    node.handled, node.ended_at, node.ended_row = event.handled, scope.whole.at, scope.whole.seq
    if event.error.type == CRASH_LIMIT:
        scope.whole.given_up.append((event.path, event.run))
    note(scope, id, event.run, "failed", None)
    return fired


def fell_back(watched: Watched, event: ev.NodeFellBack) -> None:
    """A node fails for good, for a reason that there is, and something stands in for it; or what stood in for it failed."""
    scope, id, node = watched.find(event.path)
    if node.status != "falling_back":
        _cause(scope, id, node, event)
    falls_back(watched, event)


def _cause(scope: WatchedScope, id: str, node: WatchedNode, event: Failed | ev.NodeFellBack) -> None:
    definition, type = scope.graph.nodes[id], event.error.type
    if type == "MappingError" and node.status in ("pending", "gathering", "ready"):
        _not_begun(scope, id, node, event)
    elif scope.graph.bodies[id]:
        block_failed(scope, id, node, event)
    elif type == "UnknownPort":
        key = scope.key(id, event.run, attempt_of(node, event))
        mine = deed(scope.whole.audit.world.seed, definition, key)
        report(scope, id, event)
        scope.whole.audit.calls.fails(scope, id)
        scope.whole.audit.windows.ended(scope, id, node, failed=True)
        known = {edge.port for edge in scope.graph.outgoing[id]}
        scope.must(mine.port not in known, "routing is right", f"{id} fails for port {mine.port!r}, and has {known}")
    elif type == "CrashLimit":
        scope.must(node.crashes >= CRASHES_MAX, "the crash limit holds", f"{id} after {node.crashes} crashes")
    elif type == SPENT:
        early = 0 if node.due is None else node.due - scope.whole.at
        scope.must(node.status in ("retrying", "ready") and early <= 0, "failures have a cause", f"{id}: {node.status}")
        scope.whole.audit.windows.spent(scope, id, node, event.error.message)
    elif type == "AdmissionRefused":
        there = definition.pool in scope.whole.audit.world.settings.pools
        scope.must(not there, "failures have a cause", f"{id} is refused, and there is a pool {definition.pool}")
        scope.must(node.status in ("pending", "gathering", "ready"), "failures have a cause", f"{id}: {node.status}")
    elif type == "DelayError":
        lasts = definition.type != "delay" or delay_of(definition.config, scope.whole.input) is not None
        scope.must(not lasts, "failures have a cause", f"{id} has a duration: {definition.config}")
        scope.must(node.status == "running", "failures have a cause", f"{id} is {node.status}")
    elif type == "ConditionError":
        ports = ports_of(definition, None, scope.look(value=scope.input_of(id)))
        scope.must(ports is None, "failures have a cause", f"{id} leaves by {ports}")
    else:
        again = attempt_failed(scope, id, node, event)
        scope.must(not again, "retries are made", f"{id} gives up after {node.failures + 1} failures")


def _not_begun(scope: WatchedScope, id: str, node: WatchedNode, event: Failed | ev.NodeFellBack) -> None:
    """The input mapping could not be evaluated: nothing was ordered."""
    definition = scope.graph.nodes[id]
    raises = definition.input is not None and mapped_input(definition.input, scope.look()) is None
    scope.must(raises and not node.is_mapped, "failures have a cause", f"{id} has an input: {definition.input}")
    scope.must(event.run == node.run, "runs are counted", f"{id}: run {event.run}, not {node.run}")
    joined(scope, id, node)
    not_stopping(scope, id)
    scope.whole.audit.windows.in_vain(scope, id)
    scope.whole.audit.world.points.hit("template raises")


def routing_failed(watched: Watched, event: ev.RoutingFailed) -> None:
    scope, id, _ = watched.find(event.path)
    raising = scope.raising.get(id, set())
    scope.must(event.connection in raising, "routing is right", f"{id}: connection {event.connection} failed")
    scope.fails(id, error_value(event.error))
    decided(scope, id, event, False)
