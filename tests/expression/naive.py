"""The meaning of expressions a second time, from docs/reference/expressions.md, with nothing of mainspring.

An expression is a tree of tuples, as `written.py` makes them; its value is worked out by plain recursion:

    ("value", v)  ("root", name)  ("member", tree, key tree)  ("not", tree)  ("minus", tree)
    (operator, tree, tree)  ("?", tree, tree, tree)  ("list", [trees])  ("call", name, [trees])
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any


class Fault(Exception):
    """An expression that has no value."""


def value_of(tree: Any, scope: dict[str, Any]) -> Any:
    kind, *parts = tree
    if kind == "value":
        return parts[0]
    if kind == "root":
        return scope.get(parts[0])
    if kind == "list":
        return [value_of(part, scope) for part in parts[0]]
    if kind == "?":
        return value_of(parts[1] if true(value_of(parts[0], scope)) else parts[2], scope)
    if kind == "&&":
        return true(value_of(parts[0], scope)) and true(value_of(parts[1], scope))
    if kind == "||":
        return true(value_of(parts[0], scope)) or true(value_of(parts[1], scope))
    if kind == "call":
        return FUNCTIONS[parts[0]](*[value_of(part, scope) for part in parts[1]])
    return OPERATORS[kind](*[value_of(part, scope) for part in parts])


def is_bool(value: Any) -> bool:
    return value is True or value is False


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def true(value: Any) -> bool:
    return not any(value is one for one in (None, False)) and value not in (0, "", [], {})


def read(text: str) -> Any:
    """The number that a string is in JSON, else None."""
    try:
        number = json.loads(text)
    except ValueError:
        return None
    return (
        number
        if is_number(number) and text.strip() == text and re.match("[-0-9]", text[0]) and "n" not in text
        else None
    )


def equal(a: Any, b: Any) -> bool:
    if is_bool(a) or is_bool(b) or a is None or b is None:
        return a is b
    if isinstance(a, str) and is_number(b):
        return read(a) is not None and read(a) == b
    if is_number(a) and isinstance(b, str):
        return equal(b, a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return (type(a) is type(b) and a == b) or (is_number(a) and is_number(b) and a == b)


def ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(a: Any, b: Any) -> bool:
        if a is None or b is None:
            return False
        if isinstance(a, str) and is_number(b):
            a = read(a)
        elif isinstance(b, str) and is_number(a):
            b = read(b)
        if not (isinstance(a, str) and isinstance(b, str)) and not (is_number(a) and is_number(b)):
            raise Fault("no order")
        return test(a, b)

    return run


def checked(number: Any) -> Any:
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise Fault("64 bits")
    if isinstance(number, float) and not math.isfinite(number):
        raise Fault("not finite")
    return number


def numeric(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(a: Any, b: Any) -> Any:
        if not is_number(a) or not is_number(b):
            raise Fault("numbers")
        try:
            return checked(compute(a, b))
        except (ZeroDivisionError, OverflowError):
            raise Fault("arithmetic") from None

    return run


def add(a: Any, b: Any) -> Any:
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    return numeric(lambda x, y: x + y)(a, b)


def divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and b != 0 and Fraction(a, b).denominator == 1:
        return int(Fraction(a, b))
    return a / b


def remainder(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return a - b * math.trunc(Fraction(a, b))
    if b == 0:
        raise ZeroDivisionError
    return math.fmod(a, b)


def minus(a: Any) -> Any:
    if not is_number(a):
        raise Fault("a number")
    return checked(-a)


def within(a: Any, b: Any) -> bool:
    if b is None:
        return False
    if isinstance(b, list):
        return any(equal(a, item) for item in b)
    if isinstance(b, dict):
        return isinstance(a, str) and a in b
    if not isinstance(b, str) or not isinstance(a, str | None):
        raise Fault("in")
    return a is not None and b.find(a) >= 0


def member(base: Any, key: Any) -> Any:
    if isinstance(key, float) and key == math.floor(key):
        key = int(key)
    if isinstance(base, dict) and not is_bool(key) and isinstance(key, str | int):
        return base.get(str(key))
    if isinstance(base, list) and type(key) is int and 0 <= key < len(base):
        return base[key]
    return None


OPERATORS: dict[str, Callable[..., Any]] = {
    "member": member,
    "not": lambda a: not true(a),
    "minus": minus,
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": ordered(lambda a, b: a < b),
    "<=": ordered(lambda a, b: a <= b),
    ">": ordered(lambda a, b: a > b),
    ">=": ordered(lambda a, b: a >= b),
    "in": within,
    "+": add,
    "-": numeric(lambda a, b: a - b),
    "*": numeric(lambda a, b: a * b),
    "/": numeric(divide),
    "%": numeric(remainder),
}


def of_number(compute: Callable[..., Any]) -> Callable[..., Any]:
    def run(value: Any, *more: Any) -> Any:
        if not is_number(value):
            return None
        try:
            return checked(compute(value, *more))
        except Fault:
            return None

    return run


def rounded(value: Any, digits: Any = 0) -> Any:
    if type(digits) is not int or not 0 <= digits <= 15:
        return None
    if isinstance(value, int):
        return value
    # To digits after the point people round what they read; to a whole number both ways agree.
    read_as = Fraction(repr(value)) if digits else Fraction(value)
    shifted = math.floor(abs(read_as) * 10**digits + Fraction(1, 2))
    back = Fraction(shifted if value > 0 else -shifted, 10**digits)
    return float(back) if digits else int(back)


def extreme(better: str) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], list):
            values = tuple(values[0])
        best = None
        for value in values:
            try:
                if value is not None and (
                    (OPERATORS["<="](value, value) and best is None) or OPERATORS[better](value, best)
                ):
                    best = value
            except Fault:
                return None
        return best

    return run


def string(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{as_json(key)}:{as_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float):
        # An exponent has neither a plus sign nor zeros before it.
        return re.sub(r"e\+?(-?)0*", r"e\1", repr(value))
    return json.dumps(value, ensure_ascii=False)


def number(value: Any) -> Any:
    if isinstance(value, str):
        value = read(value.strip()) if value.strip() else None
    try:
        return checked(value) if is_number(value) else None
    except Fault:
        return None


def total(value: Any) -> Any:
    return number(sum(value)) if isinstance(value, list) and all(map(is_number, value)) else None


def index_of(whole: Any, part: Any) -> int:
    if isinstance(whole, str) and isinstance(part, str):
        return whole.find(part)
    hits = [at for at, item in enumerate(whole) if equal(item, part)] if isinstance(whole, list) else []
    return hits[0] if hits else -1


def kind(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return "null" if value is None else names[type(value)]


def of_text(compute: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: compute(value) if isinstance(value, str) else None


def both_text(compute: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: isinstance(a, str) and isinstance(b, str) and compute(a, b)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": of_number(abs),
    "boolean": true,
    "ceil": of_number(math.ceil),
    "contains": lambda whole, part: (
        within(part, whole) if isinstance(whole, list | dict) else both_text(lambda a, b: b in a)(whole, part)
    ),
    "default": lambda *values: next((value for value in values if value is not None), None),
    "endsWith": both_text(str.endswith),
    "floor": of_number(math.floor),
    "has": lambda value: value is not None,
    "indexOf": index_of,
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "len": lambda value: 0 if value is None else len(value) if isinstance(value, str | list | dict) else None,
    "lower": of_text(str.lower),
    "max": extreme(">"),
    "min": extreme("<"),
    "number": number,
    "round": of_number(rounded),
    "startsWith": both_text(str.startswith),
    "string": string,
    "sum": total,
    "trim": of_text(str.strip),
    "type": kind,
    "upper": of_text(str.upper),
    "values": lambda value: list(value.values()) if isinstance(value, dict) else None,
}
