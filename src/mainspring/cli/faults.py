"""Errors as a person reads them: the place, the line, a caret, what was meant. All at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.cli.look import Screen, cells
from mainspring.cli.words import clean, count

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding

LINE_MAX = 140
"""How much of a line is shown, where the terminal is not narrower."""
SHOWN_MAX = 100
"""So many findings go to a screen; `--json` has all that are listed."""
GUTTER = 6


def show_findings(screen: Screen, findings: Sequence[Finding], texts: Mapping[str, str] | None = None) -> None:
    """Each finding with its source line. `texts` are the files' texts where they are at hand."""
    shown = findings[:SHOWN_MAX]
    windows = _windows(shown, texts or {}, _room(screen))
    for one in shown:
        _show(screen, one, windows.get((one.file, one.line, one.column)))
    if len(findings) > len(shown):
        left = count(len(findings) - len(shown), "more finding")
        screen.line(f"… and {left}, which --json lists" if screen.unicode else f"... and {left}, which --json lists")


def tally(findings: Sequence[Finding]) -> str:
    """`3 errors, 1 warning`."""
    errors = sum(1 for one in findings if one.severity == "error")
    parts = [count(errors, "error")] if errors else []
    if len(findings) > errors:
        parts.append(count(len(findings) - errors, "warning"))
    return ", ".join(parts)


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding for --json."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "hint": finding.hint,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "pointer": [part if isinstance(part, int) else part[:200] for part in finding.pointer],
    }


Window = tuple[str, int]


def _show(screen: Screen, one: Finding, window: Window | None) -> None:
    colour = "red" if one.severity == "error" else "yellow"
    place = clean(one.file or "")
    if one.line is not None:
        place += f":{one.line}:{one.column}" if place else f"line {one.line}:{one.column}"
    if one.argument:
        place += f": {clean(one.argument)}" if place else clean(one.argument)
    elif not place and one.pointer:
        place = "/".join(str(part) for part in one.pointer)
    label = screen.paint(f"{one.severity} {one.code}", f"{colour} bold")
    screen.line(f"{screen.paint(place, 'bold')}{': ' if place else ''}{label}: {clean(one.message)}")
    if window is not None:
        text, column = window
        screen.line(f"{screen.paint(f'{one.line:>{GUTTER - 1}} |', 'dim')} {text}")
        bar = " " * max(GUTTER, len(str(one.line)) + 1)
        screen.line(f"{screen.paint(f'{bar}|', 'dim')} {' ' * column}{screen.paint('^', f'{colour} bold')}")
    if one.hint:
        screen.hanging(f"{screen.paint(f'{chr(32) * GUTTER}=', 'dim')} ", clean(one.hint), GUTTER + 2)


def _room(screen: Screen) -> int:
    return LINE_MAX if screen.width is None else max(min(LINE_MAX, screen.width - GUTTER - 3), 40)


def _windows(
    findings: Sequence[Finding], texts: Mapping[str, str], room: int
) -> dict[tuple[str | None, int | None, int | None], Window]:
    """The part of the line around each place: a file is read and gone through once."""
    by_file: dict[str, list[Finding]] = {}
    for one in findings:
        if one.file is not None and one.line is not None:
            by_file.setdefault(one.file, []).append(one)
    result: dict[tuple[str | None, int | None, int | None], Window] = {}
    for file, ones in by_file.items():
        text = texts[file] if file in texts else _text(file)
        # JSON knows one end of a line, YAML five.
        ends = "\n" if file.lower().endswith(".json") else "\r\n\x85\u2028\u2029"
        starts = _line_starts(text, sorted({one.line for one in ones if one.line is not None}), ends)
        for one in ones:
            start = starts.get(one.line or 0)
            if start is not None and (window := _window(text, start, one.column or 1, room)) is not None:
                result[file, one.line, one.column] = window
    return result


def _text(file: str) -> str:
    """The file once more; with a mark for each byte that is no text, where it is not all text."""
    from mainspring.definition.encoding import lenient
    from mainspring.definition.file_door import bytes_of_file

    try:
        return lenient(bytes_of_file(file))
    except (OSError, ValueError):
        return ""


def _line_starts(text: str, lines: list[int], ends: str) -> dict[int, int]:
    """Where these lines begin. Many lines are skipped in one go, and none is copied."""
    import re

    one = re.compile(f"[^{ends}]*+(?:\r\n|[{ends}])")
    many = re.compile(f"(?:{one.pattern}){{1000}}+")
    found: dict[int, int] = {}
    line, at = 1, 0
    for wanted in lines:
        while line < wanted:
            step = 1000 if wanted - line >= 1000 else 1
            match = (many if step == 1000 else one).match(text, at)
            if match is None:
                return found
            at, line = match.end(), line + step
        found[wanted] = at
    return found


def _window(text: str, start: int, column: int, room: int) -> Window | None:
    """The part of a line around a column (from 1), and how many cells wide what stands before the caret is."""
    at = start + column - 1
    first = max(start, at - room * 2 // 3) if column > room * 2 // 3 else start
    piece = text[first : max(first, at) + room]
    end = min((found for mark in "\r\n\x85\u2028\u2029" if (found := piece.find(mark)) >= 0), default=len(piece))
    behind = len(piece) == end and first + end < len(text) and text[first + end] not in "\r\n"
    piece = piece[:end]
    if not piece.strip():
        return None
    before, after = _shown(piece[: at - first]), _shown(piece[at - first :])
    if first > start:
        before = "…" + before[1:]
    left = max(room - cells(before), 1)
    if cells(after) > left or behind:
        after = _cut(after, left - 1) + "…"
    return before + after, cells(before)


def _shown(text: str) -> str:
    """Tabs as four spaces, and `?` for what a terminal would not print."""
    return "".join(char if char.isprintable() else "    " if char == "\t" else "?" for char in text)


def _cut(text: str, width: int) -> str:
    kept: list[str] = []
    for char in text:
        width -= cells(char)
        if width < 0:
            break
        kept.append(char)
    return "".join(kept)
