"""Times, counts and values in words for people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any


def duration(milliseconds: float) -> str:
    """As `7 ms`, `1.25 s`, `12.3 s`, `3m 05s`, `2h 03m`, `3d 4h`."""
    if milliseconds < 1_000:
        return f"{max(milliseconds, 0):.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600}h"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 node`, `1,000 nodes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_as_of: ContextVar[int | None] = ContextVar("as_of", default=None)


def now_ms() -> int:
    """UTC milliseconds: of now, or of the moment that is looked back at."""
    then = _as_of.get()
    return time.time_ns() // 1_000_000 if then is None else then


@contextmanager
def as_of(milliseconds: int | None) -> Iterator[None]:
    """Words are those of that moment: what ran then has run until then (None: of now)."""
    token = _as_of.set(milliseconds)
    try:
        yield
    finally:
        _as_of.reset(token)


def local(milliseconds: int) -> str:
    """Local date and time."""
    return f"{datetime.fromtimestamp(milliseconds / 1_000).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(milliseconds: int) -> str:
    """Local time of day, with milliseconds."""
    return f"{datetime.fromtimestamp(milliseconds / 1_000).astimezone():%H:%M:%S.%f}"[:-3]


def iso(milliseconds: int | None) -> str | None:
    """RFC 3339 in UTC, for machines."""
    if milliseconds is None:
        return None
    from datetime import UTC

    return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative(milliseconds: int, now: int) -> str:
    """`just now`, `5 min ago`, `in 2 h`."""
    distance = abs(now - milliseconds) / 1_000
    if distance < (5 if milliseconds <= now else 1):
        return "just now" if milliseconds <= now else "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if distance >= size:
            text = f"{distance // size:.0f} {unit}"
            break
    return f"{text} ago" if milliseconds < now else f"in {text}"


def clean(text: str) -> str:
    """Text from outside as it may go to a terminal: control characters (but for line ends and tabs) made visible."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most so many characters."""
    flat = clean(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: max(limit - 1, 1)] + "…"


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return clean(json.dumps(value, indent=2, ensure_ascii=False))


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
