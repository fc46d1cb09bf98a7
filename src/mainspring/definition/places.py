"""Where the values of a document stand. Looked for only when there is something to report, and only what is asked for.

A document of a hundred thousand nodes has a million places; its findings need a few. So the text is gone through a
second time with the pointers that are wanted, and all that leads to none of them is skipped as fast as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct

from mainspring.definition.encoding import line_and_column
from mainspring.definition.findings import Pointer

Wanted = dict[Any, Any]
"""Pointers by their parts: `{"nodes": {0: {"id": {}}}}`."""


class Place(Struct, frozen=True):
    """Line and column count from 1. `raw` is a scalar as it is written, `value` its text; YAML may break it into `lines`."""

    line: int
    column: int
    raw: str | None = None
    value: str = ""
    lines: bool = False

    def within(self, offset: int) -> Place:
        """The place of one character of the text; this place where that cannot be made out."""
        from mainspring.definition.scalar_places import offset_within

        at = None if self.raw is None else offset_within(self.raw, self.value, offset)
        if at is None or self.raw is None:
            return self
        line, column = line_and_column(self.raw, at) if self.lines else (1, at + 1)
        return Place(self.line + line - 1, column if line > 1 else self.column + at)


class Places:
    """What was found: by pointer, the place of the value and that of its key (None in a list)."""

    def __init__(self) -> None:
        self.values: dict[Pointer, Place] = {(): Place(1, 1)}
        self.keys: dict[Pointer, Place | None] = {}

    def find(self, pointer: Pointer, key: bool = False) -> Place:
        """The place of what `pointer` leads to (or of its key); of the last part of the way that there is."""
        for length in range(len(pointer), -1, -1):
            place = self.values.get(pointer[:length])
            if place is not None:
                return (self.keys.get(pointer) or place) if key and length == len(pointer) else place
        return Place(1, 1)


def wanted(pointers: Iterable[Pointer]) -> Wanted:
    """The pointers as one tree."""
    tree: Wanted = {}
    for pointer in pointers:
        here = tree
        for part in pointer:
            here = here.setdefault(part, {})
    return tree


def size(tree: Wanted) -> int:
    """How many places a tree wants."""
    count, stack = 0, [tree]
    while stack:
        count += 1
        stack.extend(stack.pop().values())
    return count


class Locator:
    """Finds places in one text, in as few passes as there are times that it is asked for something new.

    `origin` leads from a canonical pointer to the one in the file.
    """

    def __init__(
        self, text: str, form: Literal["yaml", "json"], origin: Callable[[Pointer], Pointer] = lambda pointer: pointer
    ) -> None:
        self.text = text
        self.form = form
        self.origin = origin
        self.known: set[Pointer] = set()
        self.places = Places()

    def expect(self, pointers: Iterable[Pointer]) -> None:
        """Find all of these in one go."""
        new = {self.origin(pointer) for pointer in pointers} - self.known
        if new:
            self.known |= new
            self.search(wanted(self.known))

    def search(self, tree: Wanted) -> None:
        if self.form == "json":
            from mainspring.definition.json_places import find

            self.places = find(self.text, tree)
        else:
            from mainspring.definition.yaml_places import find_yaml

            self.places = find_yaml(self.text, tree)

    def __call__(self, pointer: Pointer, key: bool = False) -> Place:
        self.expect([pointer])
        return self.places.find(self.origin(pointer), key)
