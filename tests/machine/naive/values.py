"""Inputs, outputs and conditions: everything that looks into a value."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

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


def default_input(shape: Shape, id: str, taken: list[Message], instance_input: Any) -> Any:
    """What a node without an input mapping gets."""
    incoming, join = shape.incoming[id], shape.join(id)
    if not incoming:
        return instance_input
    if set(shape.ports(id)) != {None} and join in ("all", "n", "ports"):
        return _by_port(shape, id, taken)
    if len(incoming) == 1 or join in ("any", "each"):
        return taken[0].payload
    return _by_source(shape, id, taken)


def _by_port(shape: Shape, id: str, taken: list[Message]) -> dict[str, Any]:
    keyed = {}
    for port, connections in shape.ports(id).items():
        came = [message.payload for message in sorted(taken) if message.connection in connections]
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


def holds(condition: tuple[str, Any], output: Any, error: Any, input: Any, completed: set[str]) -> bool:
    """The few shapes that the generator makes (SEMANTICS G). `completed`: the nodes that are so at this moment."""
    shape, value = condition
    v = output.get("v") if isinstance(output, dict) else None
    if shape == "greater":
        return v is not None and v > value
    if shape == "equal":
        return v == value
    if shape == "missing":
        return True
    if shape == "error":
        return error is not None and error["type"] == value
    if shape == "input":
        return (input or {}).get("x", -1) > value
    if shape == "done":
        return value in completed
    raise Raised
