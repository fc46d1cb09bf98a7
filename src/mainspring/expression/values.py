"""What the operators mean (SEMANTICS G): total over JSON values, or an ExpressionError that points at the operator.

Null is equal to null only and has no order. A string meets a number as a number where it reads as a JSON number.
Booleans are no numbers. The fast paths are in `closures`; here is the whole rule, each in one place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mainspring.expression.steps import Place, charge, charge_text

text_length_max = 1 << 20
value_depth_max = 100
integer_min, integer_max = -(1 << 63), (1 << 63) - 1

_json_number = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def truthy(value: Any) -> bool:
    """null, false, 0, "", [] and {} are false; all else is true (the string "false" too)."""
    if value is None or value is False:
        return False
    if value is True:
        return True
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is list or kind is dict:
        return bool(value)
    return bool(value) if isinstance(value, str | int | float | list | tuple | Mapping) else True


def kind_of(value: Any) -> str:
    """What a fault calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_number(text: str) -> int | float | None:
    """The number that `text` is in JSON, or None."""
    match = _json_number.fullmatch(text)
    if match is None:
        return None
    if match.group(1) is None and match.group(2) is None and len(text) <= 20:
        return int(text)
    return float(text)


def equal(a: Any, b: Any, place: Place, depth: int = 0) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, str):
        return a == b if isinstance(b, str) else is_number(b) and parse_number(a) == b
    if isinstance(b, str):
        return is_number(a) and parse_number(b) == a
    if isinstance(a, list | tuple | Mapping):
        return _equal_containers(a, b, place, depth)
    return bool(a == b)


def _equal_containers(a: Any, b: Any, place: Place, depth: int) -> bool:
    if depth >= value_depth_max:
        raise place.fault(f"the values compared are nested deeper than {value_depth_max}")
    if isinstance(a, list | tuple):
        if not isinstance(b, list | tuple) or len(a) != len(b):
            return False
        charge(len(a), place)
        return all(equal(x, y, place, depth + 1) for x, y in zip(a, b, strict=True))
    if not isinstance(b, Mapping) or len(a) != len(b):
        return False
    charge(len(a), place)
    return all(key in b and equal(value, b[key], place, depth + 1) for key, value in a.items())


def order(a: Any, b: Any, place: Place) -> int | None:
    """-1, 0 or 1; None where there is no order because one is null (or not a number)."""
    if a is None or b is None:
        return None
    if isinstance(a, str) and isinstance(b, str):
        return (a > b) - (a < b)
    x: Any = parse_number(a) if isinstance(a, str) and is_number(b) else a
    y: Any = parse_number(b) if isinstance(b, str) and is_number(a) else b
    if not is_number(x) or not is_number(y):
        raise place.fault(f"cannot order {_shown(a)} and {_shown(b)}")
    if x != x or y != y:
        return None
    return -1 if x < y else int(x > y)


def _shown(value: Any) -> str:
    """The kind of a value, and a short string itself: it is why the order failed."""
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    return kind_of(value)


def contained(a: Any, b: Any, place: Place) -> bool:
    """`a in b`: an element of a list, a key of an object, a part of a string."""
    if b is None:
        return False
    if isinstance(b, str):
        if a is None:
            return False
        if not isinstance(a, str):
            raise place.fault(f"`in` a string needs a string, not {kind_of(a)}")
        charge_text(b, place)
        return a in b
    if isinstance(b, list | tuple):
        charge(len(b), place)
        return any(equal(a, item, place) for item in b)
    if isinstance(b, Mapping):
        return isinstance(a, str) and a in b
    raise place.fault(f"`in` needs a list, an object or a string on its right, not {kind_of(b)}")


def arithmetic(operator: str, a: Any, b: Any, place: Place) -> Any:
    if operator == "+" and isinstance(a, str) and isinstance(b, str):
        return bounded_text(a, b, place)
    if not is_number(a) or not is_number(b):
        wanted = "two numbers or two strings" if operator == "+" else "two numbers"
        raise place.fault(f"`{operator}` needs {wanted}, not {kind_of(a)} and {kind_of(b)}")
    try:
        return _finite(_calculate(operator, a, b, place), place)
    except OverflowError:
        raise place.fault(f"the result of `{operator}` is too large a number") from None


def bounded_text(a: str, b: str, place: Place) -> str:
    if len(a) + len(b) > text_length_max:
        raise place.fault(f"the string would be longer than text_length_max, {text_length_max} characters")
    return a + b


def _calculate(operator: str, a: Any, b: Any, place: Place) -> Any:
    if operator == "+":
        return a + b
    if operator == "-":
        return a - b
    if operator == "*":
        return a * b
    if b == 0:
        raise place.fault("division by zero")
    both_integers = isinstance(a, int) and isinstance(b, int)
    if operator == "/":
        return a // b if both_integers and a % b == 0 else a / b
    # The remainder takes the sign of the dividend, as in JavaScript, C and SQL.
    if both_integers:
        rest = abs(a) % abs(b)
        return -rest if a < 0 else rest
    return math.fmod(a, b) if math.isfinite(a) else math.nan


def _finite(number: Any, place: Place) -> Any:
    if isinstance(number, int):
        if not integer_min <= number <= integer_max:
            raise place.fault("the integer result does not fit 64 bits")
    elif not math.isfinite(number):
        raise place.fault("the result is not a finite number")
    return number


def negate(value: Any, place: Place) -> Any:
    if not is_number(value):
        raise place.fault(f"`-` needs a number, not {kind_of(value)}")
    return _finite(-value, place)


def member(value: Any, key: Any) -> Any:
    """One step of a path: null where there is nothing to find, whatever the value and the key are."""
    if type(key) is str:
        if type(value) is dict or isinstance(value, Mapping):
            return value.get(key)
        return None
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if not isinstance(key, int) or isinstance(key, bool):
        return None
    if isinstance(value, list | tuple):
        return value[key] if 0 <= key < len(value) else None
    if isinstance(value, Mapping):
        return value.get(str(key)) if integer_min <= key <= integer_max else None
    return None
