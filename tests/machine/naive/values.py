"""Inputs, outputs, conditions and templates: everything that looks into a value."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple, Protocol

from .shape import Shape

UNSTABLE = ("attempt", "maxAttempts", "message")
"""Fields of an error that depend on crashes or are mere words: no comparison looks at them."""


class Message(NamedTuple):
    """What a connection brought."""

    connection: int
    run: int
    payload: Any


class Raised(Exception):
    """An expression that cannot be evaluated."""


class Sees(Protocol):
    """What an expression is evaluated with."""

    def get(self, path: str) -> Any:
        """What a dotted path leads to; None where nothing is there."""
        ...


def stable(value: Any) -> Any:
    """A value without what may differ between two right runs."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in UNSTABLE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def work(base: int, input: Any) -> dict[str, Any]:
    """What a task makes of its input: a small number that any difference in the input is likely to change."""
    text = json.dumps(stable(input), sort_keys=True)
    return {"v": (base + zlib.crc32(text.encode())) % 5}


def error_of(type: str, fatal: bool = False) -> dict[str, Any]:
    """An error without what is not stable."""
    return {"type": type, "code": None, "context": None, "fatal": fatal}


def default_input(shape: Shape, id: str, taken: list[Message], entry: Any) -> Any:
    """What a node without an input mapping gets. `entry`: what the entry nodes of its graph do."""
    incoming, join = shape.incoming[id], shape.join(id)
    if not incoming:
        return entry
    if set(shape.ports(id)) != {None} and join in ("all", "n", "ports"):
        return _by_port(shape, id, taken)
    if len(incoming) == 1 or join in ("any", "each"):
        return taken[0].payload
    return _by_source(shape, id, taken)


def _by_port(shape: Shape, id: str, taken: list[Message]) -> dict[str, Any]:
    keyed = {}
    for port, connections in shape.ports(id).items():
        came = [message.payload for message in sorted(taken, key=lambda one: one[:2]) if message[0] in connections]
        if came:
            alone = shape.join(id) == "ports" or len(connections) == 1
            keyed["default" if port is None else port] = came[0] if alone else came
    return keyed


def _by_source(shape: Shape, id: str, taken: list[Message]) -> dict[str, Any]:
    sources, keyed = shape.sources(id), {}
    for index, source in zip(shape.incoming[id], sources, strict=True):
        key = source if sources.count(source) == 1 else shape.edges[index]["id"] or f"{source}:{index}"
        for message in taken:
            if message.connection == index:
                keyed[key] = message.payload
    return keyed


def holds(condition: tuple[str, Any], subject: Any, sees: Sees) -> bool:
    """The few shapes that the generator makes (SEMANTICS G). `subject`: `output` on a connection, `value` in a config."""
    shape, value = condition
    v = subject.get("v") if isinstance(subject, dict) else None
    if shape == "greater":
        return v is not None and v > value
    if shape == "equal":
        return v == value
    if shape == "missing":
        return True
    if shape == "error":
        error = sees.get("error")
        return error is not None and error["type"] == value
    if shape == "input":
        x = sees.get("input.x")
        return (-1 if x is None else x) > value
    if shape == "done":
        return sees.get(f"nodes.{value}.completed") is True
    if shape == "is":
        return _compared(*value, sees)
    raise Raised


def _compared(path: str, operator: str, number: int, sees: Sees) -> bool:
    found = sees.get(path)
    if operator == "==":
        return bool(found == number)
    if found is None:
        return False
    return bool(found > number if operator == ">" else found < number)


def make(template: Any, sees: Sees) -> Any:
    """What a template gives: `("get", path)` and `("raise",)` stand for expressions, `("text", …)` for a text of parts."""
    if isinstance(template, dict):
        return {key: make(item, sees) for key, item in template.items()}
    if isinstance(template, list):
        return [make(item, sees) for item in template]
    if not isinstance(template, tuple):
        return template
    if template[0] == "get":
        return sees.get(template[1])
    if template[0] == "text":
        return "".join(str(make(part, sees)) for part in template[1:])
    raise Raised
