"""How things look: colours and symbols where there is a terminal, plain text where there is none.

Plain ANSI of our own: rich is imported for the live view alone, because a command that prints ten lines should not pay
for it.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}

STYLES = {
    "completed": "green",
    "failed": "red",
    "skipped": "dim",
    "cancelled": "yellow",
    "running": "cyan",
    "ready": "cyan",
    "waiting": "blue",
    "retrying": "yellow",
    "falling_back": "yellow",
    "gathering": "blue",
    "pending": "dim",
    "partial_success": "yellow",
    "pausing": "blue",
    "paused": "blue",
    "parked": "yellow",
    "failing": "red",
    "cancelling": "yellow",
    "compensating": "yellow",
    "compensated": "yellow",
    "compensation_failed": "red",
}
"""Instance and node statuses share their words, and so their colours."""

_SYMBOLS = {
    "completed": ("✓", "+"),
    "failed": ("✗", "x"),
    "compensation_failed": ("✗", "x"),
    "failing": ("✗", "x"),
    "skipped": ("–", "-"),
    "cancelled": ("⊘", "!"),
    "cancelling": ("⊘", "!"),
    "running": ("▸", ">"),
    "ready": ("▹", ">"),
    "waiting": ("◷", "~"),
    "gathering": ("◷", "~"),
    "retrying": ("↻", "~"),
    "partial_success": ("◐", "%"),
    "paused": ("‖", "="),
    "pausing": ("‖", "="),
    "parked": ("‖", "="),
    "pending": ("·", "."),
}


class Screen:
    """A stream to write lines to. `live`: a terminal that can be redrawn."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.unicode = _can_encode(stream, "✓…–")
        self.width = shutil.get_terminal_size((100, 30)).columns if self.live else None

    def paint(self, text: str, style: str) -> str:
        """The text in a style of several words, as `red bold`."""
        codes = [_CODES[word] for word in style.split()]
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour and codes and text else text

    def symbol(self, status: str) -> str:
        """A status as one character, in its colour."""
        fine, plain = _SYMBOLS.get(status, ("·", "."))
        return self.paint(fine if self.unicode else plain, STYLES.get(status, "dim"))

    def status(self, status: str) -> str:
        """A status as a word, in its colour."""
        return self.paint(status.replace("_", " "), STYLES.get(status, "dim"))

    def line(self, text: str = "") -> None:
        """Write a line."""
        self.stream.write(text + "\n")

    def hanging(self, prefix: str, text: str, indent: int, style: str = "") -> None:
        """Write text after a prefix of `indent` columns; in a terminal it is wrapped beneath itself."""
        room = None if self.width is None else max(self.width - indent - 1, 20)
        for number, part in enumerate(_wrapped(text, room)):
            self.line((prefix if number == 0 else " " * indent) + self.paint(part, style))

    def flush(self) -> None:
        """Have it out now."""
        self.stream.flush()


def out() -> Screen:
    """Standard output."""
    return Screen(sys.stdout)


def err() -> Screen:
    """Standard error."""
    return Screen(sys.stderr)


def cells(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int) -> str:
    """The text, and spaces up to a width."""
    return text + " " * (width - cells(text))


def short(text: str, width: int) -> str:
    """The text, cut in its middle where it is too wide: the ends of generated ids are what differs."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]


def table(screen: Screen, titles: Sequence[str], rows: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Columns of (text, style), as wide as they must be; the last is left ragged."""
    kept = list(rows)
    widths = [max(cells(title), *(cells(row[i][0]) for row in kept)) for i, title in enumerate(titles)]
    last = len(titles) - 1
    head = [title if i == last else pad(title, widths[i]) for i, title in enumerate(titles)]
    screen.line(screen.paint("  ".join(head).rstrip(), "dim"))
    for row in kept:
        parts = [
            screen.paint(text if i == last else pad(text, widths[i]), style) for i, (text, style) in enumerate(row)
        ]
        screen.line("  ".join(parts).rstrip())


def _wrapped(text: str, room: int | None) -> list[str]:
    lines = text.splitlines() or [""]
    if room is None:
        return lines
    import textwrap

    return [part for line in lines for part in textwrap.wrap(line, room, drop_whitespace=True) or [""]]


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
