"""What is said of a value that is not what an annotation asks for: where in the value, what was expected, what came."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

TRIED_BYTES_MAX = 4 * 1024 * 1024
"""How much is read again to find out which key of an object it is; a larger value keeps `[...]` in its place."""
CHOICES_SHOWN_MAX = 12

_PLACE = re.compile(r"(?s)(.*) - at (`key` in )?`\$(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")


class Mismatch(Exception):
    """A value that is not what was declared. No retry can mend that. `place` is as in `input.items[2].price`."""

    fatal = True

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")

    @property
    def context(self) -> dict[str, Any]:
        """What the error's record keeps beside the message."""
        return {"place": self.place}


class InputMismatch(Mismatch):
    """An input that is not what the function's annotations ask for."""


class OutputMismatch(Mismatch):
    """An output that is not what the function says that it gives."""


def explained(
    error: Exception, value: Any, place: str, decode: Callable[[bytes], Any], annotation: Any
) -> tuple[str, str]:
    """The place and the reason of a refusal, in our words."""
    match = _PLACE.fullmatch(str(error))
    text, of_key, path = (match[1], match[2], match[3]) if match else (str(error), None, "")
    path = _exact(path, value, decode)
    reason = text.replace("`", "")
    if text.startswith("Object missing required field"):
        reason = f"`{text.split('`')[1]}` is missing"
    elif text.startswith("Invalid enum value"):
        choices = _choices(annotation, path)
        reason = f"{text.removeprefix('Invalid enum value ')} is none of {choices}" if choices else reason
    reason = reason[:1].lower() + reason[1:]
    return place + path, f"a key of it: {reason}" if of_key else reason


def _exact(path: str, value: Any, decode: Callable[[bytes], Any]) -> str:
    """A path whose `[...]` (some value of an object) is named: each value is tried alone in its place."""
    left = TRIED_BYTES_MAX
    while "[...]" in path:
        before, _, after = path.partition("[...]")
        steps = _steps(before)
        holder = _at(value, steps)
        for key in holder if isinstance(holder, dict) else ():
            alone = msgspec.json.encode(_with(value, steps, {key: holder[key]}))
            left -= len(alone)
            if left < 0:
                return path
            if not _fits(alone, decode):
                break
        else:
            return path
        path = f"{before}.{key}{after}"
        if "." in key or "[" in key:
            return path  # its steps could no longer be told apart
    return path


def _fits(raw: bytes, decode: Callable[[bytes], Any]) -> bool:
    try:
        decode(raw)
    except msgspec.ValidationError:
        return False
    return True


def _steps(path: str) -> list[str | int]:
    return [match[1] if match[1] is not None else int(match[2]) for match in _STEP.finditer(path) if not match[3]]


def _at(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _with(value: Any, steps: list[str | int], part: Any) -> Any:
    """A copy of `value` in which `part` stands where the steps lead."""
    if not steps:
        return part
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[steps[0]] = _with(value[steps[0]], steps[1:], part)  # type: ignore[index]
    return copy


def _choices(annotation: Any, path: str) -> str:
    """The words that an enumeration or a Literal takes, where the path leads to one."""
    from msgspec import inspect

    try:
        found = _typed_at(inspect.type_info(annotation), _steps(path), inspect)
    except Exception:
        return ""
    if isinstance(found, inspect.LiteralType):
        values = [str(value) for value in found.values]
    elif isinstance(found, inspect.EnumType):
        values = [str(member.value) for member in found.cls]
    else:
        return ""
    more = " …" if len(values) > CHOICES_SHOWN_MAX else ""
    return ", ".join(values[:CHOICES_SHOWN_MAX]) + more


def _typed_at(info: Any, steps: list[str | int], inspect: Any) -> Any:
    if isinstance(info, inspect.UnionType):
        found = (_typed_at(each, steps, inspect) for each in info.types)
        return next((each for each in found if isinstance(each, (inspect.LiteralType, inspect.EnumType))), None)
    if not steps:
        return info
    step, rest = steps[0], steps[1:]
    if hasattr(info, "fields"):
        inner = next((field.type for field in info.fields if field.encode_name == step), None)
    elif hasattr(info, "value_type"):
        inner = info.value_type
    elif hasattr(info, "item_types") and isinstance(step, int):
        inner = info.item_types[step] if step < len(info.item_types) else None
    else:
        inner = getattr(info, "item_type", None)
    return None if inner is None else _typed_at(inner, rest, inspect)
