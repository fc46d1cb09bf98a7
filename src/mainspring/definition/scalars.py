"""Plain scalars by the core schema of YAML 1.2: `on`, `no` and `12:30` stay text."""

from __future__ import annotations

import math
import re
from typing import Any

integer_min, integer_max = -(1 << 63), (1 << 64) - 1

_words: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_special = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_number = re.compile(
    r"(?P<int>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
)


class NotANumber(ValueError):
    """A number that JSON cannot hold, or no 64 bits."""


def resolve(text: str) -> Any:
    """The value of a plain scalar."""
    first = text[:1]
    if first > "9" and first not in "ntfNTF~":
        return text
    if text in _words:
        return _words[text]
    match = _number.fullmatch(text)
    if match is None:
        if _special.fullmatch(text):
            raise NotANumber(f"{text} is not a number that JSON knows")
        return text
    if match["int"]:
        return integer(text)
    if match["oct"] or match["hex"]:
        digits = match["oct"] or match["hex"]
        if len(digits) > 64:
            raise NotANumber(f"the integer {text[:30]}... does not fit 64 bits")
        return _checked(int(digits, 8 if match["oct"] else 16), text)
    return decimal(text)


def integer(text: str) -> int:
    if len(text) > 40:
        raise NotANumber(f"the integer {text[:30]}... does not fit 64 bits")
    return _checked(int(text), text)


def decimal(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotANumber(f"the number {text[:30]} is too large")
    return number


def no_constant(text: str) -> Any:
    raise NotANumber(f"{text} is not a number that JSON knows")


def _checked(number: int, text: str) -> int:
    if not integer_min <= number <= integer_max:
        raise NotANumber(f"the integer {text[:30]} does not fit 64 bits")
    return number
