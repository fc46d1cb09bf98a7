"""Reading a node's `config`, and refusing it with the place that is wrong."""

from __future__ import annotations

import re
from typing import Any

from mainspring.definition.model import Node
from mainspring.errors import DefinitionError

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def reject(node: Node, message: str, key: str = "") -> DefinitionError:
    """The error for a configuration that cannot work."""
    from mainspring.definition.findings import Finding

    pointer = ("nodes", node.id, "config", key) if key else ("nodes", node.id, "config")
    return DefinitionError([Finding("MS102", "error", f"node `{node.id}`: {message}", pointer=pointer)])


def number(node: Node, key: str, default: int | None = None) -> int | None:
    """A whole, positive number."""
    value = node.config.get(key, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value <= 0):
        raise reject(node, f"`{key}` is a whole number above 0, not {value!r}", key)
    return value


def size(node: Node, key: str, default: int | None = None) -> int | None:
    """A number of bytes, or text as in `256MB`."""
    value = node.config.get(key, default)
    if not isinstance(value, str):
        return number(node, key, default)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise reject(node, f"`{key}` is a size such as `256MB` or a number of bytes, not {value!r}", key)
    return int(float(match[1]) * unit)


def text(node: Node, key: str) -> str | None:
    value = node.config.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise reject(node, f"`{key}` is a text, not {value!r}", key)
    return value


def texts(node: Node, key: str) -> list[str]:
    """A list of texts; numbers and booleans are written as JSON has them."""
    value = node.config.get(key) or []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str | int | float) for each in value):
        raise reject(node, f"`{key}` is a list of texts, not {value!r}", key)
    return [_as_text(each) for each in value]


def mapping(node: Node, key: str) -> dict[str, str]:
    value = node.config.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(each, str | int | float) for each in value.values()):
        raise reject(node, f"`{key}` is an object of texts, not {value!r}", key)
    return {str(name): _as_text(each) for name, each in value.items()}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
