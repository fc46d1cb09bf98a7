"""`mainspring explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from mainspring.cli.examples import Example
    from mainspring.cli.look import Screen
    from mainspring.definition.findings import Finding

LINES_MAX = 16
COLUMNS_MAX = 100


@click.command("explain", short_help="What an error's code means, and how to mend it.")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON on stdout.")
def command(code: str | None, as_json: bool) -> int:
    """What an error's code means: a workflow that has it, and the same mended. Without a code, all codes.

    \b
    mainspring explain MS104
    mainspring explain
    """
    from mainspring.definition.findings import codes

    if code is None:
        _show_all(as_json)
        return exits.COMPLETED
    known = find(code)
    if known is None:
        raise click.BadParameter(f"there is no code {code[:80]!r}{_meant(code)}", param_hint="CODE")
    if as_json:
        import json

        print(json.dumps(as_data(known), ensure_ascii=False))
        return exits.COMPLETED
    from mainspring.cli import look
    from mainspring.cli.examples import EXAMPLES

    screen = look.out()
    severity = codes[known].severity
    label = screen.paint(known, f"{'red' if severity == 'error' else 'yellow'} bold")
    screen.line(f"{label} {screen.paint(codes[known].title, 'bold')} ({severity})")
    screen.line()
    screen.hanging("", codes[known].explanation, 0)
    _show_example(screen, known, EXAMPLES[known])
    return exits.COMPLETED


def find(word: str) -> str | None:
    """The code as it is written: `ms104` and `104` will do."""
    from mainspring.definition.findings import codes

    upper = word.strip().upper()
    return next((one for one in (upper, f"MS{upper}") if one in codes), None)


def _meant(word: str) -> str:
    """What was perhaps meant: a code like it, or one with such a title."""
    from mainspring.definition.findings import codes, did_you_mean

    titled = [code for code, of in codes.items() if word.lower().strip() in of.title] if len(word) > 2 else []
    if titled:
        return "; did you mean " + " or ".join(f"{code} ({codes[code].title})" for code in titled[:3]) + "?"
    near = did_you_mean(word.upper(), tuple(codes))
    return f"; {near}" if near else ". `mainspring explain` lists them all"


def said(example: Example, code: str) -> Finding | None:
    """What a check says about the bad example; None where that takes more than its text."""
    from mainspring.graph.check import inspect_text

    if example.kind != "file":
        return None
    form: Any = "json" if example.name.endswith(".json") else "yaml"
    found = inspect_text(example.bad.encode(example.encoding), format=form, name=example.name)[1]
    return next((one for one in found if one.code == code), None)


def shortened(text: str) -> list[str]:
    """An example's lines, those that are many or long cut."""
    lines = [line if len(line) <= COLUMNS_MAX else line[: COLUMNS_MAX - 1] + "…" for line in text.splitlines()]
    return (
        lines
        if len(lines) <= LINES_MAX
        else [*lines[: LINES_MAX - 1], f"… and {len(lines) - LINES_MAX + 1} more lines"]
    )


def as_data(code: str) -> dict[str, Any]:
    """All that is known about a code."""
    from mainspring.cli.examples import EXAMPLES
    from mainspring.definition.findings import codes

    example = EXAMPLES[code]
    return {
        "code": code,
        "title": codes[code].title,
        "severity": codes[code].severity,
        "meaning": codes[code].explanation,
        "example": {
            "name": example.name,
            "kind": example.kind,
            "wrong": example.bad,
            "encoding": example.encoding,
            "right": example.mended,
            "files": example.files,
        },
        "read": example.read,
    }


def _show_all(as_json: bool) -> None:
    from mainspring.cli import look
    from mainspring.definition.findings import codes

    if as_json:
        import json

        print(json.dumps([as_data(code) for code in sorted(codes)], ensure_ascii=False))
        return
    screen = look.out()
    rows = [
        ((code, "bold"), (codes[code].severity, "red" if codes[code].severity == "error" else "yellow"),
         (codes[code].title, ""))
        for code in sorted(codes)
    ]  # fmt: skip
    look.table(screen, ("CODE", "SEVERITY", "MEANING"), rows)
    screen.line()
    screen.line("mainspring explain CODE tells more, with an example.")


def _show_example(screen: Screen, code: str, example: Example) -> None:
    from mainspring.cli.faults import show_findings

    for name, text in example.files.items():
        screen.line()
        screen.line(screen.paint(name, "bold"))
        _show_text(screen, text)
    where = "" if example.kind == "command" else f" {example.name}"
    saved = f", saved as {example.encoding}" if example.encoding != "utf-8" else ""
    screen.line()
    screen.line(f"{screen.paint('Wrong:', 'red bold')}{where}{saved}")
    _show_text(screen, example.bad)
    found = said(example, code)
    if found is not None:
        screen.line()
        show_findings(screen, [found], {example.name: example.bad})
    screen.line()
    screen.line(f"{screen.paint('Right:', 'green bold')}{where}{', saved as utf-8' if saved else ''}")
    _show_text(screen, example.mended)
    screen.line()
    screen.line(f"Read on: {example.read}")


def _show_text(screen: Screen, text: str) -> None:
    for line in shortened(text):
        screen.line(f"    {line}".rstrip())
