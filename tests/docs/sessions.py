"""Pages whose console blocks are sessions: what stands behind `$` is typed, and what follows must be what is said.

A yaml, python or json block that begins with `# name.ext` is written as that file first. `…` alone on a line stands for any
lines. A last line `exit N` is the exit code; without one it is 0. After a change that is meant, record what is said now:
`python -m tests.docs.sessions docs/start.md …`, and review the difference.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import warm

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ANYTHING = "…"


class Session:
    """A folder in which a page is gone through. `url`: of a server that the page calls DATABASE_URL."""

    def __init__(self, folder: Path, url: str = "") -> None:
        programs = folder / ".bin"
        programs.mkdir()
        warm.program(programs / "mainspring")
        (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / "python").chmod(0o755)
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAINSPRING_", "PYTEST_"))}
        self.env = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        if url:
            self.env["DATABASE_URL"] = url
        self.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

    def said(self, command: str) -> str:
        """What a command says, with its exit code where that is not 0."""
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            return ""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        ended = "" if done.stdout.endswith("\n") or not done.stdout else "\n"
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode  # as a shell has it
        return done.stdout + ended + (f"exit {code}\n" if code else "")

    def block(self, language: str, text: str) -> list[tuple[str, str, str]]:
        """Do what a block says: for each command in it, what is shown and what is said."""
        name = re.match(r"# ([\w.]+)\n", text)
        if name is not None and language in ("yaml", "python", "json"):
            (self.folder / name[1]).write_text(text.removeprefix(name[0]) if language != "python" else text)
        if language != "console" or not text.startswith("$ "):
            return []
        parts = [part.partition("\n") for part in re.split(r"(?m)^\$ ", text)[1:]]
        return [(command, shown, self.said(command)) for command, _, shown in parts]


def alike(text: str) -> str:
    """Without what differs from run to run: ids, times, widths."""
    text = re.sub(r"\b([a-z-]+)-[a-z2-7]{10}\b", r"\1-ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\.\d+", "CLOCK", text)
    text = re.sub(r"\b(\d+ (?:s|min) ago|just now)", "AGO", text)
    text = re.sub(r"\b[\d.]+ m?s\b", "T", text)
    text = re.sub(r"\d+ passed in T.*|\d+ passed in [\d.]+s", "PASSED", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def same(shown: str, said: str) -> bool:
    """Whether what is shown is what is said, `…` standing for any lines."""
    lines = alike(shown).splitlines()
    pattern = "".join(r"(?:.*\n)*" if line == ANYTHING else re.escape(line) + r"\n" for line in lines)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in alike(said).splitlines())) is not None


@contextmanager
def server_for(text: str) -> Iterator[str]:
    """The URL of an empty store on a server, for a page that speaks of one ("" for any other)."""
    if "DATABASE_URL" not in text:
        yield ""
        return
    from mainspring.testing.postgres_server import drop, fresh_url

    url = fresh_url()
    try:
        yield url
    finally:
        asyncio.run(drop(url))


def recorded(text: str, folder: Path, url: str = "") -> str:
    """The page with what is said now; sessions with a `…` are left as they are."""
    session = Session(folder, url)

    def again(match: re.Match[str]) -> str:
        results = session.block(match[1], match[2])
        if not results:
            return match[0]
        told = [
            f"$ {command}\n{shown if ANYTHING in shown.split(chr(10)) else said}" for command, shown, said in results
        ]
        return f"```console\n{''.join(told)}```"

    return BLOCK.sub(again, text)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        before = page.read_text("utf-8")
        with tempfile.TemporaryDirectory() as place, server_for(before) as url:
            page.write_text(recorded(before, Path(place), url), "utf-8")
