"""Where values stand in a YAML text that can be read: its events once more, with an eye on what is wanted only.

What is wanted within an alias stands at its anchor, which has gone by: it is looked for in the next pass.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mainspring.definition.bounds import scalar_placed_max
from mainspring.definition.findings import Pointer
from mainspring.definition.places import Place, Places, Wanted, size
from mainspring.definition.yaml_syntax import place_of

alias_hops_max = 5

Wants = list[tuple[Pointer, Wanted]]


def find_yaml(text: str, wanted: Wanted) -> Places:
    """The places of what is wanted, as far as there is such a thing."""
    places = Places()
    del places.values[()]
    starts: dict[int, Wants] = {1: [((), wanted)]}
    for _ in range(alias_hops_max):
        starts = _Pass(text, places, starts).run()
        if not starts:
            break
    places.values.setdefault((), Place(1, 1))
    return places


class _Open:
    """A container on the way to something wanted."""

    __slots__ = ("index", "is_map", "key", "key_mark", "wants")

    def __init__(self, is_map: bool, wants: Wants) -> None:
        self.is_map = is_map
        self.wants = wants
        self.index = -1
        self.key: str | None = None
        self.key_mark: Any = None


class _Pass:
    """One reading of the text. `starts`: at which node (by its number) what is wanted begins."""

    def __init__(self, text: str, places: Places, starts: dict[int, Wants]) -> None:
        self.text = text
        self.places = places
        self.starts = starts
        self.later: dict[int, Wants] = {}
        self.anchors: dict[str, int] = {}
        self.left = sum(size(tree) for wants in starts.values() for _, tree in wants)

    def run(self) -> dict[int, Wants]:
        yaml: Any = import_module("yaml")
        parser = yaml.cyaml.CParser(self.text)
        try:
            self.events(parser, yaml)
        except yaml.YAMLError:
            pass  # The reader stopped here too, and has said so.
        finally:
            parser.dispose()
        return self.later

    def events(self, parser: Any, yaml: Any) -> None:
        get, scalar, alias = parser.get_event, yaml.ScalarEvent, yaml.AliasEvent
        mapping, sequence = yaml.MappingStartEvent, yaml.SequenceStartEvent
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        stack: list[_Open | None] = []
        top: _Open | None = None
        number, starts, anchors = 0, self.starts, self.anchors
        while (event := get()) is not None:
            kind = type(event)
            if kind in ends:
                stack.pop()
                top = stack[-1] if stack else None
                continue
            is_open = kind is mapping or kind is sequence
            if not is_open and kind is not scalar and kind is not alias:
                continue
            number += 1
            if kind is not alias and event.anchor is not None:
                anchors[event.anchor] = number
            wants = self.wanted(top, event, kind is scalar) if top is not None else []
            if number in starts:
                wants = wants + starts[number]
            if wants:
                self.found(wants, top, event, is_open, kind is alias)
                if self.left <= 0:
                    return
            if is_open:
                top = _Open(kind is mapping, wants) if wants else None
                stack.append(top)

    def wanted(self, top: _Open, event: Any, is_scalar: bool) -> Wants:
        """What is wanted of this node; nothing of a key."""
        if not top.is_map:
            top.index += 1
            part: Any = top.index
        elif top.key_mark is None:
            top.key = event.value if is_scalar else None
            top.key_mark = event.start_mark
            return []
        else:
            part = top.key
        found = [((*pointer, part), tree[part]) for pointer, tree in top.wants if part in tree]
        if top.is_map and not found:
            top.key_mark = None
        return found

    def found(self, wants: Wants, top: _Open | None, event: Any, is_open: bool, is_alias: bool) -> None:
        mark = top.key_mark if top is not None and top.is_map else None
        key = None if mark is None else Place(mark.line + 1, mark.column + 1)
        for pointer, tree in wants:
            if pointer not in self.places.values:
                self.places.values[pointer] = self.place(event, is_open or is_alias)
                self.places.keys[pointer] = key
            if is_alias and tree and event.anchor in self.anchors:
                self.later.setdefault(self.anchors[event.anchor], []).append((pointer, tree))
            self.left -= size(tree) if is_alias else 1
        if top is not None:
            top.key_mark = None

    def place(self, event: Any, bare: bool) -> Place:
        start, end = event.start_mark, event.end_mark
        if start.index >= len(self.text):  # a value that is left out at the end
            return Place(*place_of(start, self.text))
        if bare or end.index - start.index > scalar_placed_max:
            return Place(start.line + 1, start.column + 1)
        return Place(start.line + 1, start.column + 1, self.text[start.index : end.index], event.value, True)
