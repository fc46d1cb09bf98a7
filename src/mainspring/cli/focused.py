"""A store as one command sees it: only the instances that the command is about, and their children, are taken from it.

An engine goes on with whatever is open in its store. That is right for a service, but a person who runs one file should
not thereby start what another command was stopped at yesterday. All the rest stays open, and whoever comes next finds it
as it was; on a store that several engines share, they go on with it meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainspring.journal.records import Lease, Loaded, OutboxRow
    from mainspring.journal.store import Store


class FocusedStore:
    """Every verb is the store's own but `claim`, `next_wake` and `outbox`. `ids` may grow; with `children`, theirs too."""

    def __init__(self, store: Store, ids: set[str], *, children: bool = True) -> None:
        self._store = store
        self._children = children
        self.ids = ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _is_ours(self, id: str) -> bool:
        """Whether it is one of ours, or a child of one, or a message from one: their ids begin with its own."""
        return id in self.ids or any(id.startswith(f"{one}/") for one in self.ids)

    def _among(self) -> list[str]:
        below = [f"{id}/" for id in self.ids] if self._children else []
        return [*self.ids, *below]

    async def claim(self, lease: Lease, now: int, limit: int, among: Sequence[str] | None = None) -> list[Loaded]:
        """Of what is due, only what we want: what others may have a use for is left to them."""
        return await self._store.claim(lease, now, limit, self._among())

    async def next_wake(self, lease: Lease, among: Sequence[str] | None = None) -> int | None:
        """The earliest time of one of ours: for the others nobody here would wake."""
        return await self._store.next_wake(lease, self._among())

    async def outbox(self, lease: Lease, limit: int) -> list[OutboxRow]:
        """Of what is to be sent, only what ours send: they may be behind many others."""
        asked = limit
        while True:
            rows = await self._store.outbox(lease, asked)
            ours = [row for row in rows if self._is_ours(row.id)]
            if len(ours) >= limit or len(rows) < asked:
                return ours[:limit]
            asked *= 4
