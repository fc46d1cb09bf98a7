"""Where values stand in a JSON text that can be read. What is not wanted is skipped by the C scanner of `json`."""

from __future__ import annotations

import re
from json import JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]

from mainspring.definition.bounds import findings_max, scalar_placed_max
from mainspring.definition.findings import Pointer
from mainspring.definition.places import Place, Places, Wanted, size

_space = re.compile(r"[ \t\r\n]*")
_string = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_flat = rf'[^"{{}}\[\]]*+(?:{_string}[^"{{}}\[\]]*+)*+'
_nested = rf'[^"{{}}\[\]]*+(?:(?:{_string}|[{{\[]{_flat}[}}\]])[^"{{}}\[\]]*+)*+'
_element = rf'(?:{_string}|[{{\[]{_nested}[}}\]]|[^"{{}}\[\],\s]++)\s*+'
_run_length = 256
# So many elements in one go, if none is nested deeper than this pattern is.
_run = re.compile(rf"(?:{_element},\s*+){{{_run_length}}}+", re.DOTALL)


class _AllFound(Exception):
    """The rest of the text need not be looked at."""


def find(text: str, wanted: Wanted) -> Places:
    """The places of what is wanted, as far as there is such a thing."""
    walk = _Walk(text, wanted)
    try:
        walk.value(walk.over_space(0), wanted, ())
    except _AllFound:
        pass
    return walk.places()


def duplicate_keys(text: str, objects: Wanted, pointers: set[Pointer]) -> list[tuple[str, Place]]:
    """The keys that stand twice in one of the objects that `pointers` lead to; `findings_max` of them at most."""
    walk = _Walk(text, objects)
    walk.doubled_in = pointers
    try:
        walk.value(walk.over_space(0), objects, ())
    except _AllFound:
        pass
    lines = walk.lines([at for _, at in walk.doubled])
    return [(key, lines[at]) for key, at in walk.doubled]


class _Walk:
    def __init__(self, text: str, wanted: Wanted) -> None:
        self.text = text
        self.left = size(wanted)
        # Nothing is to be made of the numbers, and float takes those that int refuses for their length.
        self.scan = JSONDecoder(parse_int=float).scan_once  # type: ignore[attr-defined]
        self.values: dict[Pointer, tuple[int, int]] = {}
        self.keys: dict[Pointer, int] = {}
        self.doubled_in: set[Pointer] = set()
        self.doubled: list[tuple[str, int]] = []

    def value(self, at: int, wanted: Wanted, pointer: Pointer) -> int:
        """Note where the value at `at` stands, and what is wanted within it; the offset behind it."""
        if pointer not in self.values:
            self.left -= 1
        self.values[pointer] = (at, at)
        mark = self.text[at]
        if mark == "{" and (wanted or pointer in self.doubled_in):
            return self.members(at, wanted, pointer)
        if mark == "[" and wanted:
            return self.items(at, wanted, pointer)
        if mark == '"':
            end: int = scanstring(self.text, at + 1, True)[1]
            self.values[pointer] = (at, end)
        else:
            self.stop_if_done()
            end = self.scan(self.text, at)[1]
        self.stop_if_done()
        return end

    def members(self, at: int, wanted: Wanted, pointer: Pointer) -> int:
        text, seen = self.text, set[str]()
        watched = pointer in self.doubled_in
        at = self.over_space(at + 1)
        while text[at] != "}":
            begin = at
            key, at = scanstring(text, at + 1, True)
            at = self.over_space(self.over_space(at) + 1)
            if watched:
                self.watch(key, begin, seen)
            child = wanted.get(key)
            if child is None:
                at = self.scan(text, at)[1]
            else:
                self.keys[*pointer, key] = begin
                at = self.value(at, child, (*pointer, key))
            at = self.behind_comma(at)
        return at + 1

    def items(self, at: int, wanted: Wanted, pointer: Pointer) -> int:
        text, index, retry_at = self.text, 0, 0
        pending = sorted((part for part in wanted if type(part) is int), reverse=True)
        at = self.over_space(at + 1)
        while text[at] != "]":
            while pending and pending[-1] < index:
                pending.pop()
            far = not pending or pending[-1] - index >= _run_length
            if far and index >= retry_at:
                match = _run.match(text, at)
                if match is not None:
                    at, index = match.end(), index + _run_length
                    continue
                retry_at = index + _run_length
            child = wanted.get(index)
            at = self.scan(text, at)[1] if child is None else self.value(at, child, (*pointer, index))
            at, index = self.behind_comma(at), index + 1
        return at + 1

    def watch(self, key: str, at: int, seen: set[str]) -> None:
        if key in seen:
            self.doubled.append((key, at))
            if len(self.doubled) >= findings_max:
                raise _AllFound
        seen.add(key)

    def stop_if_done(self) -> None:
        if self.left <= 0 and not self.doubled_in:
            raise _AllFound

    def over_space(self, at: int) -> int:
        match = _space.match(self.text, at)
        return match.end() if match else at

    def behind_comma(self, at: int) -> int:
        at = self.over_space(at)
        return self.over_space(at + 1) if self.text[at] == "," else at

    # -- offsets to lines

    def places(self) -> Places:
        lines = self.lines([*(at for at, _ in self.values.values()), *self.keys.values()])
        result = Places()
        for pointer, (start, end) in self.values.items():
            place = lines[start]
            if 0 < end - start <= scalar_placed_max:
                value = scanstring(self.text, start + 1, True)[0]
                place = Place(place.line, place.column, self.text[start:end], value)
            result.values[pointer] = place
        result.keys.update((pointer, lines[at]) for pointer, at in self.keys.items())
        return result

    def lines(self, offsets: list[int]) -> dict[int, Place]:
        found: dict[int, Place] = {}
        line, last = 1, 0
        for offset in sorted(offsets):
            line += self.text.count("\n", last, offset)
            last = offset
            found[offset] = Place(line, offset - self.text.rfind("\n", 0, offset))
        return found
