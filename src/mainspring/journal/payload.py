"""What a task returns, as the JSON that is journaled (SEMANTICS 7).

JSON's own types are kept as they are. These have a listed encoding, and a successor sees what it decodes to: dataclasses,
msgspec Structs, named tuples and attrs classes as objects or lists; tuples, sets and frozensets as lists; enums as their
values; datetime, date, time, timedelta as ISO 8601 text; UUID and Decimal as text; bytes as base64 text; Path as text.
Keys that are numbers become text. Anything else, numbers that are no JSON numbers (NaN, infinity), integers beyond 64
bits, and other keys that are no text, is an error that names the place.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePath
from typing import Any

import msgspec

from mainspring.errors import PayloadError

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
_LONG_INTEGER = re.compile(rb"[0-9]{19}")


def _other(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"no encoding for {type(value).__qualname__}")


_encode = msgspec.json.Encoder(enc_hook=_other).encode


def encode_payload(value: Any, what: str) -> bytes:
    """The value as JSON. Raises PayloadError, whose path begins with `what`, where it has no encoding."""
    try:
        raw = _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        place, reason = _find(value, what) or (what, str(error))
        raise PayloadError(f"{place}: {reason}", place) from None
    # The encoder writes NaN and the infinities as null, and integers of any length. Both are rare enough to look at
    # every value that may have one. (`find`: `in` asks first whether it is a number that is looked for, and takes four times
    # as long.)
    if (raw.find(b"null") >= 0 and raw != b"null") or (len(raw) >= 19 and _LONG_INTEGER.search(raw)):
        fault = _find(value, what)
        if fault is not None:
            raise PayloadError(f"{fault[0]}: {fault[1]}", fault[0])
    elif raw == b"null" and value is not None and isinstance(value, float):
        raise PayloadError(f"{what}: {value!r} is no JSON number", what)
    return raw


def _find(value: Any, place: str, depth: int = 0) -> tuple[str, str] | None:
    """The first place with something that cannot be encoded, and why."""
    if depth > 200:
        return place, "nested more than 200 deep, or in itself"
    if isinstance(value, float) and not math.isfinite(value):
        return place, f"{value!r} is no JSON number"
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        inside = INTEGER_MIN <= value <= INTEGER_MAX
        return None if inside else (place, "the integer does not fit 64 bits")
    if isinstance(value, dict):
        return _find_in_dict(value, place, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    elif hasattr(value, "__struct_fields__"):
        parts = ((f"{place}.{name}", getattr(value, name)) for name in value.__struct_fields__)
    elif hasattr(value, "__dataclass_fields__"):
        parts = ((f"{place}.{name}", getattr(value, name)) for name in value.__dataclass_fields__)
    elif hasattr(value, "__attrs_attrs__"):
        parts = ((f"{place}.{field.name}", getattr(value, field.name)) for field in value.__attrs_attrs__)
    else:
        try:
            _encode(value)
        except Exception as error:
            return place, str(error)
        return None
    return next((found for name, item in parts if (found := _find(item, name, depth + 1))), None)


def _find_in_dict(value: dict[Any, Any], place: str, depth: int) -> tuple[str, str] | None:
    for key, item in value.items():
        if isinstance(key, float) or not isinstance(key, (str, int)):
            try:
                _encode({key: None})
            except Exception:
                return place, f"the key {key!r} is no text"
        found = _find(item, f"{place}.{key}", depth + 1)
        if found:
            return found
    return None
