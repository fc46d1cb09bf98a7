"""What a function's annotations mean, read once: objects where they can be had, texts where they cannot."""

from __future__ import annotations

import datetime
import decimal
import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from mainspring.tasks.context import TaskContext

EMPTY = inspect.Parameter.empty

BY_NAME = "__mainspring_by_name__"
"""Set on a function whose parameters are the keys of its input and nothing else: it never takes an object whole."""

_NEVER_OBJECTS = (
    *(int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, type(None)),
    *(decimal.Decimal, datetime.date, datetime.time, datetime.timedelta),
)
_CONTEXT_TEXT = re.compile(r"(\w+\.)*TaskContext")


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a callable takes."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        # Some callables written in C do not say what they take: they get the payload.
        return [inspect.Parameter("payload", inspect.Parameter.POSITIONAL_ONLY)]


def return_annotation(function: Callable[..., Any]) -> Any:
    """What a callable says that it gives, as an object; EMPTY where it says nothing that can be read."""
    try:
        found = read(inspect.signature(function).return_annotation, function)
    except (ValueError, TypeError):
        return EMPTY
    return EMPTY if isinstance(found, str) else found


def read(annotation: Any, function: Callable[..., Any]) -> Any:
    """An annotation as an object, where its text can be read in the function's module; else the text."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(inspect.unwrap(function), "__globals__", {}))
    except Exception:
        return annotation


def is_context(annotation: Any, function: Callable[..., Any]) -> bool:
    """Whether a parameter asks for the TaskContext."""
    found = read(annotation, function)
    if isinstance(found, str):
        # The name is only imported for type checkers, so it is known by its text alone.
        bare = re.sub(r"\s|['\"]|\bNone\b|\|", "", re.sub(r"(?:\w+\.)*(?:Optional|Union)\[(.*)\]", r"\1", found))
        return _CONTEXT_TEXT.fullmatch(bare.strip(",")) is not None
    if found is TaskContext:
        return True
    return is_union(found) and TaskContext in typing.get_args(found)


def is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def takes_objects(annotation: Any) -> bool:
    """Whether a JSON object could be meant by it."""
    if is_union(annotation):
        return any(takes_objects(each) for each in typing.get_args(annotation))
    base = typing.get_origin(annotation) or annotation
    return not (isinstance(base, type) and issubclass(base, _NEVER_OBJECTS))


def title_of(function: Callable[..., Any]) -> str:
    """What a function is called in messages."""
    return getattr(function, "__qualname__", None) or type(function).__name__
