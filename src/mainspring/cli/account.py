"""An instance as data: what `--json` prints."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.cli import exits
from mainspring.cli.words import iso
from mainspring.engine.result import InstanceResult, NodeResult
from mainspring.journal.records import InstanceRecord
from mainspring.machine.events import ErrorRecord


def of_instance(result: InstanceResult, store: str, status: str = "", reason: str = "") -> dict[str, Any]:
    """Everything about an instance. `status` and `reason` stand in where the record knows better than the journal."""
    status = status or result.status
    return {
        "id": result.id,
        "workflow": result.workflow,
        "status": status,
        "reason": reason or result.reason,
        "exitCode": exits.of_status(status),
        "store": store,
        "startedAt": iso(result.started_at),
        "endedAt": iso(result.ended_at),
        "durationMs": None if result.ended_at is None else result.ended_at - result.started_at,
        "input": result.input,
        "output": result.output if result.done else None,
        "variables": result.variables,
        "nodes": {path: of_node(node) for path, node in result.nodes.items()},
        "errors": [{"node": path, **of_error(error)} for path, error in result.errors.items()],
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
        "error": None if node.error is None else of_error(node.error),
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
        "startedAt": iso(record.created_at),
        "endedAt": iso(record.ended_at),
        "durationMs": None if record.ended_at is None else record.ended_at - record.created_at,
        "wakesAt": iso(record.wake_at),
    }
