"""Where each value of a document stands. Worked out only when there is something to report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from mainspring.definition.findings import Pointer


class Place(Struct, frozen=True):
    """Line and column count from 1. `inner` is how far a scalar's text begins behind its place (the quote), where each
    of its characters stands one for one on the same line; None where it does not."""

    line: int
    column: int
    inner: int | None = None


class Places:
    """The places of keys and values, by container: a tree shared through aliases has one place, where it is written."""

    def __init__(self) -> None:
        self.root: Any = None
        self.start = Place(1, 1)
        self.values: dict[int, dict[str | int, Place]] = {}
        self.keys: dict[int, dict[str | int, Place]] = {}

    def find(self, pointer: Pointer, key: bool = False) -> Place:
        """The place of what `pointer` leads to (or of its key); of the last part of the way that there is."""
        value, place = self.root, self.start
        for part, last in _with_last(pointer):
            here = self.values.get(id(value), {}).get(part)
            if here is None:
                return place
            place = (self.keys.get(id(value), {}).get(part) or here) if key and last else here
            value = value[part]
        return place


def _with_last(pointer: Pointer) -> Iterator[tuple[str | int, bool]]:
    for index, part in enumerate(pointer, 1):
        yield part, index == len(pointer)
