"""The model back to a plain tree, without what says nothing: the tree of equal models is equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from mainspring.definition.bodies import bodies, with_tree
from mainspring.definition.durations import format_duration
from mainspring.definition.model import Node
from mainspring.definition.vocabulary import duration_fields

_Field = tuple[str, str, Any, bool]
_fields: dict[type[Struct], list[_Field]] = {}


def plain_tree(part: Struct, texts: bool = False) -> dict[str, Any]:
    """A part in the order of the model, in camelCase, defaults left out; durations as text where people will read it."""
    tree = {key: _plain(value, texts) for _, key, value in said(part, texts)}
    if isinstance(part, Node) and part.config:
        for way, body in bodies(part):
            tree["config"] = with_tree(tree["config"], way[1:], plain_tree(body, texts))
    return tree


def said(part: Struct, texts: bool = False) -> Iterator[tuple[str, str, Any]]:
    """What differs from the defaults: the attribute, the canonical key, the value."""
    for name, key, default, is_duration in _fields_of(type(part)):
        value = getattr(part, name)
        if value is default or (value == default and not isinstance(value, Struct)):
            continue
        yield name, key, format_duration(value) if is_duration and texts else value


def _plain(value: Any, texts: bool) -> Any:
    if isinstance(value, Struct):
        return plain_tree(value, texts)
    if isinstance(value, tuple):
        return [_plain(item, texts) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, texts) for name, item in value.items()}
    return value


def _fields_of(struct: type[Struct]) -> list[_Field]:
    known = _fields.get(struct)
    if known is None:
        durations = duration_fields.get(struct, ())
        known = _fields[struct] = [
            (field.name, field.encode_name, _default(field), field.encode_name in durations) for field in fields(struct)
        ]
    return known


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
