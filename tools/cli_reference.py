"""Writes the commands' parts of docs/reference/cli.md from click's definitions: `python tools/cli_reference.py [--check]`.

Usage, options, examples and exit codes come from the code; the prose around them is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from mainspring.cli import exits
from mainspring.cli.main import group

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

MEANINGS = {
    "COMPLETED": "completed; or the command did what it was asked",
    "FAILED": "the instance failed; `check` found a run that breaks an invariant; `doctor` found a problem",
    "USAGE": "wrong usage, an invalid definition, a store that cannot be used, code that cannot be found",
    "PARTIAL": "partial success",
    "CANCELLED": "cancelled",
    "WAITING": "the instance is paused, parked or waiting, or was stopped: it can be resumed",
}


def commands(of: click.Group = group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command by its whole name, in the order of `--help`; groups are gone into."""
    context = click.Context(of)
    for name in of.list_commands(context):
        command = of.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def parts(command: click.Command) -> tuple[list[str], list[str]]:
    r"""A command's help: its paragraphs, and the examples (what stands behind a `\b`)."""
    prose, examples = [], []
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            examples += [line for line in paragraph.splitlines()[1:] if line.strip()]
        else:
            prose.append(" ".join(paragraph.split()))
    return prose, examples


def section(name: str, command: click.Command) -> str:
    """All that click knows about a command."""
    context = click.Context(command, info_name=f"mainspring {name}")
    usage = " ".join([f"mainspring {name}", *command.collect_usage_pieces(context)])
    prose, examples = parts(command)
    lines = [*_paragraphs(prose), "```", usage, "```", "", "| option | |", "|---|---|"]
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            lines.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    if lines[-1] == "|---|---|":
        del lines[-3:]
    if examples:
        lines += ["", "```sh", *examples, "```"]
    return "\n".join(lines)


def _paragraphs(prose: list[str]) -> list[str]:
    return [line for paragraph in prose for line in (paragraph, "")]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def overview() -> str:
    """Each command with its one line."""
    lines = ["| command | |", "|---|---|"]
    for name, command in commands():
        lines.append(f"| [`{name}`](#mainspring-{name.replace(' ', '-')}) | {command.get_short_help_str(120)} |")
    return "\n".join(lines)


def exit_codes() -> str:
    """The constants of `exits`, each with what it means."""
    known = {name: code for name, code in vars(exits).items() if name.isupper() and isinstance(code, int)}
    lines = ["| code | means |", "|---|---|"]
    lines += [f"| {code} | {MEANINGS[name]} |" for name, code in sorted(known.items(), key=lambda item: item[1])]
    lines.append("| 141 | whoever read the output went away (`mainspring events last \\| head`) |")
    return "\n".join(lines)


def rendered(text: str) -> str:
    """The document with its generated parts made anew."""
    made = {"commands": overview(), "exit codes": exit_codes(), **{name: section(name, of) for name, of in commands()}}
    for name, content in made.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"docs/reference/cli.md has no place for {name}")
        text = pattern.sub(lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text)
    known = set(made)
    for name in re.findall(r"<!-- begin (.*?) -->", text):
        if name not in known:
            raise SystemExit(f"docs/reference/cli.md has a place for {name}, which is no command")
    return text


def main() -> int:
    """Write the document, or with --check only say whether it is as it should be."""
    text = DOCUMENT.read_text("utf-8")
    fresh = rendered(text)
    if "--check" in sys.argv:
        if fresh != text:
            print("docs/reference/cli.md is not up to date: run python tools/cli_reference.py")
        return int(fresh != text)
    DOCUMENT.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
