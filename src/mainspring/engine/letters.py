"""Dead letters: what was given up, kept until somebody decides about it.

A node that the process ended in too often, a child that could not be started, a message that nobody can read: each is
buried in the commit that gives it up (or before what it was is forgotten), so that nothing is lost. An instance that is
parked waits for a person too, and is listed with them; its record alone says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.engine.live import Live
from mainspring.errors import CommandRefused
from mainspring.journal import messages
from mainspring.journal.records import DeadLetter, InboxMessage, InstanceRecord, OutboxRow, Write
from mainspring.journal.store import Store
from mainspring.machine.effects import Bury, Raise

if TYPE_CHECKING:
    from mainspring.engine.host import Host

PAGE = 500


class Letter(Struct, frozen=True, kw_only=True):
    """Something that was given up. `at` is when (UTC milliseconds).

    `kind`: `node` (at `path`, in its run `run`), `instance` (it is parked, and its id is the letter's), `child` (a detached
    one that could not be started) or `outbox` (a message that nobody can read). `instance` is the public id.
    """

    id: str
    kind: str
    instance: str
    reason: str
    at: int
    path: str = ""
    run: int = 0
    body: bytes = b""


def id_of(instance: str, over: Bury | Raise) -> str:
    """What the letter of a run of a node is called."""
    return f"{instance}/{over.path}/{over.run}"


def of_turn(live: Live, orders: Sequence[Bury | Raise], at: int) -> tuple[tuple[DeadLetter, ...], tuple[str, ...]]:
    """What a turn has buried, and which letters it has raised."""
    buried = tuple(of_node(live, one, at) for one in orders if isinstance(one, Bury))
    return buried, tuple(id_of(live.id, one) for one in orders if isinstance(one, Raise))


def of_node(live: Live, order: Bury, at: int) -> DeadLetter:
    """A run of a node that is given up for good."""
    return DeadLetter(id_of(live.id, order), live.number, "node", order.reason, at, order.path, order.run, live.id)


def of_message(kind: str, row: OutboxRow, reason: str, at: int) -> DeadLetter:
    """An outbox row that cannot have its effect."""
    return DeadLetter(f"{row.id}/{kind}", row.instance, kind, reason, at, row.kind, 0, row.id, row.body)


class Letters:
    """What can be asked of dead letters, and done about them."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def all(self) -> list[Letter]:
        """See `letters_in`."""
        return await letters_in(self._host.store)

    async def find(self, id: str) -> Letter:
        """One of them. Raises CommandRefused where there is none of that id."""
        letter = await self._host.store.dead_letter(id)
        if letter is not None:
            return told(letter)
        record = await self._host.store.find(id)
        if record is not None and record.status == "parked":
            return told_of_parked(record)
        raise CommandRefused(f"there is no dead letter {id!r} in {self._host.store.url}")

    async def requeue(self, id: str, by: str, reason: str) -> None:
        """Put one back to work; that is durable when this returns, and happens once. Raises CommandRefused."""
        letter = await self.find(id)
        if letter.kind == "node":
            await self._run_again(letter, by, reason)
        elif letter.kind == "instance":
            await self._post(letter.instance, messages.Resume(by=by))
        else:
            await self._send_again(id)

    async def purge(self, ids: list[str]) -> int:
        """Lose these for good; gives how many there were. A parked instance is none of them: cancel that."""
        return await self._host.store.purge(self._host.ownership.lease(), ids)

    async def _run_again(self, letter: Letter, by: str, reason: str) -> None:
        """Have the instance take the order to run the node again, which is what raises the letter."""
        if await self._host.store.find(letter.instance) is None:
            raise CommandRefused(f"{letter.instance} is gone: the letter can only be purged")
        try:
            order = messages.RetryNode(letter.path, letter.run, by, reason)
            await self._host.interventions.order(letter.instance, order)
        except CommandRefused as refused:
            why = str(refused).removeprefix(f"{letter.instance}: ")
            raise CommandRefused(f"{letter.path} of {letter.instance} cannot be run again: {why}") from None

    async def _post(self, instance: str, message: messages.Message) -> None:
        record = await self._host.store.find(instance)
        assert record is not None, f"{instance} is gone"
        ident = f"requeued/{self._host.clock.seed():016x}"
        body = messages.encode(message)
        await self._host.store.post(InboxMessage(ident, record.number, body, self._host.clock.now()))
        self._host.recovery.begin()

    async def _send_again(self, id: str) -> None:
        host = self._host
        letter = await host.store.dead_letter(id)
        if letter is None:
            raise CommandRefused(f"somebody else has seen to {id!r} meanwhile")
        row = OutboxRow(letter.subject, letter.instance, letter.path, letter.body, letter.created_at)
        try:
            write = Write(letter.instance, outbox=(row,), raised=(id,))
            if (await host.store.commit(host.ownership.lease(), [write])).refused:
                raise CommandRefused(
                    f"{id!r} comes from an instance that another engine has: requeue it when that has ended"
                )
        finally:
            host.outbox.want()


async def letters_in(store: Store) -> list[Letter]:
    """All that a store has, those that were given up first first; then the instances that are parked."""
    found: list[DeadLetter] = []
    after: str | None = None
    while True:
        page = await store.dead_letters(after=after, limit=PAGE)
        found += page
        if len(page) < PAGE:
            break
        after = page[-1].id
    parked: list[InstanceRecord] = []
    before: int | None = None
    while True:
        records = await store.instances(status="parked", before=before, limit=PAGE)
        parked += records
        if len(records) < PAGE:
            break
        before = records[-1].number
    return [*map(told, found), *(told_of_parked(one) for one in reversed(parked))]


def told(letter: DeadLetter) -> Letter:
    """A record, as people see it."""
    instance = letter.subject if letter.kind == "node" else letter.subject.partition("/")[0]
    return Letter(
        id=letter.id,
        kind=letter.kind,
        instance=instance,
        reason=letter.reason,
        at=letter.created_at,
        path=letter.path,
        run=letter.run,
        body=letter.body,
    )


def told_of_parked(record: InstanceRecord) -> Letter:
    """An instance that waits for a person. When it was parked only its journal knows."""
    return Letter(id=record.id, kind="instance", instance=record.id, reason=record.reason, at=record.created_at)
