"""Any event at all, for Hypothesis: made from the event classes themselves, so a new one is covered the day it appears."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import Raw, Struct

from mainspring.machine import events as ev

TEXT = st.text(max_size=20)
INTEGERS = st.integers(-(2**53), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RAW = JSON.map(lambda value: Raw(msgspec.json.encode(value)))


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if kind is Raw:
        return RAW
    if kind is bool:
        return st.booleans()
    if kind is int:
        return INTEGERS
    if kind is str:
        return TEXT
    if kind is type(None):
        return st.none()
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of([of(part) for part in get_args(kind)])
    if get_origin(kind) is tuple:
        return st.lists(of(get_args(kind)[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return struct(kind)
    raise TypeError(f"teach this file to make a {kind}")


def struct(kind: type[Struct]) -> st.SearchStrategy[Any]:
    """Any value of a Struct."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})


KINDS: tuple[type[ev.Event], ...] = get_args(ev.AnyEvent)
EVENTS = st.one_of([struct(kind) for kind in KINDS])


def plain(event: Any) -> Any:
    """An event as something that can be compared: Raw has no equality of its own."""
    if isinstance(event, Raw):
        return bytes(event)
    if isinstance(event, (list, tuple)):
        return [plain(part) for part in event]
    if isinstance(event, Struct):
        return [type(event).__name__, *[plain(getattr(event, name)) for name in event.__struct_fields__]]
    return event
