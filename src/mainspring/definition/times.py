"""Points in time: ISO 8601, in UTC where no zone is said, or UTC milliseconds; always UTC milliseconds in the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_epoch = datetime(1970, 1, 1, tzinfo=UTC)
_digits_min = 11  # fewer are a date in ISO's basic form
time_max = 253_402_300_799_999  # the end of the year 9999


def parse_time(value: Any) -> int | None:
    """UTC milliseconds, or None where `value` is no time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 0 <= value <= time_max and value == int(value) else None
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) >= _digits_min:
        return parse_time(int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    found = (moment - _epoch) // timedelta(milliseconds=1)
    return found if found >= 0 else None
