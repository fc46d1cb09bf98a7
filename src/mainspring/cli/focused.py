"""A store as one command sees it: only the instances that the command is about are taken from it.

An engine goes on with whatever is open in its store. That is right for a service, but a person who runs one file should
not thereby start what another command was stopped at yesterday. What is claimed and not admitted stays open, and the next
session finds it as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.journal.records import Lease, Loaded
    from mainspring.journal.store import Store


class FocusedStore:
    """Every verb is the store's own but `claim`. `ids` may grow."""

    def __init__(self, store: Store, ids: set[str]) -> None:
        self._store = store
        self.ids = ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim(self, lease: Lease, now: int, limit: int) -> list[Loaded]:
        """Of what is due, only what we want. All of it is gone through: ours may be behind many others."""
        wanted: list[Loaded] = []
        while True:
            claimed = await self._store.claim(lease, now, limit)
            wanted += [loaded for loaded in claimed if loaded.record.id in self.ids]
            if len(claimed) < limit:
                return wanted
