"""The result cache (SEMANTICS H): a node's result is used again where the node says so and what it depends on is the same.

A result is kept in the very commit that makes its completion durable, so there is never one of work that is not known to
be done. It is looked for when an attempt would begin. Losing one costs time only: whatever goes wrong here is a miss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from hashlib import blake2b
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from mainspring.engine.clock import Clock
from mainspring.engine.program import Program
from mainspring.engine.settings import EngineSettings
from mainspring.errors import StoreError
from mainspring.graph.plan import PlanNode
from mainspring.journal.records import CacheRow, Lease
from mainspring.journal.store import Store
from mainspring.machine import events as ev
from mainspring.machine.inputs import TaskFinished
from mainspring.machine.turn import Turn

logger = logging.getLogger("mainspring.engine")

NULL = Raw(b"null")
VERSION = 1
TRIM_MAX = 500
"""How many results one transaction lets go of."""

TRIM_EVERY = 500
"""The bound on entries is held to within so many: after them, or at the next renewal of the lease, the oldest go."""


class Kept(Struct, frozen=True, array_like=True):
    """A result as the store has it: what `TaskFinished` said of it. `variables` is null where none was set."""

    version: int
    output: Raw
    port: str | None = None
    variables: Raw = NULL


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Kept).decode


class ResultCache:
    """Looks results up, makes rows of them, and has the store let go of those that are over or too many."""

    def __init__(self, store: Store, clock: Clock, settings: EngineSettings, lease: Callable[[], Lease]) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._lease = lease
        self._since_trim = 0
        self._used = False
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- looking up ---------------------------------------------------------------------------------------------------

    async def find(self, program: Program, node: PlanNode, key: bytes) -> tuple[bytes, Kept | None]:
        """What a node's result with this key is known by in the store, and the result if there is one to be used."""
        digest = digest_of(program, node, key)
        self._used = True
        try:
            row = await self._store.cached(digest, self._clock.now())
            found = None if row is None else _decode(row.body)
        except (StoreError, msgspec.MsgspecError) as error:
            logger.warning("the result cache could not be asked, and the work is done: %s", error)
            return digest, None
        # The ports are the connections', which may have changed while the node did not.
        if found is None or found.version != VERSION or not (found.port is None or found.port in node.ports):
            return digest, None
        return digest, found

    # --- keeping ------------------------------------------------------------------------------------------------------

    def rows(self, report: TaskFinished, turn: Turn) -> tuple[CacheRow, ...]:
        """What the turn that took this report has the store keep: nothing where the node did not complete by it."""
        node = turn.reported
        if node is None or node.cache is None or not any(_completes(event, report) for event in turn.events):
            return ()
        variables = NULL if report.variables is None else Raw(report.variables)
        body = _encode(Kept(VERSION, Raw(report.output), report.port, variables))
        if len(body) > self._settings.cache_entry_bytes_max:
            return ()
        self._since_trim += 1
        if self._since_trim >= TRIM_EVERY:
            self._wanted.set()
        return (CacheRow(report.keep, turn.at + node.cache.ttl, body, crc32(body)),)

    # --- letting go ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name="mainspring-cache")

    async def stop(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def tick(self) -> None:
        """Called as often as the lease is renewed. A store whose cache nobody uses is left alone."""
        if self._used or self._since_trim:
            self._wanted.set()

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._used, self._since_trim = False, 0
            try:
                while await self._trim() == TRIM_MAX:
                    pass
            except StoreError as error:  # the bound is held at a later try
                logger.warning("old results could not be let go of: %s", error)

    async def _trim(self) -> int:
        return await self._store.trim(self._lease(), self._clock.now(), self._settings.cache_entries_max, TRIM_MAX)


def _completes(event: ev.Event, report: TaskFinished) -> bool:
    return (
        isinstance(event, (ev.NodeCompleted, ev.RunCompleted))
        and event.path == report.path
        and event.run == report.run
        and event.attempt == report.attempt
    )


def digest_of(program: Program, node: PlanNode, key: bytes) -> bytes:
    """What a result is known by: the workflow, the node, all of the definition that its result depends on, and its key."""
    return blake2b(program.cache_scope(node) + key, digest_size=32).digest()
