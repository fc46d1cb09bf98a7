"""The functions that expressions may call. All are total: what does not fit gives null (or false), no fault.

Each does work at most linear in its arguments, charged as steps before it is done (`steps_max`), and no string is
made longer than `text_length_max`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from mainspring.errors import ExpressionError
from mainspring.expression.steps import Place, charge, charge_text
from mainspring.expression.values import (
    bounded_text,
    contained,
    equal,
    integer_max,
    integer_min,
    is_number,
    kind_of,
    order,
    parse_number,
    text_length_max,
    truthy,
)


class Function(NamedTuple):
    """`call` takes the place of the call, then the arguments; `most` is None where any number may come."""

    call: Callable[..., Any]
    least: int
    most: int | None


def to_text(value: Any, place: Place) -> str:
    """A value as it stands within text: null as nothing, strings bare, all else as JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    try:
        text = _encode(value)
    except RecursionError:
        raise place.fault("the value is nested too deeply to be written as text") from None
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise place.fault(f"{kind_of(value)} cannot be written as text: {error}") from None
    if len(text) > text_length_max:
        raise place.fault(f"the string would be longer than text_length_max, {text_length_max} characters")
    return text


def _encode(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it holds a {type(value).__name__}")


def _len(place: Place, value: Any) -> Any:
    if value is None:
        return 0
    return len(value) if isinstance(value, str | list | tuple | Mapping) else None


def _changed(change: Callable[[str], str]) -> Callable[..., Any]:
    """A function from one string to another, null for anything else."""

    def run(place: Place, value: Any) -> Any:
        if not isinstance(value, str):
            return None
        charge_text(bounded_text(value, "", place), place)
        # Some letters have a longer capital (or small) form, so the bound is held again.
        return bounded_text(change(value), "", place)

    return run


def _contains(place: Place, whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        charge_text(whole, place)
        return isinstance(part, str) and part in whole
    return isinstance(whole, list | tuple | Mapping) and contained(part, whole, place)


def _starts_with(place: Place, text: Any, part: Any) -> bool:
    return isinstance(text, str) and isinstance(part, str) and text.startswith(part)


def _ends_with(place: Place, text: Any, part: Any) -> bool:
    return isinstance(text, str) and isinstance(part, str) and text.endswith(part)


def _numeric(call: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of one number: null for anything else, and where the result is no number of 64 bits."""

    def run(place: Place, value: Any, *more: Any) -> Any:
        if not is_number(value) or (isinstance(value, float) and not math.isfinite(value)):
            return None
        result = call(value, *more)
        return result if not isinstance(result, int) or integer_min <= result <= integer_max else None

    return run


def _round(value: Any, digits: Any = 0) -> Any:
    """Half away from zero, as people round what they read: 2.675 to two digits is 2.68. At most 15 digits."""
    if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= 15:
        return None
    # From 2**52 on a float has no digits after its point.
    if isinstance(value, int) or abs(value) >= 1 << 52:
        return value if digits else int(value)
    # Imported here: few expressions round.
    from decimal import ROUND_HALF_UP, Context, Decimal

    unit = Decimal(1).scaleb(-digits)
    rounded = Decimal(repr(value)).quantize(unit, ROUND_HALF_UP, Context(prec=40))
    return float(rounded) + 0.0 if digits else int(rounded)  # + 0.0: there is no -0.0 in what people read


def _extreme(sign: int) -> Callable[..., Any]:
    """min and max: of the arguments, or of the one list given; nulls do not count; null where there is no order."""

    def run(place: Place, *values: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], list | tuple):
            values = tuple(values[0])
            charge(len(values), place)
        best: Any = None
        for value in values:
            if value is None:
                continue
            try:
                if best is None:
                    order(value, value, place)
                    best = value
                elif order(value, best, place) == sign:
                    best = value
            except ExpressionError:
                return None
        return best

    return run


def _string(place: Place, value: Any) -> str:
    text = to_text(value, place)
    charge_text(text, place)
    return text


def _number(place: Place, value: Any) -> Any:
    if isinstance(value, str):
        charge_text(value, place)
        value = parse_number(value.strip())
    if not is_number(value) or not math.isfinite(value):
        return None
    return value if isinstance(value, float) or integer_min <= value <= integer_max else None


def _boolean(place: Place, value: Any) -> bool:
    return truthy(value)


def _has(place: Place, value: Any) -> bool:
    return value is not None


def _default(place: Place, *values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _keys(place: Place, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    charge(len(value), place)
    return list(value)


def _values(place: Place, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    charge(len(value), place)
    return list(value.values())


def _sum(place: Place, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return None
    charge(len(value), place)
    if not all(is_number(item) for item in value):
        return None
    try:
        return _number(place, sum(value))
    except OverflowError:
        return None


def _index_of(place: Place, whole: Any, part: Any) -> Any:
    if isinstance(whole, str):
        charge_text(whole, place)
        return whole.find(part) if isinstance(part, str) else -1
    if not isinstance(whole, list | tuple):
        return -1
    charge(len(whole), place)
    return next((index for index, item in enumerate(whole) if equal(item, part, place)), -1)


def _kind(place: Place, value: Any) -> str:
    return kind_of(value).split()[-1]


functions: dict[str, Function] = {
    "abs": Function(_numeric(abs), 1, 1),
    "boolean": Function(_boolean, 1, 1),
    "ceil": Function(_numeric(math.ceil), 1, 1),
    "contains": Function(_contains, 2, 2),
    "default": Function(_default, 1, None),
    "endsWith": Function(_ends_with, 2, 2),
    "floor": Function(_numeric(math.floor), 1, 1),
    "has": Function(_has, 1, 1),
    "indexOf": Function(_index_of, 2, 2),
    "keys": Function(_keys, 1, 1),
    "len": Function(_len, 1, 1),
    "lower": Function(_changed(str.lower), 1, 1),
    "max": Function(_extreme(1), 1, None),
    "min": Function(_extreme(-1), 1, None),
    "number": Function(_number, 1, 1),
    "round": Function(_numeric(_round), 1, 2),
    "startsWith": Function(_starts_with, 2, 2),
    "string": Function(_string, 1, 1),
    "sum": Function(_sum, 1, 1),
    "trim": Function(_changed(str.strip), 1, 1),
    "type": Function(_kind, 1, 1),
    "upper": Function(_changed(str.upper), 1, 1),
    "values": Function(_values, 1, 1),
}
