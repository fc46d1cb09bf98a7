"""Durations: `500ms`, `10s`, `5m`, `1h`, `2d`, `1h30m`, or whole milliseconds; always milliseconds in the model."""

from __future__ import annotations

import re
from typing import Any

_units = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_part = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)", re.ASCII)
duration_max = 100 * 365 * 86_400_000


def parse_duration(value: Any) -> int | None:
    """Whole milliseconds, or None where `value` is no duration."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 0 <= value <= duration_max and value == int(value) else None
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip().lower()
    if text.isascii() and text.isdigit():
        return parse_duration(int(text))
    total, at = 0.0, 0
    while at < len(text):
        match = _part.match(text, at)
        if match is None:
            return None
        total += float(match[1]) * _units[match[2]]
        at = match.end()
    rounded = round(total)
    return rounded if text and abs(total - rounded) < 1e-6 and rounded <= duration_max else None


def format_duration(milliseconds: int) -> str:
    """The shortest exact text: one unit, the largest that divides it."""
    if milliseconds == 0:
        return "0s"
    unit = next(name for name, size in _units.items() if milliseconds % size == 0)
    return f"{milliseconds // _units[unit]}{unit}"
