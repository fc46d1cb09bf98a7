"""A store as one command sees it: only the instances that the command is about, and their children, are taken from it.

An engine goes on with whatever is open in its store. That is right for a service, but a person who runs one file should
not thereby start what another command was stopped at yesterday. What is claimed and not admitted stays open, and the next
session finds it as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.journal.records import Lease, Loaded, OutboxRow
    from mainspring.journal.store import Store


class FocusedStore:
    """Every verb is the store's own but `claim` and `outbox`. `ids` may grow. `children`: they are taken, too."""

    def __init__(self, store: Store, ids: set[str], *, children: bool = True) -> None:
        self._store = store
        self._children = children
        self.ids = ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _is_ours(self, id: str) -> bool:
        """Whether it is one of ours, or a child of one, or a message from one: their ids begin with its own."""
        return id in self.ids or any(id.startswith(f"{one}/") for one in self.ids)

    async def claim(self, lease: Lease, now: int, limit: int) -> list[Loaded]:
        """Of what is due, only what we want. All of it is gone through: ours may be behind many others."""
        wanted: list[Loaded] = []
        while True:
            claimed = await self._store.claim(lease, now, limit)
            ours = self._is_ours if self._children else self.ids.__contains__
            wanted += [loaded for loaded in claimed if ours(loaded.record.id)]
            if len(claimed) < limit:
                return wanted

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """Of what is to be sent, only what ours send: they may be behind many others."""
        asked = limit
        while True:
            rows = await self._store.outbox(lease, asked)
            ours = [row for row in rows if self._is_ours(row.id)]
            if len(ours) >= limit or len(rows) < asked:
                return ours[:limit]
            asked *= 4
