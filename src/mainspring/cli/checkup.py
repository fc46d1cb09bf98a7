"""What `mainspring doctor` looks at outside of the store: what is installed, what runs scripts, the clock, the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "absent", "warning", "problem"]

PYTHON_MIN = (3, 11)
VERSION_SECONDS_MAX = 5.0
"""How long an interpreter may take to say its version."""

SQLITE_RACE_MENDED = (3, 51, 3)
WIDTH_MIN = 60

LONG_AGO_MS = 1_735_689_600_000
"""The beginning of 2025: a clock that shows less has not been set."""


@dataclass(frozen=True)
class Check:
    """One line. `absent`: not there, and only missed by who wants it."""

    group: str
    name: str
    level: Level
    text: str
    hint: str = ""


def environment() -> Iterator[Check]:
    """All of it, in the order in which it is shown."""
    yield from installed()
    yield from scripts()
    yield clock()
    yield terminal()


def installed() -> Iterator[Check]:
    """Python, mainspring, the libraries that it needs, SQLite."""
    from mainspring import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < PYTHON_MIN
    yield Check(
        "installed", "Python", "problem" if old else "ok", f"{version}, {sys.executable}",
        "mainspring needs Python 3.11 or later" if old else "",
    )  # fmt: skip
    yield Check("installed", "mainspring", "ok", __version__)
    yield from _libraries()
    yield sqlite()


def _libraries() -> Iterator[Check]:
    """As the installed package's own metadata has them: nothing to be forgotten here."""
    import re
    from importlib import metadata

    try:
        wanted = metadata.requires("mainspring") or []
    except metadata.PackageNotFoundError:
        hint = "install it: pip install mainspring, or pip install . in its folder"
        yield Check("installed", "libraries", "warning", "mainspring runs from a folder, not installed", hint)
        return
    for requirement in sorted(wanted, key=str.lower):
        parts = re.match(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?[^;]*(?:;\s*extra\s*==\s*[\"'](\w+)[\"'])?", requirement)
        if parts is None or parts[3] == "dev":
            continue
        yield _library(parts[1], parts[2] or "0", parts[3])


def _library(name: str, least: str, extra: str | None) -> Check:
    from importlib import metadata

    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if extra:
            return Check("installed", name, "absent", "not installed", f"pip install 'mainspring[{extra}]'")
        return Check("installed", name, "problem", "not installed", f"pip install '{name}>={least}'")
    if _numbers(version) < _numbers(least):
        return Check("installed", name, "problem", f"{version} is too old", f"pip install '{name}>={least}'")
    return _yaml(version) if name.lower() == "pyyaml" else Check("installed", name, "ok", version)


def _yaml(version: str) -> Check:
    import yaml

    if yaml.__with_libyaml__:
        return Check("installed", "PyYAML", "ok", f"{version}, with its C parser")
    return Check(
        "installed", "PyYAML", "problem", f"{version}, without its C parser: YAML files cannot be read",
        "install a wheel of it: pip install --force-reinstall --only-binary :all: PyYAML",
    )  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    import re

    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def sqlite() -> Check:
    """Its library's version, and why the race that older ones have cannot hit us."""
    import sqlite3

    text = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SQLITE_RACE_MENDED:
        text += (
            "; before 3.51.3 two connections that write could lose a part of the log: mainspring has one, and a lease "
            "keeps out others"
        )
    return Check("installed", "SQLite", "ok", text)


def scripts() -> Iterator[Check]:
    """The interpreters of script nodes."""
    import os

    from mainspring.tasks.interpreters import INTERPRETERS, InterpreterMissing, command_for

    for runtime, interpreter in INTERPRETERS.items():
        try:
            program = command_for(runtime, os.environ.get("PATH"))[0]
        except InterpreterMissing:
            yield Check(
                "scripts", runtime, "absent", "not here", f"for {runtime} scripts, install {interpreter.install}"
            )
            continue
        if runtime == "sh":  # a POSIX shell has no way to say its version
            yield Check("scripts", runtime, "ok", program)
            continue
        yield _interpreter(runtime, program)


def _interpreter(runtime: str, program: str) -> Check:
    import subprocess

    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=VERSION_SECONDS_MAX, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        hint = f"try it by hand: {program} --version"
        return Check("scripts", runtime, "warning", f"{program} says nothing for {VERSION_SECONDS_MAX:.0f} s", hint)
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.strerror if isinstance(error, OSError) else f"ends with {error.returncode}"
        return Check("scripts", runtime, "warning", f"{program} does not run: {why}", f"{program} --version says more")
    said = (done.stdout or done.stderr).strip().splitlines()
    return Check("scripts", runtime, "ok", f"{_version(said[0])}, {program}" if said else program)


def _version(line: str) -> str:
    """`GNU bash, version 5.2.15(1)-release (…)` is 5.2.15."""
    import re

    found = re.search(r"\d+(?:\.\d+)+", line)
    return found[0] if found else line[:40]


def clock() -> Check:
    """The time, and how it is shown."""
    from datetime import datetime

    from mainspring.cli.words import now_ms

    now = datetime.now().astimezone()
    text = f"{now:%Y-%m-%d %H:%M:%S} {now.tzname()} (UTC{now:%z}); durations and due times are kept in UTC"
    if now_ms() < LONG_AGO_MS:
        return Check("machine", "clock", "problem", text, "the clock is not set: delays and leases go by it")
    return Check("machine", "clock", "ok", text)


def terminal() -> Check:
    """What the output can show."""
    from mainspring.cli import look

    screen = look.out()
    encoding = screen.stream.encoding or "none"
    if not screen.unicode:
        hint = "for ✓ and lines, set PYTHONIOENCODING=utf-8, or a UTF-8 locale".encode("ascii", "ignore").decode()
        return Check("machine", "terminal", "warning", f"its encoding is {encoding}: plain characters are used", hint)
    if not screen.live:
        return Check("machine", "terminal", "ok", f"none (a pipe, a file or TERM=dumb): no colours; {encoding}")
    colour = "colours" if screen.colour else "no colours (NO_COLOR is set)"
    text = f"{screen.width} columns, {colour}, {encoding}"
    if screen.width is not None and screen.width < WIDTH_MIN:
        return Check("machine", "terminal", "warning", text, f"lines are cut below {WIDTH_MIN} columns")
    return Check("machine", "terminal", "ok", text)
