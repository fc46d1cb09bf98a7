"""The few shapes of expressions that are drawn, evaluated a second time: by cutting the text, and looking names up.

It shares no code with `mainspring.expression`, and knows no more of the language than the drawn texts need.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Look = Callable[[str], Any]
"""Gives the value of a root name such as `input`, or None."""

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    " >= ": lambda left, right: left is not None and left >= right,
    " < ": lambda left, right: left is not None and left < right,
    " > ": lambda left, right: left is not None and left > right,
    " == ": lambda left, right: bool(left == right),
    " != ": lambda left, right: bool(left != right),
}
_QUOTIENT = re.compile(r"(\S+) / \(?(.+?)\)?")
_HOLE = re.compile(r"\$\{ (.+?) \}")


class Raises(Exception):
    """The expression cannot be evaluated."""


def evaluate(text: str, look: Look) -> Any:
    """The value of an expression. Raises Raises where it divides by zero."""
    if " ? " in text:
        condition, _, either = text.partition(" ? ")
        yes, _, no = either.partition(" : ")
        return evaluate(yes if evaluate(condition, look) else no, look)
    if " && " in text:
        return all(evaluate(part, look) for part in text.split(" && "))
    for sign, holds in COMPARISONS.items():
        if sign in text:
            left, _, right = text.partition(sign)
            return holds(evaluate(left, look), evaluate(right, look))
    quotient = _QUOTIENT.fullmatch(text)
    if quotient:
        divisor = evaluate(quotient[2], look)
        if divisor == 0:
            raise Raises
        value = evaluate(quotient[1], look) / divisor
        return int(value) if value == int(value) else value
    if " - " in text:
        left, _, right = text.rpartition(" - ")
        return evaluate(left, look) - evaluate(right, look)
    return _plain(text, look)


def _plain(text: str, look: Look) -> Any:
    """A number, a text, null, a list with one number, or a name and the fields that are looked at."""
    if text == "null":
        return None
    if text.isdigit():
        return int(text)
    if text[0] in "'\"":
        return text[1:-1]
    if text[0] == "[":
        return [evaluate(text[1:-1], look)]
    name, *fields = text.split(".")
    value = look(name)
    for field in fields:
        value = value.get(field) if isinstance(value, dict) else None
    return value


def fill(template: Any, look: Look) -> Any:
    """A template's value. Raises Raises where one of its expressions cannot be evaluated."""
    if isinstance(template, dict):
        return {key: fill(part, look) for key, part in template.items()}
    if isinstance(template, list):
        return [fill(part, look) for part in template]
    if not isinstance(template, str):
        return template
    whole = _HOLE.fullmatch(template)
    if whole:
        return evaluate(whole[1], look)
    return _HOLE.sub(lambda hole: text(evaluate(hole[1], look)), template)


def text(value: Any) -> str:
    """A value as part of a text."""
    return "" if value is None else str(value)
