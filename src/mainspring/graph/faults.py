"""A fault of a node's config, before it has its place in the document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mainspring.definition.findings import Pointer


class Fault(NamedTuple):
    """What is wrong, where in the config, and what to write instead."""

    message: str
    at: Pointer = ()
    hint: str | None = None
    code: str = "MS261"


def flag(config: dict[str, Any], key: str) -> Iterator[Fault]:
    """What is neither true nor false."""
    if not isinstance(config.get(key, True), bool):
        yield Fault(f"`{key}` is true or false", (key,))


def whole_number(config: dict[str, Any], key: str, bound: str, most: int) -> Iterator[Fault]:
    """What is no whole number from 1 to `most`, which is called `bound`."""
    value = config.get(key)
    if value is None:
        return
    if type(value) is not int:
        computed = isinstance(value, str) and "${" in value
        hint = "it is known before anything runs, and cannot be computed" if computed else None
        yield Fault(f"`{key}` is a whole number", (key,), hint)
    elif not 1 <= value <= most:
        yield Fault(f"`{key}` is {value}; it must be from 1 to {most} ({bound})", (key,), code="MS219")
