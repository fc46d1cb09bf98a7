"""Ids in the order of a key, mostly a time: a heap in which a removal costs nothing.

An id that is removed, or gets another key, leaves its old entry in the heap, where it is passed over. When such entries
outnumber the living ones, the heap is built anew, so its size stays within a constant of what it holds.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

agenda_slack = 16


class Agenda:
    __slots__ = ("_heap", "keys")

    def __init__(self) -> None:
        self.keys: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def set(self, id: int, key: int) -> None:
        """Put `id` on the agenda, or move it."""
        self.keys[id] = key
        heappush(self._heap, (key, id))
        if len(self._heap) > 2 * len(self.keys) + agenda_slack:
            self._heap = [(key, id) for id, key in self.keys.items()]
            heapify(self._heap)

    def drop(self, id: int) -> None:
        """Take `id` off the agenda, if it is there."""
        self.keys.pop(id, None)

    def first(self) -> int | None:
        """The smallest key."""
        heap = self._heap
        while heap:
            key, id = heap[0]
            if self.keys.get(id) == key:
                return key
            heappop(heap)
        return None

    def take(self) -> int:
        """The id with the smallest key; of equals the smallest id. `first` has said that there is one."""
        id = heappop(self._heap)[1]
        del self.keys[id]
        return id

    def __len__(self) -> int:
        return len(self.keys)
