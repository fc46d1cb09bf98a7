"""The engine's ear for other processes: a Unix socket beside the store that it holds, and what each operation does.

Whoever may write the store's folder may not thereby command the engine: the socket is its user's alone. An operation is
carried out by the same methods that a program calls, and is answered once it is durable.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from mainspring.definition import canonical
from mainspring.definition.load import Definition
from mainspring.errors import CommandRefused, MainspringError
from mainspring.messaging import control

if TYPE_CHECKING:
    from mainspring.engine.engine import Engine
    from mainspring.engine.interventions import Preview

logger = logging.getLogger("mainspring.engine")

CONNECTIONS_MAX = 32
"""So many are served at a time; the next one is told so, and may try again."""

IDLE_SECONDS_MAX = 60
"""Whoever says nothing for so long is gone."""

STOP_SECONDS_MAX = 2
"""An engine that stops answers first what it is at, if that takes no longer."""

REPORTED_MAX = 100
"""Of so many instances it is told what differs from another version."""

WAIT_MS_MAX = 60_000
"""No operation waits longer than this for what it leads to."""


async def carry_out(engine: Engine, operation: control.Operation) -> Any:
    """Do it, and give what is told of it. Raises whatever the engine's method raises."""
    match operation:
        case control.Ping():
            return {"pid": os.getpid(), "instances": len(engine.host.lives)}
        case control.Pause(id, by, reason, stop_clocks, for_ms, wait_ms):
            await engine.pause(id, by=by, reason=reason, stop_clocks=stop_clocks, for_ms=for_ms)
            return {"id": id, "status": await _status(engine, id, engine.standstill(id), wait_ms)}
        case control.PauseAll(workflow, by, reason, stop_clocks, for_ms):
            how: Any = {"by": by, "reason": reason, "stop_clocks": stop_clocks, "for_ms": for_ms}
            return {"ids": await engine.pause_all(workflow, **how)}
        case control.Resume(id, by):
            await engine.resume(id, by=by)
            return {"id": id}
        case control.ResumeAll(workflow, by):
            return {"ids": await engine.resume_all(workflow, by=by)}
        case control.Cancel(id, by, reason, wait_ms, grace_ms):
            await engine.cancel(id, by=by, reason=reason, grace_ms=grace_ms)
            return {"id": id, "status": await _status(engine, id, engine.wait(id), wait_ms)}
        case control.Signal(id, name, payload, by, key):
            return {"id": id, "new": await engine.signal(id, name, msgspec.json.decode(payload), by=by, key=key)}
        case control.Approve(id, name, approved, comment, by):
            await engine.approve(id, name, approved, comment, by=by)
            return {"id": id}
        case control.Requeue(id, by, reason):
            await engine.requeue(id, by=by, reason=reason)
            return {"id": id}
        case control.Purge(ids):
            return {"purged": await engine.purge(*ids)}
        case control.Collect(older_than_ms, keep, workflow, dry_run):
            rule: Any = {"older_than_ms": older_than_ms, "keep": keep, "workflow": workflow}
            done = await engine.gc(**rule, dry_run=dry_run, seconds_max=WAIT_MS_MAX / 1000)
            return msgspec.to_builtins(done)
        case control.SwitchBreaker(target, shut, by, reason):
            switch = engine.close_breaker if shut else engine.open_breaker
            return msgspec.to_builtins(await switch(target, by=by, reason=reason))
        case control.Retry() | control.Skip() | control.Complete() | control.Rerun() | control.SetVariables():
            return told(await _by_hand(engine, operation))
        case control.Migrate():
            return await _migrate(engine, operation)
        case control.Limits():
            return {"limits": [msgspec.to_builtins(one) for one in engine.limits()]}


async def _by_hand(engine: Engine, order: control.ByHand) -> Preview:
    how: dict[str, Any] = {"by": order.by, "reason": order.reason, "dry_run": order.dry_run}
    if isinstance(order, control.Skip):
        return await engine.skip(order.id, order.path, **how)
    if isinstance(order, control.Complete):
        output = msgspec.json.decode(order.output)
        return await engine.complete(order.id, order.path, output, port=order.port, **how)
    if isinstance(order, control.SetVariables):
        return await engine.set_variables(order.id, msgspec.json.decode(order.values), **how)
    value = UNSET if isinstance(order.input, UnsetType) else msgspec.json.decode(order.input)
    if isinstance(order, control.Retry):
        return await engine.retry(order.id, order.path, input=value, **how)
    definition = _definition(order.body, order.folder) if order.body else None
    return await engine.rerun(order.id, order.path, input=value, definition=definition, **how)


def _definition(body: str, folder: str) -> Definition:
    """A definition that another process has read and checked."""
    try:
        return Definition(canonical.decode(body.encode()), folder)
    except msgspec.MsgspecError as error:
        raise CommandRefused(f"the definition cannot be read: {error}") from None


async def _migrate(engine: Engine, order: control.Migrate) -> list[dict[str, Any]]:
    """A report for each instance, with what differs where there are few. Those that run by that version already have none."""
    definition = _definition(order.body, order.folder)
    how: dict[str, Any] = {"by": order.by, "reason": order.reason, "dry_run": order.dry_run}
    reports: list[dict[str, Any]] = []
    for id in order.ids or await engine.of_other_versions(definition):
        told = await engine.compatibility(id, definition)
        found = told.differences if len(reports) < REPORTED_MAX and not told.refusal else ()
        refusal, taken = told.refusal, False
        if not refusal:
            try:
                await engine.migrate(id, definition, **how)
            except CommandRefused as refused:
                refusal = str(refused).removeprefix(f"{id}: ")
            taken = (await engine.inspect(id)).instance.plan.version == told.to
        reports.append(
            {"id": id, "refusal": refusal, "taken": taken, "differences": [msgspec.to_builtins(one) for one in found]}
        )
    return reports


def told(preview: Preview) -> dict[str, Any]:
    """What an order leads to, as it goes to another process. The events are the text of a JSON list, as in the journal."""
    return {
        "id": preview.id,
        "status": preview.status,
        "starts": list(preview.starts),
        "waits": list(preview.waits),
        "stops": list(preview.stops),
        "events": msgspec.json.encode(preview.events).decode(),
    }


async def _status(engine: Engine, id: str, until: Any, wait_ms: int) -> str:
    """How the instance stands when that has come, or the time is over."""
    with suppress(TimeoutError):
        await asyncio.wait_for(until, min(wait_ms, WAIT_MS_MAX) / 1000)
    return (await engine.inspect(id)).status


class ControlSocket:
    """Serves the operations at a path. The one who holds the store's lease may take the path from whoever had it."""

    def __init__(self, engine: Engine, path: str) -> None:
        self._engine = engine
        self._path = Path(path)
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._connections: set[asyncio.Task[Any]] = set()
        self._answering: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Begin to listen. An engine that can't is still an engine: it is said in the log."""
        if not hasattr(socket, "AF_UNIX"):
            return
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ear.setblocking(False)
            self._path.unlink(missing_ok=True)  # left by an engine that was killed
            ear.bind(str(self._path))
            self._path.chmod(0o600)  # nobody can connect before it listens, which it does from the next line on
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(self._serve, sock=ear, limit=control.LINE_BYTES_MAX)
        except OSError as error:
            ear.close()
            logger.warning("no other process can command this engine: %s: %s", self._path, error)

    async def stop(self) -> None:
        """Listen no more. Who is being answered gets the answer, in `STOP_SECONDS_MAX`."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        with suppress(OSError):
            if self._path.stat().st_ino == self._inode:  # else it is the next owner's by now
                self._path.unlink()
        if self._answering:
            await asyncio.wait(self._answering, timeout=STOP_SECONDS_MAX)
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        full = len(self._connections) >= CONNECTIONS_MAX
        self._connections.add(task)
        try:
            if full:
                many = f"this engine serves {CONNECTIONS_MAX} already (connections_max): try again"
                writer.write(control.line(control.Answer(error="CommandRefused", message=many)))
                await writer.drain()
                return
            while self._server is not None and (said := await self._read(reader)) is not None:
                self._answering.add(task)
                writer.write(control.line(await self._answer(said)))
                await writer.drain()
                self._answering.discard(task)
        except (OSError, asyncio.CancelledError):
            pass  # whoever asked has gone, or the engine stops
        finally:
            self._connections.discard(task)
            self._answering.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes | None:
        """The next line; None where nothing comes any more, or what comes is no line."""
        with suppress(TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return await asyncio.wait_for(reader.readuntil(b"\n"), IDLE_SECONDS_MAX)
        return None

    async def _answer(self, said: bytes) -> control.Answer:
        try:
            operation = control.decode_operation(said)
        except msgspec.MsgspecError as error:
            return control.Answer(error="CommandRefused", message=f"this engine does not know what is asked: {error}")
        try:
            done = await carry_out(self._engine, operation)
            return control.Answer(done=msgspec.Raw(msgspec.json.encode(done)))
        except MainspringError as error:
            return control.Answer(error=type(error).__name__, message=str(error))
        except Exception as error:
            logger.exception("an operation from outside failed")
            return control.Answer(error="MainspringError", message=f"{type(error).__name__}: {error}")
