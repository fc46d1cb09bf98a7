"""The Store protocol on Redis: commits one after another, all else beside them, one connection that listens."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from mainspring.errors import NotOwner, StoreError, UnknownInstance
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
from mainspring.stores.posting import Postings
from mainspring.stores.redis import reading, writing
from mainspring.stores.redis.address import address_of
from mainspring.stores.redis.listening import Ear
from mainspring.stores.redis.server import Server
from mainspring.stores.redis.writing import listed

logger = logging.getLogger("mainspring.stores")

CLAIMS_LOST_MAX = 1_000
"""How many claims whose answers were lost are remembered; where it comes to more, the session is given up."""


class RedisStore:
    """See `mainspring.journal.store.Store` for what each verb means.

    `url`: `redis://HOST:PORT/DATABASE`, with `?prefix=NAME` for other keys than those that begin with `{mainspring}:`, and
    whatever else redis-py takes there. What is durable is the server's to say: `open` warns of what it may lose, unless
    `durability` is "normal". `read_only` is for those who only look: nothing is created or changed.
    """

    shared = True
    remote = True

    def __init__(self, url: str, *, durability: Literal["full", "normal"] = "full", read_only: bool = False) -> None:
        self._address = address_of(url)
        self.dsn = url
        self.url = self._address.shown
        self.control: str | None = None
        self._durability = durability
        self._read_only = read_only
        self._opened: Server | None = None
        self._ear: Ear | None = None
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._postings = Postings(self._post)
        self._listeners: list[tuple[Callable[[], None], Callable[[], None] | None]] = []
        self._epochs: set[int] = set()
        self._lost_claims: dict[int, set[int]] = {}

    @property
    def _server(self) -> Server:
        if self._opened is None:
            raise StoreError(f"{self.url} is not open")
        return self._opened

    async def open(self) -> None:
        """Note the format where there is no store yet; a read-only store only looks at it."""
        if self._opened is not None:
            return
        server = Server(self._address)
        try:
            await server.begin_store(read_only=self._read_only)
            if self._durability == "full" and not self._read_only:
                for caution in await server.cautions():
                    logger.warning("%s: %s", self.url, caution)
        except BaseException:
            await server.close()
            raise
        self._opened, self._ear, self._turn = server, Ear(server, self._heard), asyncio.Lock()

    async def cautions(self) -> list[str]:
        """What may be lost on this server as it is set up."""
        return await self._server.cautions()

    async def close(self) -> None:
        """Finish what is under way and give every connection back."""
        server, self._opened = self._opened, None
        ear, self._ear = self._ear, None
        if ear is not None:
            await ear.close()
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        if server is not None:
            await server.close()
        self._epochs.clear()
        self._lost_claims.clear()

    async def _in_turn(self, server: Server, work: Callable[[Server], Awaitable[Committed]]) -> Committed:
        async with self._turn:
            return await work(server)

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session, beside those that live. Those whose leases have expired are ended."""
        epoch = int(await self._server.verb("acquire", holder, now, ttl))
        self._epochs.add(epoch)
        return Lease(epoch, holder, now + ttl)

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer."""
        await self._server.verb("renew", lease.epoch, now, ttl)
        return Lease(lease.epoch, lease.holder, now + ttl)

    async def release(self, lease: Lease) -> None:
        """End the session, and wake whoever can go on with what it had."""
        await self._server.verb("release", lease.epoch)
        self._epochs.discard(lease.epoch)
        self._lost_claims.pop(lease.epoch, None)

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve instance numbers."""
        first: int = await self._server.verb("numbers", lease.epoch, count)
        return first

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition; the folder is that of its last use."""
        one = definition
        await self._server.verb("define", one.version, one.workflow, one.body, one.folder, one.created_at)

    def commit(self, lease: Lease, writes: Sequence[Write]) -> asyncio.Future[Committed]:
        """Make a group durable, in one script and one round trip. It begins when it is called.

        A caller that is cancelled stops waiting; the work itself is done to its end.
        """
        work = self._in_turn(self._server, lambda server: writing.commit(server, lease, writes))
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return asyncio.shield(task)

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message once."""
        new = await self._postings.post(message)
        for wake, _ in tuple(self._listeners):
            wake()
        return new

    async def _post(self, messages: Sequence[InboxMessage]) -> list[bool | UnknownInstance]:
        given = listed([(one.id, one.instance, writing.pack(one)) for one in messages])
        ends = await self._server.verb("post", *given)
        return [
            UnknownInstance(f"there is no instance with number {message.instance}") if end < 0 else end == 1
            for message, end in zip(messages, ends, strict=True)
        ]

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Forget what has arrived."""
        await self._server.verb("sent", lease.epoch, *listed([(id,) for id in ids]))

    # the result cache

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """What may be used again."""
        return await reading.cached(self._server, key, now)

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of what is over, then of the oldest."""
        gone: int = await self._server.verb("trim", lease.epoch, now, entries_max, limit)
        return gone

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose what may go."""
        given = [argument for family in families for argument in listed([(number,) for number in family])]
        return [int(number) for number in await self._server.verb("remove", lease.epoch, len(families), *given)]

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Let go of groups without rows."""
        place = await self._server.verb("compact", lease.epoch, after, limit)
        return int(place) if place else None

    # dead letters, and what limits have to remember

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them."""
        return await reading.dead_letters(self._server, after, limit)

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        return await reading.dead_letter(self._server, id)

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these for good."""
        gone: int = await self._server.verb("purge", lease.epoch, *listed([(id,) for id in ids]))
        return gone

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key. Of several sessions that keep one by the same key, the last one's stays."""
        await self._server.verb("keep_limits", lease.epoch, *listed(list(states.items())))

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept."""
        return await reading.kept_limits(self._server)

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take what is due; before that, what an earlier call took whose answer was lost on the way."""
        lost = self._lost_claims.setdefault(lease.epoch, set())
        if len(lost) >= CLAIMS_LOST_MAX:
            raise NotOwner(f"{CLAIMS_LOST_MAX} claims were lost on their way here; a new session finds what they took")
        claim = random.getrandbits(50)
        try:
            return await self._claim(lease, now, limit, claim, lost, among)
        except NotOwner:
            raise
        except BaseException:
            lost.add(claim)  # it may have been carried out all the same
            raise

    async def _claim(
        self, lease: Lease, now: int, limit: int, claim: int, lost: set[int], among: Sequence[str] | None
    ) -> list[Loaded]:
        before = list(lost)
        named = (0,) if among is None else (1, *listed([(one,) for one in among]))
        again, given = await self._server.verb(
            "claim", lease.epoch, now, limit, claim, *listed([(one,) for one in before]), *named
        )
        if not again:
            lost.difference_update(before)
        found = [await reading.loaded(self._server, int(number)) for number in given]
        return [one for one in found if one is not None]

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances in memory here."""
        return await reading.mail(self._server, lease.epoch, limit)

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest sleeper's time."""
        return await reading.next_wake(self._server, among)

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What this session has to send, and what those have left that are over."""
        return await reading.outbox(self._server, lease.epoch, limit)

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Wake-ups come from `post` here, and from other sessions by PUBLISH."""
        entry = (wake, news)
        self._listeners.append(entry)
        if self._ear is not None:
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
        return await reading.definition(self._server, version)

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow."""
        return await reading.definitions(self._server, workflow, limit)

    async def find(self, id: str) -> InstanceRecord | None:
        """A record by its public id."""
        return await reading.find(self._server, id)

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those at their end."""
        return await reading.ended(self._server, ids)

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance, without taking it."""
        number = await reading.number_of(self._server, id)
        return None if number is None else await reading.loaded(self._server, number, until)

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first."""
        return await reading.instances(self._server, status, workflow, before, limit)

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of rows."""
        number = await reading.number_of(self._server, id)
        return None if number is None else await reading.turns(self._server, number, after, limit)

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows in commit order."""
        return await reading.follow(self._server, group, limit)

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        return await reading.facts(self._server, self.url)
