"""A workflow as the Python program that makes it: the way from a file to the Python door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from mainspring.definition import model
from mainspring.definition.bodies import bodies, with_tree
from mainspring.definition.trees import said

width_max = 100
# Too seldom to have a name in `ms`.
_as_dicts = frozenset(
    (
        *(model.Position, model.Checkpoint, model.TriggerSpec, model.FallbackAction, model.Check, model.Invariant),
        *(model.ResilienceSpec, model.StepPolicy),
    )
)
# Said by position.
_first: dict[type[Struct], tuple[str, ...]] = {
    model.Workflow: ("id",),
    model.Node: ("id", "type"),
    model.Connection: ("source", "target"),
    model.RateLimit: ("rate",),
    model.Join: ("kind",),
}


def to_python(workflow: model.Workflow) -> str:
    """The source of a module whose `workflow` is this one."""
    return f"import mainspring as ms\n\nworkflow = {_source(workflow, 0)}\n"


def _source(value: Any, depth: int) -> str:
    """An expression; where it is too long for a line, what is in it stands one a line."""
    if isinstance(value, Struct):
        if type(value) in _as_dicts:
            return _source(dict(_said(value)), depth)
        first = _first.get(type(value), ())
        items = [("" if field in first else f"{field}=", said) for field, said in _said(value)]
        return _group(f"ms.{type(value).__name__}(", items, ")", depth)
    if isinstance(value, dict):
        return _group("{", [(f"{_source(key, 0)}: ", item) for key, item in value.items()], "}", depth)
    if isinstance(value, list | tuple):
        return _group("[", [("", item) for item in value], "]", depth)
    # JSON's quotes are the usual ones of programs, and its escapes are Python's too.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _group(begin: str, items: list[tuple[str, Any]], end: str, depth: int) -> str:
    line = begin + ", ".join(head + _source(item, 0) for head, item in items) + end
    if "\n" not in line and len(line) + 4 * depth <= width_max:
        return line
    inner = "    " * (depth + 1)
    lines = "".join(f"{inner}{head}{_source(item, depth + 1)},\n" for head, item in items)
    return f"{begin}\n{lines}{'    ' * depth}{end}"


def _said(part: Struct) -> Iterator[tuple[str, Any]]:
    """What differs from the defaults; durations as text, bodies as parts."""
    first = _first.get(type(part), ())
    yield from ((name, getattr(part, name)) for name in first)
    names = dict(zip(part.__struct_encode_fields__, part.__struct_fields__, strict=True))
    for key, value in said(part, texts=True).items():
        if key == "config" and isinstance(part, model.Node):
            value = _with_bodies(part)
        if names[key] not in first:
            yield names[key], value


def _with_bodies(node: model.Node) -> dict[str, Any]:
    config = node.config
    for way, body in bodies(node):
        config = with_tree(config, way[1:], body)
    return config
