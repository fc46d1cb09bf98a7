"""A ring buffer: first in, first out, in one array that is used round and round.

An item that dies while it stands in line stays where it is and is passed over when its turn comes. The array begins
small. When it is full, what lives moves into one of twice the size that it needs: so it grows, closes its gaps and
shrinks by one rule, each item moves a constant number of times, and the array is never longer than twice the capacity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

ring_slots_min = 8


class Ring(Generic[T]):
    """Holds at most `capacity` items for which `alive` is true; whoever appends sees to that."""

    __slots__ = ("_alive", "_capacity", "_head", "_length", "_slots")

    def __init__(self, capacity: int, alive: Callable[[T], bool]) -> None:
        self._capacity = capacity
        self._alive = alive
        self._slots: list[T | None] = [None] * ring_slots_min
        self._head = 0
        self._length = 0

    def append(self, item: T) -> None:
        if self._length == len(self._slots):
            self._move()
        self._slots[(self._head + self._length) % len(self._slots)] = item
        self._length += 1

    def first(self) -> T | None:
        """The first that lives, or None. The dead before it leave the ring for good."""
        slots = self._slots
        while self._length:
            item = slots[self._head]
            if item is not None and self._alive(item):
                return item
            self.take()
        return None

    def take(self) -> None:
        """Take out what stands at the head: what `first` gave, if that has just been asked."""
        self._slots[self._head] = None
        self._head = (self._head + 1) % len(self._slots)
        self._length -= 1

    def _move(self) -> None:
        whole = self._slots[self._head :] + self._slots[: self._head]
        living: list[T | None] = [item for item in whole if item is not None and self._alive(item)]
        assert len(living) < self._capacity, "more in line than the ring's capacity"
        self._slots = living + [None] * max(ring_slots_min, len(living))
        self._head = 0
        self._length = len(living)
