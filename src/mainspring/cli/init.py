"""`mainspring init`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from mainspring.cli import exits
from mainspring.errors import MainspringError

STARTER = "starter"
RENAMED = {"gitignore": ".gitignore"}
"""A .gitignore within the package would hide its neighbours from the tools that build it."""

WORKFLOW = "expense.yaml"
LISTED_MAX = 5


@dataclass(frozen=True)
class Made:
    """What is there now: the files that were written, and those that were there before and stay as they were."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def next(self) -> tuple[str, ...]:
        """What to type next, in this order."""
        import shlex

        here = self.folder.resolve() == Path.cwd()
        go = () if here else (shlex.join(["cd", str(self.folder)]),)
        return (*go, f"mainspring run {WORKFLOW}", f"mainspring graph {WORKFLOW}", "mainspring show last")


@click.command("init", short_help="Make a small project that runs at once.")
@click.argument("folder", metavar="DIR")
@click.option("--force", is_flag=True, help="Into a folder that is not empty: add what is missing, overwrite nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout: what was made.")
def command(folder: str, force: bool, as_json: bool) -> int:
    """Make a small project that runs at once: a workflow, its tasks, a test, a README.

    DIR is made where it is not there; `.` is the current folder.

    \b
    mainspring init expenses
    cd expenses
    mainspring run expense.yaml
    """
    made = make(Path(folder), force=force)
    if as_json:
        import json

        told = {"folder": str(made.folder), "made": made.written, "kept": made.kept, "next": made.next}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show(made)
    return exits.COMPLETED


def make(folder: Path, *, force: bool = False) -> Made:
    """Write the project. Raises MainspringError, saying what is in the way; then nothing was written."""
    files = {RENAMED.get(file.name, file.name): file for file in _starter()}
    _refuse_what_is_no_folder(folder)
    there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    if there and not force:
        raise MainspringError(_in_the_way(folder, there))
    written: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in sorted(files.items()):
            (written if _added(folder / name, file.read_bytes()) else kept).append(name)
    except OSError as error:
        done = f"; written before that: {', '.join(written)}" if written else ""
        raise MainspringError(f"cannot write in {folder}: {error.strerror or error}{done}") from None
    return Made(folder, tuple(written), tuple(kept))


def _starter() -> list[Traversable]:
    return [file for file in resources.files(__package__).joinpath(STARTER).iterdir() if file.is_file()]


def _added(place: Path, content: bytes) -> bool:
    """Write a file unless there is something of that name, be it a folder or a dangling link."""
    try:
        with place.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _refuse_what_is_no_folder(folder: Path) -> None:
    for place in (folder, *folder.parents):
        if os.path.lexists(place) and not place.is_dir():
            raise MainspringError(f"cannot make {folder}: {place} is there, and is no folder")


def _in_the_way(folder: Path, there: list[str]) -> str:
    from mainspring.cli.words import count

    shown = ", ".join(there[:LISTED_MAX])
    more = f" and {count(len(there) - LISTED_MAX, 'more', 'more')}" if len(there) > LISTED_MAX else ""
    where = "the current folder" if folder.resolve() == Path.cwd() else str(folder)
    choose = "choose another name, or add what is missing with --force (it overwrites nothing)"
    return f"{where} is not empty: {shown}{more}\n{choose}"


def _show(made: Made) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean

    screen = look.out()
    what = "a workflow that runs, its tasks, a test" if made.written else "nothing was missing"
    screen.line(f"{screen.symbol('completed')} {clean(str(made.folder))}: {what}")
    for name in made.written:
        screen.line(f"  {screen.symbol('completed')} {name}")
    for name in made.kept:
        stays = screen.paint("was there before, and stays as it was", "dim")
        screen.line(f"  {screen.symbol('skipped')} {name}  {stays}")
    screen.line()
    screen.line("Next:")
    for line in made.next:
        screen.line(f"  {clean(line)}")
