"""The custom kinds that there are, as data: what the command line lists, and what an API or an editor's palette shows."""

from __future__ import annotations

import inspect
import json
from typing import Any

from mainspring.graph.check_custom import keys_at
from mainspring.graph.custom_kinds import Listed, Source, Unusable, all_kinds
from mainspring.tasks.annotations import EMPTY, parameters_of
from mainspring.tasks.function import is_async

_PLACEHOLDERS = {"string": "…", "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}, "null": None}
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def catalogue() -> list[dict[str, Any]]:
    """All custom kinds by name; one that cannot be used has a `problem`. Imports all plugins."""
    return [_unusable(one) if isinstance(one, Unusable) else _usable(one) for one in all_kinds()]


def _usable(one: Listed) -> dict[str, Any]:
    kind = one.kind
    keys = keys_at(kind.schema)
    required = kind.schema.get("required", ())
    config = {name: _meaning(part, name in required) for name, part in keys.items()}
    return {
        "kind": kind.name,
        "group": "custom",
        "what": kind.what,
        "icon": kind.icon,
        "ports": list(kind.ports),
        "config": config,
        "schema": kind.schema,
        "input": _annotation(kind.handler, "input"),
        "output": _annotation(kind.handler, "return"),
        "runs": "a process of its own" if kind.process else "async" if is_async(kind.handler) else "a thread",
        "source": _source(one.source),
        "doc": inspect.getdoc(kind.handler) or "",
        "example": _example(kind.name, {name: keys[name] for name in keys if name in required}),
    }


def _unusable(one: Unusable) -> dict[str, Any]:
    sources = [_source(source) for source in one.sources]
    return {"kind": one.name, "group": "custom", "problem": one.reason, "source": sources[0], "sources": sources}


def _source(source: Source) -> dict[str, Any]:
    return {
        "reference": source.reference,
        "distribution": source.distribution or None,
        "version": source.version or None,
        "text": source.text(),
    }


def _annotation(function: Any, name: str) -> str | None:
    """What a parameter (or the return value) is annotated with, as it is written."""
    if name == "return":
        found = getattr(function, "__annotations__", {}).get("return", EMPTY)
    else:
        found = next((each.annotation for each in parameters_of(function) if each.name == name), EMPTY)
    if found is EMPTY:
        return None
    return found if isinstance(found, str) else inspect.formatannotation(found).replace("typing.", "")


def _meaning(part: dict[str, Any], required: bool) -> str:
    """A key of a config in words: what it is for, what it is, and whether it may be left out."""
    choices = part.get("enum")
    is_what = _TYPES.get(part.get("type", ""), "any value") if choices is None else _listed(choices)
    if isinstance(part.get("description"), str):
        is_what = f"{part['description']}: {is_what}"
    if required:
        return f"{is_what}; it must be there"
    default = part.get("default")
    return is_what if default is None else f"{is_what}; {json.dumps(default, ensure_ascii=False)} where left out"


def _listed(choices: list[Any]) -> str:
    words = [each if isinstance(each, str) else json.dumps(each) for each in choices]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _example(name: str, needed: dict[str, dict[str, Any]]) -> str:
    """A node as a file has it, with the keys that its config cannot do without."""
    lines = [f"- id: {name.rpartition('.')[2]}", f"  type: {name}"]
    if needed:
        shown = ", ".join(f"{json.dumps(key)[1:-1]}: {_value(part)}" for key, part in needed.items())
        lines.append(f"  config: {{{shown}}}")
    return "\n".join(lines)


def _value(part: dict[str, Any]) -> str:
    given = [*part.get("examples", ()), *part.get("enum", ())]
    value = given[0] if given else _PLACEHOLDERS.get(part.get("type", ""), "…")
    return json.dumps(value, ensure_ascii=False)
