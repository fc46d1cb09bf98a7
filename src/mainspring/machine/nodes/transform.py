"""The transform node: a value put together from others, without code.

A list is gone through item by item, and what comes of each is encoded at once: no result, whole or in between, is larger
than what a node may hand on, and all items together may take no more steps than `TRANSFORM_STEPS_MAX`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from mainspring.expression import sharing, truthy
from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import NodeState
from mainspring.machine.names import Names, mapping_fault
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of
from mainspring.machine.turn import Turn
from mainspring.machine.values import PAYLOAD_BYTES_MAX

ITEMS_MAX = 100_000
"""The longest list that a transform goes through. Longer ones are work for a function or a forEach."""

TRANSFORM_STEPS_MAX = 10_000_000
"""What all evaluations of one transform may take together (steps_max is for one of them)."""

REDUCED_BYTES_MAX = 16 * PAYLOAD_BYTES_MAX
"""What a reduction may write in all: one that carries a large value through many items takes ever longer."""

_encode = msgspec.json.encode


class TransformFault(Exception):
    """What is computed cannot be used."""


def make(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """The output is what the config says of it."""
    told = node.told
    doing = _Doing(told.way)
    try:
        with sharing(TRANSFORM_STEPS_MAX):
            return Leaves(_WAYS[told.way](told, names_of(turn, node, told.reads_value), doing))
    except TransformFault as fault:
        return Fails("TransformError", f"{doing.what} failed: {fault}")
    except COMPUTING as error:
        return Fails("TransformError", mapping_fault(doing.what, error))


class _Doing:
    """How far it has come, for the words of a fault."""

    __slots__ = ("index", "way")

    def __init__(self, way: str) -> None:
        self.way = way
        self.index = -1

    @property
    def what(self) -> str:
        return f"the {self.way}" if self.index < 0 else f"the {self.way} of item {self.index}"


def _value(told: Any, names: Names, doing: _Doing) -> bytes:
    return _encode(told.make(names))


def _text(told: Any, names: Names, doing: _Doing) -> bytes:
    value = told.make(names)
    return _encode("" if value is None else value if isinstance(value, str) else _encode(value).decode())


def _enrich(told: Any, names: Names, doing: _Doing) -> bytes:
    """The fields of the input, and over them those that are computed."""
    value, more = names.get("value"), told.make(names)
    if not isinstance(value, dict):
        raise TransformFault(f"the input is {_kind(value)}, no object")
    if not isinstance(more, dict):
        raise TransformFault(f"what is added is {_kind(more)}, no object")
    return _encode({**value, **more})


def _map(told: Any, names: Names, doing: _Doing) -> bytes:
    parts = _Parts()
    for item in _items(told, names, doing):
        names.bind("item", item)
        names.bind("index", doing.index)
        parts.add(_encode(told.make(names)))
    return parts.joined()


def _filter(told: Any, names: Names, doing: _Doing) -> bytes:
    parts = _Parts()
    for item in _items(told, names, doing):
        names.bind("item", item)
        names.bind("index", doing.index)
        if truthy(told.make(names)):
            parts.add(_encode(item))
    return parts.joined()


def _reduce(told: Any, names: Names, doing: _Doing) -> bytes:
    """`value` is what the items before came to. Small values are most, and cost nothing to be looked at."""
    items = _items(told, names, doing)
    value = told.initial(names)
    written = 0
    for item in items:
        names.bind("item", item)
        names.bind("index", doing.index)
        names.bind("value", value)
        value = told.make(names)
        if type(value) is not int and type(value) is not float:
            size = len(_encode(value))
            written += size
            if size > PAYLOAD_BYTES_MAX:
                raise TransformFault(f"it came to {size} bytes of JSON, and payload_bytes_max is {PAYLOAD_BYTES_MAX}")
            if written > REDUCED_BYTES_MAX:
                raise TransformFault(f"all values so far have more bytes than reduced_bytes_max, {REDUCED_BYTES_MAX}")
    return _encode(value)


class _Parts:
    """The elements of a list, encoded as they come, of bounded size together."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 1

    def add(self, part: bytes) -> None:
        self._size += len(part) + 1
        if self._size > PAYLOAD_BYTES_MAX:
            raise TransformFault(f"the list has more bytes of JSON than payload_bytes_max, {PAYLOAD_BYTES_MAX}")
        self._parts.append(part)

    def joined(self) -> bytes:
        return b"[" + b",".join(self._parts) + b"]"


def _items(told: Any, names: Names, doing: _Doing) -> Iterator[Any]:
    """The items, each told to `doing` as its turn comes."""
    items = told.items(names)
    if not isinstance(items, list | tuple):
        raise TransformFault(f"its items are {_kind(items)}, no list")
    if len(items) > ITEMS_MAX:
        raise TransformFault(f"it has {len(items)} items, and items_max is {ITEMS_MAX}")
    for index, item in enumerate(items):
        doing.index = index
        yield item
    doing.index = -1


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
_WAYS: dict[str, Callable[[Any, Names, _Doing], bytes]] = {
    "output": _value,
    "template": _text,
    "enrich": _enrich,
    "map": _map,
    "filter": _filter,
    "reduce": _reduce,
}
