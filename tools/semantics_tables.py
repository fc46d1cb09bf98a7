"""Writes the tables and diagrams of docs/semantics.md from the code: `python tools/semantics_tables.py [--check]`.

The events' fields come from `machine/events.py`, the lifecycles from `machine/lifecycle.py`: a rule lives in one place.
"""

from __future__ import annotations

import re
import sys
import typing
from pathlib import Path

import msgspec

from mainspring.machine import events, lifecycle

DOCUMENT = Path(__file__).parent.parent / "docs" / "semantics.md"

LIFECYCLES = {
    "instance": lifecycle.INSTANCE,
    "node": lifecycle.NODE,
    "attempt": lifecycle.ATTEMPT,
    "timer": lifecycle.TIMER,
}


def event_table() -> str:
    """All events with their fields, defaults and meanings."""
    lines = ["| event | fields (in the order of the encoding) | meaning |", "|---|---|---|"]
    for event in typing.get_args(events.AnyEvent):
        meaning = " ".join((event.__doc__ or "").split())
        lines.append(f"| `{event.__name__}` | {_fields(event)} | {meaning} |")
    lines += ["", "Parts of events:", "", "| part | fields | meaning |", "|---|---|---|"]
    for part in (events.ErrorRecord, events.Skip, events.Ref, events.Pin):
        lines.append(f"| `{part.__name__}` | {_fields(part)} | {' '.join((part.__doc__ or '').split())} |")
    return "\n".join(lines)


def _fields(struct: type[msgspec.Struct]) -> str:
    hints = typing.get_type_hints(struct)
    parts = []
    for field in msgspec.structs.fields(struct):
        default = "" if field.default is msgspec.NODEFAULT else f" = {_default(field.default)}"
        parts.append(f"`{field.name}: {_type(hints[field.name])}{default}`")
    return ", ".join(parts) or "-"


def _type(hint: object) -> str:
    text = getattr(hint, "__name__", None) if isinstance(hint, type) and not typing.get_args(hint) else None
    text = text or str(hint)
    return (
        re.sub(r"(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)
        .replace("NoneType", "null")
        .replace("None", "null")
        .replace("|", "or")
    )


def _default(value: object) -> str:
    return "null" if value is None or isinstance(value, msgspec.Raw) else repr(value)


def lifecycle_table(table: lifecycle.Table) -> str:
    """A lifecycle as rows, and as a diagram."""
    lines = ["| event | from | to |", "|---|---|---|"]
    for event, moves in table.items():
        by_after: dict[str, list[str]] = {}
        for before, after in moves.items():
            by_after.setdefault(after, []).append(before)
        for after, befores in by_after.items():
            lines.append(f"| {event} | {', '.join(befores)} | {after} |")
    lines += ["", "```mermaid", "stateDiagram-v2"]
    for event, moves in table.items():
        lines += [f"    {before} --> {after}: {event}" for before, after in moves.items()]
    return "\n".join([*lines, "```"])


def rendered(text: str) -> str:
    """The document with its generated parts made anew."""
    parts = {"events": event_table(), **{name: lifecycle_table(table) for name, table in LIFECYCLES.items()}}
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"docs/semantics.md has no place for {name}")
        text = pattern.sub(lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text)
    return text


def main() -> int:
    """Write the document, or with --check only say whether it is as it should be."""
    text = DOCUMENT.read_text("utf-8")
    fresh = rendered(text)
    if "--check" in sys.argv:
        if fresh != text:
            print("docs/semantics.md is not up to date: run python tools/semantics_tables.py")
        return int(fresh != text)
    DOCUMENT.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
