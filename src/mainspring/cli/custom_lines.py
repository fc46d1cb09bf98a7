"""Custom kinds of node as lines, in the list of all kinds and in detail."""

from __future__ import annotations

from typing import Any

from mainspring.cli.look import Screen, cells, pad
from mainspring.cli.words import clean


def list_custom(screen: Screen, kinds: list[dict[str, Any]]) -> None:
    """Each with its icon, what it does, where it comes from, its keys and ports; nothing where there are none."""
    if not kinds:
        return
    screen.line(screen.paint("Custom kinds", "bold"))
    icons = max(cells(_icon(kind)) for kind in kinds)
    width = max(cells(clean(kind["kind"])) for kind in kinds)
    indent = 4 + (icons + 1 if icons else 0) + width + 2
    for kind in kinds:
        mark = screen.symbol("failed" if "problem" in kind else "completed")
        icon = pad(_icon(kind), icons) + " " if icons else ""
        name = screen.paint(clean(kind["kind"]), "dim" if "problem" in kind else "cyan")
        gap = " " * (width - cells(clean(kind["kind"])) + 2)
        said = [*_told(kind), ("from " + clean(kind["source"]["text"]), "dim")]
        for number, (text, style) in enumerate(said):
            screen.hanging(f"  {mark} {icon}{name}{gap}" if number == 0 else " " * indent, text, indent, style)
    screen.line()


def _told(kind: dict[str, Any]) -> list[tuple[str, str]]:
    if "problem" in kind:
        return [(f"cannot be used: {clean(kind['problem'])}", "red")]
    more = [f"config: {', '.join(kind['config'])}"] if kind["config"] else []
    more += [f"ports: {', '.join(kind['ports'])}"] if kind["ports"] else []
    lines = [(clean(kind["what"]), "")] if kind["what"] else []
    return [*lines, *([(clean("; ".join(more)), "dim")] if more else [])]


def show_custom(screen: Screen, kind: dict[str, Any]) -> None:
    """One in detail, as the built-in kinds are shown."""
    icon = f"{_icon(kind)} " if _icon(kind) else ""
    screen.line(f"{icon}{screen.paint(clean(kind['kind']), 'bold cyan')}")
    if "problem" in kind:
        screen.hanging("  ", f"cannot be used: {clean(kind['problem'])}", 2, "red")
        for source in kind["sources"]:
            screen.hanging("  ", f"from {clean(source['text'])}", 2, "dim")
        return
    if kind["what"]:
        screen.hanging("  ", clean(kind["what"]), 2)
    screen.hanging("  ", f"{kind['runs']}, from {clean(kind['source']['text'])}", 2, "dim")
    screen.line()
    screen.line(screen.paint("Config", "bold"))
    width = max((cells(key) for key in kind["config"]), default=0)
    for key, text in kind["config"].items():
        screen.hanging(f"  {screen.paint(pad(clean(key), width), 'cyan')}  ", clean(text), width + 4)
    if not kind["config"]:
        anything = kind["schema"].get("additionalProperties", True) is not False
        screen.line("  anything" if anything else "  nothing")
    primary = "the primary output" if kind["ports"] else "the primary output only"
    shown = [("Input", kind["input"]), ("Output", kind["output"]), ("Ports", ", ".join([primary, *kind["ports"]]))]
    for title, text in shown:
        if text:
            screen.line()
            screen.line(screen.paint(title, "bold"))
            screen.hanging("  ", clean(text), 2)


def _icon(kind: dict[str, Any]) -> str:
    return clean(kind.get("icon", ""))
