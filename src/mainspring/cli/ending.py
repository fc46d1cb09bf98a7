"""What is said when a run is over, or goes no further for now."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mainspring.cli import account, exits, look, places, reading
from mainspring.cli.awaited import SHOWN_MAX, how
from mainspring.cli.session import Outcome, Wanted
from mainspring.cli.summary import counts, show_summary
from mainspring.cli.words import clean, compact
from mainspring.engine.result import InstanceResult

MISSING_MAX = 20
"""Of the nodes that wait for code, so many are named: a loop may have one in each of its bodies."""


def summary(result: InstanceResult, store: str, told: set[str], before: bool) -> int:
    """For a person. The nodes that were `told` as they ended are not told again."""
    screen = look.out()
    if before:
        screen.hanging("  ", "this key was run before: nothing ran now, and the input and all below are of then", 2)
    show_summary(screen, result, places.command("show", result.id, store=store), told)
    return exits.of_status(result.status)


def quiet(result: InstanceResult) -> int:
    """The output alone; what went wrong goes to stderr."""
    print(compact(result.output))
    if result.status != "completed":
        screen = look.err()
        screen.line(f"{result.id} {result.status}: {clean(result.reason)}")
        for path, error in result.errors.items():
            screen.line(f"  {path}: {clean(error.type)}: {clean(error.message)}")
    return exits.of_status(result.status)


def as_json(outcome: Outcome, wanted: Wanted) -> int:
    """Everything, as one object."""
    result = outcome.result or _stored(outcome, wanted)
    if result is None:
        print(json.dumps({"id": outcome.id or None, "status": None, "exitCode": exits.WAITING, "how": outcome.how}))
        return exits.WAITING
    told: dict[str, Any] = account.of_instance(result, wanted.store)
    told["how"] = outcome.how
    if outcome.missing:
        told["missing"] = [{"node": path, "reason": reason} for path, reason in outcome.missing]
    print(json.dumps(told, ensure_ascii=False))
    return exits.of_status(result.status)


def not_ended(outcome: Outcome, wanted: Wanted, imports: tuple[str, ...]) -> int:
    """Why it goes no further, and how to go on."""
    screen = look.err()
    screen.line()
    if not outcome.id:
        screen.line("stopped; nothing was started")
        return exits.WAITING
    result = _stored(outcome, wanted)
    stands = "" if result is None else f" ({counts(result)})"
    if outcome.how == "stopped":
        screen.line(f"{screen.symbol('paused')} {screen.paint(f'{outcome.id} was stopped', 'yellow bold')}{stands}")
    elif outcome.how == "stuck":
        screen.line(f"{screen.symbol('waiting')} {screen.paint(f'{outcome.id} waits for code', 'yellow bold')}{stands}")
        for path, reason in outcome.missing[:MISSING_MAX]:
            screen.hanging(f"  {path}: ", clean(reason), len(path) + 4)
        if len(outcome.missing) > MISSING_MAX:
            screen.line(f"  … and {len(outcome.missing) - MISSING_MAX:,} more that wait for theirs")
    elif outcome.how == "waiting":
        screen.line(f"{screen.symbol('waiting')} {screen.paint(f'{outcome.id} waits', 'yellow bold')}{stands}")
        _waits(screen, outcome, wanted)
    else:
        status = "parked" if result is None else result.status
        screen.line(f"{screen.symbol(status)} {screen.paint(f'{outcome.id} is {status}', 'yellow bold')}{stands}")
        reason = _reason(outcome, wanted)
        if reason:
            screen.hanging("  ", clean(reason), 2)
    if wanted.store == "memory:":
        screen.line("  it was in memory only: nothing of it is left")
    else:
        go_on = places.command("run", "--resume", outcome.id, store=wanted.store, imports=imports)
        extra = " --import MODULE" if outcome.how == "stuck" else ""
        screen.line(f"  to go on: {go_on}{extra}")
    return exits.WAITING


def _waits(screen: look.Screen, outcome: Outcome, wanted: Wanted) -> None:
    for id, wait in outcome.waits[:SHOWN_MAX]:
        of = "" if id == outcome.id else f" of {clean(id)}"
        screen.line(f"  {clean(wait.path)}{of} waits for the {wait.kind} {' or '.join(map(clean, wait.names))}")
        if wanted.store != "memory:":
            screen.line(f"  to send it: {how(wait, id, wanted.store)}")
    if len(outcome.waits) > SHOWN_MAX:
        screen.line(f"  … {len(outcome.waits) - SHOWN_MAX:,} more wait")


def _stored(outcome: Outcome, wanted: Wanted) -> InstanceResult | None:
    if not outcome.id or wanted.store == "memory:":
        return None
    return asyncio.run(reading.instance(wanted.store, outcome.id))[1]


def _reason(outcome: Outcome, wanted: Wanted) -> str:
    if wanted.store == "memory:":
        return ""
    record, result = asyncio.run(reading.instance(wanted.store, outcome.id))
    return record.reason or ("" if result is None else result.reason)
