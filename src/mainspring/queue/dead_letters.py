"""Messages that were given up, kept until somebody decides about them."""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

from mainspring.queue.records import DeadLetter

T = TypeVar("T")

dead_letters_page = 100


class DeadLetters(Generic[T]):
    """At most `capacity` letters, in the order in which they came. When it is full it takes no more, and drops none.

    `LeasedQueue.requeue` puts one back to work; `purge` is the only way to lose one.
    """

    __slots__ = ("_letters", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._letters: dict[int, DeadLetter[T]] = {}

    def __len__(self) -> int:
        return len(self._letters)

    def __contains__(self, id: int) -> bool:
        return id in self._letters

    @property
    def full(self) -> bool:
        return len(self._letters) >= self.capacity

    def letters(self, start: int = 0, limit: int = dead_letters_page) -> list[DeadLetter[T]]:
        """A page of them, the oldest death first."""
        return list(islice(self._letters.values(), start, start + limit))

    def inspect(self, id: int) -> DeadLetter[T] | None:
        return self._letters.get(id)

    def add(self, letter: DeadLetter[T]) -> None:
        assert not self.full, "a letter for dead letters that are full"
        self._letters[letter.id] = letter

    def purge(self, id: int | None = None) -> int:
        """Remove one letter, or all of them, for good. How many that were."""
        if id is not None:
            return int(self._letters.pop(id, None) is not None)
        count = len(self._letters)
        self._letters.clear()
        return count
