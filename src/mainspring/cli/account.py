"""An instance as data: what `--json` prints."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.cli import exits, undone
from mainspring.cli.body_history import BodyResult, Fates
from mainspring.cli.words import iso, now_ms
from mainspring.engine.progress import Progress, progress_of
from mainspring.engine.result import InstanceResult, NodeResult
from mainspring.journal.records import InstanceRecord
from mainspring.machine.events import ErrorRecord
from mainspring.machine.pause import Pause


def of_instance(result: InstanceResult, store: str, status: str = "", reason: str = "") -> dict[str, Any]:
    """Everything about an instance. `status` and `reason` stand in where the record knows better than the journal."""
    status = status or result.status
    return {
        "id": result.id,
        "workflow": result.workflow,
        "parent": result.parent,
        "children": result.children,
        "status": status,
        "reason": reason or result.reason,
        "exitCode": exits.of_status(status),
        "store": store,
        "startedAt": iso(result.started_at),
        "endedAt": iso(result.ended_at),
        "durationMs": None if result.ended_at is None else result.ended_at - result.started_at,
        "degraded": result.degraded,
        "health": msgspec.to_builtins(result.health),
        "progress": of_progress(progress_of(result.instance, {}, now_ms())),
        "input": result.input,
        "output": result.output if result.done else None,
        "variables": result.variables,
        "nodes": {path: of_node(node) for path, node in result.nodes.items()},
        **({} if result.instance.pause is None else {"pause": _of_pause(result.instance.pause)}),
        **({} if result.compensation is None else {"compensation": undone.as_json(result.compensation)}),
        "errors": [{"node": path, **of_error(error)} for path, error in result.errors.items()],
    }


def of_progress(progress: Progress) -> dict[str, Any]:
    """How far it is, and how long it will still take where that can be said."""
    return {
        "percent": round(progress.percent, 1),
        "counts": progress.counts,
        "total": progress.total,
        "elapsedMs": progress.elapsed_ms,
        "remainingMs": progress.remaining_ms,
    }


def _of_pause(pause: Pause) -> dict[str, Any]:
    """Since when it stands still, and until when if it goes on by itself."""
    return {
        "since": iso(pause.since),
        "by": pause.by,
        "reason": pause.reason,
        "clocks": "stop" if pause.stop_clocks else "run",
        "until": iso(pause.until),
    }


def of_node(node: NodeResult) -> dict[str, Any]:
    """One node. What does not apply is left out."""
    took = None if node.started_at is None or node.ended_at is None else node.ended_at - node.started_at
    told: dict[str, Any] = {
        "reason": node.reason or None,
        "because": node.because or None,
        "waitsFor": node.waits_for or None,
        "until": iso(node.due),
        "port": node.port,
        "cached": node.cached or None,
        "crashes": node.crashes or None,
        "handled": node.handled or None,
        "decision": node.decision or None,
        "rule": node.rule or None,
        "degraded": node.degraded or None,
        "standIn": node.stand_in or None,
        "error": None if node.error is None else of_error(node.error),
        "bodies": _of_bodies(node),
    }
    return {
        "status": node.status,
        "attempts": node.attempts,
        "startedAt": iso(node.started_at),
        "endedAt": iso(node.ended_at),
        "durationMs": took,
        "output": node.output,
        **{key: value for key, value in told.items() if value is not None},
    }


def _of_bodies(node: NodeResult) -> dict[str, Any] | None:
    bodies = node.bodies
    if bodies is None:
        return None
    counts = {"begun": bodies.begun, "open": bodies.open, "completed": bodies.completed, "failed": bodies.failed}
    return {**counts, "total": bodies.total}


def of_one_node(node: NodeResult) -> dict[str, Any]:
    """A node that somebody asked for: with its path and its input."""
    return {"path": node.path, **of_node(node), "input": node.input}


def of_open_bodies(result: InstanceResult) -> dict[str, Any]:
    """The nodes of the bodies that are under way, by the address of the body and the path of the node."""
    bodies = result.open_bodies.items()
    return {address: {node.path: of_node(node) for node in nodes.values()} for address, nodes in bodies}


def of_body(body: BodyResult) -> dict[str, Any]:
    """One body with its nodes."""
    return {
        "address": body.address,
        "status": body.status,
        "startedAt": iso(body.started_at),
        "endedAt": iso(body.ended_at),
        "durationMs": None if body.ended_at is None else body.ended_at - body.started_at,
        "input": body.input,
        "output": body.output,
        "error": None if body.error is None else of_error(body.error),
        "nodes": {node.path: {**of_node(node), "input": node.input} for node in body.nodes.values()},
    }


def of_fates(fates: Fates) -> dict[str, Any]:
    """What became of the bodies of a block; of those that failed, the first with their errors."""
    return {
        "begun": fates.begun,
        "open": fates.open,
        "completed": fates.completed,
        "failed": fates.failed,
        "stopped": fates.stopped,
        "errors": [{"body": address, **of_error(error)} for address, error in fates.errors],
    }


def of_error(error: ErrorRecord) -> dict[str, Any]:
    """An error with its stack."""
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "fatal": error.fatal,
        "context": msgspec.json.decode(error.context),
        "stack": error.stack,
    }


def of_record(record: InstanceRecord) -> dict[str, Any]:
    """A line of the list."""
    return {
        "id": record.id,
        "workflow": record.workflow,
        "version": record.version,
        "status": record.status,
        "reason": record.reason,
        "key": record.key,
        "parent": record.parent,
        "startedAt": iso(record.created_at),
        "endedAt": iso(record.ended_at),
        "durationMs": None if record.ended_at is None else record.ended_at - record.created_at,
        "wakesAt": iso(record.wake_at),
    }
