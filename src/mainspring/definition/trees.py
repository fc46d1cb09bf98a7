"""The model back to a plain tree, without what says nothing: the trees of equal models are equal."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, fields

from mainspring.definition.bodies import bodies, with_tree
from mainspring.definition.durations import format_duration
from mainspring.definition.model import Node, ResilienceSpec
from mainspring.definition.vocabulary import duration_fields


class _Table(NamedTuple):
    """The fields of a struct, in order; `durations` are canonical keys."""

    keys: tuple[str, ...]
    defaults: tuple[Any, ...]
    durations: tuple[str, ...]


_tables: dict[type[Struct], _Table] = {}


def plain_tree(part: Struct, texts: bool = False) -> dict[str, Any]:
    """A part in the order of the model, in camelCase, defaults left out; durations as text where people will read it."""
    tree = said(part, texts)
    for key, value in tree.items():
        # Configurations and the like are plain already.
        if isinstance(value, Struct):
            tree[key] = plain_tree(value, texts)
        elif type(value) is tuple:
            tree[key] = [plain_tree(item, texts) if isinstance(item, Struct) else item for item in value]
        elif type(part) is ResilienceSpec and type(value) is dict:
            tree[key] = {name: plain_tree(item, texts) for name, item in value.items()}
    if "config" in tree and isinstance(part, Node):
        for way, body in bodies(part):
            tree["config"] = with_tree(tree["config"], way[1:], plain_tree(body, texts))
    return tree


def said(part: Struct, texts: bool = False) -> dict[str, Any]:
    """What differs from the defaults, by the canonical key; what is within stays as it is."""
    keys, defaults, durations = _tables.get(type(part)) or _table(type(part))
    found = {
        key: value
        for key, value, default in zip(keys, astuple(part), defaults, strict=True)
        # None and () are the usual values, and one object each.
        if value is not default and value != default
    }
    if texts:
        found.update((key, format_duration(found[key])) for key in durations if key in found)
    return found


def _table(struct: type[Struct]) -> _Table:
    defaults = tuple(
        field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in fields(struct)
    )
    keys = struct.__struct_encode_fields__
    table = _tables[struct] = _Table(keys, defaults, duration_fields.get(struct, ()))
    return table
