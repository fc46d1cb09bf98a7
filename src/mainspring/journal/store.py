"""The Store protocol: a few dumb verbs over records. Every store passes `mainspring.testing.store_contract`.

A store has no clock: whoever calls says what time it is (UTC milliseconds). It never decides; what it guarantees is:

- `commit` is all or nothing, durable when it returns, and refused as a whole (NotOwner) when its session is over: it was
  released, a later epoch exists, or (in a shared store) somebody saw that its lease had expired. A group that has a row or
  an instance which exists already, or a final record without an end, is refused (StoreError).
- in a shared store, an instance that another session owns, or has begun under the same id, is cut out of the group with
  all that is written for it, and named in the answer. The others of the group are written.
- `post` keeps a message once, however often it is posted. Messages and outbox rows come out in the order in which they
  came in, whatever their times and ids are.
- a snapshot whose checksum is wrong is never handed out: the one before it is, or none. Two are kept.
- in a shared store, `claim` ends a session whose lease has expired only where the claiming one had the store itself when the
  other did not renew, or for a whole lease since. After an outage of the store all leases have expired, and whoever is back
  first would end all others.
- a record that was handed out by `claim` is handed out to no other session while the claiming lease lives.
- a cached result whose checksum is wrong, or whose time is over, is never handed out. A later one with the same key takes
  the place of the one before. Losing one costs time only.
- a dead letter is kept once, however often one of its id is buried, until it is raised or purged.
- what is kept of limits comes back as it was kept last, in this session or a later one.
- `follow` gives every row once, in commit order, without gaps but for the rows of instances that were removed.
- `remove` has a family go as a whole or stay as a whole. Of one that has gone nothing is left: a new instance of the same id
  begins as if there had never been one, and takes messages of the same ids.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

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


class Store(Protocol):
    """See the module's text for what holds beyond each verb's own."""

    url: str
    control: str | None
    """The path of the socket at which the engine that holds this store listens (None: whoever wants may write to it)."""

    shared: bool
    """Whether several sessions can live at once, each with instances of its own. Where not, `acquire` waits for none."""

    remote: bool
    """Whether a server does the work of a commit. While it does, this process can go on."""

    async def open(self) -> None:
        """Create or migrate. Raises StoreTooNew (by a newer version), StoreCorrupt, StoreError."""
        ...

    async def close(self) -> None:
        """Give everything back. Idempotent."""
        ...

    # ownership

    async def acquire(self, holder: str, now: int, ttl: int) -> Lease:
        """Begin a session with an epoch above all others, and end those whose leases have expired by `now`.

        Raises StoreHeld while somebody else's lease lives, unless the store is shared.
        """
        ...

    async def renew(self, lease: Lease, now: int, ttl: int) -> Lease:
        """The same epoch, for longer. Raises NotOwner where it was ended: by a later epoch, or (shared) after it expired."""
        ...

    async def release(self, lease: Lease) -> None:
        """End the session. No error where it has been ended for us."""
        ...

    # writing

    async def numbers(self, lease: Lease, count: int) -> int:
        """Reserve `count` instance numbers; gives the first. A number is never given twice."""
        ...

    async def define(self, definition: DefinitionRecord) -> None:
        """Keep a definition. The same version a second time changes only its folder."""
        ...

    def commit(self, lease: Lease, writes: Sequence[Write]) -> Awaitable[Committed]:
        """Make a group durable, in order. Raises NotOwner, StoreError; then nothing of it was written.

        It may begin when it is called, before it is awaited. Several are carried out in the order of the calls.
        """
        ...

    async def post(self, message: InboxMessage) -> bool:
        """Keep a message for an instance, and wake its owner. False where its id was known already.

        Raises UnknownInstance.
        """
        ...

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """These outbox rows have arrived."""
        ...

    # the result cache, which is filled by `commit`

    async def cached(self, key: bytes, now: int) -> CacheRow | None:
        """The result that is kept under this key and may be used at `now`."""
        ...

    async def trim(self, lease: Lease, now: int, entries_max: int, limit: int) -> int:
        """Let go of up to `limit` cached results: those whose time is over, then the oldest of more than `entries_max`.

        Gives how many went; with `limit` of them there may be more.
        """
        ...

    # dead letters, which are buried and raised by `commit`

    async def dead_letters(self, *, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """A page of them, those that were buried first first. `after` is the id of the one after which the page begins.

        One that is not there any more begins none.
        """
        ...

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """One of them."""
        ...

    async def purge(self, lease: Lease, ids: Sequence[str]) -> int:
        """Lose these dead letters for good. How many of them there were."""
        ...

    # retention

    async def remove(self, lease: Lease, families: Sequence[Sequence[int]]) -> list[int]:
        """Lose these instances (by their numbers) for good, with all that is kept of them; gives those that went.

        A family stays, whole, where one of it is open, has something to send or a dead letter, or is the child of one that
        is open or has something to send (it may be this child's start, once more); in a shared store also where somebody
        else has just a hand on it. Definitions and cached results stay.
        """
        ...

    async def compact(self, lease: Lease, after: int, limit: int) -> int | None:
        """Give back some of the room that the removed have left: groups after position `after` that have no rows any more,
        of those that name up to about `limit` rows; then room in the medium. What it costs is bounded. Gives where to go
        on; None at the end, which does not move away while others commit."""
        ...

    # what limits have to remember

    async def keep_limits(self, lease: Lease, states: Mapping[str, bytes]) -> None:
        """Keep a state by each key, in the place of the one before. An empty one takes it out."""
        ...

    async def kept_limits(self) -> dict[str, bytes]:
        """All that is kept, by key."""
        ...

    # due work

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Take open instances that no living session owns and that are due: those of dead owners, sleepers whose
        `wake_at` has come, sleepers with mail. With `among`, only those with these ids; an entry that ends with `/` stands
        for all whose ids begin with it."""
        ...

    async def mail(self, lease: Lease, limit: int) -> list[InboxMessage]:
        """Unconsumed messages for instances that this session owns, oldest first."""
        ...

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest `wake_at` of a sleeping instance (of those that `claim` means by `among`)."""
        ...

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """What is still to be sent, oldest first."""
        ...

    def listen(self, wake: Callable[[], None], news: Callable[[], None] | None = None) -> Callable[[], None]:
        """Have `wake` called (in any thread) when there may be new mail or due work, and `news` when another session may
        have committed something. Gives back how to stop. Hints only: they may be lost, or come for nothing."""
        ...

    # reading

    async def definition(self, version: str) -> DefinitionRecord | None:
        """A definition by its content hash."""
        ...

    async def definitions(self, workflow: str, limit: int) -> list[DefinitionRecord]:
        """The definitions of a workflow, the one that came last first."""
        ...

    async def find(self, id: str) -> InstanceRecord | None:
        """An instance's record by its public id."""
        ...

    async def ended(self, ids: Sequence[str]) -> list[str]:
        """Those of these instances that are at their end, or not there (any more), in any order."""
        ...

    async def load(self, id: str, *, until: int | None = None) -> Loaded | None:
        """An instance as it stands (or as it stood after row `until`), without taking it."""
        ...

    async def instances(
        self, *, status: str | None = None, workflow: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[InstanceRecord]:
        """Records, newest first. `before` is the number after which a page goes on."""
        ...

    async def turns(self, id: str, *, after: int = 0, limit: int = 1_000) -> Loaded | None:
        """A page of an instance's rows (with their blobs), from `after` on."""
        ...

    async def follow(self, group: int, limit: int) -> list[tuple[Position, TurnRow]]:
        """Rows of all instances in groups after `group`, in commit order. At most about `limit`, whole groups only."""
        ...

    async def facts(self) -> StoreFacts:
        """Counts and sizes."""
        ...
