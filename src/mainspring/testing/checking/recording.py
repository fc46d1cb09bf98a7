"""A store that tells of each write, and from which a process that died there can be followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mainspring.journal.records import Committed, InboxMessage, Lease, Write
from mainspring.stores.memory import MemoryStore


class RecordingStore(MemoryStore):
    """A write is a commit, a message put into an inbox, or taken out of the outbox: `told` hears of it once it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[Sequence[Write]], None] = lambda writes: None

    async def commit(self, lease: Lease, writes: Sequence[Write]) -> Committed:
        """As any store."""
        committed = await super().commit(lease, writes)
        self.told(writes)
        return committed

    async def post(self, message: InboxMessage) -> bool:
        """Likewise."""
        posted = await super().post(message)
        if posted:
            self.told(())
        return posted

    async def sent(self, lease: Lease, ids: Sequence[str]) -> None:
        """Likewise."""
        await super().sent(lease, ids)
        self.told(())

    def left(self) -> RecordingStore:
        """What a process that dies now leaves: the same content, and nobody who holds it."""
        copy = RecordingStore()
        self.copy_to(copy)
        return copy

    @property
    def unfinished(self) -> list[str]:
        """The ids of the instances that are not at their end."""
        return [kept.record.id for kept in self._contents.kept.values() if kept.record.open]

    def name_of(self, number: int) -> str:
        """The id of an instance."""
        return self._contents.kept[number].record.id

    @property
    def undelivered(self) -> tuple[str, ...]:
        """What has been sent and not arrived, and what has arrived and not been taken."""
        return (*self._contents.outgoing, *(id for kept in self._contents.kept.values() for id in kept.inbox))
