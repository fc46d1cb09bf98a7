"""The work that simulated nodes do, and the ledger in which every attempt that begins or ends is written down.

What an attempt does is a function of (seed, instance, path, run, attempt) and of its node's traits, so the auditor can
work it out by itself. The ledger lies outside all processes: it is what has happened in the world.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from zlib import crc32

from msgspec import Struct

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.journal.payload import encode_payload
from mainspring.machine.inputs import TaskFault, TaskFinished
from mainspring.messaging.task import Output, TaskCall

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

Key = tuple[str, str, int, int]

_ROUND = re.compile(r"(?<=\])~\d+")


KILLS_AFTER_MS = 20
"""No sooner does work end its process: who starts an instance without a key gets its answer, and starts no other one."""


class Deed(Struct, frozen=True):
    """What an attempt does. `kind`: ok, Flaky, Busy, Broken, block, kill (it ends its process)."""

    kind: str
    ms: int
    value: Any = None
    port: str | None = None
    sets: dict[str, Any] | None = None
    lost: bool = False
    doubled: int = -1
    late: int = -1


class Fault(Exception):
    """A simulated task's failure."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def describe(error: BaseException) -> TaskFault:
    """The engine's describer of faults: without stacks, which hold addresses and line numbers."""
    if isinstance(error, Fault):
        return TaskFault(error.kind, str(error), (error.kind, "Exception"), fatal=error.kind == "Broken")
    return TaskFault(type(error).__name__, str(error), (type(error).__name__,))


def deed(seed: int | str, node: Node, key: Key) -> Deed:
    """What this attempt does."""
    instance, path, run, attempt = key
    salt = kept = f"{seed}/{instance}/{path}/{run}/{attempt}".encode()
    if "[undo:" in path:
        path, attempt = _ROUND.sub("", path), 1
        kept = f"{seed}/{instance}/{path}/{run}".encode()

    def draw(what: bytes, below: int = 1000) -> int:
        return _draw(what, salt, below)

    def made(what: bytes, below: int) -> int:
        """A part of what it gives: of what undoes, the same whenever it is done with the same key."""
        return _draw(what, kept, below)

    def happens(trait: str) -> bool:
        return draw(trait.encode()) < 1000 * float(node.config.get(trait, 0))

    usual = int(node.config.get("ms", 0))
    ms = draw(b"ms", 2 * usual) // 5 * 5 if usual else 0  # a coarse grid, so that several end at the same moment
    if happens("slow"):
        ms = 1_000 + draw(b"long", 4_000)
    if (
        "kills" in node.config
        and _draw(b"kills", f"{seed}/{instance}/{path}/{run}".encode()) < 1000 * node.config["kills"]
    ):
        return Deed("kill", max(ms, KILLS_AFTER_MS))
    if happens("block"):
        return Deed("block", 0, late=draw(b"late", 400) if draw(b"is late") < 400 else -1)
    if happens("fatal"):
        return Deed("Broken", ms)
    if happens("fail"):
        return Deed(("Flaky", "Flaky", "Busy")[draw(b"which", 3)], ms)
    value = {"v": made(b"v", 100), "n": path, "a": attempt}
    if node.config.get("large"):
        value["pad"] = "x" * 40_000
    ports = node.config.get("ports")
    return Deed(
        "ok",
        ms,
        value,
        ports[draw(b"port", len(ports))] if ports else None,
        {"last": path, f"by_{node.id}": attempt} if node.config.get("sets") else None,
        happens("lost"),
        draw(b"doubled", 300) if draw(b"is doubled") < 60 else -1,
        draw(b"late", 400) if draw(b"is late") < 400 else -1,
    )


def _draw(what: bytes, salt: bytes, below: int = 1000) -> int:
    return (crc32(what + salt) * 2654435761 >> 7) % below


class Begin(Struct):
    """An attempt as it happened. `end`: "" (not yet, or never), ok, failed, abandoned.

    `too_late` says why it must not take its first step: its end became durable along with the order to begin it, and the
    order to abandon it follows at once.
    """

    epoch: int
    at: float
    too_late: str = ""
    end: str = ""
    ended_at: float = 0.0
    reported: bool = False


class Work:
    """A prepared node."""

    def __init__(self, world: World, process: Process, node: Node) -> None:
        self._world = world
        self._process = process
        self._node = node

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        """Begin one attempt."""
        key = (call.instance, call.path, call.run, call.attempt)
        begin = self._world.audit.began(self._process, key, call)
        known = self._world.audit.by_id.get(call.instance)
        if known is not None:
            key = (key[0], known.in_ledger(call.path), *key[2:])
        return self._do(call, key, begin)

    async def _do(self, call: TaskCall, key: Key, begin: Begin) -> Any:
        world, points = self._world, self._world.points
        if begin.too_late:
            world.fail("what has ended never runs again", begin.too_late)
        mine = deed(world.seed, self._node, key)
        try:
            if mine.kind == "block":
                points.hit("task blocks until cancelled")
                await asyncio.get_running_loop().create_future()
            if mine.ms >= 1_000:
                points.hit("task is slow")
            if mine.ms:
                await asyncio.sleep(mine.ms / 1000)
            if mine.kind == "kill":
                await self._process.die("task ends its process")
            world.audit.worked(self._process, call)
            self._end(begin, "ok" if mine.kind == "ok" else "failed", not mine.lost)
            if mine.lost:
                points.hit("result lost")
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self._end(begin, begin.end or "abandoned", False)
            known = world.audit.by_id.get(call.instance)
            if mine.late >= 0 and not (
                known is not None and known.ahead
            ):  # its number may be that of another one by then
                self._again("result late", mine.late, call, mine)
            raise
        if mine.kind != "ok":
            points.hit("task fails fatally" if mine.kind == "Broken" else "task fails")
            raise Fault(mine.kind, f"attempt {call.attempt} of {call.path}")
        if mine.doubled >= 0:
            self._again("result doubled", mine.doubled, call, mine)
        if "pad" in mine.value:
            points.hit("large output")
        call.variables_set = mine.sets
        return Output(mine.value, mine.port) if mine.port is not None else mine.value

    def _end(self, begin: Begin, end: str, reported: bool) -> None:
        begin.end = end
        begin.reported = reported
        begin.ended_at = self._world.scheduler.now

    def _again(self, point: str, ms: int, call: TaskCall, mine: Deed) -> None:
        """Have the attempt reported once more, or although nobody waits for it any more."""
        if "[undo:" in call.path:
            return  # its address is used again where somebody has the saga go on
        output = encode_payload(mine.value, "output")
        report = TaskFinished(path=call.path, run=call.run, attempt=call.attempt, output=output, port=mine.port)
        asyncio.get_running_loop().call_later(ms / 1000, self._process.report_again, point, call.instance, report)


class WorkKind:
    """The kind of node whose work is simulated, as one process has it."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def prepare(self, node: Node, folder: str) -> Work:
        """The node's work. Some code is not there at first."""
        if node.config.get("absent") and self._world.scheduler.now < self._process.complete_at:
            self._world.points.hit("handler missing")
            raise HandlerNotFound(f"no code for {node.id} yet")
        return Work(self._world, self._process, node)

    def close(self) -> None:
        """Nothing is held."""
