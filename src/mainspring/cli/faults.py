"""Errors as a person reads them: the place, the line, a caret, what was meant. All at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.look import Screen
from mainspring.cli.words import clean, count

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding

LINE_MAX = 140
SOURCE_BYTES_MAX = 16 * 1024 * 1024


def show_findings(screen: Screen, findings: Sequence[Finding]) -> None:
    """Each finding with its source line."""
    sources: dict[str, list[str]] = {}
    for one in findings:
        _show(screen, one, sources)


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
        "pointer": list(finding.pointer),
    }


def _show(screen: Screen, one: Finding, sources: dict[str, list[str]]) -> None:
    colour = "red" if one.severity == "error" else "yellow"
    place = clean(one.file or "")
    if one.line is not None:
        place += f":{one.line}:{one.column}" if place else f"line {one.line}:{one.column}"
    elif not place and one.pointer:
        place = "/".join(str(part) for part in one.pointer)
    label = screen.paint(f"{one.severity} {one.code}", f"{colour} bold")
    screen.line(f"{screen.paint(place, 'bold')}{': ' if place else ''}{label}: {clean(one.message)}")
    line = None if one.file is None or one.line is None else _source(one.file, one.line, sources)
    gutter = " " * 6
    if line is not None and line.strip():
        text, column = _window(line, one.column or 1)
        caret = screen.paint("^", f"{colour} bold")
        screen.line(f"{screen.paint(f'{one.line:>5} |', 'dim')} {text}")
        screen.line(f"{screen.paint(f'{gutter}|', 'dim')} {' ' * (column - 1)}{caret}")
    if one.hint:
        screen.hanging(f"{screen.paint(f'{gutter}=', 'dim')} ", clean(one.hint), len(gutter) + 2)


def _source(file: str, number: int, sources: dict[str, list[str]]) -> str | None:
    if file not in sources:
        try:
            path = Path(file)
            data = path.read_bytes() if path.is_file() and path.stat().st_size <= SOURCE_BYTES_MAX else b""
        except OSError:
            data = b""
        # Split as YAML and JSON count lines: str.splitlines knows more ends of lines than they do.
        text = "" if b"\0" in data else data.decode("utf-8-sig", "replace")
        sources[file] = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = sources[file]
    return lines[number - 1] if 0 < number <= len(lines) else None


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a line around a column, and where the column is in it. A tab is one column wide here."""
    text = line.replace("\t", " ")
    start = max(column - LINE_MAX // 2, 0) if len(text) > LINE_MAX else 0
    part = "".join(char if char.isprintable() else "?" for char in text[start : start + LINE_MAX])
    if start:
        part = "…" + part[1:]
    if start + LINE_MAX < len(text):
        part += "…"
    return part, max(column - start, 1)
