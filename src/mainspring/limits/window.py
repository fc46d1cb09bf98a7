"""The last calls of a target: how many there were, and how many of them were marked. A sum that forgets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Window:
    """At most the last `size` calls, and where `time` is said only those of the last `time` milliseconds.

    Each call has as many marks as the window was made for; `marked` says of each how many calls have it. `total`: how many
    marks there are in all, at the last look.
    """

    __slots__ = ("_calls", "_marked", "_time", "_unmarked", "total")

    def __init__(self, marks: int, size: int, time: int | None = None) -> None:
        self._calls: deque[tuple[int, tuple[bool, ...]]] = deque(maxlen=size)
        self._marked = [0] * marks
        self._unmarked = 0, (False,) * marks
        self.total = 0
        self._time = time

    def resize(self, size: int, time: int | None) -> None:
        """Another bound holds from now on: what is over it is forgotten, what is too old by the next look."""
        while len(self._calls) > size:
            self._drop()
        self._calls = deque(self._calls, maxlen=size)
        self._time = time

    def add(self, at: int, *marks: bool) -> None:
        """One more call."""
        calls = self._calls
        if len(calls) == calls.maxlen:
            self._drop()
        calls.append((at, marks))
        if True in marks:  # mostly there is none, and nothing to count
            self._count(marks, 1)
        self._forget(at)

    def add_unmarked(self, at: int) -> None:
        """One more call without a mark, where none has any (`total` is 0): so none has to be uncounted."""
        unmarked = self._unmarked
        if unmarked[0] != at:  # ends become durable together: most are of the same time, and one object says it of all
            unmarked = self._unmarked = at, unmarked[1]
        self._calls.append(unmarked)
        if self._time is not None:
            self._forget(at)

    def mark_last(self, index: int) -> int:
        """The call that was added last has this mark; gives when it was."""
        at, marks = self._calls.pop()
        if not marks[index]:
            self._marked[index] += 1
            self.total += 1
            marks = (*marks[:index], True, *marks[index + 1 :])
        self._calls.append((at, marks))
        return at

    def take_back(self, at: int, *marks: bool) -> None:
        """One call of that time and with these marks was none. It changes nothing where none of these is left."""
        if (at, marks) in self._calls:
            self._calls.remove((at, marks))
            self._count(marks, -1)

    def count(self, now: int) -> int:
        """How many calls are in the window."""
        self._forget(now)
        return len(self._calls)

    def marked(self, now: int) -> Sequence[int]:
        """How many of them have each mark."""
        self._forget(now)
        return self._marked

    def calls(self) -> tuple[tuple[int, tuple[bool, ...]], ...]:
        """The calls themselves, the oldest first: when, and their marks."""
        return tuple(self._calls)

    def clear(self) -> None:
        """Forget them all."""
        self._calls.clear()
        self._marked = [0] * len(self._marked)
        self.total = 0

    def _forget(self, now: int) -> None:
        """Those that are too old by now."""
        if self._time is not None:
            calls, oldest = self._calls, now - self._time
            while calls and calls[0][0] <= oldest:
                self._drop()

    def _drop(self) -> None:
        """The oldest goes."""
        _, marks = self._calls.popleft()
        if True in marks:
            self._count(marks, -1)

    def _count(self, marks: tuple[bool, ...], by: int) -> None:
        for index, mark in enumerate(marks):
            if mark:
                self._marked[index] += by
                self.total += by
