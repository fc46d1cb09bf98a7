"""The Store protocol on PostgreSQL: one connection that commits, a few for all else, one that listens."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from mainspring.errors import NotOwner, StoreError
from mainspring.journal.records import (
    CacheRow,
    Committed,
    DeadLetter,
    DefinitionRecord,
    InboxMessage,
    InstanceRecord,
    Lease,
    Loaded,
    OutboxRow,
    Position,
    StoreFacts,
    TurnRow,
    Write,
)
from mainspring.stores.postgres import migrations, reading, writing
from mainspring.stores.postgres.address import address_of
from mainspring.stores.postgres.connection import (
    CONNECT_SECONDS_MAX,
    LOST,
    Connection,
    Durability,
    connect,
    connect_pool,
    explained,
    is_ours,
)
from mainspring.stores.postgres.line import Line, goodbye
from mainspring.stores.postgres.listening import Ear
from mainspring.stores.posting import Postings

logger = logging.getLogger("mainspring.stores")

T = TypeVar("T")

POOL_CONNECTIONS_MAX = 4
"""How many connections there are beside the one that commits and the one that listens."""

CLAIMS_LOST_MAX = 1_000
"""How many claims whose answers were lost are remembered; where it comes to more, the session is given up."""

CLOSE_SECONDS_MAX = 10.0
"""How long reads that are under way may take when the store is closed."""


class PostgresStore:
    """See `mainspring.journal.store.Store` for what each verb means.

    `url`: `postgresql://USER@HOST:PORT/DATABASE`, with `?schema=NAME` for another schema than `mainspring`, and whatever
    else asyncpg takes there (`?host=/var/run/postgresql` for a Unix socket). `durability="full"` (default) waits until the
    server's log is on the disk; "normal" does not, and a server that is killed loses the last moments. `read_only` is for
    those who only look: nothing is created or changed.
    """

    shared = True
    remote = True

    def __init__(self, url: str, *, durability: Durability = "full", read_only: bool = False) -> None:
        self._address = address_of(url)
        self.dsn = url
        self.url = self._address.shown
        self.control: str | None = None
        self._durability = durability
        self._read_only = read_only
        self._pool: Any = None
        self._writer = Line(self._address, self._connect_writer)
        self._postings = Postings(lambda batch: self._with(lambda c: writing.post(c, batch)))
        self._ear = Ear(self._address, self._connect, self._heard)
        self._listeners: list[tuple[Callable[[], None], Callable[[], None] | None]] = []
        self._epochs: set[int] = set()
        self._lost_claims: dict[int, set[int]] = {}

    async def _connect(self) -> Connection:
        return await connect(self._address, self._durability, read_only=self._read_only)

    async def _connect_writer(self) -> Connection:
        return await connect(self._address, self._durability, read_only=self._read_only, commits=True)

    async def open(self) -> None:
        """Create or migrate the schema; a read-only store only checks it."""
        if self._pool is not None:
            return
        try:
            await self._prepare()
            self._pool = await connect_pool(
                self._address, self._durability, POOL_CONNECTIONS_MAX, read_only=self._read_only
            )
        except (Exception, asyncio.CancelledError) as error:
            if not is_ours(error):
                raise
            raise explained(self._address, error) from error

    async def _prepare(self) -> None:
        connection = await self._connect()
        try:
            if self._read_only:
                await migrations.check_begun(connection, self._address)
            else:
                await migrations.migrate(connection, self._address)
        finally:
            await goodbye(connection)

    async def close(self) -> None:
        """Finish what is under way and give every connection back."""
        await self._ear.close()
        await self._writer.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), CLOSE_SECONDS_MAX)
            except (Exception, asyncio.CancelledError) as error:
                pool.terminate()
                if not is_ours(error):
                    raise
        self._epochs.clear()
        self._lost_claims.clear()

    async def _with(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        if self._pool is None:
            raise StoreError(f"{self.url} is not open")
        try:
            async with self._pool.acquire(timeout=CONNECT_SECONDS_MAX) as connection:
                try:
                    return await work(connection)
                except LOST:
                    connection.terminate()  # or the pool would hand it out again
                    raise
        except Exception as error:
            if not is_ours(error):
                raise
            raise explained(self._address, error) from error

    async def _call(self, query: str, *given: object) -> Any:
        return await self._with(lambda connection: connection.fetchval(query, *given))

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session, beside those that live. Those whose leases have expired are ended."""
        epoch = await self._call("SELECT begin_session($1, $2, $3)", holder, now, ttl)
        self._epochs.add(epoch)
        return Lease(epoch, holder, now + ttl)

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        await self._call("SELECT renew_session($1, $2, $3)", lease.epoch, now, ttl)
        return Lease(lease.epoch, lease.holder, now + ttl)

    async def release(self, lease: Lease) -> None:
        """End the session, and wake whoever can go on with what it had."""
        await self._call("SELECT end_session($1)", lease.epoch)
        self._epochs.discard(lease.epoch)
        self._lost_claims.pop(lease.epoch, None)

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""
        first: int = await self._call("SELECT reserve_numbers($1, $2)", lease.epoch, count)
        return first

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition; the folder is that of its last use."""
        await self._call(
            "INSERT INTO definition (version, workflow, body, folder, created_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (version) DO UPDATE SET folder = excluded.folder",
            definition.version, definition.workflow, definition.body, definition.folder, definition.created_at,
        )  # fmt: skip

    def commit(self, lease: Lease, writes: Sequence[Write]) -> asyncio.Future[Committed]:
        """Make a group durable, in one transaction and one round trip. It begins when it is called."""
        return self._writer.run(lambda connection: writing.commit(connection, lease, writes))

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""
        new = await self._postings.post(message)
        for wake, _ in tuple(self._listeners):
            wake()
        return new

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        await self._call("SELECT forget_sent($1, $2)", lease.epoch, ids)

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        return await self._with(lambda c: reading.cached(c, key, now))

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""
        gone: int = await self._call("SELECT trim_cache($1, $2, $3, $4)", lease.epoch, now, entries_max, limit)
        return gone

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose what may go."""
        numbers = [number for family in families for number in family]
        places = [place for place, family in enumerate(families) for _ in family]
        gone: list[int] = await self._call("SELECT remove_instances($1, $2, $3)", lease.epoch, numbers, places)
        return gone

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Let go of groups without rows. The room is given back by the server, in its own time."""
        place: int | None = await self._call("SELECT compact_groups($1, $2, $3)", lease.epoch, after, limit)
        return place

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        return await self._with(lambda c: reading.dead_letters(c, after, limit))

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return await self._with(lambda c: reading.dead_letter(c, id))

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""
        gone: int = await self._call("SELECT purge_letters($1, $2)", lease.epoch, ids)
        return gone

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key. Of several sessions that keep one by the same key, the last one's stays."""
        await self._call("SELECT keep_limits($1, $2, $3)", lease.epoch, list(states), list(states.values()))

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return await self._with(reading.kept_limits)

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due; before that, what an earlier call took whose answer was lost on the way."""
        lost = self._lost_claims.setdefault(lease.epoch, set())
        if len(lost) >= CLAIMS_LOST_MAX:
            raise NotOwner(f"{CLAIMS_LOST_MAX} claims were lost on their way here; a new session finds what they took")
        claim = random.getrandbits(62)
        try:
            return await self._with(lambda connection: self._claim(connection, lease, now, limit, claim, lost, among))
        except NotOwner:
            raise
        except BaseException:
            lost.add(claim)  # it may have been carried out all the same
            raise

    async def _claim(
        self,
        connection: Connection,
        lease: Lease,
        now: int,
        limit: int,
        claim: int,
        lost: set[int],
        among: Sequence[str] | None,
    ) -> list[Loaded]:
        rows: list[Any] = []
        if lost:
            before = list(lost)
            rows = await connection.fetch("SELECT * FROM claim_lost($1, $2, $3, $4)", lease.epoch, limit, claim, before)
            if not rows:
                lost.difference_update(before)
        if not rows:
            rows = await connection.fetch(
                "SELECT * FROM claim_due($1, $2, $3, $4, $5)", lease.epoch, now, limit, claim, among
            )
        return await reading.loaded(connection, [reading.record(row) for row in rows]) if rows else []

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        return await self._with(lambda c: reading.mail(c, lease.epoch, limit))

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        return await self._with(lambda c: reading.next_wake(c, among))

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What this session has to send, and what those have left that are over."""
        return await self._with(lambda c: reading.outbox(c, lease.epoch, limit))

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post` here, and from other sessions by NOTIFY."""
        entry = (wake, news)
        self._listeners.append(entry)
        self._ear.open()
        return lambda: self._listeners.remove(entry) if entry in self._listeners else None

    def _heard(self, told: str | None) -> None:
        if told is not None and told.startswith("news"):
            if int(told.removeprefix("news ")) not in self._epochs:
                for _, news in tuple(self._listeners):
                    if news is not None:
                        news()
        elif told is None or told == "0" or int(told) in self._epochs:
            for wake, news in tuple(self._listeners):
                wake()
                if told is None and news is not None:
                    news()

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        return await self._with(lambda c: reading.definition(c, version))

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        return await self._with(lambda c: reading.definitions(c, workflow, limit))

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        return await self._with(lambda c: reading.find(c, id))

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end, or gone."""
        rows = await self._with(
            lambda c: c.fetch(
                "SELECT asked FROM unnest($1::TEXT[]) AS asked LEFT JOIN instance ON id = asked WHERE open IS NOT TRUE",
                ids,
            )
        )
        return [row[0] for row in rows]

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        return await self._with(lambda c: reading.load(c, id, until))

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        return await self._with(lambda c: reading.instances(c, status, workflow, before, limit))

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        return await self._with(lambda c: reading.turns(c, id, after, limit))

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        return await self._with(lambda c: reading.follow(c, group, limit))

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        return await self._with(lambda c: reading.facts(c, self.url, len(migrations.MIGRATIONS)))
